// The end of a release: its links, a last look at every name in it, and its directories.

import { constants, fchmodSync, lstatSync, openSync, readdirSync, readlinkSync, symlinkSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';
import { quoted } from '../../../proto/path.ts';
import type { Entry, Tree } from '../../../proto/tree.ts';
import { DaemonError } from '../../errors.ts';
import { callBytes, type Spend } from '../slices.ts';
import type { Seals } from '../store.ts';
import { holdsAt } from './staged-files.ts';
import type { SyncQueue } from './sync-queue.ts';
import { systemCode } from '../failures.ts';

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
 * Compares what lies in the directory with the tree: kinds, sizes, modes, targets, and that there is nothing else. The files' bytes were verified when
 * each was whole; one that is not what was sealed then is read again, from disk.
 * @throws {DaemonError} STORAGE_FAILED with the first difference, CORRUPT_CHUNK when it is in a file's bytes.
 */
export async function audit(directory: string, tree: Tree, files: Seals, spend: Spend): Promise<void> {
  let names = 0;
  let position = 0;
  const count = (path: string): void => {
    names += readdirSync(path, { encoding: 'buffer' }).length;
  };
  count(directory);
  for (const entry of tree.entries()) {
    const path = `${directory}/${entry.path}`;
    const stats = lstatSync(path, { throwIfNoEntry: false });
    const difference = differs(path, entry, stats);
    if (difference !== undefined) throw new DaemonError('STORAGE_FAILED', `${quoted(entry.path)} in ${directory} ${difference}: something else works in that directory`);
    if (entry.kind === 'directory') count(path);
    if (entry.kind === 'file' && stats !== undefined && files.isAsSealed(position, stats) === false && !(await holdsAt(path, entry, spend))) {
      throw new DaemonError('CORRUPT_CHUNK', `${quoted(entry.path)} in ${directory} was changed after it was whole, and does not hash to ${entry.digest} any more: something else works in that directory, or the disk is damaged`);
    }
    position += 1;
    const pause = spend(callBytes);
    if (pause !== undefined) await pause;
  }
  if (names !== tree.entryCount) throw new DaemonError('STORAGE_FAILED', `${directory} holds ${names} names, the tree ${tree.entryCount}: something else works in that directory`);
}

/** How what lies at `path` is not the entry, to complete a sentence; bytes are not looked at. @throws system errors. */
export function differs(path: string, entry: Entry, stats: Stats | undefined): string | undefined {
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

/** The directories of a release under construction: which of them have their last name and mode and are synced. */
export interface Directories {
  /**
   * Has every directory synced in which nothing is lacking, while what is lacking elsewhere still comes: a tree of thousands of directories then ends as
   * quickly as a small one. `lacks` says whether the file at a position is still to be made.
   */
  settle(lacks: (position: number) => boolean): Promise<void>;
  /** Gives every other directory its mode and has it synced, the deepest first, and the one that holds the release last. */
  close(): Promise<void>;
}

/** None of them settled. */
export function createDirectories(directory: string, tree: Tree, syncs: SyncQueue): Directories {
  const settled = new Uint8Array(tree.entryCount);
  const each = function* (): Generator<{ readonly position: number; readonly path: string; readonly mode: number }> {
    for (let position = tree.entryCount - 1; position >= 0; position -= 1) {
      const entry = tree.entry(position);
      if (entry.kind === 'directory') yield { position, path: entry.path, mode: entry.mode };
    }
  };
  return {
    async settle(lacks) {
      const open = unsettled(tree, lacks);
      for (const { position, path, mode } of each()) {
        // One that its owner may not write in, it needs to write in until everything below is there.
        if (open.has(path) || (mode & 0o700) !== 0o700) continue;
        await close(`${directory}/${path}`, mode, syncs);
        settled[position] = 1;
      }
    },
    async close() {
      for (const { position, path, mode } of each()) if (settled[position] === 0) await close(`${directory}/${path}`, mode, syncs);
      await close(directory, rootMode, syncs);
      await syncs.add(openDirectory(dirname(directory)));
      await syncs.drained();
    },
  };
}

/** Directories that will get a name more: of a file that is lacking, or of a link, which are all made last. */
function unsettled(tree: Tree, lacks: (position: number) => boolean): ReadonlySet<string> {
  const open = new Set<string>();
  let position = 0;
  for (const { kind, path } of tree.entries()) {
    if (kind === 'symlink' || (kind === 'file' && lacks(position))) open.add(dirname(path));
    position += 1;
  }
  return open;
}

async function close(path: string, mode: number, syncs: SyncQueue): Promise<void> {
  const file = openDirectory(path);
  fchmodSync(file, mode);
  await syncs.add(file);
}

function openDirectory(path: string): number {
  return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
}
