// What a delta set is: how a machine that holds one revision makes another out of it, with few bytes. The bytes of its descriptor are in
// delta-set-codec.ts, making and applying in daemon/delta.
//
// The *payload* is the encoded index (when there is one), then the encoded segments in order, one after the other. It is cut every
// `limits.deltaPartBytes` into *parts*: they travel in the swarm as chunks do, their ordinal being their position. A set is named by the
// sha2-256 of its encoded descriptor. Nothing here needs to be believed: the index must hash to what the revision says, every chunk to its id.

import type { Digest } from './cid.ts';
import type { OrdinalRange } from './exchange.ts';
import { limits } from './limits.ts';
import type { ChunkRef } from './tree.ts';

/** The format of every descriptor. */
export const deltaFormat = 'starling.delta/1';

/**
 * How a segment is encoded: `zstd` alone, many chunks in one frame; `zstd-dict` with the base as raw dictionary;
 * `bsdiff` as differences from and additions to the base (daemon/delta/bspatch.ts).
 */
export type SegmentCodec = 'zstd' | 'zstd-dict' | 'bsdiff';

/**
 * How the tree index of `to` is encoded, with the index of `from` as raw dictionary. `zstd-dict`: as it is. `zstd-outline`: without what
 * the segments' chunks tell anyway (daemon/delta/outline.ts), so that it is understood only after every segment has been decoded.
 */
export type IndexCodec = 'zstd-dict' | 'zstd-outline';

/** The encoded index. */
export interface DeltaIndex {
  readonly codec: IndexCodec;
  /** Of what is encoded, in bytes. */
  readonly length: number;
}

/** Some chunks of `to`, made from some chunks of `from`. */
export interface DeltaSegment {
  readonly codec: SegmentCodec;
  /** Chunk ordinals of the tree of `from`, in the order in which their bytes make up the base; none for `zstd`. */
  readonly base: readonly OrdinalRange[];
  /** Chunk ordinals of the tree of `to`, ascending; the result is their bytes one after the other. No ordinal is in two segments. */
  readonly out: readonly OrdinalRange[];
  /** Of the encoded segment, in bytes. */
  readonly length: number;
}

/** A descriptor. */
export interface DeltaSet {
  readonly format: typeof deltaFormat;
  readonly from: Digest;
  readonly to: Digest;
  /** `undefined` when the index has to be had otherwise. */
  readonly index: DeltaIndex | undefined;
  /** In ascending order of their first `out` ordinal. */
  readonly segments: readonly DeltaSegment[];
  /** sha2-256 and length of each part: all of `limits.deltaPartBytes` but the last. */
  readonly parts: readonly ChunkRef[];
}

/** Length of the payload in bytes. */
export function payloadBytes(set: Pick<DeltaSet, 'index' | 'segments'>): number {
  return set.segments.reduce((sum, { length }) => sum + length, set.index?.length ?? 0);
}

/** Lengths of the parts that a payload of so many bytes is cut into. */
export function partLengths(bytes: number): readonly number[] {
  const count = Math.ceil(bytes / limits.deltaPartBytes);
  return Array.from({ length: count }, (_, ordinal) => Math.min(limits.deltaPartBytes, bytes - ordinal * limits.deltaPartBytes));
}

/** Where something lies in the payload, in bytes, and the parts that hold it. */
export interface PayloadSlice {
  readonly begin: number;
  readonly end: number;
  readonly parts: OrdinalRange;
}

/** Where the encoded index lies; `undefined` without one. */
export function indexSlice(set: Pick<DeltaSet, 'index'>): PayloadSlice | undefined {
  return set.index === undefined ? undefined : sliceOf(0, set.index.length);
}

/** Where each encoded segment lies, in order. */
export function segmentSlices(set: Pick<DeltaSet, 'index' | 'segments'>): readonly PayloadSlice[] {
  let begin = set.index?.length ?? 0;
  return set.segments.map(({ length }) => {
    begin += length;
    return sliceOf(begin - length, begin);
  });
}

/** How many of the first parts have to be there before the index can be made: all of them for `zstd-outline`, 0 without an index. */
export function indexPartCount(set: DeltaSet): number {
  if (set.index?.codec === 'zstd-outline') return set.parts.length;
  return indexSlice(set)?.parts.to ?? 0;
}

function sliceOf(begin: number, end: number): PayloadSlice {
  const from = Math.floor(begin / limits.deltaPartBytes);
  return { begin, end, parts: { from, to: Math.ceil(end / limits.deltaPartBytes) } };
}
