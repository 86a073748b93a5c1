// Garbage of a pack store: chunks that nobody names are forgotten, and packs that hold little else are written anew without them. Each step is synced
// before the next, so that a crash anywhere leaves every named chunk where the index says; what is left to do the next collection finds.
// Which chunks are named is daemon/run/seed/collect.ts's.

import { stat } from 'node:fs/promises';
import type { Digest } from '../../../proto/cid.ts';
import { throwIfAborted } from '../failures.ts';
import { packPath } from './files.ts';
import type { PackIndex, Placed } from './pack-index.ts';
import { headerBytes } from './scan.ts';
import type { Collected, CollectOptions } from '../store.ts';

/** A pack is written anew when less than this share of it is in use: then a byte that is written gives at least one back. */
const usedShareMax = 0.5;
/** Bytes that one collection writes at most; what is left is the next one's. A minute of a slow disk. */
const rewriteBytesMax = 256 * 1024 * 1024;
/** Bytes moved between two syncs, in memory at once. */
const moveBytes = 4 * 1024 * 1024;

/** What a collection does to a store; each call is one step that happens whole or not at all, between two appends. */
export interface Collectable {
  readonly directory: string;
  readonly index: Pick<PackIndex, 'all'>;
  /** The pack that is written to, which is left alone. */
  newest(): number;
  /** Forgets those of these that nobody has asked for since the collection began; gives them. */
  forget(chunks: readonly Placed[]): Promise<readonly Placed[]>;
  /** Writes these to the newest pack; gives those that are damaged, which are forgotten. */
  move(chunks: readonly Placed[]): Promise<readonly Digest[]>;
  /** Removes a pack that holds nothing. */
  remove(pack: number): Promise<void>;
}

/** @throws {DaemonError} ABORTED, NO_SPACE, STORAGE_FAILED: what was done stays done. */
export async function collectPacks(store: Collectable, { names, signal }: CollectOptions): Promise<Collected> {
  const isNamed = await names();
  const newest = store.newest();
  const used = new Map<number, number>();
  let [forgottenChunks, forgottenBytes, movedBytes, removedPacks] = [0, 0, 0, 0];
  const damaged: Digest[] = [];
  for await (const chunks of store.index.all()) {
    throwIfAborted(signal, 'collecting garbage');
    const unnamed = chunks.filter(({ id }) => !isNamed(id));
    const forgotten = unnamed.length === 0 ? [] : await store.forget(unnamed);
    forgottenChunks += forgotten.length;
    forgottenBytes += bytesOf(forgotten);
    const gone = new Set(forgotten.map(({ id }) => id));
    for (const { id, place } of chunks) if (!gone.has(id)) used.set(place.pack, (used.get(place.pack) ?? 0) + headerBytes + place.length);
  }
  const sparse = await sparsePacks(store.directory, used, newest);
  const held = await chunksIn(store, new Set(sparse));
  for (const pack of sparse) {
    for (const chunks of inSteps(held.get(pack) ?? [])) {
      throwIfAborted(signal, 'collecting garbage');
      damaged.push(...(await store.move(chunks)));
      movedBytes += bytesOf(chunks);
    }
    await store.remove(pack);
    removedPacks += 1;
  }
  return { forgottenChunks, forgottenBytes, movedBytes, removedPacks, damaged };
}

/** Packs to be written anew, the emptiest first, as far as one collection goes. */
async function sparsePacks(directory: string, used: ReadonlyMap<number, number>, newest: number): Promise<readonly number[]> {
  const found: { readonly pack: number; readonly bytes: number }[] = [];
  for (let pack = 1; pack < newest; pack += 1) {
    const size = (await stat(packPath(directory, pack)).catch(() => undefined))?.size;
    const bytes = used.get(pack) ?? 0;
    if (size !== undefined && bytes <= size * usedShareMax) found.push({ pack, bytes });
  }
  let budget = rewriteBytesMax;
  return found.toSorted((a, b) => a.bytes - b.bytes).filter(({ bytes }) => (budget -= bytes) >= 0).map(({ pack }) => pack);
}

/** What the index says of some packs now. */
async function chunksIn({ index }: Collectable, packs: ReadonlySet<number>): Promise<ReadonlyMap<number, readonly Placed[]>> {
  const found = new Map<number, Placed[]>();
  for await (const chunks of packs.size === 0 ? [] : index.all()) {
    for (const chunk of chunks) {
      const { pack } = chunk.place;
      if (!packs.has(pack)) continue;
      const others = found.get(pack) ?? [];
      others.push(chunk);
      found.set(pack, others);
    }
  }
  return found;
}

function* inSteps(chunks: readonly Placed[]): Generator<readonly Placed[]> {
  let step: Placed[] = [];
  let bytes = 0;
  // In the order in which they lie: a disk reads that fastest.
  for (const chunk of chunks.toSorted((a, b) => a.place.offset - b.place.offset)) {
    step.push(chunk);
    bytes += chunk.place.length;
    if (bytes < moveBytes) continue;
    yield step;
    step = [];
    bytes = 0;
  }
  if (step.length > 0) yield step;
}

function bytesOf(chunks: readonly Placed[]): number {
  return chunks.reduce((sum, { place }) => sum + place.length, 0);
}
