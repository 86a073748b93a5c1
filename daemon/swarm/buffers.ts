// Buffers for chunks that arrive, used again and again: at hundreds of MB/s a new one for each chunk keeps the garbage collector busier than everything else.
// Who says when a chunk's bytes are not needed any more is exchange.ts.

import { ordinalBytes } from '../../proto/exchange-frame.ts';
import { limits } from '../../proto/limits.ts';

/** One daemon's buffers. Those that are never given back are simply garbage. */
export interface Buffers {
  /** So many bytes with any content. */
  take(bytes: number): Uint8Array;
  /** `bytes`, or a view of it, is not used by anybody any more. What did not come from here is left alone. */
  give(bytes: Uint8Array): void;
}

/** The longest payload of a `data` frame. */
const bufferBytes = ordinalBytes + limits.chunkBytesMax;
/** What rests here at most: 4 MiB. More are in use only while the disk is behind. */
const restingMax = 16;

export function createBuffers(): Buffers {
  const resting: ArrayBuffer[] = [];
  /** Lent to somebody; each comes back once. */
  const lent = new WeakSet<ArrayBufferLike>();
  return {
    take(bytes) {
      if (bytes > bufferBytes) return new Uint8Array(bytes);
      const buffer = resting.pop() ?? new ArrayBuffer(bufferBytes);
      lent.add(buffer);
      return new Uint8Array(buffer, 0, bytes);
    },
    give({ buffer }) {
      if (!(buffer instanceof ArrayBuffer) || !lent.delete(buffer) || resting.length >= restingMax) return;
      resting.push(buffer);
    },
  };
}
