// The bytes of ranges of chunks, one after the other, as the base or the result of a segment has them.

import type { OrdinalRange } from '../../proto/exchange.ts';
import type { Tree } from '../../proto/tree.ts';
import type { ChunkSource } from '../content/store.ts';

/** Sum of the lengths of the chunks, in bytes; `undefined` when the tree has no such chunk. */
export function rangeBytes(tree: Tree, ranges: readonly OrdinalRange[]): number | undefined {
  let sum = 0;
  for (const { from, to } of ranges) {
    if (to > tree.chunkCount) return undefined;
    for (let ordinal = from; ordinal < to; ordinal += 1) sum += tree.chunk(ordinal).length;
  }
  return sum;
}

/** What was read: zeros where a chunk could not be had, and how many those are. The bytes have a buffer of their own. */
export interface ReadRanges {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly absent: number;
}

/** Reads `bytes` bytes of chunks. @throws {DaemonError} ABORTED, STORAGE_FAILED. */
export async function readRanges(tree: Tree, ranges: readonly OrdinalRange[], bytes: number, chunks: ChunkSource, signal: AbortSignal): Promise<ReadRanges> {
  const read = new Uint8Array(bytes);
  let offset = 0;
  let absent = 0;
  for (const { from, to } of ranges) {
    for (let ordinal = from; ordinal < to; ordinal += 1) {
      const { id, length } = tree.chunk(ordinal);
      const chunk = await chunks.get(id, { signal });
      if (chunk?.length === length) read.set(chunk, offset);
      else absent += 1;
      offset += length;
    }
  }
  return { bytes: read, absent };
}
