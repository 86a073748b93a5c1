// Versions of platform software and ranges of them: `22.3.1`, `>=22.3 <23`. Numbers compared one by one; what is left out
// is zero. No pre-releases: a platform node has none.

const comparator = /^(>=|<=|>|<|=)?(\d+(?:\.\d+)*)$/;

/** Whether a version is in a range: every comparator of it, separated by spaces, holds. What cannot be read is in no range. */
export function isInRange(version: string | undefined, range: string): boolean {
  if (version === undefined || !/^\d+(\.\d+)*$/.test(version)) return false;
  const parts = range.split(/\s+/).filter((part) => part !== '' && part !== '*');
  return parts.every((part) => {
    const found = comparator.exec(part);
    if (found?.[2] === undefined) return false;
    const order = compareVersions(version, found[2]);
    switch (found[1]) {
      case '>=':
        return order >= 0;
      case '<=':
        return order <= 0;
      case '>':
        return order > 0;
      case '<':
        return order < 0;
      case '=':
      case undefined:
      default:
        return order === 0;
    }
  });
}

/** Whether a text is a range that {@link isInRange} can read. */
export function isRange(range: string): boolean {
  return range.split(/\s+/).every((part) => part === '' || part === '*' || comparator.test(part));
}

/** Below, equal to or above zero as `a` is older than, the same as or newer than `b`. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a.split('.').map(Number), b.split('.').map(Number)];
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    const order = (left[index] ?? 0) - (right[index] ?? 0);
    if (order !== 0) return order;
  }
  return 0;
}
