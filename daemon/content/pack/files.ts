// Pack files as files: their names, making one, writing to its end, and descriptors to read them by. What lies in them is scan.ts's, where,
// pack-index.ts's.

import { open, readdir, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { DaemonError } from '../../errors.ts';

/** Packs held open for reading. */
const openPacksMax = 64;

/** Descriptors to read packs by. */
export interface PackReaders {
  /** @throws system errors. */
  open(pack: number): Promise<FileHandle>;
  /** Closes the pack's when reads under way have ended. */
  forget(pack: number): Promise<void>;
  close(): Promise<void>;
}

/** None open yet; {@link openPacksMax} at most. */
export function createPackReaders(directory: string): PackReaders {
  const readers = new Map<number, FileHandle>();
  return {
    async open(pack) {
      const found = readers.get(pack);
      if (found !== undefined) return found;
      const file = await open(packPath(directory, pack), 'r');
      const raced = readers.get(pack);
      if (raced !== undefined) {
        await file.close();
        return raced;
      }
      const [oldest] = readers.keys();
      if (readers.size >= openPacksMax && oldest !== undefined) {
        // Reads under way keep their descriptor until they end: FileHandle.close waits for them.
        void readers.get(oldest)?.close();
        readers.delete(oldest);
      }
      readers.set(pack, file);
      return file;
    },
    async forget(pack) {
      const file = readers.get(pack);
      readers.delete(pack);
      await file?.close();
    },
    async close() {
      for (const file of readers.values()) await file.close();
      readers.clear();
    },
  };
}

/** Numbers of the packs that there are, ascending. */
export async function listPacks(directory: string): Promise<number[]> {
  const names = await readdir(join(directory, 'packs'));
  return names.flatMap((name) => /^(\d{8})\.pack$/.exec(name)?.[1] ?? []).map(Number).toSorted((a, b) => a - b);
}

/** Where a pack lies. */
export function packPath(directory: string, pack: number): string {
  return join(directory, 'packs', `${String(pack).padStart(8, '0')}.pack`);
}

/** Opens for writing; a new file's name is synced with its directory. */
export async function openPack(directory: string, pack: number): Promise<FileHandle> {
  const file = await open(packPath(directory, pack), 'a+', 0o600).then(async (created) => {
    await created.close();
    return await open(packPath(directory, pack), 'r+');
  });
  await syncPacks(directory);
  return file;
}

/** Removes a pack, for good. */
export async function removePack(directory: string, pack: number): Promise<void> {
  await rm(packPath(directory, pack), { force: true });
  await syncPacks(directory);
}

async function syncPacks(directory: string): Promise<void> {
  const folder = await open(join(directory, 'packs'), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Writes parts one after the other from `position` on. @throws {DaemonError} NO_SPACE when the disk takes no more; system errors. */
export async function writeAll(file: FileHandle, parts: readonly Uint8Array[], position: number): Promise<void> {
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
