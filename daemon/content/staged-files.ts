// The files of a release under construction: made, written, verified from disk, given their modes and synced. Nothing here follows a link,
// and nothing outside the directory is written. Which chunk goes where is decided in materialize.ts.

import { createHash } from 'node:crypto';
import { closeSync, constants, fchmodSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import type { FileEntry } from '../../proto/tree.ts';
import { DaemonError } from '../errors.ts';
import { quoted } from '../../proto/path.ts';
import { callBytes, type Spend } from './slices.ts';
import type { SyncQueue } from './sync-queue.ts';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
/** What stays in a core's cache between reading and hashing. */
const bufferBytes = 256 * 1024;

/** Makes a file that was not there, writable by its owner only. */
export function createFile(path: string): void {
  closeSync(openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600));
}

/** Writes all of `bytes` into a file that is there. */
export function writeAt(path: string, bytes: Uint8Array, offset: number): void {
  const file = openSync(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written, bytes.length - written, offset + written);
  } finally {
    closeSync(file);
  }
}

/** Opens a regular file for reading, without following a link or waiting for a pipe. @throws system errors; `undefined` when it is no regular file. */
export function openRegular(path: string): number | undefined {
  const file = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (fstatSync(file).isFile()) return file;
  closeSync(file);
  return undefined;
}

/** Reads `length` bytes, or fewer at the end of the file; into the beginning of `into` when they fit there. */
export function readAt(file: number, length: number, offset: number, into?: Uint8Array): Uint8Array {
  const bytes = into !== undefined && into.length >= length ? into : Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const read = readSync(file, bytes, filled, length - filled, offset + filled);
    if (read === 0) break;
    filled += read;
  }
  return bytes.subarray(0, filled);
}

/** Whether an open file has exactly the bytes of `entry`: read whole, in slices. */
export async function holds(file: number, entry: Pick<FileEntry, 'size' | 'digest'>, spend: Spend): Promise<boolean> {
  if (fstatSync(file).size !== entry.size) return false;
  const digest = createHash('sha256');
  // One buffer for the whole file: a new one for each part would have the garbage collector at work most of the time.
  const buffer = Buffer.allocUnsafe(Math.min(bufferBytes, entry.size));
  let offset = 0;
  for (; offset < entry.size; ) {
    const read = readSync(file, buffer, 0, Math.min(buffer.length, entry.size - offset), offset);
    if (read === 0) break;
    digest.update(read === buffer.length ? buffer : buffer.subarray(0, read));
    offset += read;
    const pause = spend(read);
    if (pause !== undefined) await pause;
  }
  return offset === entry.size && digest.digest('hex') === entry.digest;
}

/**
 * Ends the writing of a file: verified as it now lies on disk, given its mode, and handed over to be synced.
 * @throws {DaemonError} CORRUPT_CHUNK when the file is not what the tree says.
 */
export async function sealFile(path: string, entry: FileEntry, syncs: SyncQueue, spend: Spend): Promise<void> {
  const file = openRegular(path);
  if (file === undefined) throw new DaemonError('CORRUPT_CHUNK', `${quoted(entry.path)} is no regular file any more in the release under construction`);
  let handedOver = false;
  try {
    if (!(await holds(file, entry, spend))) {
      throw new DaemonError('CORRUPT_CHUNK', `${quoted(entry.path)} was put together from its chunks and does not hash to ${entry.digest}, as the tree says: the disk, or the tree, is damaged`);
    }
    fchmodSync(file, entry.mode);
    handedOver = true;
  } finally {
    if (!handedOver) closeSync(file);
  }
  await syncs.add(file);
  const pause = spend(callBytes);
  if (pause !== undefined) await pause;
}
