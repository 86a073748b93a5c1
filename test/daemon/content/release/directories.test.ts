// Every directory of a release is synced after its last name was made: those in which nothing is lacking early, all others at the end.

import { closeSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { decodeTree, encodeTree } from '../../../../proto/tree-index.ts';
import { emptyDigest } from '../../../../proto/tree-index-view.ts';
import { createDirectories } from '../../../../daemon/content/release/audit.ts';
import type { SyncQueue } from '../../../../daemon/content/release/sync-queue.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'starling-directories-'));
  for (const path of ['done', 'lacking', 'links', 'locked', 'outer', 'outer/inner']) mkdirSync(join(directory, path), { mode: 0o700 });
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

const file = (path: string) => ({ kind: 'file', path, mode: 0o644, size: 0, digest: emptyDigest, chunks: [] }) as const;
const tree = decodeTree(encodeTree([
  { kind: 'directory', path: 'done', mode: 0o755 }, file('done/a'),
  { kind: 'directory', path: 'lacking', mode: 0o755 }, file('lacking/b'),
  { kind: 'directory', path: 'links', mode: 0o755 }, { kind: 'symlink', path: 'links/c', target: '../done/a' },
  { kind: 'directory', path: 'locked', mode: 0o555 }, file('locked/d'),
  { kind: 'directory', path: 'outer', mode: 0o755 }, { kind: 'directory', path: 'outer/inner', mode: 0o750 }, file('outer/inner/e'),
], { caseSensitive: false }));

/** What was synced, by path, in order. */
function recorder(): { readonly syncs: SyncQueue; readonly synced: string[] } {
  const synced: string[] = [];
  const syncs: SyncQueue = {
    add: async (descriptor) => {
      synced.push(readlinkSync(`/proc/self/fd/${descriptor}`));
      closeSync(descriptor);
      return await Promise.resolve();
    },
    drained: () => Promise.resolve(),
    settled: () => Promise.resolve(),
  };
  return { syncs, synced };
}

const inside = (...paths: readonly string[]): string[] => paths.map((path) => join(directory, path));
const lacks = (position: number): boolean => tree.entry(position).path === 'lacking/b';

test('directories that get no name any more are synced at once, the rest at the end, each once', async () => {
  const { syncs, synced } = recorder();
  const directories = createDirectories(directory, tree, syncs);
  await directories.settle(lacks);
  expect(synced).toEqual(inside('outer/inner', 'outer', 'done'));
  synced.length = 0;
  await directories.close();
  expect(synced).toEqual([...inside('locked', 'links', 'lacking'), directory, dirname(directory)]);
  expect(statSync(join(directory, 'outer/inner')).mode & 0o777).toBe(0o750);
  expect(statSync(join(directory, 'locked')).mode & 0o777).toBe(0o555);
});

test('a directory that nobody may write in keeps its rights for its owner until the end', async () => {
  const directories = createDirectories(directory, tree, recorder().syncs);
  await directories.settle(() => false);
  expect(statSync(join(directory, 'locked')).mode & 0o777).toBe(0o700);
});

test('without settling, all are synced at the end', async () => {
  const { syncs, synced } = recorder();
  await createDirectories(directory, tree, syncs).close();
  expect(synced).toEqual([...inside('outer/inner', 'outer', 'locked', 'links', 'lacking', 'done'), directory, dirname(directory)]);
});
