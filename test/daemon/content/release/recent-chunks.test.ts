// Chunks kept in memory for a moment: which are kept, and how many.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRecentMemory } from '../../../../daemon/content/release/recent-chunks.ts';

describe('recent chunks', () => {
  it('are the newest, within their bound', () => {
    const recent = createRecentMemory(10).open();
    for (const ordinal of [1, 2, 3]) recent.add(ordinal, new Uint8Array(4).fill(ordinal));
    expect([1, 2, 3].map((ordinal) => recent.get(ordinal)?.[0])).toEqual([undefined, 2, 3]);
  });

  it('do not begin with one that is larger than all of them may be', () => {
    const recent = createRecentMemory(10).open();
    recent.add(1, new Uint8Array(4));
    recent.add(2, new Uint8Array(11));
    expect(recent.get(2)).toBeUndefined();
    expect(recent.get(1)).toHaveLength(4);
  });

  it('are copies, which nobody can change by what comes later, put where the reader wants them', () => {
    const recent = createRecentMemory(10).open();
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

  it('of several releases lie in the same memory, and nobody has those of another', () => {
    const memory = createRecentMemory(10);
    const [first, second] = [memory.open(), memory.open()];
    first.add(1, Uint8Array.of(1, 1, 1, 1));
    second.add(1, Uint8Array.of(2, 2, 2, 2));
    expect([first.get(1)?.[0], second.get(1)?.[0]]).toEqual([1, 2]);
    second.add(2, Uint8Array.of(3, 3, 3, 3));
    expect([first.get(1), second.get(1)?.[0], second.get(2)?.[0]]).toEqual([undefined, 2, 3]);
    second.clear();
    first.add(4, new Uint8Array(10).fill(4));
    expect([second.get(1), second.get(2), first.get(4)?.length]).toEqual([undefined, undefined, 10]);
  });

  it('of a release that ended leave all of their room to what comes next, even of the same', () => {
    const recent = createRecentMemory(10).open();
    recent.add(1, new Uint8Array(3));
    recent.clear();
    for (const ordinal of [1, 2]) recent.add(ordinal, new Uint8Array(4).fill(ordinal));
    expect([1, 2].map((ordinal) => recent.get(ordinal)?.[0])).toEqual([1, 2]);
  });

  it('of any lengths, of releases that end at any time, come back as they were, or not at all', () => {
    const steps = fc.array(fc.record({ release: fc.nat({ max: 2 }), length: fc.integer({ min: 1, max: 12 }), ends: fc.boolean() }), { maxLength: 80 });
    fc.assert(
      fc.property(steps, (taken) => {
        const memory = createRecentMemory(32);
        const releases = [0, 1, 2].map(() => ({ chunks: memory.open(), added: new Map<number, number>() }));
        for (const [ordinal, { release, length, ends }] of taken.entries()) {
          const of = releases[release];
          if (ends) of?.chunks.clear();
          if (ends) of?.added.clear();
          of?.chunks.add(ordinal, new Uint8Array(length).fill(ordinal));
          of?.added.set(ordinal, length);
          expect(of?.chunks.get(ordinal)).toHaveLength(length);
          const there = releases.flatMap(({ chunks, added }) => taken.flatMap((_, at) => { const bytes = chunks.get(at); return bytes === undefined ? [] : [{ at, bytes, length: added.get(at) }]; }));
          for (const { at, bytes, length: was } of there) expect([...bytes]).toEqual(Array.from({ length: was ?? 0 }, () => at));
          expect(there.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBeLessThanOrEqual(32);
        }
      }),
    );
  });

  it('of any lengths come back as they were, or not at all', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 60 }), (lengths) => {
        const recent = createRecentMemory(32).open();
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
