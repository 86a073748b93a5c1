// The chunk store's port: what holds chunks, whatever it is made of. Implementations: memory.ts, pack.ts (seeds and proxies) and
// installed.ts (the releases on a target's disk, read-only). Policies wrap: verified(source).

import type { Digest } from '../../proto/cid.ts';

/** Reads chunks. Absence is `undefined`, never an error. */
export interface ChunkSource {
  /** For each id, in order, whether a chunk is held. A hint: `get` may still come back empty. */
  has(ids: readonly Digest[]): Promise<readonly boolean[]>;
  /** @throws {DaemonError} STORAGE_FAILED when the disk fails; CORRUPT_CHUNK when a verified source finds other bytes. */
  get(id: Digest, options: { readonly signal: AbortSignal }): Promise<Uint8Array | undefined>;
}

/** A chunk and the digest that its bytes have: whoever makes one has checked. */
export interface Chunk {
  readonly id: Digest;
  readonly bytes: Uint8Array;
}

/** Holds chunks durably. */
export interface ChunkStore extends ChunkSource, AsyncDisposable {
  /**
   * Adds chunks; resolves when all of them are synced. Adding what is there is nothing.
   * @throws {DaemonError} NO_SPACE or STORAGE_FAILED; then none of them counts as held.
   */
  put(chunks: readonly Chunk[], options: { readonly signal: AbortSignal }): Promise<void>;
  /** Bytes and chunks held. */
  usage(): { readonly chunks: number; readonly bytes: number };
  close(): Promise<void>;
}
