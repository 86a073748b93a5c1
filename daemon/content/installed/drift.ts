// Whether an installed release still is what was installed, and putting back one thing in it that is not. Nothing is written in place: what is put
// back is made beside the release, verified, and renamed over. When to look, and where chunks come from, is daemon/run/drift.ts's.

import { chmodSync, closeSync, constants, fchmodSync, fstatSync, fsyncSync, linkSync, lstatSync, mkdirSync, openSync, renameSync, rmSync, symlinkSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';
import { quoted } from '../../../proto/path.ts';
import type { DirectoryEntry, Entry, FileEntry } from '../../../proto/tree.ts';
import { DaemonError } from '../../errors.ts';
import { differs } from '../release/audit.ts';
import { callBytes, type Spend } from '../slices.ts';
import { createFile, holds, holdsAt, writeAt } from '../release/staged-files.ts';
import type { Drift, RestoreOptions, TreeOnDisk } from '../store.ts';
import { storageFailure, systemCode } from '../failures.ts';

/** What says of a file that it is no longer the one that was installed. Of any other failure it is innocent. */
const goneCodes: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR', 'ENXIO', 'EACCES', 'EIO']);

/** What says that a file gets no second name. */
const noLinkCodes: ReadonlySet<string | undefined> = new Set(['EPERM', 'EMLINK', 'ENOTSUP', 'ENOSYS']);

async function* driftIn({ tree, directory, except = [] }: TreeOnDisk, spend: Spend): AsyncGenerator<number> {
  for (let position = 0; position < tree.entryCount; position += 1) {
    const entry = tree.entry(position);
    if (except.some((path) => entry.path === path || entry.path.startsWith(`${path}/`))) continue;
    const pause = spend(callBytes);
    if (pause !== undefined) await pause;
    if (!(await isAsInstalled(`${directory}/${entry.path}`, entry, spend))) yield position;
  }
}

async function isAsInstalled(path: string, entry: Entry, spend: Spend): Promise<boolean> {
  try {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (differs(path, entry, stats) !== undefined || !hasMode(entry, stats)) return false;
    return entry.kind !== 'file' || (await holdsAt(path, entry, spend));
  } catch (cause) {
    if (goneCodes.has(systemCode(cause))) return false;
    throw cause instanceof DaemonError ? cause : storageFailure(`cannot look at ${path}`, cause);
  }
}

/** A directory has its mode from the end of the release on, which is why {@link differs} says nothing of it. */
function hasMode(entry: Entry, stats: Stats | undefined): boolean {
  return entry.kind !== 'directory' || stats === undefined || (stats.mode & 0o7777) === entry.mode;
}

/** Looks, and puts back. */
export const drift: Drift = { find: driftIn, restore };

async function restore({ tree, directory }: TreeOnDisk, position: number, options: RestoreOptions): Promise<boolean> {
  const entry = tree.entry(position);
  const path = `${directory}/${entry.path}`;
  try {
    requireDirectories(directory, entry.path);
    if (entry.kind !== 'symlink' && (await mendMode(path, entry, options.spend))) return false;
    rmSync(options.scratch, { recursive: true, force: true });
    if (entry.kind === 'file') await makeFile(entry, (ordinal) => tree.chunkLength(ordinal), options);
    else if (entry.kind === 'symlink') symlinkSync(entry.target, options.scratch);
    else makeDirectory(options.scratch, entry.mode);
    requireDirectories(directory, entry.path);
    const kept = setAside(path, entry.kind, options.aside);
    renameSync(options.scratch, path);
    syncDirectory(dirname(path));
    return kept;
  } catch (cause) {
    throw cause instanceof DaemonError ? cause : storageFailure(`cannot put ${quoted(entry.path)} in ${directory} back`, cause);
  } finally {
    rmSync(options.scratch, { recursive: true, force: true });
  }
}

/** Gives what lies there its mode when only that is wrong: by its descriptor, since something else may lie there by the time that it is done. Whether that was all. */
async function mendMode(path: string, entry: FileEntry | DirectoryEntry, spend: Spend): Promise<boolean> {
  let file: number | undefined;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stats = fstatSync(file);
    if (entry.kind === 'directory' ? !stats.isDirectory() : !stats.isFile() || !(await holds(file, entry, spend))) return false;
    fchmodSync(file, entry.mode);
    return true;
  } catch (cause) {
    if (goneCodes.has(systemCode(cause))) return false;
    throw cause;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Writable until everything in it is back, whatever the daemon's own mask; a mode that says otherwise is the next look's. */
function makeDirectory(path: string, mode: number): void {
  mkdirSync(path);
  chmodSync(path, mode | 0o700);
}

async function makeFile(entry: FileEntry, lengthOf: (ordinal: number) => number, { scratch, bring, spend }: RestoreOptions): Promise<void> {
  const places = new Map<number, number[]>();
  let offset = 0;
  for (const ordinal of entry.chunks) {
    places.set(ordinal, [...(places.get(ordinal) ?? []), offset]);
    offset += lengthOf(ordinal);
  }
  const file = createFile(scratch);
  try {
    await bring([...places.keys()], (ordinal, bytes) => {
      for (const place of places.get(ordinal) ?? []) writeAt(file, bytes, place);
    });
    if (!(await holdsAt(scratch, entry, spend))) throw new DaemonError('CORRUPT_CHUNK', `what was made for ${quoted(entry.path)} does not hash to ${entry.digest}: the disk is damaged`);
    fchmodSync(file, entry.mode);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** What lies behind a link is not part of the release, and nothing is written there. */
function requireDirectories(directory: string, path: string): void {
  for (let parent = dirname(path); parent !== '.'; parent = dirname(parent)) {
    if (lstatSync(`${directory}/${parent}`, { throwIfNoEntry: false })?.isDirectory() !== true) throw new DaemonError('STORAGE_FAILED', `${quoted(parent)} in ${directory} is no directory`);
  }
}

/** By a second name, so that the place is never empty; where the system makes none, by moving it. */
function setAside(path: string, kind: Entry['kind'], aside: string): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return false;
  // A directory has one name, and takes no place in which something lies.
  if (stats.isDirectory() || kind === 'directory' || !linked(path, aside)) renameSync(path, aside);
  return true;
}

/** A file of somebody else's, such as the superuser's editor leaves, gets no second name where hard links are protected (proc(5), protected_hardlinks). */
function linked(path: string, aside: string): boolean {
  try {
    linkSync(path, aside);
    return true;
  } catch (cause) {
    if (!noLinkCodes.has(systemCode(cause))) throw cause;
    return false;
  }
}

function syncDirectory(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
