// From a tree to a release: it equals what was published, costs nothing twice, survives being interrupted, and never writes elsewhere.

import { spawnSync } from 'node:child_process';
import { appendFileSync, chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, renameSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ingest, type Ingested } from '../../../../daemon/content/ingest/ingest.ts';
import { createInstalledTrees } from '../../../../daemon/content/installed/installed.ts';
import { createMemoryStore } from '../../../../daemon/content/memory.ts';
import { materialize } from '../../../../daemon/content/release/materialize.ts';
import type { MaterializeOptions, ReleaseBuild } from '../../../../daemon/content/store.ts';
import { unending } from '../../../contract/chunk-store.ts';
import { noise, show, writeHostileTree } from '../../../support/trees.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'starling-release-'));
  mkdirSync(at('releases'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const at = (path: string): string => join(root, path);
const nothing = createMemoryStore();
const begin = async (published: Ingested, options: Partial<MaterializeOptions> = {}): Promise<ReleaseBuild> =>
  await materialize({ tree: published.tree, directory: at('releases/1.tmp'), local: nothing, links: 'auto', signal: unending.signal, ...options });

const publish = async (name: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<Ingested> => {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(at(name), path, '..'), { recursive: true });
    writeFileSync(join(at(name), path), content);
  }
  return await ingest(at(name), unending);
};
/** Writes what is missing, as a swarm would: in no order. Gives the ordinals. */
const fetch = async (release: ReleaseBuild, published: Ingested): Promise<number[]> => {
  const missing = release.held().missing().flatMap(({ from, to }) => Array.from({ length: to - from }, (_, index) => from + index));
  for (const ordinal of missing.toReversed()) await release.write(ordinal, await published.readChunk(ordinal));
  return missing;
};
/** A whole release of `published`, under its last name. */
const install = async (published: Ingested, name: string, options: Partial<MaterializeOptions> = {}): Promise<number[]> => {
  await using release = await begin(published, { directory: at(`releases/${name}.tmp`), ...options });
  const fetched = await fetch(release, published);
  await release.finish(unending);
  renameSync(at(`releases/${name}.tmp`), at(`releases/${name}`));
  return fetched;
};
/** As something else would, and not within the tick of the file system's clock in which the file was changed last. */
const changeInPlace = (path: string, content: string): void => {
  const { ctimeMs } = statSync(path);
  do writeFileSync(path, content);
  while (statSync(path).ctimeMs === ctimeMs);
};
/** Where a link leads; nowhere when it is gone. */
const linkOf = (path: string): string => {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
};
const inode = (path: string): number => statSync(at(path)).ino;

describe('a release', () => {
  it('equals the tree that was published, of every kind of entry, modes and all', async () => {
    mkdirSync(at('source'));
    writeHostileTree(at('source'));
    const published = await ingest(at('source'), unending);
    await install(published, '1');
    expect(show(at('releases/1'))).toEqual(show(at('source')));
    expect((statSync(at('releases/1')).mode & 0o7777).toString(8)).toBe('755');
    expect((await ingest(at('releases/1'), unending)).tree.chunkCount).toBe(published.tree.chunkCount);
  });

  it('is entered by its owner alone while it is built', async () => {
    await using release = await begin(await publish('source', { a: 'x' }));
    expect(release.held().count).toBe(0);
    expect((statSync(at('releases/1.tmp')).mode & 0o7777).toString(8)).toBe('700');
  });

  it('reads back what is in place, and nothing else', async () => {
    const published = await publish('source', { a: 'first', b: 'second' });
    await using release = await begin(published);
    await release.write(1, Buffer.from('second'));
    expect(Buffer.from((await release.read(1, unending)) ?? []).toString()).toBe('second');
    expect(await release.read(0, unending)).toBeUndefined();
    expect(release.held().ranges()).toEqual([{ from: 1, to: 2 }]);
  });

  it('reads what was finished from disk, also under its last name, and hashes it', async () => {
    const published = await publish('source', { a: 'first', b: 'second' });
    const release = await begin(published, { directory: at('releases/1.tmp') });
    await fetch(release, published);
    await release.finish(unending);
    await release[Symbol.asyncDispose]();
    renameSync(at('releases/1.tmp'), at('releases/1'));
    expect(Buffer.from((await release.read(1, unending)) ?? []).toString()).toBe('second');
    writeFileSync(at('releases/1/b'), 'rotten');
    expect(await release.read(1, unending)).toBeUndefined();
  });

  it('is given out without a hash by who built it, until something touches a file', async () => {
    const published = await publish('source', { a: 'first', b: 'second' });
    await using release = await begin(published);
    await fetch(release, published);
    await release.finish(unending);
    renameSync(at('releases/1.tmp'), at('releases/1'));
    const drifted: string[] = [];
    const installed = createInstalledTrees((path) => drifted.push(path));
    // Of the wrong tree, so that a chunk that is hashed is refused.
    const other = await publish('other', { a: 'FIRST', b: 'SECOND' });
    await installed.add(other.tree, at('releases/1'), { seals: release.seals });
    const get = async (ordinal: number): Promise<string> => Buffer.from((await installed.get(other.tree.chunk(ordinal).id, unending)) ?? []).toString();
    expect(await get(0)).toBe('first');
    changeInPlace(at('releases/1/b'), 'second');
    expect(await get(1)).toBe('');
    expect(drifted).toEqual([at('releases/1/b')]);
  });

  it('is not finished while chunks are missing', async () => {
    await using release = await begin(await publish('source', { a: 'x', b: 'y' }));
    await release.write(0, Buffer.from('x'));
    await expect(release.finish(unending)).rejects.toMatchObject({ code: 'INCOMPLETE', message: expect.stringContaining('1 of 2 chunks') });
  });

  it('is not finished when something else wrote into its directory', async () => {
    const published = await publish('source', { a: 'x', 'd/b': 'y' });
    for (const meddle of [
      () => writeFileSync(at('releases/1.tmp/d/more'), ''),
      () => chmodSync(at('releases/1.tmp/a'), 0o4755),
      () => appendFileSync(at('releases/1.tmp/a'), 'more'),
    ]) {
      await using release = await begin(published);
      await fetch(release, published);
      meddle();
      await expect(release.finish(unending)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    }
    expect(existsSync(at('releases/1.tmp'))).toBe(false);
  });

  it('whose file was changed after it was whole is refused and removed, with the same length and mode', async () => {
    const published = await publish('source', { a: 'right', b: 'other' });
    {
      await using release = await begin(published);
      await fetch(release, published);
      changeInPlace(at('releases/1.tmp/a'), 'wrong');
      await expect(release.finish(unending)).rejects.toMatchObject({ code: 'CORRUPT_CHUNK', message: expect.stringContaining('"a"') });
      await expect(release.finish(unending)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    }
    expect(readdirSync(at('releases'))).toEqual([]);
  });

  it('whose file was written again with what it had is whole', async () => {
    const published = await publish('source', { a: 'right' });
    await using release = await begin(published);
    await fetch(release, published);
    changeInPlace(at('releases/1.tmp/a'), 'right');
    await release.finish(unending);
  });

  it('whose file something else made longer or shorter before it was whole is refused', async () => {
    const published = await publish('source', { big: noise(600_000, 3) });
    expect(published.tree.chunkCount).toBeGreaterThan(1);
    for (const size of [599_999, 600_001]) {
      await using release = await begin(published);
      for (let ordinal = published.tree.chunkCount - 1; ordinal > 0; ordinal -= 1) await release.write(ordinal, await published.readChunk(ordinal));
      truncateSync(at('releases/1.tmp/big'), size);
      await expect(release.write(0, await published.readChunk(0))).rejects.toMatchObject({ code: 'CORRUPT_CHUNK' });
    }
  });

  it('of more files under way than are kept open is whole', async () => {
    const files = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`f${index}`, noise(300_000, index)]));
    const published = await publish('source', files);
    const { tree } = published;
    await using release = await begin(published);
    const open = (): number => readdirSync('/proc/self/fd').filter((fd) => linkOf(`/proc/self/fd/${fd}`).includes(root)).length;
    const write = async (odd: 0 | 1): Promise<void> => {
      for (let ordinal = odd; ordinal < tree.chunkCount; ordinal += 2) await release.write(ordinal, await published.readChunk(ordinal));
    };
    // Every second chunk first: all files are begun before any is whole, and what is whole stays open until it is synced.
    await write(1);
    expect(open()).toBeGreaterThan(0);
    expect(open()).toBeLessThan(20);
    await write(0);
    await release.finish(unending);
    expect(show(at('releases/1.tmp'))).toEqual(show(at('source')));
  });

  it('is removed when it is abandoned', async () => {
    await using release = await begin(await publish('source', { a: 'x' }));
    await release.abandon();
    expect(readdirSync(at('releases'))).toEqual([]);
  });
});

describe('what this machine has', () => {
  const big = noise(1024 * 1024, 5);
  const changed = Buffer.from(big);
  changed.fill(7, 500_000, 500_100);

  it('is not fetched: unchanged files are linked, unchanged chunks copied, moved files found', async () => {
    const first = await publish('1', { same: 'same', 'd/same': noise(200_000, 6), big, moved: noise(300_000, 8) });
    const second = await publish('2', { same: 'same', 'd/same': noise(200_000, 6), big: changed, 'elsewhere/moved': noise(300_000, 8), new: 'new' });
    await install(first, '1');
    const installed = createInstalledTrees((path) => expect.fail(`drift of ${path}`));
    await installed.add(first.tree, at('releases/1'));
    const fetched = await install(second, '2', { local: installed, previous: { tree: first.tree, directory: at('releases/1') } });
    expect(fetched.reduce((sum, ordinal) => sum + second.tree.chunk(ordinal).length, 0)).toBeLessThan(2 * 256 * 1024 + 3);
    expect(inode('releases/2/d/same')).toBe(inode('releases/1/d/same'));
    expect(readFileSync(at('releases/2/big')).equals(changed)).toBe(true);
    expect(readFileSync(at('releases/1/big')).equals(big)).toBe(true);
  });

  it.each(['copy', 'reflink'] as const)('has inodes of its own with links: %s', async (links) => {
    const published = await publish('1', { a: 'same' });
    await install(published, '1');
    expect(await install(published, '2', { previous: { tree: published.tree, directory: at('releases/1') }, links })).toEqual([]);
    expect(inode('releases/2/a')).not.toBe(inode('releases/1/a'));
    expect(show(at('releases/2'))).toEqual(show(at('releases/1')));
  });

  const spoilings: readonly (readonly [string, (path: string) => void])[] = [
    ['was changed', (path) => writeFileSync(path, 'diff')],
    ['is gone', (path) => rmSync(path)],
    ['is a link to the same bytes', (path) => (renameSync(path, `${path}2`), symlinkSync('a2', path))],
    ['is a directory', (path) => (rmSync(path), mkdirSync(path))],
  ];
  it.each(spoilings)('is fetched all the same when the old file %s', async (_, spoil) => {
    const published = await publish('1', { 'd/a': 'same' });
    await install(published, '1');
    spoil(at('releases/1/d/a'));
    expect(await install(published, '2', { previous: { tree: published.tree, directory: at('releases/1') } })).toEqual([0]);
    expect(lstatSync(at('releases/2/d/a')).isFile()).toBe(true);
    expect(readFileSync(at('releases/2/d/a'), 'utf8')).toBe('same');
  });

  it('behind a link to shared data is not taken, even with the same bytes', async () => {
    const published = await publish('1', { 'd/a': 'same' });
    await install(published, '1');
    renameSync(at('releases/1/d'), at('shared'));
    symlinkSync('../../shared', at('releases/1/d'));
    expect(await install(published, '2', { previous: { tree: published.tree, directory: at('releases/1') } })).toEqual([0]);
    expect(inode('releases/2/d/a')).not.toBe(inode('shared/a'));
  });

  it('that has another mode by now is copied, never linked', async () => {
    const published = await publish('1', { a: 'same' });
    await install(published, '1');
    chmodSync(at('releases/1/a'), 0o666);
    expect(await install(published, '2', { previous: { tree: published.tree, directory: at('releases/1') } })).toEqual([]);
    expect(inode('releases/2/a')).not.toBe(inode('releases/1/a'));
  });

  it('of a local source that lies is fetched', async () => {
    const published = await publish('1', { a: 'same' });
    const liar = { has: async (ids: readonly string[]) => await Promise.resolve(ids.map(() => true)), get: async () => await Promise.resolve(Buffer.from('lies')) };
    expect(await install(published, '1', { local: liar })).toEqual([0]);
  });
});

describe('taken up again', () => {
  it('holds every chunk that was in place, and mends what rotted meanwhile', async () => {
    const published = await publish('source', { big: noise(2 * 1024 * 1024, 1), small: 'small', zero: '' });
    const { tree } = published;
    const half = Math.floor(tree.chunkCount / 2);
    {
      await using release = await begin(published);
      for (let ordinal = 0; ordinal < half; ordinal += 1) await release.write(ordinal, await published.readChunk(ordinal));
    }
    const damaged = readFileSync(at('releases/1.tmp/big'));
    damaged[0] = (damaged[0] ?? 0) ^ 1;
    writeFileSync(at('releases/1.tmp/big'), damaged);
    await using release = await begin(published);
    expect(release.held().ranges()).toEqual([{ from: 1, to: half }]);
    await fetch(release, published);
    await release.finish(unending);
    expect(readFileSync(at('releases/1.tmp/big')).equals(readFileSync(at('source/big')))).toBe(true);
  });

  it('takes a chunk that one of its files has for another that lacks it', async () => {
    const published = await publish('source', { a: 'twice', b: 'twice' });
    {
      await using release = await begin(published);
      await fetch(release, published);
    }
    rmSync(at('releases/1.tmp/b'));
    await using release = await begin(published);
    expect(release.held().isFull).toBe(true);
    await release.finish(unending);
    expect(readFileSync(at('releases/1.tmp/b'), 'utf8')).toBe('twice');
  });

  it('after it was finished it is finished again, without a fetch', async () => {
    mkdirSync(at('source'));
    writeHostileTree(at('source'));
    const published = await ingest(at('source'), unending);
    for (const expected of [false, true]) {
      await using release = await begin(published);
      expect(release.held().isFull).toBe(expected);
      await fetch(release, published);
      await release.finish(unending);
    }
  });

  it('never writes to a file whose bytes another release shares', async () => {
    const published = await publish('1', { a: noise(200_000, 4) });
    await install(published, '1');
    const previous = { tree: published.tree, directory: at('releases/1') };
    {
      await using release = await begin(published, { directory: at('releases/2.tmp'), previous });
      expect(release.held().isFull).toBe(true);
    }
    const rotten = readFileSync(at('releases/1/a'));
    rotten[199_999] = (rotten[199_999] ?? 0) ^ 1;
    writeFileSync(at('releases/1/a'), rotten);
    await install(published, '2', { previous });
    expect(readFileSync(at('releases/1/a')).equals(rotten)).toBe(true);
    expect(readFileSync(at('releases/2/a')).equals(readFileSync(at('1/a')))).toBe(true);
  });

  it('removes what does not belong, and follows no link out of its directory', async () => {
    const published = await publish('source', { 'd/a': 'inside', f: 'file' });
    mkdirSync(at('outside'));
    writeFileSync(at('outside/a'), 'outside');
    mkdirSync(at('releases/1.tmp/f/below'), { recursive: true });
    symlinkSync('../../outside', at('releases/1.tmp/d'));
    writeFileSync(Buffer.concat([Buffer.from(`${at('releases/1.tmp')}/`), Buffer.from([0xff])]), 'x');
    await install(published, '1');
    expect(show(at('outside'))).toEqual({ a: { mode: '644', content: Buffer.from('outside').toString('base64') } });
    expect(show(at('releases/1'), 0)).toEqual(show(at('source'), 0));
  });

  it('refuses a place that is taken by something else, and leaves that alone', async () => {
    const published = await publish('source', { a: 'x' });
    mkdirSync(at('outside'));
    for (const [name, make] of [['file', () => writeFileSync(at('releases/file'), 'mine')], ['link', () => symlinkSync('../outside', at('releases/link'))]] as const) {
      make();
      await expect(begin(published, { directory: at(`releases/${name}`) })).rejects.toMatchObject({ code: 'STORAGE_FAILED', message: expect.stringContaining('in the way') });
      expect(lstatSync(at(`releases/${name}`)).isDirectory()).toBe(false);
    }
    expect(readdirSync(at('outside'))).toEqual([]);
  });
});

it('an abort ends it with our own error, and what is there can be taken up', async () => {
  const published = await publish('source', { a: noise(8 * 1024 * 1024, 3) });
  const stop = new AbortController();
  {
    await using release = await begin(published, { signal: stop.signal });
    await release.write(0, await published.readChunk(0));
    stop.abort();
    await expect(release.finish({ signal: stop.signal })).rejects.toMatchObject({ code: 'ABORTED' });
  }
  await expect(begin(published, { signal: stop.signal })).rejects.toMatchObject({ code: 'ABORTED' });
  await using release = await begin(published);
  expect(release.held().count).toBe(1);
});

describe('a full disk', () => {
  const onSmallDisk = async (test: (directory: string) => Promise<void>): Promise<string | undefined> => {
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', at('releases')], { encoding: 'utf8' });
    if (mounted.status !== 0) return `NOT TESTED: a full disk needs the right to mount a tmpfs: ${mounted.stderr}`;
    try {
      await test(at('releases/1.tmp'));
    } finally {
      spawnSync('umount', [at('releases')]);
    }
    return undefined;
  };

  it('is seen before anything is written, with both figures', async ({ skip }) => {
    const published = await publish('source', { a: noise(5 * 1024 * 1024, 1) });
    const skipped = await onSmallDisk(async () => {
      await expect(begin(published)).rejects.toMatchObject({ code: 'NO_SPACE', message: expect.stringMatching(/needs 5\.8 MB and its disk has 4\.\d MB free/) });
      expect(readdirSync(at('releases'))).toEqual([]);
    });
    if (skipped !== undefined) skip(skipped);
  });

  it('that fills up from elsewhere ends it, and gives back what it took', async ({ skip }) => {
    const published = await publish('source', { a: noise(3 * 1024 * 1024, 1) });
    const skipped = await onSmallDisk(async () => {
      {
        await using release = await begin(published);
        await release.write(0, await published.readChunk(0));
        writeFileSync(at('releases/other'), Buffer.alloc(2 * 1024 * 1024));
        await expect(fetch(release, published)).rejects.toMatchObject({ code: 'NO_SPACE' });
      }
      expect(readdirSync(at('releases'))).toEqual(['other']);
    });
    if (skipped !== undefined) skip(skipped);
  });
});
