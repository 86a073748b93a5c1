// Buffers for chunks that arrive or leave, used again and again: the garbage collector counts memory outside of its heap, and a new buffer for each chunk had
// it mark the whole heap every few hundred chunks, which cost more processor time than everything else that was done with them.
// Who says that a chunk's bytes are needed no more: exchange/exchange.ts for those that arrive, exchange/uploads.ts for those that leave.

import { ordinalBytes } from '../../proto/exchange-frame.ts';
import { limits } from '../../proto/limits.ts';

/** One daemon's buffers. Those that are never given back are simply garbage. */
export interface Buffers {
  /** So many bytes with any content. */
  take(bytes: number): Uint8Array;
  /** `bytes`, or a view of it, is not used by anybody any more. What did not come from here, or has been given back, is left alone. */
  give(bytes: Uint8Array): void;
  /** Nothing is under way: what rests is let go, but for a few megabytes with which the next transfer begins. */
  rest(): void;
}

/** Before a chunk's bytes in a `data` frame. */
const headBytes = limits.exchangeHeaderBytes + ordinalBytes;
/** Lengths that there are, with the room for a header: an average chunk takes a third of the longest. */
const lengths = [4, 2, 1].map((part) => limits.chunkBytesMax / part + headBytes);
/** Shorter ones are not worth a buffer of that length. */
const pooledBytesMin = 8 * 1024;
/**
 * What rests at most. While bytes come and go, as much as sixteen neighbours may have queued and a piece from each: a buffer that is let go then is
 * garbage of the oldest kind, and each that is made in its place brings the next collection of everything nearer.
 */
const restingBytesMax = { busy: 24 * 1024 * 1024, quiet: 4 * 1024 * 1024 } as const;

export function createBuffers(): Buffers {
  const resting = lengths.map((length): { readonly length: number; readonly buffers: ArrayBufferLike[] } => ({ length, buffers: [] }));
  let restingBytes = 0;
  /** Lent to somebody; each comes back once. */
  const lent = new WeakSet<ArrayBufferLike>();
  return {
    take(bytes) {
      const kind = resting.find(({ length }) => bytes <= length);
      if (kind === undefined || bytes < pooledBytesMin) return Buffer.allocUnsafe(bytes);
      let buffer = kind.buffers.pop();
      if (buffer === undefined) buffer = Buffer.allocUnsafeSlow(kind.length).buffer;
      else restingBytes -= kind.length;
      lent.add(buffer);
      return new Uint8Array(buffer, 0, bytes);
    },
    give({ buffer }) {
      if (!lent.delete(buffer) || restingBytes + buffer.byteLength > restingBytesMax.busy) return;
      resting.find(({ length }) => length === buffer.byteLength)?.buffers.push(buffer);
      restingBytes += buffer.byteLength;
    },
    rest() {
      for (const { length, buffers } of resting) {
        while (restingBytes > restingBytesMax.quiet && buffers.pop() !== undefined) restingBytes -= length;
      }
    },
  };
}

/** None is used again: for networks whose messages do not leave the process. */
export const freshBuffers: Buffers = { take: (bytes) => Buffer.allocUnsafeSlow(bytes), give: () => undefined, rest: () => undefined };
