// Buffers for chunks: never two owners of one, and never more at rest than is said.

import { expect, test } from 'vitest';
import { limits } from '../../../proto/limits.ts';
import { createBuffers } from '../../../daemon/swarm/buffers.ts';

test('a buffer is used again when it has been given back, and only then', () => {
  const buffers = createBuffers();
  const first = buffers.take(10_000);
  const second = buffers.take(20_000);
  expect(second.buffer).not.toBe(first.buffer);
  buffers.give(first.subarray(4));
  const third = buffers.take(30_000);
  expect(third.buffer).toBe(first.buffer);
  expect(third.length).toBe(30_000);
});

test('a buffer that is given back twice has one owner still', () => {
  const buffers = createBuffers();
  const first = buffers.take(10_000);
  buffers.give(first);
  buffers.give(first);
  expect(buffers.take(10_000).buffer).not.toBe(buffers.take(10_000).buffer);
});

test('what did not come from here is left alone, and so is what is too short to be kept', () => {
  const buffers = createBuffers();
  const foreign = new Uint8Array(limits.chunkBytesMax + 4);
  const short = buffers.take(100);
  buffers.give(foreign);
  buffers.give(short);
  expect([foreign.buffer, short.buffer]).not.toContain(buffers.take(10_000).buffer);
});

test('a buffer is about as long as what it is taken for', () => {
  const buffers = createBuffers();
  for (const bytes of [10_000, 70_000, 140_000, limits.chunkBytesMax + 20]) {
    const { buffer } = buffers.take(bytes);
    expect(buffer.byteLength).toBeGreaterThanOrEqual(bytes);
    expect(buffer.byteLength).toBeLessThanOrEqual(Math.max(2 * bytes, 66_000));
  }
});

test('24 MiB rest while bytes come and go, and 4 MiB when nothing is under way', () => {
  const buffers = createBuffers();
  const count = 300;
  const takeAll = (): readonly Uint8Array[] => Array.from({ length: count }, () => buffers.take(100_000));
  const all = takeAll();
  for (const one of all) buffers.give(one);
  const owned = new Set(all.map(({ buffer }) => buffer));
  const again = takeAll();
  const length = again[0]?.buffer.byteLength ?? 0;
  expect(again.filter(({ buffer }) => owned.has(buffer)).length).toBe(Math.floor((24 * 1024 * 1024) / length));
  for (const one of again) buffers.give(one);
  for (const { buffer } of again) owned.add(buffer);
  buffers.rest();
  expect(takeAll().filter(({ buffer }) => owned.has(buffer)).length).toBe(Math.floor((4 * 1024 * 1024) / length));
});
