// Which ordinals of a blob are held: one bit each, least significant first: bytes on the wire, words of 32 in memory.
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
  /** Whether at least `count` ordinals are held that `other`, of the same size, does not hold. */
  exceeds(other: Bitmap, count: number): boolean;
  /** The ordinals from `32 * index` on as one bit each, the lowest for the first. */
  word(index: number): number;
  /** A copy of the wire form; `bitmapBytes(size)` bytes. */
  toBytes(): Uint8Array;
}

/** Length of the wire form of a bitmap of `size` ordinals, in bytes. */
export function bitmapBytes(size: number): number {
  return Math.ceil(size / 8);
}

/** An empty set of ordinals below `size`. */
export function createBitmap(size: number): Bitmap {
  return new WordBitmap(size);
}

/** Every ordinal below `size`. */
export function fullBitmap(size: number): Bitmap {
  const bitmap = new WordBitmap(size);
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
  if (spare !== 0 && (bytes.at(-1) ?? 0) >>> spare !== 0) {
    throw new ProtocolError('NOT_CANONICAL', `a bitmap of ${size} ordinals has bits set past its end`);
  }
  return new WordBitmap(size, bytes);
}

/** A class: an agent keeps one for each neighbour of each topic, and asks them a hundred thousand times a second. */
class WordBitmap implements Bitmap {
  readonly size: number;
  count = 0;
  readonly #words: Int32Array;

  constructor(size: number, bytes?: Uint8Array) {
    this.size = size;
    this.#words = new Int32Array(Math.ceil(size / 32));
    if (bytes === undefined) return;
    for (const [index, byte] of bytes.entries()) this.#words[index >>> 2] = this.word(index >>> 2) | (byte << (8 * (index & 3)));
    for (const word of this.#words) this.count += onesIn(word);
  }

  get isFull(): boolean {
    return this.count === this.size;
  }

  has(ordinal: number): boolean {
    this.#check(ordinal);
    return ((this.word(ordinal >>> 5) >>> (ordinal & 31)) & 1) === 1;
  }

  set(ordinal: number): boolean {
    if (this.has(ordinal)) return false;
    this.#words[ordinal >>> 5] = this.word(ordinal >>> 5) | (1 << (ordinal & 31));
    this.count += 1;
    return true;
  }

  clear(ordinal: number): boolean {
    if (!this.has(ordinal)) return false;
    this.#words[ordinal >>> 5] = this.word(ordinal >>> 5) & ~(1 << (ordinal & 31));
    this.count -= 1;
    return true;
  }

  setRange(from: number, to: number): void {
    if (from >= to) return;
    this.#check(from);
    this.#check(to - 1);
    let ordinal = from;
    while (ordinal < to && (ordinal & 31) !== 0) this.set(ordinal++);
    for (; ordinal + 32 <= to; ordinal += 32) {
      this.count += 32 - onesIn(this.word(ordinal >>> 5));
      this.#words[ordinal >>> 5] = -1;
    }
    while (ordinal < to) this.set(ordinal++);
  }

  ranges(rangesMax?: number): OrdinalRange[] {
    return this.#runs(1, rangesMax);
  }

  missing(rangesMax?: number): OrdinalRange[] {
    return this.#runs(0, rangesMax);
  }

  exceeds(other: Bitmap, count: number): boolean {
    let left = count;
    for (let index = 0; index < this.#words.length && left > 0; index += 1) left -= onesIn(this.word(index) & ~other.word(index));
    return left <= 0;
  }

  word(index: number): number {
    return this.#words[index] ?? 0;
  }

  toBytes(): Uint8Array {
    const bytes = new Uint8Array(bitmapBytes(this.size));
    for (const index of bytes.keys()) bytes[index] = this.word(index >>> 2) >>> (8 * (index & 3));
    return bytes;
  }

  #check(ordinal: number): void {
    if (!(ordinal >= 0 && ordinal < this.size && Number.isInteger(ordinal))) throw new RangeError(`ordinal ${ordinal} is not one of 0 to ${this.size - 1}`);
  }

  /** Runs of ordinals whose bit is `wanted`, ascending. */
  #runs(wanted: 0 | 1, rangesMax = Number.POSITIVE_INFINITY): OrdinalRange[] {
    const found: OrdinalRange[] = [];
    let position = 0;
    while (found.length < rangesMax) {
      const from = this.#next(position, wanted);
      if (from >= this.size) break;
      position = this.#next(from, wanted === 1 ? 0 : 1);
      found.push({ from, to: position });
    }
    return found;
  }

  /** The first ordinal from `start` on whose bit is `wanted`, or `size`. Skips words that hold none. */
  #next(start: number, wanted: 0 | 1): number {
    const flip = wanted === 1 ? 0 : -1;
    for (let ordinal = start; ordinal < this.size; ordinal = (ordinal | 31) + 1) {
      const word = (this.word(ordinal >>> 5) ^ flip) & (-1 << (ordinal & 31));
      if (word !== 0) return Math.min(this.size, (ordinal & ~31) + 31 - Math.clz32(word & -word));
    }
    return this.size;
  }
}

/** Bits of a word that are set. */
function onesIn(word: number): number {
  let ones = word - ((word >>> 1) & 0x55555555);
  ones = (ones & 0x33333333) + ((ones >>> 2) & 0x33333333);
  return Math.imul((ones + (ones >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
