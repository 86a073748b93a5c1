// What an earlier attempt left in a staging directory: what fits the tree is kept, all else is removed. Nothing is believed: kinds and sizes are
// looked at, bytes are hashed by the caller.

import { chmodSync, lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { quoted } from '../../../proto/path.ts';
import type { Entry, Tree } from '../../../proto/tree.ts';
import { DaemonError } from '../../errors.ts';
import { callBytes, type Spend } from '../slices.ts';

/** Room asked for beyond what is written: directories, and what others write meanwhile. */
const spareFactor = 1.1;

/** A file that has the size which the tree says. */
export interface Leftover {
  readonly entry: number;
  /** Another name shares its bytes: then it must not be written. */
  readonly linked: boolean;
  /** What it takes on disk already. */
  readonly diskBytes: number;
}

/**
 * Whether there is a directory to take up. @throws {DaemonError} STORAGE_FAILED when something else has its place.
 */
export function hasLeftovers(directory: string): boolean {
  const stats = lstatSync(directory, { throwIfNoEntry: false });
  if (stats === undefined) return false;
  if (stats.isDirectory()) return true;
  throw new DaemonError('STORAGE_FAILED', `${quoted(directory)} is in the way of a release under construction and is no directory; move it away`);
}

/** Removes what does not fit. Directories that stay can be written by their owner. Links are made last, so none of them is kept. */
export async function keepFitting(directory: string, tree: Tree, spend: Spend): Promise<Leftover[]> {
  const wanted = new Map<string, number>();
  for (let position = 0; position < tree.entryCount; position += 1) wanted.set(tree.path(position), position);
  const kept: Leftover[] = [];
  const waiting = [''];
  for (let parent = waiting.pop(); parent !== undefined; parent = waiting.pop()) {
    chmodSync(parent === '' ? directory : `${directory}/${parent}`, 0o700);
    for (const name of readdirSync(parent === '' ? directory : `${directory}/${parent}`, { encoding: 'buffer' })) {
      // A name that is not UTF-8 matches no path; it is removed by its bytes.
      const path = parent === '' ? name.toString() : `${parent}/${name.toString()}`;
      const position = wanted.get(path);
      const fits = position === undefined ? undefined : fitting(`${directory}/${path}`, tree.entry(position), position);
      if (fits === undefined) rmSync(Buffer.concat([Buffer.from(parent === '' ? `${directory}/` : `${directory}/${parent}/`), name]), { recursive: true, force: true });
      else if (fits === 'directory') waiting.push(path);
      else kept.push(fits);
      const pause = spend(callBytes);
      if (pause !== undefined) await pause;
    }
  }
  return kept;
}

function fitting(path: string, entry: Entry, position: number): Leftover | 'directory' | undefined {
  const stats = lstatSync(path);
  if (entry.kind === 'directory') return stats.isDirectory() ? 'directory' : undefined;
  // A file is written where its chunks come, so it has its last size only with its last byte; shorter ones are kept as well.
  if (entry.kind !== 'file' || !stats.isFile() || stats.size > entry.size) return undefined;
  return { entry: position, linked: stats.nlink > 1, diskBytes: stats.blocks * 512 };
}

/** Makes every directory of the tree that is not there, for its owner only. */
export async function makeDirectories(directory: string, tree: Tree, spend: Spend): Promise<void> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  for (const entry of tree.entries()) {
    if (entry.kind !== 'directory') continue;
    mkdirSync(`${directory}/${entry.path}`, { recursive: true, mode: 0o700 });
    const pause = spend(callBytes);
    if (pause !== undefined) await pause;
  }
}

/** @throws {DaemonError} NO_SPACE with both figures when the disk has no room for what is neither left over nor taken over by a link. */
export async function checkSpace(directory: string, tree: Tree, leftovers: readonly Leftover[], linked: ReadonlySet<number>): Promise<void> {
  const needed = Math.ceil(bytesToWrite(tree, leftovers, linked) * spareFactor);
  const { bavail, bsize } = await statfs(dirname(directory));
  if (bavail * bsize >= needed) return;
  throw new DaemonError('NO_SPACE', `${directory} needs ${(needed / 1e6).toFixed(1)} MB and its disk has ${((bavail * bsize) / 1e6).toFixed(1)} MB free; free some space and try again`);
}

function bytesToWrite(tree: Tree, leftovers: readonly Leftover[], linked: ReadonlySet<number>): number {
  const there = new Map(leftovers.map(({ entry, diskBytes }) => [entry, diskBytes]));
  let bytes = 0;
  for (let position = 0; position < tree.entryCount; position += 1) {
    const entry = tree.entry(position);
    if (entry.kind === 'file' && !linked.has(position)) bytes += Math.max(0, entry.size - (there.get(position) ?? 0));
  }
  return bytes;
}
