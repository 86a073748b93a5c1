// The files of a release under construction: made, opened, written, read and hashed. Nothing here follows a link, and nothing outside the directory is
// written. Which of them are open, and when they are whole, is own-files.ts's; which chunk goes where is decided in materialize.ts.

import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import type { FileEntry } from '../../../proto/tree.ts';
import type { Spend } from '../slices.ts';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
/** What stays in a core's cache between reading and hashing. */
const bufferBytes = 256 * 1024;

/** Makes a file that was not there, for its owner only, and opens it for writing. */
export function createFile(path: string): number {
  return openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
}

/** Opens a file that is there for writing, without following a link. */
export function openToWrite(path: string): number {
  return openSync(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK);
}

/** Writes all of `bytes`. */
export function writeAt(file: number, bytes: Uint8Array, offset: number): void {
  for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written, bytes.length - written, offset + written);
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

/** Whether the file at `path` is a regular one with exactly the bytes of `entry`: read whole, in slices. */
export async function holdsAt(path: string, entry: Pick<FileEntry, 'size' | 'digest'>, spend: Spend): Promise<boolean> {
  const file = openRegular(path);
  if (file === undefined) return false;
  try {
    return await holds(file, entry, spend);
  } finally {
    closeSync(file);
  }
}
