// What is wrong with a file, and where: every problem has a line and a column, and says what was found, what was expected
// and, where there is one, what was probably meant.

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

/** The word of `known` that `word` was probably meant to be: a third of it may be wrong, two letters at most for short ones. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const lower = word.toLowerCase();
  let best: string | undefined;
  let least = Math.max(1, Math.min(3, Math.floor(word.length / 3))) + 1;
  for (const one of known) {
    const steps = one.toLowerCase() === lower ? 0 : distance(lower, one.toLowerCase());
    if (steps < least) [best, least] = [one, steps];
  }
  return best;
}

/** Optimal string alignment: letters that are missing, extra, wrong, or swapped with their neighbour. Names have 64 at most. */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 3) return Number.POSITIVE_INFINITY;
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (same ? 0 : 1), swapped ? (before[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY));
    }
    [before, row] = [row, next];
  }
  return row[b.length] ?? 0;
}
