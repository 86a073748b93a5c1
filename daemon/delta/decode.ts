// Applying a delta set. Whatever comes out is hashed, and what does not verify is reported as not made: a wrong base, a damaged part and a set
// that lies end the same way, with the plain chunk. A segment is decoded in some milliseconds on the caller's loop.

import { hash } from 'node:crypto';
import type { DeltaSegment, DeltaSet } from '../../proto/delta-set.ts';
import { indexSlice, segmentSlices } from '../../proto/delta-set.ts';
import { ProtocolError } from '../../proto/errors.ts';
import { limits } from '../../proto/limits.ts';
import { decodeTree } from '../../proto/tree-index.ts';
import type { Tree } from '../../proto/tree.ts';
import type { ChunkSource } from '../content/store.ts';
import { decompress, openSegment } from './codec.ts';
import type { DecodedIndex, DecodedSegment, DecodeIndexOptions, DeltaDecoder, MadeChunk } from './delta.ts';
import { openOutline } from './outline.ts';
import { rangeBytes, readRanges } from './read-ranges.ts';

/** A decoder. It holds nothing between calls; one segment at a time takes up to {@link limits}' base and result. */
export function createDeltaDecoder(): DeltaDecoder {
  return {
    async index(options) {
      try {
        return options.set.index?.codec === 'zstd-outline' ? await indexOfOutline(options) : indexOf(options);
      } catch (cause) {
        if (cause instanceof ProtocolError) return undefined;
        throw cause;
      }
    },
    async segment({ set, segment, from, to, encoded, base, signal }) {
      const described = set.segments[segment];
      if (described === undefined) throw new RangeError(`there is no segment ${segment}; the set has ${set.segments.length}`);
      const bytes = await segmentBytes(described, { from, to, encoded, base, signal });
      return typeof bytes === 'string' ? { made: [], failed: ordinalsOf(described, to), reason: bytes } : verify(described, to, bytes);
    },
    async [Symbol.asyncDispose]() {
      await Promise.resolve();
    },
  };
}

/** The index as it is. */
function indexOf({ set, from, wanted, payload }: DecodeIndexOptions): DecodedIndex | undefined {
  const encoded = encodedIndex(set, payload);
  if (encoded === undefined || wanted.indexBytes > limits.indexBytesMax) return undefined;
  const index = decompress(encoded, from.index, wanted.indexBytes);
  if (index === undefined || hash('sha256', index) !== wanted.tree) return undefined;
  return { index, tree: decodeTree(index), made: [] };
}

/** The index out of its outline and every segment; it hashes to what is wanted only if every chunk is right. */
async function indexOfOutline({ set, from, wanted, payload, base, signal }: DecodeIndexOptions): Promise<DecodedIndex | undefined> {
  const encoded = encodedIndex(set, payload);
  const ranges = set.segments.flatMap(({ out }) => out);
  const left = ranges.reduce((sum, range) => sum + range.to - range.from, 0) * 32;
  if (encoded === undefined || wanted.indexBytes > limits.indexBytesMax || left >= wanted.indexBytes) return undefined;
  const outline = decompress(encoded, from.index, wanted.indexBytes - left);
  if (outline === undefined) return undefined;
  const open = openOutline(outline, ranges);
  if ((rangeBytes(open.tree, ranges) ?? Infinity) > limits.deltaOutlineBytesMax) return undefined;
  const made = new Map<number, Uint8Array>();
  const room = createRoom();
  for (const [position, slice] of segmentSlices(set).entries()) {
    const described = set.segments[position];
    if (described === undefined || slice.end > payload.length) return undefined;
    const bytes = await segmentBytes(described, { from: from.tree, to: open.tree, encoded: payload.subarray(slice.begin, slice.end), base, signal }, room);
    if (typeof bytes === 'string') return undefined;
    for (const { ordinal, bytes: chunk } of cutChunks(described, open.tree, bytes)) made.set(ordinal, chunk);
  }
  const index = await open.fill(async (ordinal) => made.get(ordinal) ?? (await unchanged(open.tree, ordinal, base, signal)));
  if (index === undefined || hash('sha256', index) !== wanted.tree) return undefined;
  const tree = open.close();
  // The index vouches for every identifier in it, and they were computed from these bytes.
  return { index, tree, made: [...made].map(([ordinal, bytes]) => ({ ordinal, id: tree.chunk(ordinal).id, bytes })) };
}

async function unchanged(tree: Tree, ordinal: number, base: ChunkSource, signal: AbortSignal): Promise<Uint8Array | undefined> {
  const { id, length } = tree.chunk(ordinal);
  const bytes = await base.get(id, { signal });
  return bytes?.length === length ? bytes : undefined;
}

function encodedIndex(set: DeltaSet, payload: Uint8Array): Uint8Array | undefined {
  const slice = indexSlice(set);
  return slice === undefined || slice.end > payload.length ? undefined : payload.subarray(slice.begin, slice.end);
}

interface SegmentSources {
  readonly from: Tree;
  readonly to: Tree;
  readonly encoded: Uint8Array;
  readonly base: ChunkSource;
  readonly signal: AbortSignal;
}

/** What a segment makes, not verified yet, or why it makes nothing. */
async function segmentBytes(segment: DeltaSegment, { from, to, encoded, base, signal }: SegmentSources, room = createRoom()): Promise<Uint8Array | string> {
  const length = rangeBytes(to, segment.out);
  if (length === undefined || length > limits.deltaOutBytesMax) return `the segment makes chunks that the tree does not have, or more than ${limits.deltaOutBytesMax} bytes`;
  const baseLength = rangeBytes(from, segment.base);
  if (baseLength === undefined || baseLength > limits.deltaBaseBytesMax) return `the segment's base is not in the old tree, or has more than ${limits.deltaBaseBytesMax} bytes`;
  if (encoded.length !== segment.length) return `the segment has ${encoded.length} bytes, not ${segment.length}`;
  const open = openSegment(segment.codec, baseLength, encoded, length);
  // Where a chunk of the base is gone there are zeros: what was not copied from it comes out right all the same.
  const bytes = room(baseLength);
  if (open !== undefined) await readRanges(from, segment.base, bytes, base, signal, (begin, end) => open.needs(begin, end));
  return open?.make(bytes) ?? `the segment does not decode to ${length} bytes`;
}

/** Memory for one base after the other; what of a base is not needed is left over from the one before. */
function createRoom(): (length: number) => Uint8Array {
  let bytes = new Uint8Array(0);
  return (length) => {
    if (bytes.length < length) bytes = new Uint8Array(length);
    return bytes.subarray(0, length);
  };
}

function verify(segment: DeltaSegment, to: Tree, bytes: Uint8Array): DecodedSegment {
  const made: MadeChunk[] = [];
  const failed: number[] = [];
  for (const { ordinal, bytes: chunk } of cutChunks(segment, to, bytes)) {
    const { id } = to.chunk(ordinal);
    if (hash('sha256', chunk) === id) made.push({ ordinal, id, bytes: chunk });
    else failed.push(ordinal);
  }
  return { made, failed, reason: failed.length === 0 ? undefined : `${failed.length} chunks of the segment have other bytes than the tree says` };
}

function cutChunks({ out }: DeltaSegment, to: Tree, bytes: Uint8Array): readonly { readonly ordinal: number; readonly bytes: Uint8Array }[] {
  const chunks: { ordinal: number; bytes: Uint8Array }[] = [];
  let offset = 0;
  for (const range of out) {
    for (let ordinal = range.from; ordinal < range.to; ordinal += 1) {
      const length = to.chunkLength(ordinal);
      chunks.push({ ordinal, bytes: bytes.subarray(offset, offset + length) });
      offset += length;
    }
  }
  return chunks;
}

/** Of those ordinals that the tree has: a set may speak of others. */
function ordinalsOf({ out }: DeltaSegment, to: Tree): readonly number[] {
  return out.flatMap((range) => Array.from({ length: Math.max(0, Math.min(range.to, to.chunkCount) - range.from) }, (_, index) => range.from + index));
}
