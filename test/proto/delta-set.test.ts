// The descriptor of a delta set: its golden bytes, what is refused, and where things lie in the payload.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeDeltaSet, encodeDeltaSet } from '../../proto/delta-set-codec.ts';
import { indexPartCount, indexSlice, payloadBytes, segmentSlices } from '../../proto/delta-set.ts';
import { ProtocolError } from '../../proto/errors.ts';
import { limits } from '../../proto/limits.ts';
import rows from '../vectors/corpus/delta-set.json' with { type: 'json' };
import vectors from '../vectors/delta-set.json' with { type: 'json' };
import { anyDeltaSet, deltaSetOf, goldenDeltaSets } from './delta-set-fixtures.ts';
import { digestOf, outcome } from './fixtures.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('delta sets have their golden bytes and names', () => {
  expect(goldenDeltaSets.map(encodeDeltaSet).map((bytes) => ({ bytes: hex(bytes), digest: digestOf(bytes) }))).toEqual(vectors.sets);
  expect(vectors.sets.map(({ bytes }) => decodeDeltaSet(Buffer.from(bytes, 'hex')))).toEqual(goldenDeltaSets);
});

test.each(rows)('decodeDeltaSet() refuses $what', ({ bytes, code }) => {
  expect(outcome(() => decodeDeltaSet(Buffer.from(bytes, 'hex')))).toEqual({ code });
});

test('a set is what was encoded, and whatever else decodes is encoded so', () => {
  fc.assert(
    fc.property(anyDeltaSet, fc.nat(), fc.integer({ min: 1, max: 255 }), (set, position, flip) => {
      const bytes = encodeDeltaSet(set);
      expect(decodeDeltaSet(bytes)).toEqual(set);
      const damaged = Uint8Array.from(bytes);
      const at = position % bytes.length;
      damaged[at] = (damaged[at] ?? 0) ^ flip;
      try {
        expect(encodeDeltaSet(decodeDeltaSet(damaged))).toEqual(damaged);
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
      }
    }),
  );
});

test('every beginning of a descriptor is refused', () => {
  const bytes = encodeDeltaSet(goldenDeltaSets[1] ?? deltaSetOf(undefined, []));
  for (let length = 0; length < bytes.length; length += 1) expect(outcome(() => decodeDeltaSet(bytes.subarray(0, length)))).toHaveProperty('code');
});

test('a descriptor of a kilobyte of payload takes little more than its three digests', () => {
  const segment = (ordinal: number) => ({ codec: 'zstd-dict' as const, base: [{ from: ordinal, to: ordinal + 9 }], out: [{ from: ordinal + 2, to: ordinal + 3 }], length: 120 });
  const bytes = encodeDeltaSet(deltaSetOf({ codec: 'zstd-outline', length: 160 }, [10, 40, 41, 90, 120, 200, 230].map(segment)));
  expect(bytes.length).toBeLessThanOrEqual(3 * 32 + 75);
});

describe('encodeDeltaSet() refuses', () => {
  const good = { codec: 'zstd-dict' as const, base: [{ from: 0, to: 2 }], out: [{ from: 5, to: 7 }], length: 100 };
  test.each([
    { what: 'an empty range', set: deltaSetOf(undefined, [{ ...good, out: [{ from: 5, to: 5 }] }]), code: 'MALFORMED' },
    { what: 'ranges that touch', set: deltaSetOf(undefined, [{ ...good, out: [{ from: 5, to: 6 }, { from: 6, to: 7 }] }]), code: 'NOT_CANONICAL' },
    { what: 'a plain segment with a base', set: deltaSetOf(undefined, [{ ...good, codec: 'zstd' }]), code: 'MALFORMED' },
    { what: 'a segment without the base that it needs', set: deltaSetOf(undefined, [{ ...good, base: [] }]), code: 'MALFORMED' },
    { what: 'segments out of order', set: deltaSetOf(undefined, [good, { ...good, out: [{ from: 1, to: 2 }] }]), code: 'NOT_CANONICAL' },
    { what: 'chunks made twice', set: deltaSetOf(undefined, [good, { ...good, out: [{ from: 6, to: 9 }] }]), code: 'MALFORMED' },
    { what: 'parts that are not the payload', set: { ...deltaSetOf(undefined, [good]), parts: [] }, code: 'MALFORMED' },
    { what: 'more payload than a descriptor can name', set: deltaSetOf(undefined, Array.from({ length: 8_000 }, (_, ordinal) => ({ ...good, out: [{ from: ordinal, to: ordinal + 1 }], length: 300_000 }))), code: 'TOO_LARGE' },
  ])('$what', ({ set, code }) => {
    expect(outcome(() => encodeDeltaSet(set))).toEqual({ code });
  });
});

describe('the payload', () => {
  test('lies in parts as its slices say', () => {
    fc.assert(
      fc.property(anyDeltaSet, (set) => {
        const slices = [indexSlice(set) ?? { begin: 0, end: 0, parts: { from: 0, to: 0 } }, ...segmentSlices(set)];
        expect(slices.at(-1)?.end).toBe(payloadBytes(set));
        expect(set.parts.reduce((sum, { length }) => sum + length, 0)).toBe(payloadBytes(set));
        for (const { begin, end, parts } of slices.filter((slice) => slice.end > slice.begin)) {
          expect(parts.from * limits.deltaPartBytes).toBeLessThanOrEqual(begin);
          expect((parts.from + 1) * limits.deltaPartBytes).toBeGreaterThan(begin);
          expect(parts.to * limits.deltaPartBytes).toBeGreaterThanOrEqual(end);
          expect((parts.to - 1) * limits.deltaPartBytes).toBeLessThan(end);
        }
      }),
    );
  });

  test('has to be there whole before an outline is understood, and only its beginning for an index', () => {
    expect(goldenDeltaSets.map((set) => [indexPartCount(set), set.parts.length])).toEqual([[1, 1], [1, 3], [1, 1]]);
    expect(indexPartCount(deltaSetOf({ codec: 'zstd-outline', length: 300_000 }, goldenDeltaSets[1]?.segments ?? []))).toBe(3);
    expect(indexPartCount(deltaSetOf(undefined, goldenDeltaSets[1]?.segments ?? []))).toBe(0);
  });
});
