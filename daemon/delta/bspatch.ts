// Making bytes out of a base and a difference (bsdiff.ts). The difference comes from outside: whatever it says, nothing is read or written beside
// the base and the result.
//
// control    three numbers for each stretch, as varints: how many bytes to make by adding the next of `changes` to the next of the base, modulo 256;
//            how many of `additions` to take as they are; how far to move in the base then (2n forwards, 2n - 1 backwards)

import { ProtocolError } from '../../proto/errors.ts';
import { limits } from '../../proto/limits.ts';
import { createByteReader } from '../../proto/tree-index-bytes.ts';
import type { Difference } from './bsdiff.ts';

/** For each stretch three numbers: its place in the base, its changed bytes, its added bytes. All of them lie in the base and the streams. */
export type Stretches = Int32Array;

const columns = 3;
/** Below, a call for the whole costs more than a byte after the other. */
const callBytesMin = 48;

/** The stretches of a difference from so many bytes that makes `length`; `undefined` when it makes anything else. */
export function readStretches({ control, changes, additions }: Difference, baseLength: number, length: number): Stretches | undefined {
  // Each of the three numbers takes a byte or more.
  const stretches = new Int32Array(control.length);
  const reader = createByteReader(control);
  const maximum = 2 * (limits.deltaBaseBytesMax + limits.deltaOutBytesMax);
  let count = 0;
  let place = 0;
  let changed = 0;
  let added = 0;
  try {
    while (reader.remaining > 0) {
      const change = reader.number('a number of changed bytes', maximum);
      const addition = reader.number('a number of added bytes', maximum);
      const step = reader.number('a step in the base', maximum);
      if (place < 0 || place + change > baseLength) return undefined;
      stretches[count] = place;
      stretches[count + 1] = change;
      stretches[count + 2] = addition;
      count += columns;
      changed += change;
      added += addition;
      if (changed > changes.length || added > additions.length || changed + added > length) return undefined;
      place += change + (step % 2 === 0 ? step / 2 : -(step + 1) / 2);
    }
  } catch (cause) {
    if (cause instanceof ProtocolError) return undefined;
    throw cause;
  }
  return changed + added === length ? stretches.subarray(0, count) : undefined;
}

/** The `length` bytes that stretches make, which were read of this difference and for this base. */
export function patchStretches(base: Uint8Array, stretches: Stretches, { changes, additions }: Difference, length: number): Uint8Array {
  const out = new Uint8Array(length);
  const sums = new DataView(out.buffer);
  const bytesToAdd = new DataView(changes.buffer, changes.byteOffset, changes.length);
  let written = 0;
  let changed = 0;
  let added = 0;
  for (let at = 0; at < stretches.length; at += columns) {
    const place = stretches[at] ?? 0;
    const change = stretches[at + 1] ?? 0;
    const addition = stretches[at + 2] ?? 0;
    copy(out, written, base, place, change);
    addBytes(sums, written, bytesToAdd, changed, change);
    copy(out, written + change, additions, added, addition);
    written += change + addition;
    changed += change;
    added += addition;
  }
  return out;
}

/** The `length` bytes that the difference makes; `undefined` when it makes anything else. */
export function patch(base: Uint8Array, difference: Difference, length: number): Uint8Array | undefined {
  const stretches = readStretches(difference, base.length, length);
  return stretches === undefined ? undefined : patchStretches(base, stretches, difference, length);
}

const blockBits = 9;

/** Says of bytes of the base whether a stretch may look at them, to half a kilobyte. */
export function usesOf(stretches: Stretches, baseLength: number): (begin: number, end: number) => boolean {
  const used = new Uint8Array((baseLength >> blockBits) + 1);
  for (let at = 0; at < stretches.length; at += columns) {
    const place = stretches[at] ?? 0;
    const change = stretches[at + 1] ?? 0;
    if (change > 0) used.fill(1, place >> blockBits, ((place + change - 1) >> blockBits) + 1);
  }
  return (begin, end) => end > begin && used.subarray(begin >> blockBits, ((end - 1) >> blockBits) + 1).includes(1);
}

function copy(out: Uint8Array, at: number, bytes: Uint8Array, from: number, length: number): void {
  if (length >= callBytesMin) out.set(bytes.subarray(from, from + length), at);
  else for (let index = 0; index < length; index += 1) out[at + index] = bytes[from + index] ?? 0;
}

/** Adds each byte to the one in its place, modulo 256. Four at a time, since nearly all of them are zeros. */
function addBytes(sums: DataView, at: number, added: DataView, from: number, length: number): void {
  const words = length & ~3;
  for (let index = 0; index < words; index += 4) {
    const b = added.getInt32(from + index);
    if (b === 0) continue;
    const a = sums.getInt32(at + index);
    // The upper bit of each byte is added without its carry, which would go into the next byte.
    sums.setInt32(at + index, ((a & 0x7f7f7f7f) + (b & 0x7f7f7f7f)) ^ ((a ^ b) & 0x80808080));
  }
  for (let index = words; index < length; index += 1) sums.setUint8(at + index, sums.getUint8(at + index) + added.getUint8(from + index));
}
