// Whether an installed release still is what was installed, and putting back one thing in it that is not. Nothing is written in place: what is put
// back is made beside the release, verified, and renamed over. When to look, and where chunks come from, is daemon/run/drift.ts's.

import { chmodSync, closeSync, fchmodSync, fsyncSync, linkSync, lstatSync, mkdirSync, openSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { quoted } from '../../proto/path.ts';
import type { Entry, FileEntry } from '../../proto/tree.ts';
import { DaemonError } from '../errors.ts';
import { differs } from './audit.ts';
import { storageFailure } from './pack-index.ts';
import { systemCode } from './problems.ts';
import { callBytes, type Spend } from './slices.ts';
import { createFile, holdsAt, writeAt } from './staged-files.ts';
import type { Drift, RestoreOptions, TreeOnDisk } from './store.ts';

/** What says of a file that it is no longer the one that was installed. Of any other failure it is innocent. */
const goneCodes: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR', 'ENXIO', 'EACCES', 'EIO']);

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
    if (differs(path, entry, lstatSync(path, { throwIfNoEntry: false })) !== undefined) return false;
    return entry.kind !== 'file' || (await holdsAt(path, entry, spend));
  } catch (cause) {
    if (goneCodes.has(systemCode(cause))) return false;
    throw cause instanceof DaemonError ? cause : storageFailure(`cannot look at ${path}`, cause);
  }
}

/** Looks, and puts back. */
export const drift: Drift = { find: driftIn, restore };

async function restore({ tree, directory }: TreeOnDisk, position: number, options: RestoreOptions): Promise<boolean> {
  const entry = tree.entry(position);
  const path = `${directory}/${entry.path}`;
  try {
    if (entry.kind === 'file' && (await isOnlyMode(path, entry, options.spend))) {
      chmodSync(path, entry.mode);
      return false;
    }
    rmSync(options.scratch, { recursive: true, force: true });
    if (entry.kind === 'file') await makeFile(entry, (ordinal) => tree.chunk(ordinal).length, options);
    else if (entry.kind === 'symlink') symlinkSync(entry.target, options.scratch);
    else mkdirSync(options.scratch, { mode: entry.mode });
    requireDirectories(directory, entry.path);
    const kept = setAside(path, options.aside);
    renameSync(options.scratch, path);
    syncDirectory(dirname(path));
    return kept;
  } catch (cause) {
    throw cause instanceof DaemonError ? cause : storageFailure(`cannot put ${quoted(entry.path)} in ${directory} back`, cause);
  } finally {
    rmSync(options.scratch, { recursive: true, force: true });
  }
}

async function isOnlyMode(path: string, entry: FileEntry, spend: Spend): Promise<boolean> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false;
  try {
    return await holdsAt(path, entry, spend);
  } catch (cause) {
    if (goneCodes.has(systemCode(cause))) return false;
    throw cause;
  }
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

/** A second name, so that the place is never empty; a directory is moved. */
function setAside(path: string, aside: string): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return false;
  if (stats.isDirectory()) renameSync(path, aside);
  else linkSync(path, aside);
  return true;
}

function syncDirectory(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
