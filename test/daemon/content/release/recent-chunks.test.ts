// Chunks kept in memory for a moment: which are kept, and how many.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRecentChunks } from '../../../../daemon/content/release/recent-chunks.ts';

describe('recent chunks', () => {
  it('are the newest, within their bound', () => {
    const recent = createRecentChunks(10);
    for (const ordinal of [1, 2, 3]) recent.add(ordinal, new Uint8Array(4).fill(ordinal));
    expect([1, 2, 3].map((ordinal) => recent.get(ordinal)?.[0])).toEqual([undefined, 2, 3]);
  });

  it('do not begin with one that is larger than all of them may be', () => {
    const recent = createRecentChunks(10);
    recent.add(1, new Uint8Array(4));
    recent.add(2, new Uint8Array(11));
    expect(recent.get(2)).toBeUndefined();
    expect(recent.get(1)).toHaveLength(4);
  });

  it('are copies, which nobody can change by what comes later, put where the reader wants them', () => {
    const recent = createRecentChunks(10);
    const own = Uint8Array.of(1, 2, 3);
    recent.add(1, own);
    own.fill(9);
    const into = new Uint8Array(4);
    const got = recent.get(1, into);
    expect([got?.buffer, [...into]]).toEqual([into.buffer, [1, 2, 3, 0]]);
    const copy = recent.get(1, new Uint8Array(2));
    for (const ordinal of [2, 3, 4, 5]) recent.add(ordinal, new Uint8Array(5).fill(ordinal));
    expect([recent.get(1), [...(copy ?? [])]]).toEqual([undefined, [1, 2, 3]]);
  });

  it('of any lengths come back as they were, or not at all', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 60 }), (lengths) => {
        const recent = createRecentChunks(32);
        for (const [ordinal, length] of lengths.entries()) {
          recent.add(ordinal, new Uint8Array(length).fill(ordinal));
          expect(recent.get(ordinal)).toHaveLength(length);
          for (let earlier = 0; earlier <= ordinal; earlier += 1) {
            const kept = recent.get(earlier);
            if (kept !== undefined) expect([...kept]).toEqual(Array.from({ length: lengths[earlier] ?? 0 }, () => earlier));
          }
        }
      }),
    );
  });
});
