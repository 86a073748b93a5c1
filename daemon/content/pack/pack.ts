// The chunk store of seeds and proxies: append-only pack files and an index of them. A chunk counts when its pack and then its index
// entry are synced; what a crash left behind the last indexed byte is cut off at the next start, since nobody was told that it is there.
// An index that is lost is made anew from the packs (scan.ts); packs are never touched for want of an index.

import { hash } from 'node:crypto';
import { mkdir, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../../../proto/cid.ts';
import { DaemonError } from '../../errors.ts';
import { throwIfAborted, storageFailure, systemCode } from '../failures.ts';
import { collectPacks } from './collect.ts';
import { createPackReaders, listPacks, openPack, removePack, writeAll, type PackReaders } from './files.ts';
import { openPackIndex, type Extent, type PackIndex, type Place, type Placed } from './pack-index.ts';
import { createPutQueue } from './queue.ts';
import { checkPacks, rebuild, removeGone } from './recover.ts';
import { packed } from './scan.ts';
import type { Chunk, ChunkStore, Collect, Collected, CollectOptions, ReadOptions } from '../store.ts';

/** For tests, which want many packs, to look at the disk where a crash could leave it, and an index that fails. */
export interface PackOptions {
  /** A pack is closed when it has grown past this: small enough to move about, large enough that a million chunks are few files. */
  readonly packBytesMax: number;
  /** Called before each change to the disk. */
  readonly onStep: () => Promise<void>;
  readonly openIndex: (directory: string) => Promise<PackIndex>;
}

/** A bad sector takes its chunks with it, not the store; a pack that was written anew is gone, or its descriptor is. */
const unreadCodes: ReadonlySet<string | undefined> = new Set(['EIO', 'ENOENT', 'EBADF']);
/** Remembered of what is asked for while garbage is collected; beyond, nothing more is forgotten that time. */
const touchedMax = 262_144;

const defaults: PackOptions = { packBytesMax: 64 * 1024 * 1024, onStep: async () => await Promise.resolve(), openIndex: openPackIndex };

/** What a project has proved to possess, in the same index. */
export interface OwnershipIndex {
  owns(project: string, ids: readonly Digest[]): Promise<readonly boolean[]>;
  add(project: string, ids: readonly Digest[]): Promise<void>;
}

/** A pack store with its ownership index. */
export interface PackStore extends ChunkStore, Collect {
  readonly ownership: OwnershipIndex;
}

/** @throws {DaemonError} DATA_DIRECTORY_IN_USE, STORAGE_FAILED; CORRUPT_STATE when packs are not what the index says. */
export async function openPackStore(directory: string, options: Partial<PackOptions> = {}): Promise<PackStore> {
  let index: PackIndex | undefined;
  try {
    await mkdir(join(directory, 'packs'), { recursive: true, mode: 0o700 });
    index = await (options.openIndex ?? defaults.openIndex)(join(directory, 'index'));
    const packs = await listPacks(directory);
    const extent = (await index.extent()) ?? (await rebuild(directory, index, packs));
    await removeGone(directory, index, packs, extent.pack);
    await using opening = new AsyncDisposableStack();
    const writer = await openPack(directory, extent.pack);
    opening.defer(async () => await writer.close());
    checkPacks(directory, { packs, gone: await index.gone() }, extent, (await writer.stat()).size);
    await writer.truncate(extent.end);
    opening.move();
    return new Packs({ directory, index, extent, writer, ...defaults, ...options });
  } catch (cause) {
    await index?.close();
    throw cause instanceof DaemonError ? cause : storageFailure(`cannot open the packs in ${directory}`, cause);
  }
}

class Packs implements PackStore {
  readonly ownership: OwnershipIndex;
  readonly #directory: string;
  readonly #index: PackIndex;
  #extent: Extent;
  #writer: FileHandle;
  readonly #readers: PackReaders;
  readonly #queue = createPutQueue(async (chunks) => await this.#alone(async () => await this.#append(chunks)));
  #closed = false;
  /** A sync of the newest pack failed: what the disk has of it is unknown, and a second sync would claim success. */
  #tainted = false;
  /** The index failed to record these: whether it has them is unknown. Their bytes stay, and nothing else is written until they are recorded. */
  #unsure: { readonly recorded: readonly Placed[]; readonly extent: Extent } | undefined;
  #last: Promise<unknown> = Promise.resolve();
  /** What was asked for since a collection began: somebody may count on it. */
  #touched: Set<Digest> | undefined;
  #forgetting: Promise<unknown> = Promise.resolve();
  readonly #options: PackOptions;

  constructor({ directory, index, extent, writer, ...options }: PackOptions & { readonly directory: string; readonly index: PackIndex; readonly extent: Extent; readonly writer: FileHandle }) {
    this.#options = options;
    this.#directory = directory;
    this.#index = index;
    this.#extent = extent;
    this.#writer = writer;
    this.#readers = createPackReaders(directory);
    this.ownership = {
      owns: async (project, ids) => await index.owns(project, ids),
      add: async (project, ids) => await index.addOwned(project, ids),
    };
  }

  async has(ids: readonly Digest[]): Promise<readonly boolean[]> {
    await this.#touch(ids);
    return (await this.#index.places(ids)).map((place) => place !== undefined);
  }

  async get(id: Digest, { signal, into }: ReadOptions): Promise<Uint8Array | undefined> {
    throwIfAborted(signal, 'reading a chunk');
    await this.#touch([id]);
    const [place] = await this.#index.places([id]);
    if (place === undefined) return undefined;
    const bytes = await this.#read(id, place, into);
    if (bytes !== undefined) return bytes;
    // Its pack may just have been written anew, or its descriptor been closed for another's.
    const [now] = await this.#index.places([id]);
    return now === undefined ? undefined : await this.#read(id, now, into);
  }

  /** Calls that come while one is being synced share the next sync. */
  async put(chunks: readonly Chunk[], { signal }: { readonly signal: AbortSignal }): Promise<void> {
    throwIfAborted(signal, 'adding chunks');
    await this.#touch(chunks.map(({ id }) => id));
    if (this.#closed) throw new DaemonError('STORAGE_FAILED', `the store ${this.#directory} is closed`);
    await this.#queue.put(chunks, this.#directory);
  }

  /** Between two appends, so that what one of them has just written anew is not forgotten. */
  async forgetDamaged(ids: readonly Digest[], { signal }: { readonly signal: AbortSignal }): Promise<readonly Digest[]> {
    throwIfAborted(signal, 'looking for damage');
    return await this.#alone(async () => {
      const places = await this.#index.places(ids);
      const damaged = new Map<Digest, Place>();
      for (const [at, id] of ids.entries()) {
        const place = places[at];
        if (place === undefined) continue;
        const bytes = await this.#read(id, place, undefined);
        if (bytes === undefined || hash('sha256', bytes) !== id) damaged.set(id, place);
      }
      if (damaged.size === 0) return [];
      await this.#assure();
      await this.#drop([...damaged].map(([id, place]) => ({ id, place })));
      return [...damaged.keys()];
    });
  }

  async collect(options: CollectOptions): Promise<Collected> {
    this.#touched = new Set();
    try {
      return await collectPacks({ directory: this.#directory, index: this.#index, newest: () => this.#extent.pack, forget: async (chunks) => await this.#forget(chunks), move: async (chunks) => await this.#move(chunks), remove: async (pack) => await this.#remove(pack) }, options);
    } finally {
      this.#touched = undefined;
    }
  }

  usage(): { readonly chunks: number; readonly bytes: number } {
    return { chunks: this.#extent.chunks, bytes: this.#extent.bytes };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#queue.idle();
    await this.#last;
    await this.#writer.close();
    await this.#readers.close();
    await this.#index.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Who asks while garbage is collected keeps what it asks for; what is being forgotten at this moment it does not find. */
  async #touch(ids: readonly Digest[]): Promise<void> {
    if (this.#touched === undefined) return;
    for (const id of ids) if (this.#touched.size <= touchedMax) this.#touched.add(id);
    await this.#forgetting;
  }

  async #forget(chunks: readonly Placed[]): Promise<readonly Placed[]> {
    const work = this.#alone(async () => {
      await this.#assure();
      const places = await this.#index.places(chunks.map(({ id }) => id));
      // Nobody can touch one between here and the end of the write without waiting for it.
      const touched = this.#touched;
      const forgotten = touched === undefined || touched.size > touchedMax ? [] : chunks.filter(({ id, place }, at) => isSame(places[at], place) && !touched.has(id));
      if (forgotten.length === 0) return [];
      await this.#options.onStep();
      await this.#drop(forgotten);
      return forgotten;
    });
    this.#forgetting = work.catch(() => undefined);
    return await work;
  }

  async #drop(chunks: readonly Placed[]): Promise<void> {
    const extent = { ...this.#extent, chunks: this.#extent.chunks - chunks.length, bytes: chunks.reduce((left, { place }) => left - place.length, this.#extent.bytes) };
    await this.#index.forget(chunks.map(({ id }) => id), extent);
    this.#extent = extent;
  }

  async #move(chunks: readonly Placed[]): Promise<readonly Digest[]> {
    const damaged: Digest[] = [];
    await this.#alone(async () => {
      await this.#assure();
      const places = await this.#index.places(chunks.map(({ id }) => id));
      const moving: Chunk[] = [];
      for (const { id, place } of chunks.filter((chunk, at) => isSame(places[at], chunk.place))) {
        const bytes = await this.#read(id, place, undefined);
        if (bytes !== undefined && hash('sha256', bytes) === id) moving.push({ id, bytes });
        else damaged.push(id);
      }
      if (moving.length > 0) await this.#write(moving, { chunks: 0, bytes: 0 });
    });
    return damaged.length === 0 ? [] : await this.forgetDamaged(damaged, { signal: new AbortController().signal });
  }

  async #remove(pack: number): Promise<void> {
    await this.#alone(async () => {
      await this.#options.onStep();
      await this.#index.markGone([pack]);
      await this.#options.onStep();
      await this.#readers.forget(pack);
      await removePack(this.#directory, pack);
    });
  }

  /** What changes the extent, one after the other. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return await turn;
  }

  async #read(id: Digest, { pack, offset, length }: Place, into: Uint8Array | undefined): Promise<Uint8Array | undefined> {
    const bytes = into !== undefined && into.length >= length ? into.subarray(0, length) : Buffer.allocUnsafe(length);
    try {
      const file = await this.#readers.open(pack);
      const { bytesRead } = await file.read(bytes, 0, length, offset);
      return bytesRead === length ? bytes : undefined;
    } catch (cause) {
      if (unreadCodes.has(systemCode(cause))) return undefined;
      throw storageFailure(`cannot read chunk ${id}`, cause);
    }
  }

  async #append(chunks: readonly Chunk[]): Promise<void> {
    await this.#assure();
    const distinct = [...new Map(chunks.map((chunk) => [chunk.id, chunk])).values()];
    const places = await this.#index.places(distinct.map(({ id }) => id));
    const added = distinct.filter((_, at) => places[at] === undefined);
    if (added.length > 0) await this.#write(added, { chunks: added.length, bytes: added.reduce((sum, chunk) => sum + chunk.bytes.length, 0) });
  }

  /** Writes chunks to the newest pack, also those that lie in another; `more` is what the store then holds more. */
  async #write(added: readonly Chunk[], more: { readonly chunks: number; readonly bytes: number }): Promise<void> {
    if (this.#tainted || this.#extent.end >= this.#options.packBytesMax) await this.#nextPack();
    const { pack, end } = this.#extent;
    const { parts, found, end: newEnd } = packed(added, end);
    const recorded = found.map(({ id, offset, length }) => ({ id, place: { pack, offset, length } }));
    const extent = { pack, end: newEnd, chunks: this.#extent.chunks + more.chunks, bytes: this.#extent.bytes + more.bytes };
    try {
      await this.#options.onStep();
      await writeAll(this.#writer, parts, end);
      await this.#options.onStep();
      this.#tainted = true;
      await this.#writer.datasync();
      this.#tainted = false;
      await this.#options.onStep();
    } catch (cause) {
      // What was written past the end is nothing: give the space back, and let the next append go over it.
      await this.#writer.truncate(end).catch(() => undefined);
      throw cause instanceof DaemonError ? cause : storageFailure(`cannot add ${added.length} chunks to ${this.#directory}`, cause);
    }
    this.#unsure = { recorded, extent };
    await this.#assure();
  }

  /** After this the index and the extent say the same. @throws {DaemonError} NO_SPACE, STORAGE_FAILED while the index refuses. */
  async #assure(): Promise<void> {
    if (this.#unsure === undefined) return;
    const { recorded, extent } = this.#unsure;
    await this.#index.record(recorded, extent);
    this.#extent = extent;
    this.#unsure = undefined;
  }

  async #nextPack(): Promise<void> {
    const pack = this.#extent.pack + 1;
    const writer = await openPack(this.#directory, pack);
    await writer.truncate(0);
    await this.#writer.close();
    this.#writer = writer;
    this.#extent = { ...this.#extent, pack, end: 0 };
    this.#tainted = false;
  }
}

function isSame(a: Place | undefined, b: Place): boolean {
  return a?.pack === b.pack && a.offset === b.offset;
}
