// The pack store beyond the common contract: what is on disk after a crash, a second process, and a full disk.

import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, onTestFinished } from 'vitest';
import { openPackIndex, type PackIndex } from '../../../../daemon/content/pack/pack-index.ts';
import { openPackStore } from '../../../../daemon/content/pack/pack.ts';
import type { ChunkStore } from '../../../../daemon/content/store.ts';
import { verified } from '../../../../daemon/content/verified.ts';
import { DaemonError } from '../../../../daemon/errors.ts';
import { chunkOf, unending } from '../../../contract/chunk-store.ts';
import { noise } from '../../../support/trees.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'starling-pack-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Identifiers that nothing hashes to, enough to outgrow what a log has room for. */
const idsOf = (seed: number): string[] => {
  const bytes = noise(20_000 * 32, seed);
  return Array.from({ length: 20_000 }, (_, at) => bytes.toString('hex', at * 32, at * 32 + 32));
};

/** Leaves not a byte free. */
function fillUp(path: string): void {
  try {
    for (;;) appendFileSync(path, Buffer.alloc(4096));
  } catch (cause) {
    expect(cause).toMatchObject({ code: 'ENOSPC' });
  }
}

const firstPack = (): string => join(directory, 'packs', '00000001.pack');

it('what a crash left past the last indexed chunk is dropped, at every length that it can have', async () => {
  {
    await using store = await openPackStore(directory);
    await store.put([chunkOf('acknowledged')], unending);
  }
  const whole = statSync(firstPack()).size;
  // What the next append would have been: a header and its chunk, torn anywhere.
  const torn = Buffer.concat([Buffer.from(chunkOf('lost').id, 'hex'), Buffer.from([0, 0, 0, 4]), Buffer.from('lost')]);
  for (let length = 1; length <= torn.length; length += 1) {
    appendFileSync(firstPack(), torn.subarray(0, length));
    await using store = await openPackStore(directory);
    expect(statSync(firstPack()).size).toBe(whole);
    expect(await store.has([chunkOf('lost').id, chunkOf('acknowledged').id])).toEqual([false, true]);
  }
  await using store = await openPackStore(directory);
  await store.put([chunkOf('next')], unending);
  expect(Buffer.from((await store.get(chunkOf('next').id, unending)) ?? []).toString()).toBe('next');
  expect(Buffer.from((await store.get(chunkOf('acknowledged').id, unending)) ?? []).toString()).toBe('acknowledged');
});

it.each(['not applied', 'applied and reported failed'])('chunks whose record in the index failed (%s) are neither lost under others nor claimed without their bytes', async (how) => {
  let failing = false;
  const openIndex = async (path: string): Promise<PackIndex> => {
    const index = await openPackIndex(path);
    return {
      ...index,
      async record(added, extent) {
        if (!failing || how !== 'not applied') await index.record(added, extent);
        if (failing) throw new DaemonError('STORAGE_FAILED', 'the disk failed');
      },
    };
  };
  const [before, doubtful, after] = [chunkOf('before'), chunkOf('doubtful'), chunkOf('another one, and longer')];
  const readable = async (store: ChunkStore): Promise<void> => {
    for (const { id, bytes } of [before, doubtful, after]) {
      const [has] = await store.has([id]);
      expect(await store.get(id, unending)).toEqual(has === true ? Buffer.from(bytes) : undefined);
    }
  };
  const copy = mkdtempSync(join(tmpdir(), 'starling-pack-copy-'));
  onTestFinished(() => rmSync(copy, { recursive: true, force: true }));
  {
    await using store = await openPackStore(directory, { openIndex });
    await store.put([before], unending);
    failing = true;
    await expect(store.put([doubtful], unending)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    await expect(store.put([after], unending)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    await readable(store);
    cpSync(directory, copy, { recursive: true });
    failing = false;
    await store.put([after], unending);
    await readable(store);
    expect(await store.has([after.id])).toEqual([true]);
    // Nothing is counted twice by who puts it again.
    await store.put([doubtful], unending);
    expect(store.usage()).toEqual({ chunks: 3, bytes: before.bytes.length + doubtful.bytes.length + after.bytes.length });
  }
  for (const path of [directory, copy]) {
    await using store = await openPackStore(path);
    await readable(store);
    expect(await store.has([before.id])).toEqual([true]);
  }
});

it('an index that was lost is made anew from the packs, without what is damaged in them', async () => {
  {
    await using store = await openPackStore(directory);
    await store.put([chunkOf('first'), chunkOf('rots'), chunkOf('last')], unending);
  }
  const before = readFileSync(firstPack());
  const rotten = before.indexOf('rots');
  before[rotten] = 0;
  writeFileSync(firstPack(), before);
  rmSync(join(directory, 'index'), { recursive: true });
  {
    await using store = await openPackStore(directory);
    expect(await store.has(['first', 'rots', 'last'].map((each) => chunkOf(each).id))).toEqual([true, false, true]);
    expect(store.usage()).toEqual({ chunks: 2, bytes: 9 });
    await store.put([chunkOf('rots')], unending);
  }
  await using store = await openPackStore(directory);
  for (const each of ['first', 'rots', 'last']) expect(Buffer.from((await store.get(chunkOf(each).id, unending)) ?? []).toString()).toBe(each);
});

it('packs that are not what the index says are refused with what to do, not filled up with zeros', async () => {
  {
    await using store = await openPackStore(directory);
    await store.put([chunkOf('held')], unending);
  }
  truncateSync(firstPack(), 10);
  await expect(openPackStore(directory)).rejects.toMatchObject({ code: 'CORRUPT_STATE', message: expect.stringContaining('index away') });
  rmSync(firstPack());
  await expect(openPackStore(directory)).rejects.toMatchObject({ code: 'CORRUPT_STATE' });
});

it('a closed store refuses with our own error', async () => {
  const store = await openPackStore(directory);
  await store.close();
  await expect(store.put([chunkOf('a')], unending)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  await expect(store.has([chunkOf('a').id])).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
});

it('a second store on the same directory is refused, and the first goes on', async () => {
  await using store = await openPackStore(directory);
  const refused = await openPackStore(directory).catch((cause: unknown) => cause);
  expect(refused).toBeInstanceOf(DaemonError);
  expect(refused).toMatchObject({ code: 'DATA_DIRECTORY_IN_USE' });
  await store.put([chunkOf('a')], unending);
  expect(await store.has([chunkOf('a').id])).toEqual([true]);
});

it('a chunk that rotted on disk is not given out, forgotten for good, told of once, and can be put again', async () => {
  const told: string[] = [];
  const [good, rots] = [chunkOf('good'), chunkOf('rots')];
  {
    await using packs = await openPackStore(directory);
    await packs.put([good, rots], unending);
    const pack = readFileSync(firstPack());
    pack[pack.length - 1] = (pack.at(-1) ?? 0) ^ 1;
    writeFileSync(firstPack(), pack);
    const store = verified(packs, (id) => told.push(id));
    expect(await Promise.all([store.get(rots.id, unending), store.get(rots.id, unending)])).toEqual([undefined, undefined]);
    expect(Buffer.from((await store.get(good.id, unending)) ?? []).toString()).toBe('good');
    expect(told).toEqual([rots.id]);
    expect(await store.has([good.id, rots.id])).toEqual([true, false]);
    expect(store.usage()).toEqual({ chunks: 1, bytes: 4 });
  }
  {
    await using packs = await openPackStore(directory);
    expect(await packs.has([good.id, rots.id])).toEqual([true, false]);
    expect(packs.usage()).toEqual({ chunks: 1, bytes: 4 });
    await packs.put([rots], unending);
  }
  await using packs = await openPackStore(directory);
  expect(Buffer.from((await packs.get(rots.id, unending)) ?? []).toString()).toBe('rots');
  expect(packs.usage()).toEqual({ chunks: 2, bytes: 8 });
});

it('a project owns what it added and nothing of another, also after a restart', async () => {
  const [a, b] = [chunkOf('a').id, chunkOf('b').id];
  {
    await using store = await openPackStore(directory);
    await store.ownership.add('shop', [a]);
    await store.ownership.add('shop2', [b]);
  }
  await using store = await openPackStore(directory);
  expect(await store.ownership.owns('shop', [a, b])).toEqual([true, false]);
  expect(await store.ownership.owns('shop2', [a, b])).toEqual([false, true]);
  expect(await store.ownership.owns('sho', [a, b])).toEqual([false, false]);
});

it('a disk that fills up fails the put alone: nothing of it is held, the rest is read, and freed space is used', async ({ skip }) => {
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', directory], { encoding: 'utf8' });
  if (mounted.status !== 0) return skip(`NOT TESTED: a full disk needs the right to mount a tmpfs: ${mounted.stderr}`);
  try {
    const filler = join(directory, 'filler');
    writeFileSync(filler, Buffer.alloc(16_000_000));
    const held: Buffer[] = [];
    {
      await using store = await openPackStore(join(directory, 'store'));
      let failure: unknown;
      for (let at = 0; failure === undefined; at += 1) {
        const bytes = noise(100_000, at + 1);
        try {
          await store.put([chunkOf(bytes)], unending);
          held.push(bytes);
        } catch (cause) {
          failure = cause;
          expect(await store.has([chunkOf(bytes).id])).toEqual([false]);
        }
      }
      expect(failure).toMatchObject({ code: 'NO_SPACE' });
      expect(store.usage()).toEqual({ chunks: held.length, bytes: held.length * 100_000 });
      for (const bytes of held) expect(Buffer.compare((await store.get(chunkOf(bytes).id, unending)) ?? Buffer.alloc(0), bytes)).toBe(0);
      // Now the index, too, fails: it is read on, and takes writes again as soon as there is space.
      fillUp(join(directory, 'rest'));
      const claims = await Promise.allSettled([1, 2, 3, 4].map(async (seed) => await store.ownership.add('shop', idsOf(seed))));
      for (const claim of claims) expect(claim).toMatchObject({ status: 'rejected', reason: { code: 'NO_SPACE' } });
      expect(await store.has([chunkOf(held[0] ?? '').id])).toEqual([true]);
      rmSync(join(directory, 'rest'));
      rmSync(filler);
      await Promise.all([store.put([chunkOf('after')], unending), store.ownership.add('shop', idsOf(5))]);
    }
    await using store = await openPackStore(join(directory, 'store'));
    expect(await store.has([...held.map((bytes) => chunkOf(bytes).id), chunkOf('after').id])).toEqual([...held.map(() => true), true]);
  } finally {
    spawnSync('umount', [directory]);
  }
});
