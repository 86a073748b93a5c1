// What is remembered of a directory is believed only while every file is as it was read, and never when it was read too soon after it changed.

import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ingest, type Ingested } from '../../../../daemon/content/ingest/ingest.ts';
import { decodeRemembered } from '../../../../daemon/content/ingest/remembered.ts';

let directory: string;
/** Long after everything in the directory was made, by the clock that is handed in. */
const later = (): number => Date.now() + 3_600_000;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'starling-remembered-'));
  mkdirSync(join(directory, 'lib'));
  writeFileSync(join(directory, 'a.txt'), 'first');
  writeFileSync(join(directory, 'lib/b.txt'), 'second');
  writeFileSync(join(directory, 'lib/large.bin'), Buffer.alloc(300_000, 'large'));
  writeFileSync(join(directory, 'empty'), '');
  symlinkSync('lib/b.txt', join(directory, 'link'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A reading, and how many bytes of files it read. */
async function read(remembered: Uint8Array | undefined, now = later): Promise<{ readonly ingested: Ingested; readonly bytes: number }> {
  let bytes = 0;
  const ingested = await ingest(directory, {
    signal: new AbortController().signal,
    memory: { remembered: remembered === undefined ? undefined : decodeRemembered(remembered), now },
    onProgress: (progress) => (bytes = progress.bytes),
  });
  return { ingested, bytes };
}

async function plain(): Promise<Ingested> {
  return await ingest(directory, { signal: new AbortController().signal });
}

test('a tree that did not change is not read, and is the same tree', async () => {
  const first = await read(undefined);
  expect(first.bytes).toBe(300_011);
  const second = await read(first.ingested.remembered);
  expect(second.bytes).toBe(0);
  expect(second.ingested.remembered).toBeUndefined();
  expect(second.ingested.digest).toBe(first.ingested.digest);
  expect(Buffer.compare(second.ingested.index, first.ingested.index)).toBe(0);
  expect(second.ingested.indexChunks).toEqual(first.ingested.indexChunks);
  expect(second.ingested.totals).toEqual(first.ingested.totals);
  expect([...second.ingested.tree.entries()]).toEqual([...first.ingested.tree.entries()]);
  expect(Buffer.from(await second.ingested.readChunk(0)).toString()).toBe('first');
});

const changes: readonly (readonly [string, () => void, number])[] = [
  ['a file with as many other bytes and the old time', () => {
    const { atime, mtime } = statSync(join(directory, 'a.txt'));
    writeFileSync(join(directory, 'a.txt'), 'FIRST');
    utimesSync(join(directory, 'a.txt'), atime, mtime);
  }, 5],
  ['a longer file', () => appendFileSync(join(directory, 'a.txt'), '!'), 6],
  ['another file under the name', () => {
    writeFileSync(join(directory, 'new'), 'other');
    renameSync(join(directory, 'new'), join(directory, 'a.txt'));
  }, 5],
  ['a new file', () => writeFileSync(join(directory, 'new'), 'new'), 3],
  ['a file less', () => unlinkSync(join(directory, 'a.txt')), 0],
  ['a file that may be executed', () => chmodSync(join(directory, 'a.txt'), 0o755), 5],
  ['a directory with other rights', () => chmodSync(join(directory, 'lib'), 0o700), 0],
  ['a link to elsewhere', () => {
    unlinkSync(join(directory, 'link'));
    symlinkSync('a.txt', join(directory, 'link'));
  }, 0],
  ['a file that becomes a link', () => {
    unlinkSync(join(directory, 'a.txt'));
    symlinkSync('empty', join(directory, 'a.txt'));
  }, 0],
  ['an empty directory more', () => mkdirSync(join(directory, 'none')), 0],
];

test.each(changes)('notices %s, and reads nothing else', async (_what, change, bytes) => {
  const { ingested } = await read(undefined);
  change();
  const again = await read(ingested.remembered);
  expect(again.bytes).toBe(bytes);
  expect(again.ingested.digest).toBe((await plain()).digest);
  expect(again.ingested.digest).not.toBe(ingested.digest);
  const third = await read(again.ingested.remembered);
  expect(third.bytes).toBe(0);
  expect(third.ingested.digest).toBe(again.ingested.digest);
});

test('a file that was read right after it changed is read again', async () => {
  const { ingested } = await read(undefined, () => statSync(join(directory, 'a.txt')).ctimeMs + 1_000);
  const again = await read(ingested.remembered);
  expect(again.bytes).toBe(300_011);
  expect((await read(again.ingested.remembered)).bytes).toBe(0);
});

test('damaged or foreign bytes are no memory', async () => {
  const bytes = (await read(undefined)).ingested.remembered ?? new Uint8Array();
  expect(decodeRemembered(bytes)).toBeDefined();
  for (const at of [0, 5, 20, 60, bytes.length >> 1, bytes.length - 1]) {
    const damaged = Uint8Array.from(bytes);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    expect(decodeRemembered(damaged)).toBeUndefined();
  }
  expect(decodeRemembered(bytes.subarray(0, bytes.length - 1))).toBeUndefined();
  expect(decodeRemembered(new Uint8Array())).toBeUndefined();
});

test('without a memory nothing is kept', async () => {
  expect((await plain()).remembered).toBeUndefined();
});
