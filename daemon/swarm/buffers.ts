// Buffers for chunks that arrive or leave, used again and again: the garbage collector counts memory outside of its heap, and a new buffer for each chunk had
// it mark the whole heap every few hundred chunks, which cost more processor time than everything else that was done with them.
// Who says that a chunk's bytes are needed no more: exchange.ts for those that arrive, uploads.ts for those that leave.

import { ordinalBytes } from '../../proto/exchange-frame.ts';
import { limits } from '../../proto/limits.ts';

/** One daemon's buffers. Those that are never given back are simply garbage. */
export interface Buffers {
  /** So many bytes with any content. */
  take(bytes: number): Uint8Array;
  /** `bytes`, or a view of it, is not used by anybody any more. What did not come from here, or has been given back, is left alone. */
  give(bytes: Uint8Array): void;
}

/** The longest `data` frame. */
const bufferBytes = limits.exchangeHeaderBytes + ordinalBytes + limits.chunkBytesMax;
/** Shorter ones are not worth a buffer of that length. */
const pooledBytesMin = 8 * 1024;
/** What rests here at most: 4 MiB. More are in use only while many neighbours send, or read slowly, at once. */
const restingMax = 16;

export function createBuffers(): Buffers {
  const resting: ArrayBuffer[] = [];
  /** Lent to somebody; each comes back once. */
  const lent = new WeakSet<ArrayBufferLike>();
  return {
    take(bytes) {
      if (bytes > bufferBytes || bytes < pooledBytesMin) return Buffer.allocUnsafe(bytes);
      const buffer = resting.pop() ?? Buffer.allocUnsafeSlow(bufferBytes).buffer;
      lent.add(buffer);
      return new Uint8Array(buffer, 0, bytes);
    },
    give({ buffer }) {
      if (!(buffer instanceof ArrayBuffer) || !lent.delete(buffer) || resting.length >= restingMax) return;
      resting.push(buffer);
    },
  };
}

/** None is used again: for networks whose messages do not leave the process. */
export const freshBuffers: Buffers = { take: (bytes) => Buffer.allocUnsafeSlow(bytes), give: () => undefined };
