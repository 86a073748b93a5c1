// Which ordinals of a blob are held: one bit each, least significant first. In memory and on the wire it is the same bytes.
// Who tells whom about it is in exchange.ts.

import { ProtocolError } from './errors.ts';
import type { OrdinalRange } from './exchange.ts';

/** A set of the ordinals from 0 to `size - 1`. Ordinals outside are a programmer's mistake and throw a RangeError. */
export interface Bitmap {
  /** How many ordinals there are, held or not. */
  readonly size: number;
  /** How many are held. Constant time. */
  readonly count: number;
  readonly isFull: boolean;
  has(ordinal: number): boolean;
  /** Whether this call changed anything. */
  set(ordinal: number): boolean;
  /** Whether this call changed anything. */
  clear(ordinal: number): boolean;
  /** Adds `from` up to but without `to`. */
  setRange(from: number, to: number): void;
  /** The held ordinals as ascending, disjoint ranges that do not touch; at most `rangesMax` of them. */
  ranges(rangesMax?: number): OrdinalRange[];
  /** The ordinals not held, likewise. */
  missing(rangesMax?: number): OrdinalRange[];
  /** A copy of the wire form; `bitmapBytes(size)` bytes. */
  toBytes(): Uint8Array;
}

/** Length of the wire form of a bitmap of `size` ordinals, in bytes. */
export function bitmapBytes(size: number): number {
  return Math.ceil(size / 8);
}

/** An empty set of ordinals below `size`. */
export function createBitmap(size: number): Bitmap {
  return bitmapOver(new Uint8Array(bitmapBytes(size)), size, 0);
}

/** Every ordinal below `size`. */
export function fullBitmap(size: number): Bitmap {
  const bitmap = createBitmap(size);
  bitmap.setRange(0, size);
  return bitmap;
}

/**
 * The set that a wire form stands for; no bytes at all stand for the empty set. Copies.
 * @throws {ProtocolError} MALFORMED when the length does not fit `size`, NOT_CANONICAL when a bit past the end is set.
 */
export function decodeBitmap(bytes: Uint8Array, size: number): Bitmap {
  if (bytes.length === 0) return createBitmap(size);
  if (bytes.length !== bitmapBytes(size)) {
    throw new ProtocolError('MALFORMED', `a bitmap of ${size} ordinals has ${bitmapBytes(size)} bytes, not ${bytes.length}`);
  }
  const spare = size % 8;
  if (spare !== 0 && byteAt(bytes, bytes.length - 1) >>> spare !== 0) {
    throw new ProtocolError('NOT_CANONICAL', `a bitmap of ${size} ordinals has bits set past its end`);
  }
  let count = 0;
  for (const byte of bytes) count += onesIn(byte);
  return bitmapOver(bytes.slice(), size, count);
}

function bitmapOver(bits: Uint8Array, size: number, initialCount: number): Bitmap {
  let count = initialCount;
  const check = (ordinal: number): void => {
    if (!(ordinal >= 0 && ordinal < size && Number.isInteger(ordinal))) {
      throw new RangeError(`ordinal ${ordinal} is not one of 0 to ${size - 1}`);
    }
  };
  const hasBit = (ordinal: number): boolean => ((byteAt(bits, ordinal >>> 3) >>> (ordinal & 7)) & 1) === 1;
  const set = (ordinal: number): boolean => {
    check(ordinal);
    if (hasBit(ordinal)) return false;
    bits[ordinal >>> 3] = byteAt(bits, ordinal >>> 3) | (1 << (ordinal & 7));
    count += 1;
    return true;
  };
  return {
    size,
    get count() {
      return count;
    },
    get isFull() {
      return count === size;
    },
    has(ordinal) {
      check(ordinal);
      return hasBit(ordinal);
    },
    set,
    clear(ordinal) {
      check(ordinal);
      if (!hasBit(ordinal)) return false;
      bits[ordinal >>> 3] = byteAt(bits, ordinal >>> 3) & ~(1 << (ordinal & 7));
      count -= 1;
      return true;
    },
    setRange(from, to) {
      if (from >= to) return;
      check(from);
      check(to - 1);
      let ordinal = from;
      while (ordinal < to && (ordinal & 7) !== 0) set(ordinal++);
      for (; ordinal + 8 <= to; ordinal += 8) {
        count += 8 - onesIn(byteAt(bits, ordinal >>> 3));
        bits[ordinal >>> 3] = 0xff;
      }
      while (ordinal < to) set(ordinal++);
    },
    ranges: (rangesMax) => runs(bits, size, 1, rangesMax),
    missing: (rangesMax) => runs(bits, size, 0, rangesMax),
    toBytes: () => bits.slice(),
  };
}

/** Runs of ordinals whose bit is `wanted`, ascending. */
function runs(bits: Uint8Array, size: number, wanted: 0 | 1, rangesMax = Number.POSITIVE_INFINITY): OrdinalRange[] {
  const found: OrdinalRange[] = [];
  let position = 0;
  while (found.length < rangesMax) {
    const from = nextBit(bits, size, position, wanted);
    if (from >= size) break;
    position = nextBit(bits, size, from, wanted === 1 ? 0 : 1);
    found.push({ from, to: position });
  }
  return found;
}

/** The first ordinal from `start` on whose bit is `wanted`, or `size`. Skips bytes that hold none. */
function nextBit(bits: Uint8Array, size: number, start: number, wanted: 0 | 1): number {
  const skip = wanted === 1 ? 0x00 : 0xff;
  let ordinal = start;
  while (ordinal < size) {
    const byte = byteAt(bits, ordinal >>> 3);
    if ((ordinal & 7) === 0 && byte === skip) ordinal += 8;
    else if (((byte >>> (ordinal & 7)) & 1) === wanted) return ordinal;
    else ordinal += 1;
  }
  return size;
}

function onesIn(byte: number): number {
  let rest = byte;
  let ones = 0;
  for (; rest !== 0; ones += 1) rest &= rest - 1;
  return ones;
}

function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] ?? 0;
}
