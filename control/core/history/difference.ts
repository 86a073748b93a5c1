// What differs between two values of configuration, place by place, as an audit shows it.

/** One place that differs. An absent side was not there. */
export interface Difference {
  /** Where, as a JSON pointer (RFC 6901); empty for the whole. */
  readonly pointer: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** Differences that are told of one change; an edit with more is read as a whole. */
export const differencesMax = 200;

/** What differs, in the order of keys; at most {@link differencesMax}. Lists are compared place by place. */
export function differences(before: unknown, after: unknown): readonly Difference[] {
  const found: Difference[] = [];
  collect(before, after, '', found);
  return found;
}

function collect(before: unknown, after: unknown, pointer: string, found: Difference[]): void {
  if (found.length >= differencesMax || before === after) return;
  if (isObject(before) && isObject(after) && Array.isArray(before) === Array.isArray(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    for (const key of [...keys].toSorted(byKey)) collect(own(before, key), own(after, key), `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`, found);
    return;
  }
  found.push({ pointer, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) });
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function own(value: object, key: string): unknown {
  return Object.getOwnPropertyDescriptor(value, key)?.value;
}

/** Places of a list by number, names by letter. */
function byKey(a: string, b: string): number {
  const [left, right] = [Number(a), Number(b)];
  if (Number.isInteger(left) && Number.isInteger(right)) return left - right;
  return a < b ? -1 : 1;
}
