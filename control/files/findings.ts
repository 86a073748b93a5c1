// What compilers find while they read one document: problems, and settings that are understood and have no effect in this
// version. The latter are said aloud each time: a setting that does nothing must never look as if it did.

import type { FileProblem } from './problem.ts';
import { hint } from './problem.ts';
import type { Path, SourceDocument } from './source.ts';

/** Collects in any order. */
export class Findings {
  readonly problems: FileProblem[] = [];
  readonly warnings: FileProblem[] = [];
  readonly #document: SourceDocument;

  constructor(document: SourceDocument) {
    this.#document = document;
  }

  problem(path: Path, message: string): void {
    this.problems.push({ file: this.#document.file, ...this.#document.at(path), message });
  }

  /** About the key at the end of `path`, not what it says. */
  atKey(path: Path, message: string): void {
    this.problems.push({ file: this.#document.file, ...this.#document.atKey(path), message });
  }

  warn(path: Path, message: string): void {
    this.warnings.push({ file: this.#document.file, ...this.#document.atKey(path), message });
  }

  /** A warning that the key at the end of `path` has no effect. */
  ignored(path: Path, instead?: string): void {
    this.warn(path, `'${String(path.at(-1))}' has no effect in this version${instead === undefined ? '' : `: ${instead}`}`);
  }

  /** A problem for each of `names` that is not among `known`; whether all are. */
  references(path: Path, what: string, names: readonly string[], known: readonly string[]): boolean {
    const unknown = names.flatMap((name, index) => (known.includes(name) ? [] : [{ name, index }]));
    for (const { name, index } of unknown) this.problem([...path, index], noSuch(what, name, known));
    return unknown.length === 0;
  }

  /** The same of a single name. */
  reference(path: Path, what: string, name: string, known: readonly string[]): boolean {
    if (known.includes(name)) return true;
    this.problem(path, noSuch(what, name, known));
    return false;
  }

  /** A problem for each name that was there before. */
  unique(path: Path, what: string, names: readonly string[]): void {
    names.forEach((name, index) => {
      if (names.indexOf(name) !== index) this.problem([...path, index, 'name'], `${what} '${name}' is there twice`);
    });
  }
}

function noSuch(what: string, name: string, known: readonly string[]): string {
  return `there is no ${what} '${name}' in this file${known.length === 0 ? '' : hint(name, known)}`;
}
