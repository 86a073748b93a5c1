// Which releases are deleted, by example and for any set of them. Deleting is tested in test/daemon/install.
// The protected ones matter most.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { releaseId } from '../../../../daemon/core/release/activate.ts';
import { expendable, type Keepable } from '../../../../daemon/core/release/retain.ts';

function release(revisionNumber: number, bad = false): Keepable {
  return { id: releaseId(revisionNumber, 'a'.repeat(64)), revisionNumber, bad };
}
const numbers = (ids: readonly string[]) => ids.map((id) => Number(id.split('-')[0]));

describe('expendable()', () => {
  it('keeps the newest', () => {
    expect(numbers(expendable([4, 1, 3, 2].map((number) => release(number)), 2, {}))).toEqual([1, 2]);
  });

  it('lets failed releases go first', () => {
    expect(numbers(expendable([release(1), release(2), release(3, true)], 2, { current: release(2).id }))).toEqual([3]);
  });

  it('never names the current, previous, stable or in-flight release, and keeps no more than asked beyond them', () => {
    const releases = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 30 }), fc.boolean()), { selector: ([number]) => number, maxLength: 20 });
    fc.assert(
      fc.property(releases, fc.integer({ min: 2, max: 8 }), fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 4, maxLength: 4 }), (made, keep, safe) => {
        const all = made.map(([number, bad]) => release(number, bad));
        const [current, previous, stable, inFlight] = safe.map((number) => release(number).id);
        const going = expendable(all, keep, { current, previous, stable, inFlight: [inFlight] });
        for (const id of [current, previous, stable, inFlight]) expect(going).not.toContain(id);
        const kept = all.filter(({ id }) => safe.includes(Number(id.split('-')[0]))).length;
        expect(all.length - going.length).toBeLessThanOrEqual(Math.max(keep, kept));
      }),
    );
  });
});
