// Installed trees as a chunk source: what is served is what was installed, drift is told once, and a busy machine is no drift.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ingest } from '../../../../daemon/content/ingest/ingest.ts';
import { createInstalledTrees } from '../../../../daemon/content/installed/installed.ts';
import { seeded } from '../../../support/random.ts';
import { unending } from '../../../contract/chunk-store.ts';
import { writeHostileTree } from '../../../support/trees.ts';

let root: string;
let drifted: string[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'starling-installed-'));
  drifted = [];
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const install = async (name: string, fill: (directory: string) => void) => {
  const directory = join(root, name);
  mkdirSync(directory);
  fill(directory);
  const { tree } = await ingest(directory, unending);
  return { tree, directory, id: tree.chunk(0).id };
};
const trees = () => createInstalledTrees((path) => drifted.push(path));
const one = (content: string) => (directory: string) => writeFileSync(join(directory, 'a'), content);

it('gives out every chunk of a tree, and nothing once the tree is removed', async () => {
  const { tree, directory } = await install('1', writeHostileTree);
  const installed = trees();
  await installed.add(tree, directory);
  for (let ordinal = 0; ordinal < tree.chunkCount; ordinal += 1) {
    const { id, length } = tree.chunk(ordinal);
    expect((await installed.get(id, unending))?.length).toBe(length);
  }
  installed.remove(directory);
  expect(await installed.has([tree.chunk(0).id])).toEqual([false]);
  expect(await installed.get(tree.chunk(0).id, unending)).toBeUndefined();
  expect(drifted).toEqual([]);
});

it.each([
  ['was rewritten', (path: string) => writeFileSync(path, 'other!!')],
  ['was cut short', (path: string) => writeFileSync(path, 'c')],
  ['is gone', (path: string) => rmSync(path)],
  ['became a link to the same bytes', (path: string) => (writeFileSync(`${path} moved`, 'content'), rmSync(path), symlinkSync('a moved', path))],
  ['became a named pipe', (path: string) => (rmSync(path), execFileSync('mkfifo', [path]))],
])('a file that %s is told of once, and another release that holds the chunk serves it', async (_, spoil) => {
  const [first, second] = [await install('1', one('content')), await install('2', one('content'))];
  const installed = trees();
  await installed.add(first.tree, first.directory);
  await installed.add(second.tree, second.directory);
  spoil(join(first.directory, 'a'));
  for (let time = 0; time < 2; time += 1) expect(Buffer.from((await installed.get(first.id, unending)) ?? []).toString()).toBe('content');
  expect(drifted).toEqual([join(first.directory, 'a')]);
});

it('a failure that is not of the file leaves the file what it is', async () => {
  const { tree, directory, id } = await install('1', one('content'));
  const installed = trees();
  // A path that no system call takes stands for a machine that is out of descriptors: neither says anything of the file.
  await installed.add(tree, join(directory, 'x'.repeat(300)));
  await expect(installed.get(id, unending)).rejects.toMatchObject({ name: 'DaemonError', code: 'STORAGE_FAILED' });
  expect(drifted).toEqual([]);
  expect(await installed.has([id])).toEqual([true]);
});

it('what has been replaced on purpose is neither served nor drift', async () => {
  const { tree, directory, id } = await install('1', (to) => (mkdirSync(join(to, 'shared')), writeFileSync(join(to, 'shared/f'), 'content')));
  const installed = trees();
  await installed.add(tree, directory, { except: ['shared'] });
  expect(await installed.has([id])).toEqual([false]);
  expect(await installed.get(id, unending)).toBeUndefined();
  expect(drifted).toEqual([]);
});

it('reads what lies one behind the other in a file at once, and nothing of it once the file is another', async () => {
  const random = seeded(1).next;
  const content = Buffer.from(Uint8Array.from({ length: 700_000 }, () => random() * 256));
  const { tree, directory } = await install('1', (to) => (writeFileSync(join(to, 'a'), content), writeFileSync(join(to, 'b'), 'another')));
  const installed = trees();
  await installed.add(tree, directory);
  const refs = Array.from({ length: tree.chunkCount }, (_, ordinal) => tree.chunk(ordinal));
  const run = async () => {
    const places = refs.map(({ length }) => new Uint8Array(length));
    const count = await installed.getRun(refs.map(({ id }) => id), places, unending);
    return { count, read: Buffer.concat(places.slice(0, count)) };
  };
  const { count, read } = await run();
  // The last chunk is the other file.
  expect(count).toBe(tree.chunkCount - 1);
  expect(count).toBeGreaterThan(2);
  expect(read.equals(content)).toBe(true);
  const backwards = refs.slice(0, 2).toReversed();
  expect(await installed.getRun(backwards.map(({ id }) => id), backwards.map(({ length }) => new Uint8Array(length)), unending)).toBe(1);
  writeFileSync(join(directory, 'a'), content.with(content.length - 1, 1));
  expect((await run()).count).toBe(0);
  expect(drifted).toEqual([]);
  expect(await installed.get(refs[count - 1]?.id ?? '', unending)).toBeUndefined();
  expect(drifted).toEqual([join(directory, 'a')]);
});
