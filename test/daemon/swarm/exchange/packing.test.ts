// When a chunk travels compressed, and what a receiver makes of one that claims to be.

import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { expect, it } from 'vitest';
import type { DataMessage } from '../../../../proto/exchange.ts';
import type { Neighbour } from '../../../../daemon/swarm/network.ts';
import { createPacking, unpack } from '../../../../daemon/swarm/exchange/packing.ts';
import { noise } from '../../../support/trees.ts';
import { certificateOf } from '../swarm-fixture.ts';

const neighbourCalled = (member: string): Neighbour => ({
  member, certificate: certificateOf(member, member), backlogBytes: 0,
  send: () => undefined, drained: async () => await Promise.resolve(), onMessage: () => undefined, onInterrupted: () => undefined, onClose: () => undefined, close: () => undefined,
});
const text = Buffer.from('a line of a file that is like many others\n'.repeat(1_500));
const dense = noise(60_000, 1);
const chunkBytes = 64 * 1024;

function scene() {
  let now = 0;
  const packing = createPacking({ monotonic: () => now });
  /** Sends two mebibytes at so many bytes a second. */
  const send = (neighbour: Neighbour, rate: number, waited: boolean): void => {
    for (let chunk = 0; chunk < 32; chunk += 1) {
      now += (chunkBytes / rate) * 1000;
      packing.sent(neighbour, chunkBytes, waited);
    }
  };
  return { packing, send };
}

it('a neighbour that takes what it gets slowly gets what shrinks compressed; one on a fast line, or that is slow to ask, does not', () => {
  const { packing, send } = scene();
  const [slow, fast, idle] = ['slow', 'fast', 'idle'].map(neighbourCalled);
  if (slow === undefined || fast === undefined || idle === undefined) throw new Error('three of them');
  expect(packing.pack(slow, text)).toBeUndefined();
  send(slow, 1_000_000, true);
  send(fast, 50_000_000, true);
  send(idle, 1_000_000, false);
  const packed = packing.pack(slow, text);
  expect(packed?.length).toBeLessThan(text.length / 10);
  expect(Buffer.compare(zstdDecompressSync(packed ?? ''), text)).toBe(0);
  expect(packing.pack(fast, text)).toBeUndefined();
  expect(packing.pack(idle, text)).toBeUndefined();
  send(slow, 50_000_000, true);
  expect(packing.pack(slow, text)).toBeUndefined();
});

it('what does not shrink goes as it is, and is tried ever more rarely', () => {
  const { packing, send } = scene();
  const slow = neighbourCalled('slow');
  send(slow, 1_000_000, true);
  // After the first, eight are not tried, whatever they are; after the second, sixteen.
  for (const skipped of [8, 16]) {
    expect(packing.pack(slow, dense)).toBeUndefined();
    for (let chunk = 0; chunk < skipped; chunk += 1) expect(packing.pack(slow, text)).toBeUndefined();
  }
  expect(packing.pack(slow, text)).toBeDefined();
});

it('a chunk that is not what it should be when it is unpacked is no chunk', () => {
  const message = (compression: DataMessage['compression'], bytes: Uint8Array): DataMessage => ({ kind: 'data', topic: 1, request: 1, ordinal: 0, compression, bytes });
  expect(unpack(message('zstd', zstdCompressSync(text)), text.length)).toEqual(text);
  expect(unpack(message('none', text), text.length)).toBe(text);
  for (const length of [text.length - 1, text.length + 1]) {
    expect(unpack(message('zstd', zstdCompressSync(text)), length)).toBeUndefined();
    expect(unpack(message('none', text), length)).toBeUndefined();
  }
  expect(unpack(message('zstd', dense), dense.length)).toBeUndefined();
  // A bomb is stopped at the length of the chunk: what it would be is not even made.
  const bomb = message('zstd', zstdCompressSync(Buffer.alloc(64 * 1024 * 1024)));
  const before = process.memoryUsage().external;
  expect(unpack(bomb, 1_000)).toBeUndefined();
  expect(process.memoryUsage().external - before).toBeLessThan(16 * 1024 * 1024);
});
