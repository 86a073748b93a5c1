// What a sabotage is: one check of the program taken out by an exact replacement of text, and the test that must notice.
// The tables are table-*.ts; run.ts carries them out in a copy of the tree, one after the other.

/** One check, and how to take it out. */
export interface Sabotage {
  /** Unique: the invariant and what is taken out, such as `T-1-window`. */
  readonly id: string;
  /** Which invariant of control-plane.md, section 6, the check guards; `gate` for those gates of section 1.4 that no invariant names. */
  readonly invariant: string;
  /** From the repository's root. */
  readonly file: string;
  /** Exact text, there exactly once. */
  readonly find: string;
  readonly replace: string;
  /** The test file of which a test must fail. */
  readonly test: string;
  /** Of the names of tests to run: as Vitest's `-t`. For files that take long. */
  readonly name?: string;
}

/** What is wrong with a sabotage before it is tried; undefined when nothing is. `text`: of its file, when there is one. */
export function staleness({ id, file, find, replace }: Sabotage, text: string | undefined): string | undefined {
  if (text === undefined) return `${id}: ${file} is not there`;
  const times = text.split(find).length - 1;
  if (times !== 1) return `${id}: its text is ${times} times in ${file}, and must be there once: ${JSON.stringify(find)}`;
  return find === replace ? `${id}: replaces a text by itself` : undefined;
}

/** The file's text without the check. */
export function sabotaged({ find, replace }: Sabotage, text: string): string {
  return text.replace(find, () => replace);
}
