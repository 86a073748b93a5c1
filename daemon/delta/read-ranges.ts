// The bytes of ranges of chunks, one after the other, as the base or the result of a segment has them.

import type { OrdinalRange } from '../../proto/exchange.ts';
import type { Tree } from '../../proto/tree.ts';
import type { ChunkSource } from '../content/store.ts';

/** Sum of the lengths of the chunks, in bytes; `undefined` when the tree has no such chunk. */
export function rangeBytes(tree: Tree, ranges: readonly OrdinalRange[]): number | undefined {
  let sum = 0;
  for (const { from, to } of ranges) {
    if (to > tree.chunkCount) return undefined;
    for (let ordinal = from; ordinal < to; ordinal += 1) sum += tree.chunkLength(ordinal);
  }
  return sum;
}

/**
 * Reads chunks into `target`, which is as long as they are; gives how many could not be had, with zeros in their place. Those are left out of which none of
 * the bytes, counted from the first chunk's first, are needed.
 * @throws {DaemonError} ABORTED, STORAGE_FAILED.
 */
export async function readRanges(tree: Tree, ranges: readonly OrdinalRange[], target: Uint8Array, chunks: ChunkSource, signal: AbortSignal, needs?: (begin: number, end: number) => boolean): Promise<number> {
  let offset = 0;
  let absent = 0;
  for (const { from, to } of ranges) {
    for (let ordinal = from; ordinal < to; ordinal += 1) {
      const { id, length } = tree.chunk(ordinal);
      if (needs?.(offset, offset + length) === false) {
        offset += length;
        continue;
      }
      const into = target.subarray(offset, offset + length);
      const chunk = await chunks.get(id, { signal, into });
      if (chunk?.length === length) {
        if (chunk.buffer !== into.buffer || chunk.byteOffset !== into.byteOffset) into.set(chunk);
      } else {
        into.fill(0);
        absent += 1;
      }
      offset += length;
    }
  }
  return absent;
}
