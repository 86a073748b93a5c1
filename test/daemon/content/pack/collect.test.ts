// Garbage of a pack store: what goes, what stays whatever happens meanwhile, and what is on the disk wherever a crash ends it.

import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createDigestSet } from '../../../../daemon/content/digest-set.ts';
import { openPackStore, type PackStore } from '../../../../daemon/content/pack/pack.ts';
import type { Chunk } from '../../../../daemon/content/store.ts';
import { chunkOf, unending } from '../../../contract/chunk-store.ts';
import { noise } from '../../../support/trees.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'starling-collect-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const chunkBytes = 1_000;
/** Packs of five chunks. */
const small = { packBytesMax: 5 * chunkBytes };
const chunks = Array.from({ length: 32 }, (_, at) => chunkOf(noise(chunkBytes, at + 1)));
/** Every chunk of the first packs but one, every other one of the next, and hardly any of those after. */
const named = chunks.filter((_, at) => (at < 10 ? at !== 3 : at < 18 ? at % 2 === 0 : at % 7 === 0));
const unnamed = chunks.filter((chunk) => !named.includes(chunk));
const names = async () => await Promise.resolve((id: string): boolean => named.some((chunk) => chunk.id === id));

async function fill(store: PackStore): Promise<void> {
  for (const chunk of chunks) await store.put([chunk], unending);
}

async function wrong(store: PackStore, wanted: readonly Chunk[]): Promise<readonly string[]> {
  const found = await Promise.all(wanted.map(async ({ id, bytes }) => Buffer.compare((await store.get(id, unending)) ?? new Uint8Array(), bytes) === 0));
  return wanted.filter((_, at) => found[at] !== true).map(({ id }) => id);
}

const packs = (at: string = directory): string[] => readdirSync(join(at, 'packs'));
const sizeOf = (at: string = directory): number => packs(at).reduce((sum, name) => sum + statSync(join(at, 'packs', name)).size, 0);

it('what nobody names goes, its room comes back, and the rest is there after a restart too', async () => {
  {
    await using store = await openPackStore(directory, small);
    await fill(store);
    const before = sizeOf();
    const collected = await store.collect({ names, ...unending });
    expect(collected).toMatchObject({ forgottenChunks: unnamed.length, forgottenBytes: unnamed.length * chunkBytes, damaged: [] });
    expect(collected.removedPacks).toBeGreaterThanOrEqual(3);
    expect(sizeOf()).toBeLessThan(0.7 * before);
    expect(store.usage()).toEqual({ chunks: named.length, bytes: named.length * chunkBytes });
    expect(await store.has(unnamed.map(({ id }) => id))).toEqual(unnamed.map(() => false));
    // A pack of which one chunk in five went is not worth writing anew.
    expect(packs()).toContain('00000001.pack');
    // What was the newest pack may be written anew by then; after that there is nothing to do.
    expect(await store.collect({ names, ...unending })).toMatchObject({ forgottenChunks: 0 });
    expect(await store.collect({ names, ...unending })).toMatchObject({ forgottenChunks: 0, movedBytes: 0, removedPacks: 0 });
  }
  await using store = await openPackStore(directory, small);
  expect(await wrong(store, named)).toEqual([]);
  expect(store.usage()).toEqual({ chunks: named.length, bytes: named.length * chunkBytes });
  await fill(store);
  expect(await wrong(store, chunks)).toEqual([]);
});

it('a crash before any change to the disk leaves everything that is named, and the next collection does the rest', async () => {
  const crashes: string[] = [];
  const onStep = async (): Promise<void> => {
    await Promise.resolve();
    if (!collecting) return;
    const copy = `${directory}-${crashes.length}`;
    cpSync(directory, copy, { recursive: true });
    crashes.push(copy);
  };
  let collecting = false;
  try {
    {
      await using store = await openPackStore(directory, { ...small, onStep });
      await fill(store);
      collecting = true;
      await store.collect({ names, ...unending });
      collecting = false;
    }
    expect(crashes.length).toBeGreaterThan(15);
    const done = sizeOf();
    for (const copy of crashes) {
      await using store = await openPackStore(copy, small);
      expect(await wrong(store, named), copy).toEqual([]);
      expect(store.usage().chunks, copy).toBeGreaterThanOrEqual(named.length);
      await store.collect({ names, ...unending });
      expect(await wrong(store, named), copy).toEqual([]);
      expect(store.usage(), copy).toEqual({ chunks: named.length, bytes: named.length * chunkBytes });
      // What was written for nothing before the crash is at most one pack more.
      expect(sizeOf(copy), copy).toBeLessThanOrEqual(done + 2 * small.packBytesMax);
    }
  } finally {
    for (const copy of crashes) rmSync(copy, { recursive: true, force: true });
  }
});

it('what is named can be read between any two changes to the disk', async () => {
  let missing: readonly string[] = [];
  let looks = 0;
  let store: PackStore | undefined;
  const onStep = async (): Promise<void> => {
    if (store === undefined) return;
    // Not waited for: a read that comes while a chunk is being forgotten ends after that.
    reading.push(wrong(store, named).then((found) => void (missing = [...missing, ...found])));
    looks += 1;
    await Promise.resolve();
  };
  const reading: Promise<void>[] = [];
  await using opened = await openPackStore(directory, { ...small, onStep });
  await fill(opened);
  store = opened;
  await opened.collect({ names, ...unending });
  await Promise.all(reading);
  expect(looks).toBeGreaterThan(15);
  expect(missing).toEqual([]);
});

it('what somebody asks for or puts while garbage is collected stays, named or not', async () => {
  const [asked, put] = unnamed;
  if (asked === undefined || put === undefined) throw new Error('two of them');
  await using store = await openPackStore(directory, small);
  await fill(store);
  const collecting = store.collect({ names, ...unending });
  const has = await store.has([asked.id]);
  await store.put([put], unending);
  await collecting;
  expect(has).toEqual([true]);
  expect(await wrong(store, [asked, put, ...named])).toEqual([]);
  expect(store.usage().chunks).toBe(named.length + 2);
});

it('a damaged chunk is not written anew: it is told of, and can be put again', async () => {
  await using store = await openPackStore(directory, small);
  await fill(store);
  // In the last pack but some, which is written anew.
  const victim = chunks[28] ?? chunkOf('');
  const path = packs().map((name) => join(directory, 'packs', name)).find((each) => readFileSync(each).includes(Buffer.from(victim.bytes))) ?? '';
  const bytes = readFileSync(path);
  const at = bytes.indexOf(Buffer.from(victim.bytes));
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  expect((await store.collect({ names, ...unending })).damaged).toEqual([victim.id]);
  expect(await store.has([victim.id])).toEqual([false]);
  await store.put([victim], unending);
  expect(await wrong(store, named)).toEqual([]);
});

it('an index that is lost after a collection is made anew from the packs that are left', async () => {
  {
    await using store = await openPackStore(directory, small);
    await fill(store);
    await store.collect({ names, ...unending });
  }
  rmSync(join(directory, 'index'), { recursive: true });
  {
    await using store = await openPackStore(directory, small);
    expect(await wrong(store, named)).toEqual([]);
  }
  await using store = await openPackStore(directory, small);
  expect(await wrong(store, named)).toEqual([]);
});

it('a set of identifiers has what was added to it, and nothing else', () => {
  const set = createDigestSet();
  expect(set.has(chunkOf('none').id)).toBe(false);
  const ids = Array.from({ length: 5_000 }, (_, at) => chunkOf(`${at}`).id);
  for (const id of ids) set.add(id);
  for (const id of ids.slice(0, 10)) set.add(id);
  expect(ids.every((id) => set.has(id))).toBe(true);
  expect(Array.from({ length: 5_000 }, (_, at) => chunkOf(`other ${at}`).id).some((id) => set.has(id))).toBe(false);
});
