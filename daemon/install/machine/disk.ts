// The installer's hand on the file system: each method that changes something is one step that may be the last before a
// crash, so that a test can stop at every one of them. Reading the content of releases is not here.

import { appendFile, chmod, copyFile, lstat, mkdir, open, readFile, readdir, readlink, rename, rm, symlink, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DaemonError } from '../../errors.ts';

/** What a name in a directory is. */
export type FileKind = 'file' | 'directory' | 'link' | 'other';

/** Absence is `undefined`; every other failure is a DaemonError STORAGE_FAILED or NO_SPACE. Paths are absolute. */
export interface Disk {
  readText(path: string): Promise<string | undefined>;
  /** Target of a symbolic link; `undefined` also when it is something else. */
  readLink(path: string): Promise<string | undefined>;
  /** Does not follow links. */
  kind(path: string): Promise<FileKind | undefined>;
  /** In ms since 1970; 0 when absent. */
  modified(path: string): Promise<number>;
  /** Bytes; 0 when absent. */
  size(path: string): Promise<number>;
  /** Names, ascending; empty when the directory is absent. */
  list(path: string): Promise<readonly string[]>;

  /** One directory whose parent is there; nothing when it exists. Of this mode whatever the umask: those who run a release need not be who installs it. */
  makeDirectory(path: string, mode?: number): Promise<void>;
  /** Creates or empties the file, writes, syncs the file (not its directory). */
  writeSynced(path: string, text: string): Promise<void>;
  /** Appends and syncs. After a failure the end of the file is unknown: a failed sync is never tried again on it. */
  appendSynced(path: string, text: string): Promise<void>;
  /** Appends without syncing: for logs. */
  append(path: string, text: string): Promise<void>;
  truncate(path: string, bytes: number): Promise<void>;
  /** Moves the content to `<path>.1` and empties the file in place, for a log that another process goes on appending to. */
  rotate(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  symlink(target: string, path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  /** A file, a link or a whole tree; nothing when absent. */
  remove(path: string): Promise<void>;
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown';
}

function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(errorCode(error));
}

function refused(what: string, path: string, error: unknown): DaemonError {
  const code = errorCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new DaemonError('NO_SPACE', `no space to ${what} ${path} (${code}): free some and try again`, { cause: error });
  }
  const advice = code === 'ENOENT' ? 'the directory that it should be in is not there: make it first' : 'check its owner, its mode and the disk';
  return new DaemonError('STORAGE_FAILED', `cannot ${what} ${path} (${code}): ${advice}`, { cause: error });
}

async function done<T>(what: string, path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw refused(what, path, error);
  }
}

async function present<T>(what: string, path: string, work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw refused(what, path, error);
  }
}

async function withFile(path: string, flags: string, use: (file: Awaited<ReturnType<typeof open>>) => Promise<void>): Promise<void> {
  // Private: the journal and the state are nobody else's to read.
  const file = await open(path, flags, 0o600);
  try {
    await use(file);
  } finally {
    await file.close();
  }
}

/** The machine's own file system. */
export const systemDisk: Disk = {
  readText: async (path) => await present('read', path, readFile(path, 'utf8')),
  readLink: async (path) => {
    try {
      return await readlink(path);
    } catch (error) {
      if (isAbsent(error) || errorCode(error) === 'EINVAL') return undefined;
      throw refused('read', path, error);
    }
  },
  kind: async (path) => {
    const found = await present('look at', path, lstat(path));
    if (found === undefined) return undefined;
    if (found.isSymbolicLink()) return 'link';
    if (found.isDirectory()) return 'directory';
    return found.isFile() ? 'file' : 'other';
  },
  modified: async (path) => (await present('look at', path, lstat(path)))?.mtimeMs ?? 0,
  size: async (path) => (await present('look at', path, lstat(path)))?.size ?? 0,
  list: async (path) => ((await present('list', path, readdir(path))) ?? []).toSorted(),

  makeDirectory: async (path, mode = 0o755) => {
    try {
      await mkdir(path, { mode });
      await chmod(path, mode);
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw refused('create', path, error);
    }
  },
  writeSynced: async (path, text) => {
    const work = withFile(path, 'w', async (file) => {
      await file.writeFile(text);
      await file.sync();
    });
    await done('write', path, work);
  },
  appendSynced: async (path, text) => {
    const work = withFile(path, 'a', async (file) => {
      await file.appendFile(text);
      await file.sync();
    });
    await done('append to', path, work);
  },
  append: async (path, text) => {
    await done('append to', path, appendFile(path, text, { mode: 0o600 }));
  },
  truncate: async (path, bytes) => {
    const work = withFile(path, 'r+', async (file) => {
      await file.truncate(bytes);
      await file.sync();
    });
    await done('shorten', path, work);
  },
  rotate: async (path) => {
    await done('copy', path, copyFile(path, `${path}.1`));
    await done('empty', path, truncate(path));
  },
  rename: async (from, to) => {
    await done(`rename ${from} to`, to, rename(from, to));
  },
  symlink: async (target, path) => {
    await done('create the link', path, symlink(target, path));
  },
  syncDirectory: async (path) => {
    const work = withFile(path, 'r', async (directory) => {
      await directory.sync();
    });
    await done('sync', path, work);
  },
  remove: async (path) => {
    await done('remove', path, rm(path, { recursive: true, force: true }));
  },
};

/** Replaces a file in one step that survives a power loss: whoever reads sees the old text or the new. */
export async function replaceFile(disk: Disk, path: string, text: string): Promise<void> {
  await disk.writeSynced(`${path}.new`, text);
  await disk.rename(`${path}.new`, path);
  await disk.syncDirectory(dirname(path));
}

/**
 * Points a symbolic link elsewhere in one step that survives a power loss. Unlinking first would leave readers without it:
 * 35 % of reads in the measurement of agent.md, section 1.2; none with the rename. Works through `temporary`, beside it.
 */
export async function replaceLink(disk: Disk, target: string, path: string, temporary: string): Promise<void> {
  await disk.remove(temporary);
  await disk.symlink(target, temporary);
  await disk.rename(temporary, path);
  await disk.syncDirectory(dirname(path));
}

/** A directory and whichever of its parents are missing, down from `base`, which must be there; each one synced. `mode` is the directory's own. */
export async function makeDirectories(disk: Disk, base: string, path: string, mode?: number): Promise<void> {
  if (path === base || (await disk.kind(path)) !== undefined) return;
  const parent = dirname(path);
  await makeDirectories(disk, base, parent);
  await disk.makeDirectory(path, mode);
  await disk.syncDirectory(parent);
}
