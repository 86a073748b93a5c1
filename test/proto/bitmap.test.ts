// Sets of ordinals: against a plain Set, and their form on the wire.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bitmapBytes, createBitmap, decodeBitmap, fullBitmap } from '../../proto/bitmap.ts';
import { outcome } from './fixtures.ts';

const size = 70;
const ordinal = fc.nat(size - 1);
const step = fc.oneof(
  fc.record({ kind: fc.constant('set'), from: ordinal, to: ordinal }),
  fc.record({ kind: fc.constant('clear'), from: ordinal, to: ordinal }),
  fc.record({ kind: fc.constant('range'), from: fc.nat(size), to: fc.nat(size) }),
);

test('a bitmap does what a set does', () => {
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const bitmap = createBitmap(size);
      const model = new Set<number>();
      for (const { kind, from, to } of steps) {
        if (kind === 'set') {
          expect(bitmap.set(from)).toBe(!model.has(from));
          model.add(from);
        } else if (kind === 'clear') {
          expect(bitmap.clear(from)).toBe(model.delete(from));
        } else {
          bitmap.setRange(from, to);
          for (let each = from; each < to; each += 1) model.add(each);
        }
      }
      const listed = (ranges: readonly { from: number; to: number }[]): number[] =>
        ranges.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, index) => from + index));
      const all = Array.from({ length: size }, (_, index) => index);
      expect(bitmap.count).toBe(model.size);
      expect(bitmap.isFull).toBe(model.size === size);
      expect(all.filter((each) => bitmap.has(each))).toEqual(all.filter((each) => model.has(each)));
      expect(listed(bitmap.ranges())).toEqual(all.filter((each) => model.has(each)));
      expect(listed(bitmap.missing())).toEqual(all.filter((each) => !model.has(each)));
      const decoded = decodeBitmap(bitmap.toBytes(), size);
      expect(decoded.count).toBe(model.size);
      expect(decoded.ranges()).toEqual(bitmap.ranges());
    }),
  );
});

describe('ranges() and missing()', () => {
  test('give runs that do not touch, and no more than asked for', () => {
    const bitmap = createBitmap(40);
    bitmap.setRange(3, 20);
    bitmap.set(30);
    expect(bitmap.ranges()).toEqual([{ from: 3, to: 20 }, { from: 30, to: 31 }]);
    expect(bitmap.missing()).toEqual([{ from: 0, to: 3 }, { from: 20, to: 30 }, { from: 31, to: 40 }]);
    expect(bitmap.missing(2)).toEqual([{ from: 0, to: 3 }, { from: 20, to: 30 }]);
    expect(bitmap.ranges(0)).toEqual([]);
  });

  test('of a full bitmap are everything and nothing', () => {
    expect(fullBitmap(13).ranges()).toEqual([{ from: 0, to: 13 }]);
    expect(fullBitmap(13).missing()).toEqual([]);
    expect(createBitmap(0).isFull).toBe(true);
  });
});

test('an ordinal outside is a mistake of the program', () => {
  const bitmap = createBitmap(8);
  for (const wrong of [-1, 8, 1.5, Number.NaN]) {
    expect(() => bitmap.has(wrong)).toThrow(RangeError);
    expect(() => bitmap.set(wrong)).toThrow(RangeError);
    expect(() => bitmap.clear(wrong)).toThrow(RangeError);
  }
  expect(() => bitmap.setRange(0, 9)).toThrow(RangeError);
});

describe('decodeBitmap()', () => {
  test('reads the least significant bit first', () => {
    expect(decodeBitmap(Uint8Array.of(0b0000_0101, 0b1), 9).ranges()).toEqual([{ from: 0, to: 1 }, { from: 2, to: 3 }, { from: 8, to: 9 }]);
  });

  test('takes no bytes for "nothing held"', () => {
    expect(decodeBitmap(new Uint8Array(0), 9).count).toBe(0);
  });

  test('does not keep the bytes it was given', () => {
    const bytes = Uint8Array.of(0xff);
    const bitmap = decodeBitmap(bytes, 8);
    bytes.fill(0);
    expect(bitmap.count).toBe(8);
    bitmap.toBytes().fill(0);
    expect(bitmap.has(0)).toBe(true);
  });

  test('refuses a length that does not fit, and bits past the end', () => {
    expect(outcome(() => decodeBitmap(new Uint8Array(2), 8))).toEqual({ code: 'MALFORMED' });
    expect(outcome(() => decodeBitmap(new Uint8Array(1), 9))).toEqual({ code: 'MALFORMED' });
    expect(outcome(() => decodeBitmap(new Uint8Array(1), 0))).toEqual({ code: 'MALFORMED' });
    expect(outcome(() => decodeBitmap(Uint8Array.of(0x80), 7))).toEqual({ code: 'NOT_CANONICAL' });
    expect(bitmapBytes(9)).toBe(2);
  });
});
