// Files that are either wholly there or not at all, whatever moment the machine stops at.
// What is in them is the callers' business. The other floor has its own: each throws its own errors, and what both may import does no I/O.

import { link, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DaemonError } from '../errors.ts';

/** The bytes of a file, or `undefined` when there is none. @throws {DaemonError} STORAGE_FAILED. */
export async function readBytes(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return undefined;
    throw failed('cannot read', path, cause);
  }
}

/**
 * Replaces a file by one with this text: readers see the old one or the new one, and it is synced when this resolves.
 * @throws {DaemonError} STORAGE_FAILED; then the old file is still there.
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  const draft = `${path}.tmp`;
  try {
    await writeSynced(draft, text);
    await rename(draft, path);
    await syncDirectory(dirname(path));
  } catch (cause) {
    throw failed('cannot write', path, cause);
  }
}

/**
 * Creates a file with these bytes, readable by its owner only, unless there is one already. Says whether it did.
 * @throws {DaemonError} STORAGE_FAILED.
 */
export async function createFileOnce(path: string, bytes: Uint8Array): Promise<boolean> {
  const draft = `${path}.tmp`;
  try {
    await writeSynced(draft, bytes);
    // link() fails where rename() would overwrite: an identity that is there is never lost.
    const created = await link(draft, path).then(
      () => true,
      (cause: unknown) => {
        if (hasCode(cause, 'EEXIST')) return false;
        throw cause;
      },
    );
    await rm(draft);
    await syncDirectory(dirname(path));
    return created;
  } catch (cause) {
    throw failed('cannot create', path, cause);
  }
}

/** Makes a directory that only its owner may enter. @throws {DaemonError} STORAGE_FAILED. */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await syncDirectory(dirname(path));
  } catch (cause) {
    throw failed('cannot create directory', path, cause);
  }
}

async function writeSynced(path: string, content: string | Uint8Array): Promise<void> {
  await using file = await open(path, 'w', 0o600);
  await file.writeFile(content);
  await file.sync();
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, 'r');
  await directory.sync();
}

function failed(what: string, path: string, cause: unknown): DaemonError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const code = hasCode(cause, 'ENOSPC') || hasCode(cause, 'EDQUOT') ? 'NO_SPACE' : 'STORAGE_FAILED';
  return new DaemonError(code, `${what} ${path}: ${reason}`, { cause });
}

function hasCode(cause: unknown, code: string): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === code;
}
