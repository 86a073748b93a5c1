// The port of deltas: making a set on an origin, applying it on a target. The form of a set is in proto/delta-set.ts, which bytes serve as
// whose base is decided in daemon/core/delta; how sets travel and who asks for them is elsewhere.
// encode.ts makes, decode.ts applies; both put the heavy work on worker threads (pool.ts).

import type { Digest } from '../../proto/cid.ts';
import type { DeltaSet } from '../../proto/delta-set.ts';
import type { Tree } from '../../proto/tree.ts';
import type { ChunkSource } from '../content/store.ts';

/** A revision as far as deltas need it: a kept manifest is one. */
export interface DeltaRevision {
  readonly digest: Digest;
  /** The encoded tree index and the tree in it. */
  readonly index: Uint8Array;
  readonly tree: Tree;
}

/** What a set was made for, to log and to count. Bytes of chunks are those of the chunks as they are. */
export interface DeltaSummary {
  readonly missingChunks: number;
  readonly missingBytes: number;
  /** Of the missing bytes, those that the set makes; the rest goes as plain chunks. */
  readonly coveredBytes: number;
}

/** A finished set. Its parts went to the sink. */
export interface MadeDelta {
  readonly set: DeltaSet;
  /** The encoded descriptor; its sha2-256 names the set. */
  readonly descriptor: Uint8Array;
  readonly summary: DeltaSummary;
}

export interface EncodeOptions {
  readonly from: DeltaRevision;
  readonly to: DeltaRevision;
  /** Holds the chunks of both. Missing segments whose chunks cannot be had are left out of the set. */
  readonly chunks: ChunkSource;
  /** `index`: no segments, which takes milliseconds; `all`: whatever pays. */
  readonly extent: 'index' | 'all';
  /** Takes the parts one after the other, in order; the next is made when it resolves. What it throws ends the encoding. */
  readonly sink: (part: Uint8Array) => Promise<void>;
  /** Told of so many more missing bytes that they have been encoded, whether or not that paid. */
  readonly onEncoded?: (bytes: number) => void;
  readonly signal: AbortSignal;
}

/** Makes sets, one at a time; a second call waits for the first. */
export interface DeltaEncoder extends AsyncDisposable {
  /** `undefined` when a set would save nothing. @throws {DaemonError} ABORTED, STORAGE_FAILED. */
  encode(options: EncodeOptions): Promise<MadeDelta | undefined>;
}

/** A chunk of `to` whose bytes hash to its identifier. */
export interface MadeChunk {
  readonly ordinal: number;
  readonly id: Digest;
  readonly bytes: Uint8Array;
}

/** What came of a segment. `failed` are ordinals to be had as plain chunks; `reason` says why, for a log. */
export interface DecodedSegment {
  readonly made: readonly MadeChunk[];
  readonly failed: readonly number[];
  readonly reason: string | undefined;
}

/** The index of `to`, which hashes to what was asked for; with an outline also every chunk that its segments made. */
export interface DecodedIndex {
  readonly index: Uint8Array;
  readonly tree: Tree;
  readonly made: readonly MadeChunk[];
}

export interface DecodeIndexOptions {
  readonly set: DeltaSet;
  readonly from: DeltaRevision;
  /** The digest and the length that the revision manifest of `to` states for its index. */
  readonly wanted: { readonly tree: Digest; readonly indexBytes: number };
  /** The first `indexPartCount(set)` parts, one after the other. */
  readonly payload: Uint8Array;
  /** Holds chunks of `from`. */
  readonly base: ChunkSource;
  readonly signal: AbortSignal;
}

export interface DecodeSegmentOptions {
  readonly set: DeltaSet;
  /** Position among the set's segments. */
  readonly segment: number;
  readonly from: Tree;
  readonly to: Tree;
  /** The encoded segment: the bytes at its slice of the payload (`segmentSlices`). */
  readonly encoded: Uint8Array;
  readonly base: ChunkSource;
  readonly signal: AbortSignal;
}

/** Applies sets. Nothing that a set or a base says is believed: whatever does not verify is reported as not made. */
export interface DeltaDecoder extends AsyncDisposable {
  /** `undefined` when the index cannot be made this way. @throws {DaemonError} ABORTED. */
  index(options: DecodeIndexOptions): Promise<DecodedIndex | undefined>;
  /** @throws {DaemonError} ABORTED. */
  segment(options: DecodeSegmentOptions): Promise<DecodedSegment>;
}
