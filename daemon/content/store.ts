// The chunk store's port: what holds chunks, whatever it is made of. Implementations: memory.ts, pack.ts (seeds and proxies) and
// installed.ts (the releases on a target's disk, read-only). Policies wrap: verified(store). Beside it, how a release is built
// from chunks: materialize.ts.

import type { Stats } from 'node:fs';
import type { Bitmap } from '../../proto/bitmap.ts';
import type { Digest } from '../../proto/cid.ts';
import type { Tree } from '../../proto/tree.ts';
import type { RecentMemory } from './release/recent-chunks.ts';
import type { Spend } from './slices.ts';

/** How a chunk is read. */
export interface ReadOptions {
  readonly signal: AbortSignal;
  /**
   * Memory of the caller: bytes that fit may be put there, from its beginning, and are then given as a view of it. Whoever gives it must not use it
   * before the read is over, also when that failed.
   */
  readonly into?: Uint8Array;
}

/** Reads chunks. Absence is `undefined`, never an error. */
export interface ChunkSource {
  /** For each id, in order, whether a chunk is held. A hint: `get` may still come back empty. */
  has(ids: readonly Digest[]): Promise<readonly boolean[]>;
  /** @throws {DaemonError} STORAGE_FAILED when the disk fails; ABORTED. A verified source takes other bytes for absence. */
  get(id: Digest, options: ReadOptions): Promise<Uint8Array | undefined>;
}

/**
 * Reads several chunks at once: as many of these, from the first on, as lie one behind the other, each into its place, which is as long as the chunk. Gives
 * how many; of none, and where it is left out, each is to be asked for by itself. Places are the reader's until it has answered.
 * @throws {DaemonError} STORAGE_FAILED, ABORTED; then nothing is known of any of them.
 */
export type ReadRun<Name> = (names: readonly Name[], places: readonly Uint8Array[], options: { readonly signal: AbortSignal }) => Promise<number>;

/** A chunk and the digest that its bytes have: whoever makes one has checked. */
export interface Chunk {
  readonly id: Digest;
  readonly bytes: Uint8Array;
}

/** Holds chunks: durably, unless it says otherwise. */
export interface ChunkStore extends ChunkSource, AsyncDisposable {
  /**
   * Adds chunks; resolves when all of them are synced. Adding what is there is nothing.
   * @throws {DaemonError} NO_SPACE or STORAGE_FAILED; then none of them counts as held.
   */
  put(chunks: readonly Chunk[], options: { readonly signal: AbortSignal }): Promise<void>;
  /**
   * Reads these chunks again and forgets those whose bytes are damaged; gives them. They can be put again. Resolves when that is synced.
   * @throws {DaemonError} NO_SPACE or STORAGE_FAILED; then nothing is forgotten.
   */
  forgetDamaged(ids: readonly Digest[], options: { readonly signal: AbortSignal }): Promise<readonly Digest[]>;
  /** Bytes and chunks held. */
  usage(): { readonly chunks: number; readonly bytes: number };
  close(): Promise<void>;
}

export interface CollectOptions {
  /**
   * Asked once at the beginning, when what is asked of the store from then on is spared already: says of each chunk whether somebody needs it. May say yes
   * for one that nobody needs. What it throws ends the collection.
   */
  readonly names: () => Promise<(id: Digest) => boolean>;
  readonly signal: AbortSignal;
}

/** What a collection did. */
export interface Collected {
  readonly forgottenChunks: number;
  readonly forgottenBytes: number;
  /** Bytes of chunks that were written anew. */
  readonly movedBytes: number;
  readonly removedPacks: number;
  /** Found on the way; the store holds them no more. */
  readonly damaged: readonly Digest[];
}

/** A store whose garbage can be collected. */
export interface Collect {
  /**
   * Forgets chunks that nobody names and nobody asks for meanwhile, and gives their room back, some of it now and the rest next time. One at a time.
   * @throws {DaemonError} ABORTED, NO_SPACE, STORAGE_FAILED; what was done stays done, and nothing that is named is lost.
   */
  collect(options: CollectOptions): Promise<Collected>;
}

/** Takes identifiers, in any order and as often as they come; afterwards it answers. Implementation: digest-set.ts. */
export interface DigestSet {
  add(id: Digest): void;
  has(id: Digest): boolean;
}

/** A tree that lies in a directory. `except` are paths in it that hold something else by now, such as links to shared directories. */
export interface TreeOnDisk {
  readonly tree: Tree;
  readonly directory: string;
  readonly except?: readonly string[];
}

/** What stat said of the files of a tree when this process had written and closed them for good. */
export interface Seals {
  /** Whether a file still is what was sealed; `undefined` of one that was not. */
  isAsSealed(position: number, stats: Pick<Stats, 'ino' | 'ctimeMs'>): boolean | undefined;
}

/** The releases on a machine's disk as a source of chunks. Bytes that it gives out have been hashed, or their file has not changed since they were. */
export interface InstalledTrees extends ChunkSource {
  /** With `seals`, files that this process wrote are not hashed again as long as nothing has touched them. */
  add(tree: Tree, directory: string, options?: { readonly except?: readonly string[]; readonly seals?: Seals | undefined }): Promise<void>;
  remove(directory: string): void;
  /** Bytes that it reads are hashed, or their file has not changed since they were, as those of `get`. */
  readonly getRun: ReadRun<Digest>;
  /** The file at a position of the tree is as it was installed again. */
  mended(directory: string, position: number): void;
}

/** What putting one entry of an installed tree back needs. */
export interface RestoreOptions {
  /** Two paths on the file system of the release: one to make things under, and one for what was in the place, which is kept. Nothing may be there. */
  readonly scratch: string;
  readonly aside: string;
  /** Writes each of these chunks of the tree, verified. @throws {DaemonError} when one cannot be had. */
  readonly bring: (ordinals: readonly number[], write: (ordinal: number, bytes: Uint8Array) => void) => Promise<void>;
  readonly spend: Spend;
}

/** Whether an installed tree still is what was installed. Implementation: drift.ts. */
export interface Drift {
  /** Positions of what is not as the tree says, ascending: its kind, size, mode, target, or a byte of it. Reads every file whole, at the pace of `spend`. */
  find(on: TreeOnDisk, spend: Spend): AsyncIterable<number>;
  /**
   * Puts one entry back, in one step and synced. Gives whether what was there is at `aside` now.
   * @throws {DaemonError} what `bring` throws; STORAGE_FAILED, NO_SPACE, CORRUPT_CHUNK; then the place is as it was.
   */
  restore(on: TreeOnDisk, position: number, options: RestoreOptions): Promise<boolean>;
}

/** A release under construction. Disposing leaves what was written, to be taken up again, except after {@link abandon} or a full disk. */
export interface ReleaseBuild extends AsyncDisposable {
  /** A copy: the ordinals that are in place, those that came from this machine included. */
  held(): Bitmap;
  /**
   * Keeps a verified chunk at every place where the tree has it. Calls `placed` when {@link read} finds it, and needs `bytes` no more then; resolves when there is room for more.
   * @throws {DaemonError} NO_SPACE, STORAGE_FAILED, CORRUPT_CHUNK; also after `placed`, when a sync failed.
   */
  write(ordinal: number, bytes: Uint8Array, placed?: () => void): Promise<void>;
  /** A chunk that is in place; `undefined` when it is not, or is damaged. */
  read(ordinal: number, options: ReadOptions): Promise<Uint8Array | undefined>;
  /** Of those that came a moment ago. */
  readonly readRun: ReadRun<number>;
  /**
   * Resolves when the directory is the tree, modes and all, and synced: of bytes verified before they were written, and read again where something changed a file since.
   * @throws {DaemonError} INCOMPLETE when chunks are missing; CORRUPT_CHUNK, NO_SPACE, STORAGE_FAILED, ABORTED.
   */
  finish(options: { readonly signal: AbortSignal }): Promise<void>;
  /** Of use also when it is over. */
  readonly seals: Seals;
  /** Removes the directory. */
  abandon(): Promise<void>;
}

/** How an unchanged file gets into a new release. `auto`: a hard link where that is safe, else as `reflink`, which copies where it must. */
export type LinkMode = 'auto' | 'reflink' | 'hardlink' | 'copy';

export interface MaterializeOptions {
  readonly tree: Tree;
  /** `<releases>/<id>.tmp`: made when it is absent, taken up when it is there. */
  readonly directory: string;
  readonly local: ChunkSource;
  readonly previous?: TreeOnDisk;
  readonly links: LinkMode;
  /** Where chunks that came a moment ago are kept, together with those of other releases; in memory of its own when it is left out. */
  readonly recent?: RecentMemory;
  readonly signal: AbortSignal;
}

/**
 * Begins a release and takes from this machine what it has of it.
 * @throws {DaemonError} NO_SPACE with both figures before anything is written; STORAGE_FAILED, ABORTED.
 */
export type Materialize = (options: MaterializeOptions) => Promise<ReleaseBuild>;
