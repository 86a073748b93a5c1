// What is wrong with a file, and where: every problem has a line and a column, and says what was found, what was expected
// and, where there is one, what was probably meant.

import { nearest } from '../../proto/nearest.ts';

/** One place in a file that is wrong, or that has no effect. Line and column count from 1. */
export interface FileProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** `pipeline.yaml:12:7: …`, as editors and terminals find it. */
export function problemText({ file, line, column, message }: FileProblem): string {
  return `${file}:${line}:${column}: ${message}`;
}

/** In the order of the file. */
export function inOrder(problems: readonly FileProblem[]): readonly FileProblem[] {
  return problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
}

/** Longest value that a message repeats. */
const shownMax = 60;

/** A value as a message shows it: `'text'`, `3`, `a list`, `nothing`. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value.length > shownMax ? `${value.slice(0, shownMax)}…` : value}'`;
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (value === null || value === undefined) return 'nothing';
  if (typeof value === 'number') return `the number ${value}`;
  return typeof value === 'boolean' ? String(value) : 'a mapping';
}

/** `; did you mean 'gamma'?` when one of `names` is close to `word`; else `; there are …`, else nothing. */
export function hint(word: string, names: readonly string[]): string {
  const known = [...new Set(names)];
  const meant = nearest(word, known);
  if (meant !== undefined) return `; did you mean '${meant}'?`;
  if (known.length === 0) return '';
  return known.length > 12 ? `; there are ${known.slice(0, 12).join(', ')}, …` : `; there ${known.length === 1 ? 'is' : 'are'} ${known.join(', ')}`;
}
