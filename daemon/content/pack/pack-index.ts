// The index of a pack store in `level`: where each chunk lies, how far the packs are valid, and what each project has proved to possess.
// Every write is synced. LevelDB's lock is also what keeps a second process out of the directory.

import { statfs } from 'node:fs/promises';
import { Level } from 'level';
import { digestFromBytes, digestToBytes, type Digest } from '../../../proto/cid.ts';
import { DaemonError } from '../../errors.ts';
import { storageFailure } from '../failures.ts';

/** Where a chunk lies. */
export interface Place {
  readonly pack: number;
  readonly offset: number;
  readonly length: number;
}

/** A chunk and where it lies. */
export interface Placed {
  readonly id: Digest;
  readonly place: Place;
}

/** What is valid: the newest pack up to `end`, and the sums. */
export interface Extent {
  readonly pack: number;
  readonly end: number;
  readonly chunks: number;
  readonly bytes: number;
}

type Database = Level<Uint8Array, Uint8Array>;
type Operation = { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array } | { readonly type: 'del'; readonly key: Uint8Array };

/** The index, open. */
export interface PackIndex {
  places(ids: readonly Digest[]): Promise<readonly (Place | undefined)[]>;
  /** `undefined` for an index in which nothing was ever recorded. */
  extent(): Promise<Extent | undefined>;
  /** Resolves when synced. Without an extent it does not count yet. @throws {DaemonError} NO_SPACE or STORAGE_FAILED: nothing of it counts. */
  record(added: readonly Placed[], extent: Extent | undefined): Promise<void>;
  /** Forgets chunks; otherwise as {@link record}. */
  forget(ids: readonly Digest[], extent: Extent): Promise<void>;
  /** Every chunk that there was when it was asked, some at a time. */
  all(): AsyncIterable<readonly Placed[]>;
  /** Writes down that packs are no more, before they are removed. Resolves when synced. */
  markGone(packs: readonly number[]): Promise<void>;
  gone(): Promise<readonly number[]>;
  owns(project: string, ids: readonly Digest[]): Promise<readonly boolean[]>;
  addOwned(project: string, ids: readonly Digest[]): Promise<void>;
  close(): Promise<void>;
}

const placeBytes = 12;
/** Twice LevelDB's write buffer: what it may write while it opens. */
const reopenBytesMin = 8 * 1024 * 1024;
/** Entries that are looked at together when all are. */
const batchMax = 1_000;
const extentKey = Buffer.from('extent');

function chunkKey(id: Digest): Uint8Array {
  return Buffer.concat([Buffer.from('c'), digestToBytes(id)]);
}

function goneKey(pack: number): Uint8Array {
  const key = Buffer.from('g0000');
  key.writeUInt32BE(pack, 1);
  return key;
}

function ownedKey(project: string, id: Digest): Uint8Array {
  return Buffer.concat([Buffer.from(`o${project}\0`), digestToBytes(id)]);
}

/** A database that is opened anew after a failed write. */
interface Handle {
  /** @throws {DaemonError} STORAGE_FAILED. */
  readonly read: <T>(action: (open: Database) => Promise<T>) => Promise<T>;
  /** Resolves when synced. @throws {DaemonError} NO_SPACE, STORAGE_FAILED. */
  readonly write: (operations: Operation[]) => Promise<void>;
  readonly close: () => Promise<void>;
}

async function openHandle(directory: string): Promise<Handle> {
  let database = await openDatabase(directory);
  let healing: Promise<void> | undefined;
  /** After a failed write the handle reads on but refuses every write until it is opened anew, even when there is space again. */
  let stale = false;
  let closed = false;

  const reopen = async (): Promise<void> => {
    // Opening needs room for a log and a table: without it the handle that still reads would be lost as well.
    const { bavail, bsize } = await statfs(directory);
    if (database.status === 'open' && bavail * bsize < reopenBytesMin) {
      throw new DaemonError('NO_SPACE', `the index ${directory} needs ${reopenBytesMin} bytes free on its disk and there are ${bavail * bsize}; free some space and try again`);
    }
    await database.close();
    database = await openDatabase(directory);
    stale = false;
  };
  /** The handle, opened anew where that is needed: by one caller at a time, or they would take each other for a second process. */
  const usable = async (forWriting: boolean): Promise<Database> => {
    if (closed) throw new DaemonError('STORAGE_FAILED', `the index ${directory} is closed`);
    const needed = database.status !== 'open' || (forWriting && stale);
    if (needed) healing ??= reopen().finally(() => (healing = undefined));
    await healing;
    return database;
  };
  const read = async <T>(action: (open: Database) => Promise<T>): Promise<T> => {
    try {
      return await action(await usable(false));
    } catch (cause) {
      throw cause instanceof DaemonError ? cause : storageFailure(`cannot read the index ${directory}`, cause);
    }
  };
  const write = async (operations: Operation[]): Promise<void> => {
    try {
      await (await usable(true)).batch(operations, { sync: true });
    } catch (cause) {
      if (cause instanceof DaemonError) throw cause;
      stale = true;
      throw storageFailure(`cannot write to the index ${directory}`, cause);
    }
  };

  return {
    read,
    write,
    async close() {
      closed = true;
      await healing?.catch(() => undefined);
      await database.close();
    },
  };
}

/** @throws {DaemonError} DATA_DIRECTORY_IN_USE when another process has it open; STORAGE_FAILED. */
export async function openPackIndex(directory: string): Promise<PackIndex> {
  const { read, write, close } = await openHandle(directory);
  return {
    async places(ids) {
      const values = await read(async (open) => await open.getMany(ids.map(chunkKey)));
      return values.map((value) => (value === undefined ? undefined : decodePlace(value)));
    },
    async extent() {
      const value = await read(async (open) => await open.get(extentKey));
      return value === undefined ? undefined : decodeExtent(value);
    },
    async record(added, extent) {
      await write([
        ...added.map(({ id, place }) => ({ type: 'put' as const, key: chunkKey(id), value: encodePlace(place) })),
        ...(extent === undefined ? [] : [{ type: 'put' as const, key: extentKey, value: encodeExtent(extent) }]),
      ]);
    },
    async forget(ids, extent) {
      await write([...ids.map((id) => ({ type: 'del' as const, key: chunkKey(id) })), { type: 'put' as const, key: extentKey, value: encodeExtent(extent) }]);
    },
    async *all() {
      const chunks = await read(async (open) => await Promise.resolve(open.iterator({ gte: Buffer.from('c'), lt: Buffer.from('d') })));
      try {
        for (let entries = await read(async () => await chunks.nextv(batchMax)); entries.length > 0; entries = await read(async () => await chunks.nextv(batchMax))) {
          yield entries.map(([key, value]) => ({ id: digestFromBytes(key.subarray(1)), place: decodePlace(value) }));
        }
      } finally {
        await chunks.close();
      }
    },
    async markGone(packs) {
      if (packs.length > 0) await write(packs.map((pack) => ({ type: 'put', key: goneKey(pack), value: new Uint8Array() })));
    },
    async gone() {
      return await read(async (open) => (await open.keys({ gte: Buffer.from('g'), lt: Buffer.from('h') }).all()).map((key) => Buffer.from(key).readUInt32BE(1)));
    },
    async owns(project, ids) {
      const values = await read(async (open) => await open.getMany(ids.map((id) => ownedKey(project, id))));
      return values.map((value) => value !== undefined);
    },
    async addOwned(project, ids) {
      await write(ids.map((id) => ({ type: 'put', key: ownedKey(project, id), value: new Uint8Array() })));
    },
    close,
  };
}

async function openDatabase(directory: string): Promise<Database> {
  const database: Database = new Level(directory, { keyEncoding: 'view', valueEncoding: 'view' });
  try {
    await database.open();
    return database;
  } catch (cause) {
    const locked = cause instanceof Error && cause.cause instanceof Error && 'code' in cause.cause && cause.cause.code === 'LEVEL_LOCKED';
    if (locked) throw new DaemonError('DATA_DIRECTORY_IN_USE', `another process works on ${directory}: stop it, or choose another data directory`, { cause });
    throw storageFailure(`cannot open the index ${directory}`, cause);
  }
}

function encodePlace({ pack, offset, length }: Place): Uint8Array {
  const bytes = Buffer.alloc(placeBytes);
  bytes.writeUInt32BE(pack, 0);
  bytes.writeUInt32BE(offset, 4);
  bytes.writeUInt32BE(length, 8);
  return bytes;
}

function decodePlace(value: Uint8Array): Place {
  const view = Buffer.from(value.buffer, value.byteOffset, value.length);
  return { pack: view.readUInt32BE(0), offset: view.readUInt32BE(4), length: view.readUInt32BE(8) };
}

function encodeExtent({ pack, end, chunks, bytes }: Extent): Uint8Array {
  const value = Buffer.alloc(24);
  value.writeUInt32BE(pack, 0);
  value.writeUInt32BE(end, 4);
  value.writeDoubleBE(chunks, 8);
  value.writeDoubleBE(bytes, 16);
  return value;
}

function decodeExtent(value: Uint8Array): Extent {
  const view = Buffer.from(value.buffer, value.byteOffset, value.length);
  return { pack: view.readUInt32BE(0), end: view.readUInt32BE(4), chunks: view.readDoubleBE(8), bytes: view.readDoubleBE(16) };
}
