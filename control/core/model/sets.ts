// Environment revisions: which revision of each application runs together. A set is named by its canonical text, so that
// equal content has an equal name and different content never has (V-1); a digest of it is the shell's to make.

import type { SetMembers } from '../../../proto/pipeline.ts';

/** The name of a set: `app@digest` of each application in the order of their names, joined by `+`. */
export function setIdOf(members: SetMembers): string {
  return Object.keys(members)
    .toSorted()
    .map((app) => `${app}@${members[app]}`)
    .join('+');
}

/** Whether two sets are the same. */
export function isSameSet(a: SetMembers | undefined, b: SetMembers | undefined): boolean {
  return a !== undefined && b !== undefined && setIdOf(a) === setIdOf(b);
}

/** The part of a set that is of these applications. */
export function pick(members: SetMembers, apps: readonly string[]): SetMembers {
  return Object.fromEntries(Object.entries(members).filter(([app]) => apps.includes(app)));
}

/** The canonical text of plain data: keys sorted, so that equal data is equal text. Absent and `undefined` are the same. */
export function canonicalText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const parts = Object.entries(value).filter(([, part]) => part !== undefined);
  return `{${parts.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, part]) => `${JSON.stringify(key)}:${canonicalText(part)}`).join(',')}}`;
}
