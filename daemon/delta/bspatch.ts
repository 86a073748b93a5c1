// Making bytes out of a base and a difference (bsdiff.ts). The difference comes from outside: whatever it says, nothing is read or written beside
// the base and the result.
//
// control    three numbers for each stretch, as varints: how many bytes to make by adding the next of `changes` to the next of the base, modulo 256;
//            how many of `additions` to take as they are; how far to move in the base then (2n forwards, 2n - 1 backwards)

import { ProtocolError } from '../../proto/errors.ts';
import { limits } from '../../proto/limits.ts';
import { createByteReader } from '../../proto/tree-index-bytes.ts';
import type { Difference } from './bsdiff.ts';

/** The `length` bytes that the difference makes; `undefined` when it makes anything else. */
export function patch(base: Uint8Array, { control, changes, additions }: Difference, length: number): Uint8Array | undefined {
  const out = new Uint8Array(length);
  const reader = createByteReader(control);
  const maximum = 2 * (limits.deltaBaseBytesMax + limits.deltaOutBytesMax);
  let written = 0;
  let place = 0;
  let changed = 0;
  let added = 0;
  try {
    while (reader.remaining > 0) {
      const change = reader.number('a number of changed bytes', maximum);
      const addition = reader.number('a number of added bytes', maximum);
      const step = reader.number('a step in the base', maximum);
      if (written + change + addition > length || place < 0 || place + change > base.length) return undefined;
      if (changed + change > changes.length || added + addition > additions.length) return undefined;
      out.set(base.subarray(place, place + change), written);
      addBytes(out, written, changes.subarray(changed, changed + change));
      out.set(additions.subarray(added, added + addition), written + change);
      written += change + addition;
      changed += change;
      added += addition;
      place += change + (step % 2 === 0 ? step / 2 : -(step + 1) / 2);
    }
  } catch (cause) {
    if (cause instanceof ProtocolError) return undefined;
    throw cause;
  }
  return written === length ? out : undefined;
}

/** Adds each byte to the one in its place, modulo 256. Four at a time, since nearly all of them are zeros. */
function addBytes(out: Uint8Array, at: number, changes: Uint8Array): void {
  const sums = new DataView(out.buffer, out.byteOffset + at, changes.length);
  const added = new DataView(changes.buffer, changes.byteOffset, changes.length);
  const words = changes.length & ~3;
  for (let index = 0; index < words; index += 4) {
    const b = added.getInt32(index);
    if (b === 0) continue;
    const a = sums.getInt32(index);
    // The upper bit of each byte is added without its carry, which would go into the next byte.
    sums.setInt32(index, ((a & 0x7f7f7f7f) + (b & 0x7f7f7f7f)) ^ ((a ^ b) & 0x80808080));
  }
  for (let index = words; index < changes.length; index += 1) sums.setUint8(index, sums.getUint8(index) + added.getUint8(index));
}
