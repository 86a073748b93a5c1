// Chunks that travel compressed: where a neighbour's line is slow, and the chunk shrinks. Compressing is the sender's choice, chunk by chunk; whoever
// receives one believes nothing of it before its bytes have hashed to the identifier (content.md, section 2).

import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { DataMessage } from '../../../proto/exchange.ts';
import type { Clock } from '../../clock.ts';
import type { Neighbour } from '../network.ts';

/** A neighbour that takes no more than this, in bytes a second, is behind a slow line: compressing so much takes a sixtieth of a core. */
const slowBytesPerSecond = 4_000_000;
/** What a rate is measured over. */
const windowBytes = 1024 * 1024;
/** A chunk travels compressed when this share of it is left at most. */
const ratioMax = 0.9;
/** After one that did not shrink, so many are not tried; twice as many each time, since what is compressed already comes in long runs. */
const skips = { first: 8, most: 256 } as const;
/** Of zstd: 270 MB a second of a core here, and three per cent more bytes than the third level at 160. On a thread of the pool either takes three times as long. */
const level = 1;

/** Decides for one daemon what is sent compressed. */
export interface Packing {
  /** The zstd form of `bytes` when the neighbour should get that. Called once for each chunk, before it is sent. */
  pack(neighbour: Neighbour, bytes: Uint8Array): Uint8Array | undefined;
  /** So many bytes went to a neighbour; `waited` when they had to wait for it to read. */
  sent(neighbour: Neighbour, bytes: number, waited: boolean): void;
}

interface Line {
  since: number;
  bytes: number;
  waited: boolean;
  isSlow: boolean;
  /** Chunks that are not tried. */
  skip: number;
  nextSkip: number;
}

/** Nobody's line is known. */
export function createPacking(clock: Pick<Clock, 'monotonic'>): Packing {
  const lines = new WeakMap<Neighbour, Line>();
  const lineOf = (neighbour: Neighbour): Line => {
    const line = lines.get(neighbour) ?? { since: clock.monotonic(), bytes: 0, waited: false, isSlow: false, skip: 0, nextSkip: skips.first };
    lines.set(neighbour, line);
    return line;
  };
  return {
    pack(neighbour, bytes) {
      const line = lineOf(neighbour);
      if (!line.isSlow) return undefined;
      if (line.skip > 0) {
        line.skip -= 1;
        return undefined;
      }
      const packed = zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: level } });
      if (packed.length <= bytes.length * ratioMax) {
        line.nextSkip = skips.first;
        return packed;
      }
      line.skip = line.nextSkip;
      line.nextSkip = Math.min(skips.most, 2 * line.nextSkip);
      return undefined;
    },
    sent(neighbour, bytes, waited) {
      const line = lineOf(neighbour);
      line.bytes += bytes;
      line.waited ||= waited;
      if (line.bytes < windowBytes) return;
      const now = clock.monotonic();
      // Who never had to be waited for may be slow to ask, but its line is not.
      line.isSlow = line.waited && (line.bytes * 1000) / Math.max(1, now - line.since) < slowBytesPerSecond;
      Object.assign(line, { since: now, bytes: 0, waited: false });
    },
  };
}

/** The chunk in a message; `undefined` when it has not `length` bytes. What is compressed is given no more room than that. */
export function unpack({ compression, bytes }: DataMessage, length: number): Uint8Array | undefined {
  if (compression === 'none') return bytes.length === length ? bytes : undefined;
  try {
    const plain = zstdDecompressSync(bytes, { maxOutputLength: length });
    return plain.length === length ? plain : undefined;
  } catch {
    // Not zstd, or more than it may be: to the receiver the same as other bytes.
    return undefined;
  }
}
