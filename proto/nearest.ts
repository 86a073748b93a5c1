// What somebody probably meant who mistyped a word: one rule for keys of files, names and values. Saying so is the caller's.

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
