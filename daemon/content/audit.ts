// The end of a release: its links, a last look at every name in it, and its directories.

import { constants, fchmodSync, lstatSync, openSync, readdirSync, readlinkSync, symlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { quoted } from '../../proto/path.ts';
import type { Entry, Tree } from '../../proto/tree.ts';
import { DaemonError } from '../errors.ts';
import { systemCode } from './problems.ts';
import { callBytes, type Spend } from './slices.ts';
import type { SyncQueue } from './sync-queue.ts';

/** Mode of the release's own directory: the tree has no entry for it, and the application must be able to enter. */
const rootMode = 0o755;

/** Makes the links of the tree, after everything that is written: so no write can go through one. */
export async function makeLinks(directory: string, tree: Tree, spend: Spend): Promise<void> {
  for (const entry of tree.entries()) {
    if (entry.kind !== 'symlink') continue;
    try {
      symlinkSync(entry.target, `${directory}/${entry.path}`);
    } catch (cause) {
      // From a finish that was interrupted; the audit looks where it leads.
      if (systemCode(cause) !== 'EEXIST') throw cause;
    }
    const pause = spend(callBytes);
    if (pause !== undefined) await pause;
  }
}

/**
 * Compares what lies in the directory with the tree: kinds, sizes, modes, targets, and that there is nothing else. The files' bytes
 * were hashed when each was whole. @throws {DaemonError} STORAGE_FAILED with the first difference.
 */
export async function audit(directory: string, tree: Tree, spend: Spend): Promise<void> {
  let names = 0;
  const count = (path: string): void => {
    names += readdirSync(path, { encoding: 'buffer' }).length;
  };
  count(directory);
  for (const entry of tree.entries()) {
    const difference = differs(`${directory}/${entry.path}`, entry);
    if (difference !== undefined) throw new DaemonError('STORAGE_FAILED', `${quoted(entry.path)} in ${directory} ${difference}: something else works in that directory`);
    if (entry.kind === 'directory') count(`${directory}/${entry.path}`);
    const pause = spend(callBytes);
    if (pause !== undefined) await pause;
  }
  if (names !== tree.entryCount) throw new DaemonError('STORAGE_FAILED', `${directory} holds ${names} names, the tree ${tree.entryCount}: something else works in that directory`);
}

function differs(path: string, entry: Entry): string | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return 'is gone';
  switch (entry.kind) {
    case 'directory':
      return stats.isDirectory() ? undefined : 'is no directory';
    case 'symlink':
      return stats.isSymbolicLink() && readlinkSync(path) === entry.target ? undefined : 'is not the link that it should be';
    case 'file':
      if (!stats.isFile()) return 'is no file';
      if (stats.size !== entry.size) return `has ${stats.size} bytes, not ${entry.size}`;
      return (stats.mode & 0o7777) === entry.mode ? undefined : `has mode ${(stats.mode & 0o7777).toString(8)}, not ${entry.mode.toString(8)}`;
    default:
      return entry satisfies never;
  }
}

/** Gives every directory its mode and has it synced, the deepest first, and the one that holds the release last. */
export async function closeDirectories(directory: string, tree: Tree, syncs: SyncQueue): Promise<void> {
  for (let position = tree.entryCount - 1; position >= 0; position -= 1) {
    const entry = tree.entry(position);
    if (entry.kind === 'directory') await close(`${directory}/${entry.path}`, entry.mode, syncs);
  }
  await close(directory, rootMode, syncs);
  await syncs.add(openDirectory(dirname(directory)));
  await syncs.drained();
}

async function close(path: string, mode: number, syncs: SyncQueue): Promise<void> {
  const file = openDirectory(path);
  fchmodSync(file, mode);
  await syncs.add(file);
}

function openDirectory(path: string): number {
  return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
}
