// Where files are cut: by the definition in chunker.ts, whatever buffer they come in, and again in step after a change.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chunkBytes, chunkLengths, cut, gearTable, isSingleChunk } from '../../proto/chunker.ts';
import { repeatableBytes } from './fixtures.ts';

const file = repeatableBytes('chunker', 1_500_000);

/** The definition, word for word: no window is carried along, every position is hashed on its own. */
function cutByDefinition(buffer: Uint8Array, start: number): number {
  for (let length: number = chunkBytes.min; start + length <= buffer.length; length += 1) {
    if (length === chunkBytes.max) return length;
    let hash = 0;
    for (const byte of buffer.subarray(start + length - 32, start + length)) hash = ((hash << 1) + (gearTable[byte] ?? 0)) | 0;
    if (hash >>> (length < chunkBytes.normal ? 14 : 18) === 0) return length;
  }
  return buffer.length - start;
}

/** Positions of all cuts of a file. */
function ends(buffer: Uint8Array): number[] {
  let end = 0;
  return chunkLengths(buffer).map((length) => (end += length));
}

describe('cut()', () => {
  test('follows the definition of the profile', () => {
    for (let start = 0; start < 600_000; ) {
      const length = cut(file, start, file.length, true);
      expect(length).toBe(cutByDefinition(file, start));
      start += length;
    }
  });

  test('cuts at the minimum, just below and at the normal length, and at the maximum', () => {
    // Bytes of no word that ever ends a chunk, then 32 bytes whose hash has 18 zeros (or 14, but not 18) on top.
    const dull = 0;
    const strict = windowWith((hash) => hash >>> 14 === 0);
    const lenient = windowWith((hash) => hash >>> 18 === 0 && hash >>> 14 !== 0);
    const withEnd = (length: number, window: Uint8Array): Uint8Array => {
      const buffer = new Uint8Array(chunkBytes.max + 10).fill(dull);
      buffer.set(window, length - 32);
      return buffer;
    };
    const cutOf = (length: number, window: Uint8Array): number => cut(withEnd(length, window), 0, chunkBytes.max + 10, false);
    expect(cutOf(chunkBytes.min, strict)).toBe(chunkBytes.min);
    expect(cutOf(chunkBytes.min - 1, strict)).toBe(chunkBytes.max);
    expect(cutOf(chunkBytes.normal - 1, strict)).toBe(chunkBytes.normal - 1);
    expect(cutOf(chunkBytes.normal - 1, lenient)).toBe(chunkBytes.max);
    expect(cutOf(chunkBytes.normal, lenient)).toBe(chunkBytes.normal);
    expect(cutOf(chunkBytes.max - 1, lenient)).toBe(chunkBytes.max - 1);
  });

  test('asks for more bytes until it can tell, and then says the same as with all of them', () => {
    const whole = cut(file, 0, file.length, true);
    for (const end of [0, 1, chunkBytes.min - 1, chunkBytes.min, whole - 1]) {
      expect(cut(file, 0, end, false)).toBe(0);
      expect(cut(file, 0, end, true)).toBe(end);
    }
    expect(cut(file, 0, whole, false)).toBe(whole);
    expect(cut(new Uint8Array(chunkBytes.max - 1), 0, chunkBytes.max - 1, false)).toBe(0);
    expect(cut(new Uint8Array(chunkBytes.max), 0, chunkBytes.max, false)).toBe(chunkBytes.max);
  });

  test('cuts the same in whatever slices a file is read', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 20_000, max: 300_000 }), { minLength: 1, maxLength: 8 }), (sizes) => {
        const lengths: number[] = [];
        let start = 0;
        for (let end = 0, turn = 0; start < file.length; turn += 1) {
          end = Math.min(file.length, end + (sizes[turn % sizes.length] ?? 1));
          for (let length; (length = cut(file, start, end, end === file.length)) > 0; start += length) lengths.push(length);
        }
        expect(lengths).toEqual(chunkLengths(file));
      }),
      { numRuns: 30 },
    );
  });
});

describe('chunkLengths()', () => {
  test('gives a small file one chunk and an empty one none', () => {
    expect(chunkLengths(new Uint8Array(0))).toEqual([]);
    expect(chunkLengths(file.subarray(0, 1))).toEqual([1]);
    expect(chunkLengths(file.subarray(0, 65_536))).toEqual([65_536]);
    expect([isSingleChunk(65_536), isSingleChunk(65_537)]).toEqual([true, false]);
  });

  test('keeps to the profile: all bytes, none too long, only the last too short, about 74 KiB on average', () => {
    const lengths = chunkLengths(file);
    expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(file.length);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(chunkBytes.max);
    expect(Math.min(...lengths.slice(0, -1))).toBeGreaterThanOrEqual(chunkBytes.min);
    const mean = file.length / lengths.length / 1024;
    expect(mean).toBeGreaterThan(55);
    expect(mean).toBeLessThan(95);
  });

  test('falls into step again after a change: all but the few chunks around it stay', () => {
    const before = new Set(ends(file));
    fc.assert(
      fc.property(fc.nat(file.length - 1), fc.nat(255), fc.constantFrom('set', 'insert', 'remove'), (at, byte, kind) => {
        const inserted = kind === 'remove' ? [] : [byte];
        const changed = Uint8Array.from(Buffer.concat([file.subarray(0, at), Uint8Array.from(inserted), file.subarray(kind === 'insert' ? at : at + 1)]));
        const shift = changed.length - file.length;
        const moved = ends(changed).filter((end) => !before.has(end <= at ? end : end - shift));
        expect(moved.length).toBeLessThanOrEqual(8);
        expect(moved.every((end) => end >= at && end < at + 8 * chunkBytes.max)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  test('cuts bytes that never change at the maximum, whichever byte it is', () => {
    for (let byte = 0; byte < 256; byte += 1) {
      expect(cut(new Uint8Array(chunkBytes.max).fill(byte), 0, chunkBytes.max, false), `byte ${byte}`).toBe(chunkBytes.max);
    }
  });
});

/** 32 repeatable bytes, after which the hash is as wanted, and whose shifted beginnings after zeros do not end a chunk. */
function windowWith(wanted: (hash: number) => boolean): Uint8Array {
  const bytes = repeatableBytes('windows', 4_000_000);
  let hash = 0;
  for (let end = 1; end <= bytes.length; end += 1) {
    hash = ((hash << 1) + (gearTable[bytes[end - 1] ?? 0] ?? 0)) | 0;
    if (end >= 32 && wanted(hash >>> 0)) return bytes.subarray(end - 32, end);
  }
  throw new Error('no such window in 4 MB');
}
