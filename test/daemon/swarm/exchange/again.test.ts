// One fetch of a topic after the other, while what the first brought about still waits for the scheduler: nothing of it counts for the next.

import { expect, test } from 'vitest';
import { createBitmap, fullBitmap, type Bitmap } from '../../../../proto/bitmap.ts';
import { createSwarm } from '../../../../daemon/swarm/exchange/exchange.ts';
import { createMemoryHub } from '../../../../daemon/swarm/memory/memory-network.ts';
import type { Role, Roster } from '../../../../proto/statement.ts';
import { VirtualClock } from '../../../simulation/swarm-world.ts';
import { blobOf, certificateOf, counts, holdingsOf, keptLog } from '../swarm-fixture.ts';

const count = 40;
const limitMs = 60_000;

/** A seed with all of a blob and an agent with nothing; `hold` keeps what the agent's scheduler is told until `release`. */
async function pair() {
  const clock = new VirtualClock();
  const hub = createMemoryHub({ clock, latencyMs: 1, uplink: () => 10_000 });
  const looks: (() => void)[] = [];
  let isHeld = false;
  const open = (member: string, roles: readonly Role[], soon: (look: () => void) => void) =>
    createSwarm({ network: hub.join(member, certificateOf(member, member, roles)), roles, manifests: async () => await Promise.resolve(undefined), metrics: counts(), clock, random: () => 0.5, log: keptLog(), soon });
  const origin = open('origin', ['seed'], setImmediate);
  const agent = open('agent', ['agent'], (look) => (isHeld ? void looks.push(look) : void setImmediate(look)));
  const roster: Roster = { epoch: 1, revoked: [], members: (['agent', 'origin'] as const).map((member) => ({ member, addresses: [`/memory/${member}`], roles: [member === 'origin' ? 'seed' : 'agent'], environments: ['prod'], zone: 'a' })) };
  for (const swarm of [origin, agent]) swarm.setRoster(roster);
  await clock.run(() => agent.neighbours().length === 1, limitMs);
  const blob = blobOf(11, count, 20_000);
  origin.share(blob.topic, holdingsOf(blob, 'all').holdings);
  const held = holdingsOf(blob, 'none');
  return {
    clock, held, sharing: agent.share(blob.topic, held.holdings),
    hold: () => void (isHeld = true),
    release: () => {
      isHeld = false;
      for (const look of looks.splice(0)) look();
    },
    [Symbol.asyncDispose]: async () => {
      await agent.close();
      await origin.close();
    },
  };
}

function firstOf(ordinals: number): Bitmap {
  const wanted = createBitmap(count);
  wanted.setRange(0, ordinals);
  return wanted;
}

test('a fetch that is given up with its last chunk does not end the next one', async () => {
  await using world = await pair();
  const { clock, held, sharing } = world;
  const [stop, disk] = [new AbortController(), Promise.withResolvers<undefined>()];
  let writes = 0;
  const first = sharing.fetch({
    wanted: firstOf(20),
    async write(ordinal, bytes) {
      await held.write(ordinal, bytes);
      writes += 1;
      if (writes === 20) await disk.promise;
    },
    signal: stop.signal,
  }).catch(String);
  await clock.run(() => writes === 20, limitMs);
  world.hold();
  disk.resolve(undefined);
  await new Promise((resolve) => setImmediate(resolve));
  stop.abort();
  expect(await first).toContain('was ended before it was whole');
  let left = count;
  const second = sharing.fetch({ wanted: fullBitmap(count), write: held.write, signal: AbortSignal.timeout(25_000) }).finally(() => (left = held.bad().length));
  world.release();
  await clock.run(() => left < count, limitMs);
  await second;
  expect(left).toBe(0);
});

test('what comes in for a fetch that is given up is not written by the next one', async () => {
  await using world = await pair();
  const { clock, held, sharing } = world;
  const stop = new AbortController();
  const first = sharing.fetch({
    wanted: fullBitmap(count),
    async write(ordinal, bytes) {
      await held.write(ordinal, bytes);
      world.hold();
    },
    signal: stop.signal,
  }).catch(String);
  await clock.run(() => held.kept.size > 0, limitMs);
  // All that was asked for comes in, and is kept waiting.
  const before = clock.monotonic();
  await clock.run(() => clock.monotonic() > before + 100, limitMs);
  stop.abort();
  expect(await first).toContain('was ended before it was whole');
  const written: number[] = [];
  const second = sharing.fetch({
    wanted: firstOf(10),
    async write(ordinal, bytes) {
      written.push(ordinal);
      await held.write(ordinal, bytes);
    },
    signal: AbortSignal.timeout(25_000),
  });
  let isWhole = false;
  void second.then(() => (isWhole = true));
  world.release();
  await clock.run(() => isWhole, limitMs);
  expect(written.filter((ordinal) => ordinal >= 10)).toEqual([]);
  expect(held.bad().filter((ordinal) => ordinal < 10)).toEqual([]);
});
