// Every bound on the wire and in the formats, each with its unit and its reason.
// What a single program may tune for itself is in its own config, not here.

const KiB = 1024;
const MiB = 1024 * KiB;

/** Bounds that both sides of every conversation share. Sizes in bytes, times in milliseconds. */
export const limits = {
  /** A chunk: the chunker's maximum; a longer one cannot be cut, so it cannot be real. */
  chunkBytesMax: 256 * KiB,
  /** A file up to this size is one chunk, so that its chunk id is its digest. */
  singleChunkBytesMax: 64 * KiB,
  /** Entries of a tree: 1,000,000 files at 73 bytes are 73 MB of index. */
  treeEntriesMax: 1_000_000,
  /** Distinct chunks of a tree: 1 TiB at the mean of 78 KiB is far above; 4 bytes of ordinal suffice. */
  treeChunksMax: 16_000_000,
  /** An encoded tree index; above it a decoder refuses before it allocates. */
  indexBytesMax: 128 * MiB,
  /** An encoded revision manifest: 128 MiB of index at 16 KiB a chunk, 40 bytes each, and the spec. */
  revisionBytesMax: 512 * KiB,
  /** A deploy spec as canonical JSON. */
  specBytesMax: 32 * KiB,
  /** Path rules of a tree (trust.md, section 10). */
  pathBytesMax: 1024,
  pathPartBytesMax: 255,
  pathDepthMax: 64,
  symlinkTargetBytesMax: 1024,

  /** An exchange frame: its fixed header and at most one chunk. */
  exchangeHeaderBytes: 16,
  exchangeFrameBytesMax: 256 * KiB + 4 * KiB,
  /** A bitmap of every ordinal of the largest tree, 1 bit each. */
  exchangeBitmapBytesMax: 2 * MiB,
  /** Revisions that one neighbour may have open with another at once. */
  exchangeTopicsMax: 64,
  /** Ordinal ranges in one frame. */
  exchangeRangesMax: 512,
  /** Requests that one neighbour may have outstanding with another. */
  exchangeRequestsMax: 64,
  /** The greeting that decides admission (trust.md, section 7). */
  helloBytesMax: 4 * KiB,
  helloTimeoutMs: 3_000,
  /** Clocks of two members may differ by this much. */
  clockSkewMs: 10 * 60_000,

  /** A part of a delta set: as long as the longest chunk, so that it travels as one does. */
  deltaPartBytes: 256 * KiB,
  /** A delta set's descriptor fits in one frame: 7,000 parts of it are 1.8 GB of payload; what is beyond goes as plain chunks. */
  deltaDescriptorBytesMax: 256 * KiB,
  /** Segments of a set, and ranges of ordinals of one base or result: 1 MiB of missing files of 256 bytes on average. */
  deltaSegmentsMax: 16_384,
  deltaRangesMax: 4_096,
  /** An encoded segment, and what it makes; the encoder stays at 1 MiB, a little more where chunks are long. */
  deltaSegmentBytesMax: 4 * MiB,
  deltaOutBytesMax: 4 * MiB,
  /** The base of a segment: what it makes, 1 MiB on either side, and chunks that are cut further out. */
  deltaBaseBytesMax: 8 * MiB,
  /** What a set whose index is an outline makes altogether: the receiver holds it in memory until the index is whole. */
  deltaOutlineBytesMax: 32 * MiB,
  /** Revisions that may be named as bases in one question: what a target keeps of an application. */
  deltaBasesMax: 8,
  /** The signed statement about a set; it is some 500 bytes. */
  deltaStatementBytesMax: 2 * KiB,

  /** One upload frame before and after compression. */
  uploadFrameBytesMax: 1 * MiB + 64 * KiB,
  /** Upload sessions open on one proxy at once, and how long one may rest. */
  uploadSessionsMax: 64,
  /** How long a client waits for an answer about a whole upload, and a proxy works on it: an index over a slow line, every large file hashed anew. */
  uploadAnswerMsMax: 600_000,
  uploadSessionIdleMs: 10 * 60_000,

  /** TUF metadata files (trust.md, section 3). */
  rootBytesMax: 64 * KiB,
  timestampBytesMax: 8 * KiB,
  snapshotBytesMax: 1 * MiB,
  targetsBytesMax: 256 * KiB,
  rootRotationsMax: 256,

  /** A signed statement in compact form (certificate, order, grant). */
  statementBytesMax: 64 * KiB,
  /** A roster of 10,000 members at about 200 bytes. */
  rosterBytesMax: 4 * MiB,
  /** A name of an application, an environment, a target. */
  nameLengthMax: 64,
  labelsMax: 64,
  /** JSON bodies of the HTTP API and of the agents' API. */
  apiBodyBytesMax: 1 * MiB,
  syncBodyBytesMax: 8 * MiB,
  /** One report of a target: phases since the last one. */
  reportsMax: 256,
  reportOutputBytesMax: 10 * KiB,
  /** Reports that come with a sync: with an output each they and what else is said stay far below {@link limits.apiBodyBytesMax}. */
  syncReportsMax: 16,
  /** Orders that a member says it refuses, and characters of why: the first ones of an answer tell a person enough. */
  syncRefusalsMax: 8,
  refusalCharsMax: 1024,
  /** Manifests that come with orders, and their length: most are some hundred bytes. Others are asked for one by one. */
  syncManifestsMax: 8,
  syncManifestBytesMax: 16 * KiB,
  /** Members named in a report as those that sent most. */
  transferFeedersMax: 8,
  /** How long a sync may wait for news before it answers empty-handed. */
  syncWaitMs: 60_000,
  /** Of whom nothing is heard for so long people are told: a poll is open nearly always, and whoever was cut off tries again within seconds. */
  unheardMs: 20_000,
  /** How long a worker may wait for work: below what any request may take. */
  workWaitMsMax: 20_000,
  pageItemsMax: 500,
  /** Members that a roster names, ten thousand targets with the seeds and proxies beside them: each member keeps all of it. One more, and no roster could be signed. */
  rosterMembersMax: 10_240,
  /** Those barred whom a roster names: everybody of a full fleet, and as many again that were replaced within the life of a certificate. */
  rosterRevokedMax: 20_480,
  /** Health checks that an order brings: as many as a deploy spec may have; with the ids of 500 targets they stay within what a statement may have. */
  orderChecksMax: 16,
  /** Life of a certificate (trust.md, section 2). Revocation reaches members through the roster long before that. */
  certificateLifeMs: 7 * 86_400_000,
} as const;
