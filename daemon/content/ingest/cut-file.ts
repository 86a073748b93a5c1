// Reads one file and cuts it: its chunks' identifiers and its own digest, through one buffer that is used for every file.
// A file that changes while it is read is noticed, never published half old and half new.

import { createHash, hash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { chunkBytes, cut, isSingleChunk } from '../../../proto/chunker.ts';
import type { Digest } from '../../../proto/cid.ts';
import { quoted } from '../../../proto/path.ts';
import type { ChunkRef } from '../../../proto/tree.ts';
import { DaemonError } from '../../errors.ts';

/** What is in a file, and how it lay there before and after it was read. */
export interface CutFile {
  readonly size: number;
  readonly digest: Digest;
  readonly chunks: readonly ChunkRef[];
  readonly stats: Stats;
}

/** Bytes read ahead: with three passes over them (cut, chunk, whole file) they should stay in a core's own cache; what is carried over is copied. */
export const bufferBytes = 2 * chunkBytes.max;

/**
 * Cuts the file at `absolute`, called `path` in messages. `buffer` has {@link bufferBytes} and may be shared by calls one after the other.
 * Only of a large file there is a promise, since one for each of many small ones would cost as much as reading them: what `onBytes` gives is
 * awaited between its slices, and may throw to give up. @throws {DaemonError} FILE_CHANGED; system errors of opening and reading as they are.
 */
export function cutFile(absolute: string, path: string, buffer: Uint8Array, onBytes: (bytes: number) => Promise<void> | undefined): CutFile | Promise<CutFile> {
  const file = openSync(absolute, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  let isOurs = true;
  try {
    const before = fstatSync(file);
    if (!before.isFile()) throw changedWhileRead(path);
    if (isSingleChunk(before.size)) return unchanged(file, path, before, small(file, before.size, buffer));
    isOurs = false;
    return cutLarge(file, path, before, buffer, onBytes);
  } finally {
    if (isOurs) closeSync(file);
  }
}

async function cutLarge(file: number, path: string, before: Stats, buffer: Uint8Array, onBytes: (bytes: number) => Promise<void> | undefined): Promise<CutFile> {
  try {
    return unchanged(file, path, before, await large(file, before.size, buffer, onBytes));
  } finally {
    closeSync(file);
  }
}

type Content = Omit<CutFile, 'stats'>;

function unchanged(file: number, path: string, before: Stats, content: Content | undefined): CutFile {
  const after = fstatSync(file);
  // Times in milliseconds tell a quarter of a microsecond apart, and the kernel's clock ticks in milliseconds.
  if (content === undefined || before.size !== after.size || before.mtimeMs !== after.mtimeMs || before.ctimeMs !== after.ctimeMs) throw changedWhileRead(path);
  return { ...content, stats: before };
}

function changedWhileRead(path: string): DaemonError {
  return new DaemonError('FILE_CHANGED', `${quoted(path)} changed while it was read: publish a directory that nobody writes to`);
}

/** `undefined` when there are not exactly `size` bytes. */
function small(file: number, size: number, buffer: Uint8Array): Content | undefined {
  if (fill(file, buffer, 0, size) !== size) return undefined;
  const digest = hash('sha256', buffer.subarray(0, size));
  return { size, digest, chunks: size === 0 ? [] : [{ id: digest, length: size }] };
}

async function large(file: number, size: number, buffer: Uint8Array, onBytes: (bytes: number) => Promise<void> | undefined): Promise<Content | undefined> {
  const whole = createHash('sha256');
  const chunks: ChunkRef[] = [];
  let held = 0;
  let total = 0;
  for (let ended = false; !ended; ) {
    const expected = Math.min(buffer.length - held - 1, size - total);
    const read = fill(file, buffer, held, expected);
    ended = read < expected || (read === expected && total + read === size);
    whole.update(buffer.subarray(held, held + read));
    held += read;
    total += read;
    if (total > size) return undefined;
    let start = 0;
    for (let length = cut(buffer, start, held, ended); length > 0; length = cut(buffer, start, held, ended)) {
      chunks.push({ id: hash('sha256', buffer.subarray(start, start + length)), length });
      start += length;
    }
    buffer.copyWithin(0, start, held);
    held -= start;
    await onBytes(read);
  }
  return total === size ? { size, digest: whole.digest('hex'), chunks } : undefined;
}

/**
 * Reads to `buffer[offset…]` what should be `expected` bytes. One more is asked for, so that a file that has more is noticed without another call;
 * fewer come only at its end.
 */
function fill(file: number, buffer: Uint8Array, offset: number, expected: number): number {
  let filled = 0;
  do {
    const read = readSync(file, buffer, offset + filled, expected + 1 - filled, null);
    if (read === 0) break;
    filled += read;
  } while (filled < expected);
  return filled;
}
