// Two zones in virtual time: what crosses the border between them, also when an importer is dead or lies.

import { afterEach, expect, test } from 'vitest';
import { fullBitmap } from '../../proto/bitmap.ts';
import type { Transfer } from '../../proto/fleet.ts';
import { blobOf, holdingsOf } from '../daemon/swarm/swarm-fixture.ts';
import { closeWorld, createWorld, type World } from './swarm-world.ts';

const forever = new AbortController().signal;
const worlds: World[] = [];
afterEach(async () => {
  await Promise.all(worlds.splice(0).map(closeWorld));
});

/** The seed and even agents are in one zone, odd agents in the other. */
const zone = (name: string): string => (/[13579]$/.test(name) ? 'far' : 'near');

interface Crossing {
  /** Copies of the blob that agents had from members of another zone, the origin included. */
  readonly copies: number;
  readonly originCopies: number;
  readonly ms: number;
}

async function play(seed: number, agents: number, silent: readonly string[] = []): Promise<Crossing> {
  const blob = blobOf(seed, 256, 20_000);
  const bytes = blob.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const world = createWorld({ seed, agents, zone });
  worlds.push(world);
  await world.clock.run(() => world.agents.every(({ swarm }) => swarm.neighbours().length >= Math.min(agents, 8)), 60_000);
  for (const { swarm } of world.seeds) swarm.share(blob.topic, holdingsOf(blob, 'all').holdings);
  const begin = world.clock.monotonic();
  const transfers: Transfer[] = [];
  for (const { name, swarm } of world.agents) {
    // One that is there and takes part in nothing.
    if (silent.includes(name)) continue;
    const held = holdingsOf(blob, 'none');
    const fetch = swarm.share(blob.topic, held.holdings).fetch({ wanted: fullBitmap(blob.chunks.length), write: held.write, signal: forever });
    fetch.then((transfer) => transfers.push(transfer), () => undefined);
  }
  await world.clock.run(() => transfers.length === agents - silent.length, 120_000);
  const sum = (of: (transfer: Transfer) => number): number => transfers.reduce((total, transfer) => total + of(transfer), 0);
  return { copies: sum(({ crossZoneBytes = 0 }) => crossZoneBytes) / bytes, originCopies: sum(({ originBytes }) => originBytes) / bytes, ms: world.clock.monotonic() - begin };
}

test.for([1, 2, 3])('each chunk crosses the border about once, and leaves the origin about once (seed %i)', async (seed) => {
  const { copies, originCopies } = await play(seed, 16);
  expect(copies).toBeLessThanOrEqual(1.05);
  expect(originCopies).toBeLessThanOrEqual(1.05);
});

test('a larger fleet, of which each sees a few, crosses it a few times at most', async () => {
  const { copies } = await play(4, 40);
  expect(copies).toBeLessThanOrEqual(1.6);
}, 60_000);

test('what silent importers were to bring, others bring', async () => {
  const { copies, ms } = await play(5, 12, ['agent001', 'agent003']);
  expect(copies).toBeLessThanOrEqual(1.3);
  expect(ms).toBeLessThan(60_000);
});
