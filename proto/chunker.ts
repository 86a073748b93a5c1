// The one chunking profile, "gear32-nc2/16-64-256/v1": where a file's bytes are cut (content.md, section 2).
// A change here changes the identifier of nearly every chunk, so a change is a new profile. Hashing is elsewhere.
//
// A chunk of length L ends where L is at least the minimum and the top bits of the gear hash over its last 32 bytes are all
// zero: 18 bits below the normal length, 14 from there on (normalisation level 2), and in any case at the maximum. The hash
// (h = 2h + table[byte], modulo 2^32) forgets a byte after 32 steps, so a cut depends on nothing but the 32 bytes before
// it and the cut before: after a local change the cuts fall into step again.

import { limits } from './limits.ts';

/** Lengths of the profile, in bytes. `max` is also {@link limits}' `chunkBytesMax`. */
export const chunkBytes = { min: 16 * 1024, normal: 64 * 1024, max: limits.chunkBytesMax } as const;

const windowBytes = 32;
const maskBelowNormal = 0xffffc000 | 0;
const maskFromNormal = 0xfffc0000 | 0;

/**
 * The 256 words of the gear table, as signed 32-bit integers. Word `n` is output `n + 1` of splitmix32 from state 0: the state grows by
 * 0x9e3779b9 (the golden ratio), and the output mixes it with two multiplications and three shifts. No meaning but spread;
 * the golden vectors pin it.
 */
export const gearTable: Int32Array = makeGearTable();

function makeGearTable(): Int32Array {
  const table = new Int32Array(256);
  let state = 0;
  for (let index = 0; index < table.length; index += 1) {
    state = (state + 0x9e3779b9) | 0;
    let word = state ^ (state >>> 16);
    word = Math.imul(word, 0x21f0aaad);
    word ^= word >>> 15;
    word = Math.imul(word, 0x735a2d97);
    word ^= word >>> 15;
    table[index] = word;
  }
  return table;
}

/** Whether a file of `size` bytes is one chunk without being cut, so that the chunk's identifier is the file's digest. */
export function isSingleChunk(size: number): boolean {
  return size <= limits.singleChunkBytesMax;
}

/**
 * Length of the chunk that begins at `start`, looking at `buffer[start..end)`; 0 when that is too little to tell and more
 * bytes follow. With `isLast`, what is left is cut as the end of the file: then 0 means that nothing is left. `chunkBytes.max` bytes
 * always suffice. Every call looks from `start` on again, so do not call it for every few bytes more. Does not know {@link isSingleChunk}, which is a matter of the whole file's size.
 */
export function cut(buffer: Uint8Array, start: number, end: number, isLast: boolean): number {
  const available = end - start;
  const limit = Math.min(available, chunkBytes.max);
  if (limit >= chunkBytes.min) {
    const length = scan(buffer, start, limit);
    if (length > 0) return length;
    if (limit === chunkBytes.max) return limit;
  }
  return isLast ? Math.max(available, 0) : 0;
}

/** The cuts of a whole file held in memory, small or large: the lengths of its chunks in order, none for no bytes. */
export function chunkLengths(buffer: Uint8Array): number[] {
  if (buffer.length === 0) return [];
  if (isSingleChunk(buffer.length)) return [buffer.length];
  const lengths: number[] = [];
  for (let start = 0; start < buffer.length; ) {
    const length = cut(buffer, start, buffer.length, true);
    lengths.push(length);
    start += length;
  }
  return lengths;
}

/** The first cut within `limit` bytes from `start`, as a length, or 0. `limit` is from `min` to `max`. */
function scan(buffer: Uint8Array, start: number, limit: number): number {
  const strictEnd = Math.min(limit, chunkBytes.normal - 1);
  const strict = firstCut(buffer, start + chunkBytes.min, start + strictEnd, maskBelowNormal);
  if (strict > 0) return strict - start;
  const lenient = limit < chunkBytes.normal ? 0 : firstCut(buffer, start + chunkBytes.normal, start + limit, maskFromNormal);
  return lenient > 0 ? lenient - start : 0;
}

/** The same words under a name that is not exported: V8 then knows the table itself, its length and where it lies. */
const gear = gearTable;

/**
 * The hot loop: the first position from `from` to `to`, both included, where the hash over the 32 bytes before it has no bit of `mask`, or 0.
 * Four bytes are read at a time, wherever they lie, and need no check of their bounds in the table: half as fast again as byte by byte.
 */
function firstCut(buffer: Uint8Array, from: number, to: number, mask: number): number {
  const table = gear;
  const view = new DataView(buffer.buffer, buffer.byteOffset, to);
  let hash = 0;
  // All but one byte of the first window: the loop adds the last one and is then at `from`.
  for (let index = from - windowBytes; index < from - 1; index += 1) {
    hash = ((hash << 1) + (table[buffer[index] ?? 0] ?? 0)) | 0;
  }
  let index = from - 1;
  for (; index + 4 <= to; index += 4) {
    const four = view.getInt32(index, true);
    hash = ((hash << 1) + (table[four & 0xff] ?? 0)) | 0;
    if ((hash & mask) === 0) return index + 1;
    hash = ((hash << 1) + (table[(four >>> 8) & 0xff] ?? 0)) | 0;
    if ((hash & mask) === 0) return index + 2;
    hash = ((hash << 1) + (table[(four >>> 16) & 0xff] ?? 0)) | 0;
    if ((hash & mask) === 0) return index + 3;
    hash = ((hash << 1) + (table[four >>> 24] ?? 0)) | 0;
    if ((hash & mask) === 0) return index + 4;
  }
  for (; index < to; index += 1) {
    hash = ((hash << 1) + (table[buffer[index] ?? 0] ?? 0)) | 0;
    if ((hash & mask) === 0) return index + 1;
  }
  return 0;
}
