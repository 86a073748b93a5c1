// The chunk store of seeds and proxies: append-only pack files and an index of them. A chunk counts when its pack and then its index
// entry are synced; what a crash left behind the last indexed byte is cut off at the next start, since nobody was told that it is there.
// An index that is lost is made anew from the packs (pack-scan.ts); packs are never touched for want of an index.

import { hash } from 'node:crypto';
import { mkdir, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { digestToBytes, type Digest } from '../../proto/cid.ts';
import { DaemonError } from '../errors.ts';
import { throwIfAborted } from './abort.ts';
import { createPackReaders, listPacks, openPack, packPath, writeAll, type PackReaders } from './pack-files.ts';
import { openPackIndex, storageFailure, type Extent, type PackIndex, type Place } from './pack-index.ts';
import { headerBytes, scanPack } from './pack-scan.ts';
import { systemCode } from './problems.ts';
import type { Chunk, ChunkStore, ReadOptions } from './store.ts';

/** A pack is closed when it has grown past this: small enough to move about, large enough that a million chunks are few files. */
const packBytesMax = 64 * 1024 * 1024;
/** Bytes that one sync covers at most, and that may wait for theirs. Callers wait for their own, so more is a caller without bounds. */
const groupBytesMax = 16 * 1024 * 1024;
const waitingBytesMax = 256 * 1024 * 1024;

/** What a project has proved to possess, in the same index. */
export interface OwnershipIndex {
  owns(project: string, ids: readonly Digest[]): Promise<readonly boolean[]>;
  add(project: string, ids: readonly Digest[]): Promise<void>;
}

/** A pack store with its ownership index. */
export interface PackStore extends ChunkStore {
  readonly ownership: OwnershipIndex;
}

/** @throws {DaemonError} DATA_DIRECTORY_IN_USE, STORAGE_FAILED; CORRUPT_STATE when packs are not what the index says. */
export async function openPackStore(directory: string): Promise<PackStore> {
  let index: PackIndex | undefined;
  try {
    await mkdir(join(directory, 'packs'), { recursive: true, mode: 0o700 });
    index = await openPackIndex(join(directory, 'index'));
    const packs = await listPacks(directory);
    const extent = (await index.extent()) ?? (await rebuild(directory, index, packs));
    await using opening = new AsyncDisposableStack();
    const writer = await openPack(directory, extent.pack);
    opening.defer(async () => await writer.close());
    checkPacks(directory, packs, extent, (await writer.stat()).size);
    await writer.truncate(extent.end);
    opening.move();
    return new Packs(directory, index, extent, writer);
  } catch (cause) {
    await index?.close();
    throw cause instanceof DaemonError ? cause : storageFailure(`cannot open the packs in ${directory}`, cause);
  }
}

/** An index in which nothing was recorded, beside packs: it was lost. Counts only when the last batch is in, so a crash starts it over. */
async function rebuild(directory: string, index: PackIndex, packs: readonly number[]): Promise<Extent> {
  const known = new Set<Digest>();
  let extent: Extent = { pack: 1, end: 0, chunks: 0, bytes: 0 };
  for (const pack of packs) {
    const { found, end } = await scanPack(packPath(directory, pack));
    const added = found.filter(({ id }) => !known.has(id) && known.add(id)).map(({ id, offset, length }) => ({ id, place: { pack, offset, length } }));
    extent = { pack, end, chunks: known.size, bytes: added.reduce((sum, { place }) => sum + place.length, extent.bytes) };
    await index.record(added, undefined);
  }
  if (packs.length > 0) await index.record([], extent);
  return extent;
}

function checkPacks(directory: string, packs: readonly number[], extent: Extent, size: number): void {
  const mend = `move ${join(directory, 'index')} away and start again: what the packs still hold is found in them, the rest is asked for anew`;
  const missing = Array.from({ length: extent.pack - 1 }, (_, at) => at + 1).find((pack) => !packs.includes(pack));
  if (missing !== undefined) throw new DaemonError('CORRUPT_STATE', `${packPath(directory, missing)} is missing; ${mend}`);
  if (size < extent.end) throw new DaemonError('CORRUPT_STATE', `${packPath(directory, extent.pack)} has ${size} bytes, the index knows ${extent.end}; ${mend}`);
}

interface Waiting {
  readonly chunks: readonly Chunk[];
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (cause: unknown) => void;
}

class Packs implements PackStore {
  readonly ownership: OwnershipIndex;
  readonly #directory: string;
  readonly #index: PackIndex;
  #extent: Extent;
  #writer: FileHandle;
  readonly #readers: PackReaders;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #closed = false;
  /** A sync of the newest pack failed: what the disk has of it is unknown, and a second sync would claim success. */
  #tainted = false;
  #writing: Promise<void> | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(directory: string, index: PackIndex, extent: Extent, writer: FileHandle) {
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
    return (await this.#index.places(ids)).map((place) => place !== undefined);
  }

  async get(id: Digest, { signal, into }: ReadOptions): Promise<Uint8Array | undefined> {
    throwIfAborted(signal, 'reading a chunk');
    const [place] = await this.#index.places([id]);
    return place === undefined ? undefined : await this.#read(id, place, into);
  }

  /** Calls that come while one is being synced share the next sync. */
  async put(chunks: readonly Chunk[], { signal }: { readonly signal: AbortSignal }): Promise<void> {
    throwIfAborted(signal, 'adding chunks');
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.bytes.length, 0);
    if (this.#closed) throw new DaemonError('STORAGE_FAILED', `the store ${this.#directory} is closed`);
    if (this.#waitingBytes + bytes > waitingBytesMax) {
      throw new DaemonError('STORAGE_FAILED', `${this.#waitingBytes} bytes wait to be written to ${this.#directory}, more than its disk keeps up with; try again later`);
    }
    this.#waitingBytes += bytes;
    const done = new Promise<void>((resolve, reject) => this.#waiting.push({ chunks, bytes, resolve, reject }));
    this.#writing ??= this.#drain();
    await done;
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
      const lost = [...damaged.values()].reduce((sum, { length }) => sum + length, 0);
      const extent = { ...this.#extent, chunks: this.#extent.chunks - damaged.size, bytes: this.#extent.bytes - lost };
      await this.#index.forget([...damaged.keys()], extent);
      this.#extent = extent;
      return [...damaged.keys()];
    });
  }

  usage(): { readonly chunks: number; readonly bytes: number } {
    return { chunks: this.#extent.chunks, bytes: this.#extent.bytes };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#writing;
    await this.#last;
    await this.#writer.close();
    await this.#readers.close();
    await this.#index.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
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
      // A bad sector takes its chunks with it, not the store.
      if (systemCode(cause) === 'EIO') return undefined;
      throw storageFailure(`cannot read chunk ${id}`, cause);
    }
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#nextGroup();
      try {
        await this.#alone(async () => await this.#append(group.flatMap(({ chunks }) => chunks)));
        for (const { resolve } of group) resolve();
      } catch (cause) {
        for (const { reject } of group) reject(cause);
      }
    }
    this.#writing = undefined;
  }

  /** At least one, in the order in which they came. */
  #nextGroup(): Waiting[] {
    let bytes = 0;
    const end = this.#waiting.findIndex((waiting, at) => (bytes += waiting.bytes) > groupBytesMax && at > 0);
    const group = this.#waiting.splice(0, end < 0 ? this.#waiting.length : end);
    for (const waiting of group) this.#waitingBytes -= waiting.bytes;
    return group;
  }

  async #append(chunks: readonly Chunk[]): Promise<void> {
    const distinct = [...new Map(chunks.map((chunk) => [chunk.id, chunk])).values()];
    const places = await this.#index.places(distinct.map(({ id }) => id));
    const added = distinct.filter((_, at) => places[at] === undefined);
    if (added.length === 0) return;
    if (this.#tainted || this.#extent.end >= packBytesMax) await this.#nextPack();
    const { pack, end } = this.#extent;
    let offset = end;
    let bytes = 0;
    const parts: Uint8Array[] = [];
    const recorded = added.map((chunk): { id: Digest; place: Place } => {
      const header = Buffer.alloc(headerBytes);
      header.set(digestToBytes(chunk.id), 0);
      header.writeUInt32BE(chunk.bytes.length, 32);
      parts.push(header, chunk.bytes);
      const place = { pack, offset: offset + headerBytes, length: chunk.bytes.length };
      offset += headerBytes + chunk.bytes.length;
      bytes += chunk.bytes.length;
      return { id: chunk.id, place };
    });
    const extent = { pack, end: offset, chunks: this.#extent.chunks + added.length, bytes: this.#extent.bytes + bytes };
    try {
      await writeAll(this.#writer, parts, end);
      await this.#sync();
      await this.#index.record(recorded, extent);
    } catch (cause) {
      // What was written past the end is nothing: give the space back, and let the next append go over it.
      await this.#writer.truncate(end).catch(() => undefined);
      throw cause instanceof DaemonError ? cause : storageFailure(`cannot add ${added.length} chunks to ${this.#directory}`, cause);
    }
    this.#extent = extent;
  }

  async #sync(): Promise<void> {
    try {
      await this.#writer.datasync();
    } catch (cause) {
      this.#tainted = true;
      throw cause;
    }
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
