// The chunk store of seeds and proxies: append-only pack files and an index of them. A chunk counts when its pack and then its index
// entry are synced; what a crash left behind the last indexed byte is cut off at the next start, since nobody was told that it is there.

import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { digestToBytes, type Digest } from '../../proto/cid.ts';
import { DaemonError } from '../errors.ts';
import { openPackIndex, storageFailure, type Extent, type PackIndex, type Place } from './pack-index.ts';
import type { Chunk, ChunkStore } from './store.ts';

/** A pack is closed when it has grown past this: small enough to move about, large enough that a million chunks are few files. */
const packBytesMax = 64 * 1024 * 1024;
/** Before each chunk: its digest and its length, so that a pack can be read without the index. */
const headerBytes = 36;
/** Packs held open for reading. */
const openPacksMax = 64;

/** What a project has proved to possess, in the same index. */
export interface OwnershipIndex {
  owns(project: string, ids: readonly Digest[]): Promise<readonly boolean[]>;
  add(project: string, ids: readonly Digest[]): Promise<void>;
}

/** A pack store with its ownership index. */
export interface PackStore extends ChunkStore {
  readonly ownership: OwnershipIndex;
}

/** @throws {DaemonError} DATA_DIRECTORY_IN_USE, STORAGE_FAILED. */
export async function openPackStore(directory: string): Promise<PackStore> {
  await mkdir(join(directory, 'packs'), { recursive: true, mode: 0o700 });
  const index = await openPackIndex(join(directory, 'index'));
  try {
    const extent = await index.extent();
    const writer = await openPack(directory, extent.pack);
    await writer.truncate(extent.end);
    return new Packs(directory, index, extent, writer);
  } catch (cause) {
    await index.close();
    throw cause instanceof DaemonError ? cause : storageFailure(`cannot open the packs in ${directory}`, cause);
  }
}

interface Waiting {
  readonly chunks: readonly Chunk[];
  readonly resolve: () => void;
  readonly reject: (cause: unknown) => void;
}

class Packs implements PackStore {
  readonly ownership: OwnershipIndex;
  readonly #directory: string;
  readonly #index: PackIndex;
  #extent: Extent;
  #writer: FileHandle;
  readonly #readers = new Map<number, FileHandle>();
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;

  constructor(directory: string, index: PackIndex, extent: Extent, writer: FileHandle) {
    this.#directory = directory;
    this.#index = index;
    this.#extent = extent;
    this.#writer = writer;
    this.ownership = {
      owns: async (project, ids) => await index.owns(project, ids),
      add: async (project, ids) => await index.addOwned(project, ids),
    };
  }

  async has(ids: readonly Digest[]): Promise<readonly boolean[]> {
    return (await this.#index.places(ids)).map((place) => place !== undefined);
  }

  async get(id: Digest, { signal }: { readonly signal: AbortSignal }): Promise<Uint8Array | undefined> {
    signal.throwIfAborted();
    const [place] = await this.#index.places([id]);
    if (place === undefined) return undefined;
    const bytes = Buffer.allocUnsafe(place.length);
    try {
      const file = await this.#reader(place.pack);
      const { bytesRead } = await file.read(bytes, 0, place.length, place.offset);
      return bytesRead === place.length ? bytes : undefined;
    } catch (cause) {
      throw storageFailure(`cannot read chunk ${id}`, cause);
    }
  }

  /** Calls that come while one is being synced share the next sync. */
  async put(chunks: readonly Chunk[], { signal }: { readonly signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted();
    const done = new Promise<void>((resolve, reject) => this.#waiting.push({ chunks, resolve, reject }));
    this.#writing ??= this.#drain();
    await done;
  }

  usage(): { readonly chunks: number; readonly bytes: number } {
    return { chunks: this.#extent.chunks, bytes: this.#extent.bytes };
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#writer.close();
    for (const file of this.#readers.values()) await file.close();
    this.#readers.clear();
    await this.#index.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      try {
        await this.#append(group.flatMap(({ chunks }) => chunks));
        for (const { resolve } of group) resolve();
      } catch (cause) {
        for (const { reject } of group) reject(cause);
      }
    }
    this.#writing = undefined;
  }

  async #append(chunks: readonly Chunk[]): Promise<void> {
    const distinct = [...new Map(chunks.map((chunk) => [chunk.id, chunk])).values()];
    const places = await this.#index.places(distinct.map(({ id }) => id));
    const added = distinct.filter((_, at) => places[at] === undefined);
    if (added.length === 0) return;
    if (this.#extent.end >= packBytesMax) await this.#nextPack();
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
      await this.#writer.datasync();
      await this.#index.record(recorded, extent);
    } catch (cause) {
      // What was written past the end is nothing: give the space back, and let the next append go over it.
      await this.#writer.truncate(end).catch(() => undefined);
      throw cause instanceof DaemonError ? cause : storageFailure(`cannot add ${added.length} chunks to ${this.#directory}`, cause);
    }
    this.#extent = extent;
  }

  async #nextPack(): Promise<void> {
    const pack = this.#extent.pack + 1;
    const writer = await openPack(this.#directory, pack);
    await writer.truncate(0);
    await this.#writer.close();
    this.#writer = writer;
    this.#extent = { ...this.#extent, pack, end: 0 };
  }

  async #reader(pack: number): Promise<FileHandle> {
    const found = this.#readers.get(pack);
    if (found !== undefined) return found;
    const file = await open(packPath(this.#directory, pack), 'r');
    const [oldest] = this.#readers.keys();
    if (this.#readers.size >= openPacksMax && oldest !== undefined) {
      // Reads under way keep their descriptor until they end: FileHandle.close waits for them.
      void this.#readers.get(oldest)?.close();
      this.#readers.delete(oldest);
    }
    const raced = this.#readers.get(pack);
    if (raced !== undefined) {
      await file.close();
      return raced;
    }
    this.#readers.set(pack, file);
    return file;
  }
}

function packPath(directory: string, pack: number): string {
  return join(directory, 'packs', `${String(pack).padStart(8, '0')}.pack`);
}

/** Opens for writing; a new file's name is synced with its directory. */
async function openPack(directory: string, pack: number): Promise<FileHandle> {
  const file = await open(packPath(directory, pack), 'a+', 0o600).then(async (created) => {
    await created.close();
    return await open(packPath(directory, pack), 'r+');
  });
  const folder = await open(join(directory, 'packs'), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
  return file;
}

async function writeAll(file: FileHandle, parts: readonly Uint8Array[], position: number): Promise<void> {
  const partsMax = 512;
  let at = position;
  for (let from = 0; from < parts.length; from += partsMax) {
    const group = parts.slice(from, from + partsMax);
    const length = group.reduce((sum, part) => sum + part.length, 0);
    const { bytesWritten } = await file.writev(group, at);
    if (bytesWritten !== length) {
      // A short write means that the disk is about to be full: write the rest the slow way, which says so.
      const rest = Buffer.concat(group).subarray(bytesWritten);
      await writeRest(file, rest, at + bytesWritten);
    }
    at += length;
  }
}

async function writeRest(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, written, bytes.length - written, position + written);
    if (bytesWritten === 0) throw new DaemonError('NO_SPACE', 'the disk takes no more bytes; free some space and try again');
    written += bytesWritten;
  }
}
