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

test('sixteen rest at most', () => {
  const buffers = createBuffers();
  const all = Array.from({ length: 40 }, () => buffers.take(100_000));
  for (const one of all) buffers.give(one);
  const owned = new Set(all.map(({ buffer }) => buffer));
  const again = Array.from({ length: 40 }, () => buffers.take(100_000));
  expect(again.filter(({ buffer }) => owned.has(buffer)).length).toBe(16);
});
