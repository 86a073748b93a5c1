// Whole fleets in virtual time: how fast, how often the origin gives, and what liars, corrupters and the dead can do. Each run prints its seed on failure;
// a failing seed becomes a test of its own.

import { afterEach, describe, expect, test } from 'vitest';
import { fullBitmap } from '../../proto/bitmap.ts';
import type { ExchangeMessage } from '../../proto/exchange.ts';
import type { Transfer } from '../../proto/fleet.ts';
import type { Fault } from '../../daemon/swarm/memory/memory-network.ts';
import { blobOf, holdingsOf, type Blob } from '../daemon/swarm/swarm-fixture.ts';
import { closeWorld, createWorld, type World, type WorldMember, type WorldOptions } from './swarm-world.ts';

const forever = new AbortController().signal;
const worlds: World[] = [];
afterEach(async () => {
  await Promise.all(worlds.splice(0).map(closeWorld));
});

interface Fetched {
  readonly agent: WorldMember;
  readonly held: ReturnType<typeof holdingsOf>;
  transfer?: Transfer;
  doneAt?: number;
}

interface Scene {
  readonly world: World;
  readonly fetches: readonly Fetched[];
  readonly ms: number;
  readonly originCopies: number;
}

interface SceneOptions extends WorldOptions {
  readonly blob: Blob;
  /** What an agent holds before; nothing unless said. */
  readonly before?: (index: number) => readonly number[];
  /** When an agent begins, in ms. */
  readonly startAt?: (index: number) => number;
  /** Agents that only hold and serve. */
  readonly passive?: (index: number) => boolean;
  readonly limitMs?: number;
  readonly during?: (world: World) => void;
  /** Agents that need not finish. */
  readonly excused?: (member: string) => boolean;
  readonly seedShares?: boolean;
}

/** Everybody fetches the blob; resolves when all have it. */
async function play(options: SceneOptions): Promise<Scene> {
  const { blob } = options;
  const world = createWorld(options);
  worlds.push(world);
  const expectedLinks = Math.min(options.agents, 17) + world.seeds.length - 1;
  await world.clock.run(() => world.agents.every(({ swarm }) => swarm.neighbours().length >= Math.min(expectedLinks, 8)), 60_000);
  if (options.seedShares !== false) for (const { swarm } of world.seeds) swarm.share(blob.topic, holdingsOf(blob, 'all').holdings);
  const fetches: Fetched[] = world.agents.map((agent, index) => ({ agent, held: holdingsOf(blob, options.before?.(index) ?? 'none') }));
  const begin = world.clock.monotonic();
  fetches.forEach((fetched, index) => {
    const run = async (): Promise<void> => {
      await world.clock.wait(options.startAt?.(index) ?? 0, { signal: forever });
      const sharing = fetched.agent.swarm.share(blob.topic, fetched.held.holdings);
      if (options.passive?.(index) === true) {
        fetched.doneAt = world.clock.monotonic();
        return;
      }
      fetched.transfer = await sharing.fetch({ wanted: fullBitmap(blob.chunks.length), write: fetched.held.write, signal: forever });
      fetched.doneAt = world.clock.monotonic();
    };
    run().catch(() => undefined);
  });
  options.during?.(world);
  await world.clock.run(() => fetches.every(({ agent, doneAt }) => doneAt !== undefined || options.excused?.(agent.member) === true), options.limitMs ?? 120_000);
  const ms = Math.max(...fetches.map(({ doneAt }) => (doneAt ?? begin) - begin));
  const sent = world.seeds.reduce((sum, { counts }) => sum + counts.sent, 0);
  return { world, fetches, ms, originCopies: sent / blob.bytes };
}

/** Every agent that fetched has every byte right, and wrote each chunk once. */
function expectWhole({ fetches }: Scene): void {
  const flaws = fetches
    .filter(({ transfer }) => transfer !== undefined)
    .map(({ agent, held }) => ({ agent: agent.name, bad: held.bad(), writtenAgain: [...held.writes].filter(([, times]) => times !== 1) }))
    .filter(({ bad, writtenAgain }) => bad.length + writtenAgain.length > 0);
  expect(flaws).toEqual([]);
}

const flip = (message: ExchangeMessage): Fault | undefined => {
  if (message.kind !== 'data') return undefined;
  const bytes = message.bytes.slice();
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  return { messages: [{ ...message, bytes }], delayMs: 0 };
};

describe('a healthy fleet', () => {
  test.each([1, 2, 3])('five agents: the origin gives each byte about once, in about twice the time of the bound (seed %i)', async (seed) => {
    const blob = blobOf(seed, 400, 40_000);
    const scene = await play({ seed, agents: 5, blob });
    expectWhole(scene);
    expect(scene.originCopies).toBeLessThanOrEqual(1.05);
    // Fluid bound: the origin and five agents send N·F/(u_s + Σu_i) = 5F/6u; F/u when the origin gives one copy.
    expect(scene.ms).toBeLessThan((2 * blob.bytes) / 5_000);
  });

  test.each([1, 2])('thirty agents on a graph of cycles: at most 1.2 copies leave the origin (seed %i)', async (seed) => {
    const blob = blobOf(seed, 150, 40_000);
    const scene = await play({ seed, agents: 30, blob });
    expectWhole(scene);
    expect(scene.originCopies).toBeLessThanOrEqual(1.2);
  }, 60_000);

  test('agents that begin at different times do not make the origin give twice', async () => {
    const blob = blobOf(7, 300, 40_000);
    const scene = await play({ seed: 7, agents: 5, blob, startAt: (index) => index * 150 });
    expectWhole(scene);
    expect(scene.originCopies).toBeLessThanOrEqual(1.1);
  });

  test('agents on an older revision are seeds from the first moment', async () => {
    const blob = blobOf(11, 500, 40_000);
    // Four agents lack one chunk in fifty; the fifth is new and lacks everything.
    const old = Array.from({ length: 500 }, (_, ordinal) => ordinal).filter((ordinal) => ordinal % 50 !== 0);
    const scene = await play({ seed: 11, agents: 5, blob, before: (index) => (index === 4 ? [] : old) });
    expectWhole(scene);
    expect(scene.originCopies).toBeLessThanOrEqual(0.05);
    expect(scene.fetches[4]?.transfer?.peerBytes).toBeGreaterThan(0.9 * blob.bytes);
  });

  test('the same seed gives the same run', async () => {
    const blob = blobOf(5, 300, 40_000);
    const [first, second] = [await play({ seed: 5, agents: 6, blob }), await play({ seed: 5, agents: 6, blob })];
    expect(second.ms).toBe(first.ms);
    expect(second.fetches.map(({ transfer }) => transfer)).toEqual(first.fetches.map(({ transfer }) => transfer));
  });

  test('one agent alone gets everything from the origin', async () => {
    const blob = blobOf(13, 100, 40_000);
    const scene = await play({ seed: 13, agents: 1, blob });
    expectWhole(scene);
    expect(scene.originCopies).toBe(1);
  });
});

describe('faults', () => {
  test.each([1, 2])('three of ten agents corrupt what they send: 0 bad bytes, the senders are named, the others finish (seed %i)', async (seed) => {
    const blob = blobOf(seed, 240, 40_000);
    const bad = new Set(['agent000', 'agent001', 'agent002']);
    const scene = await play({ seed, agents: 10, blob, fault: (from, _to, message) => (bad.has(from) ? flip(message) : undefined) });
    expectWhole(scene);
    for (const { agent } of scene.fetches) {
      const named = new Set(agent.log.lines.filter(({ fields }) => fields['reason'] === 'corrupt-chunk').map(({ fields }) => fields['member']));
      expect([...named].every((member) => bad.has(String(member)))).toBe(true);
      expect(new Set(agent.counts.verifyFailed)).toEqual(named);
      // Never asked again for this revision: one corrupt chunk from each, not more.
      expect(agent.counts.verifyFailed.length).toBe(named.size);
    }
    expect(scene.fetches.some(({ agent }) => agent.counts.verifyFailed.length > 0)).toBe(true);
  });

  test.each([1, 2, 3])('three of ten agents die on the way: the rest finish, the dead cost at most a few pieces (seed %i)', async (seed) => {
    const blob = blobOf(seed, 240, 40_000);
    const dead = new Set(['agent003', 'agent005', 'agent007']);
    const scene = await play({
      seed,
      agents: 10,
      blob,
      excused: (member) => dead.has(member),
      during(world) {
        [...dead].forEach((member, index) => {
          void world.clock.wait(300 * (index + 1), { signal: forever }).then(() => world.hub.kill(member));
        });
      },
    });
    expectWhole(scene);
    expect(scene.originCopies).toBeLessThan(1.5);
  });

  test.each([1, 2, 3])('half of the agents say that they hold everything and send nothing: the others finish (seed %i)', async (seed) => {
    const blob = blobOf(seed, 200, 40_000);
    const liars = new Set(['agent000', 'agent001', 'agent002', 'agent003', 'agent004']);
    const honest = await play({ seed, agents: 5, blob });
    const scene = await play({
      seed,
      agents: 10,
      blob,
      excused: (member) => liars.has(member),
      fault(from, _to, message) {
        if (!liars.has(from)) return undefined;
        if (message.kind === 'data' || message.kind === 'absent') return { messages: [], delayMs: 0 };
        return message.kind === 'open' ? { messages: [{ ...message, held: fullBitmap(200).toBytes() }], delayMs: 0 } : undefined;
      },
    });
    expectWhole(scene);
    // Each liar costs timeouts before it is left alone.
    expect(scene.ms).toBeLessThan(2 * honest.ms + 10_000);
  });

  test('peers that answer `absent` for what they announced cost round trips, not progress', async () => {
    const blob = blobOf(3, 300, 40_000);
    const scene = await play({
      seed: 3,
      agents: 6,
      blob,
      passive: (index) => index === 0,
      fault: (from, _to, message) => (from === 'agent000' && message.kind === 'open' ? { messages: [{ ...message, held: fullBitmap(300).toBytes() }], delayMs: 0 } : undefined),
    });
    expectWhole(scene);
    expect(scene.ms).toBeLessThan((4 * blob.bytes) / 5_000);
  });

  test('slow-loris peers: what they were asked for is fetched elsewhere', async () => {
    const blob = blobOf(4, 300, 40_000);
    const slow = new Set(['agent000', 'agent001', 'agent002']);
    const scene = await play({
      seed: 4,
      agents: 10,
      blob,
      excused: (member) => slow.has(member),
      fault: (from, _to, message) => (slow.has(from) && message.kind === 'data' ? { messages: [message], delayMs: 60_000 } : undefined),
    });
    expectWhole(scene);
    expect(scene.ms).toBeLessThan(10_000);
  });

  test('the origin is dead from the start and the chunks are spread over the agents', async () => {
    const blob = blobOf(9, 300, 40_000);
    const scene = await play({
      seed: 9,
      agents: 6,
      blob,
      seedShares: false,
      before: (index) => Array.from({ length: 300 }, (_, ordinal) => ordinal).filter((ordinal) => ordinal % 6 === index),
      during: (world) => world.hub.kill('seed0'),
    });
    expectWhole(scene);
    expect(scene.originCopies).toBe(0);
  });

  test('an agent that stops answering while it fetches its share does not hold the others up for long', async () => {
    const blob = blobOf(6, 200, 40_000);
    const scene = await play({
      seed: 6,
      agents: 5,
      blob,
      excused: (member) => member === 'agent002',
      // It takes everything and gives nothing, not even a word of what it gained.
      fault: (from, _to, message) => (from === 'agent002' && (message.kind === 'have' || message.kind === 'data') ? { messages: [], delayMs: 0 } : undefined),
    });
    expectWhole(scene);
    expect(scene.ms).toBeLessThan(10_000);
  });

  test('a link that loses a tenth of all chunks slows the fleet down and does not stop it', async () => {
    const blob = blobOf(8, 200, 40_000);
    let calls = 0;
    const scene = await play({ seed: 8, agents: 5, blob, fault: (_from, _to, message) => (message.kind === 'data' && (calls += 1) % 10 === 0 ? { messages: [], delayMs: 0 } : undefined) });
    expectWhole(scene);
  });

  test('a fleet in two halves: the half with the origin goes on at once, the other within a minute of the end of it', async () => {
    const blob = blobOf(10, 200, 40_000);
    let isSplit = true;
    const far = new Set(['agent000', 'agent001', 'agent002']);
    const reachable = (from: string, to: string): boolean => !isSplit || far.has(from) === far.has(to);
    const world = createWorld({ seed: 10, agents: 6, reachable });
    worlds.push(world);
    for (const { swarm } of world.seeds) swarm.share(blob.topic, holdingsOf(blob, 'all').holdings);
    const ends = new Map<string, number>();
    for (const { member, swarm } of world.agents) {
      const held = holdingsOf(blob, 'none');
      void swarm
        .share(blob.topic, held.holdings)
        .fetch({ wanted: fullBitmap(200), write: held.write, signal: forever })
        .then(() => ends.set(member, world.clock.monotonic()));
    }
    await world.clock.run(() => ends.size === 3, 20_000);
    expect([...ends.keys()].some((member) => far.has(member))).toBe(false);
    // Long enough for every back-off to have reached its longest.
    await world.clock.run(() => world.clock.monotonic() > 300_000, 400_000);
    isSplit = false;
    const healedAt = world.clock.monotonic();
    await world.clock.run(() => ends.size === 6, 120_000);
    expect(Math.max(...ends.values()) - healedAt).toBeLessThan(60_000);
  });

  test('a link that is up for five seconds and down for five: progress each time, and no storm of dials', async () => {
    const blob = blobOf(12, 300, 60_000);
    let isUp = true;
    const world = createWorld({ seed: 12, agents: 2, uplink: 400, reachable: () => isUp });
    worlds.push(world);
    for (const { swarm } of world.seeds) swarm.share(blob.topic, holdingsOf(blob, 'all').holdings);
    const flap = async (): Promise<void> => {
      for (;;) {
        await world.clock.wait(5_000, { signal: forever });
        isUp = !isUp;
        world.hub.cut();
      }
    };
    void flap();
    const fetches = world.agents.map(({ swarm }) => {
      const held = holdingsOf(blob, 'none');
      return { held, done: swarm.share(blob.topic, held.holdings).fetch({ wanted: fullBitmap(300), write: held.write, signal: forever }) };
    });
    let left = fetches.length;
    for (const { done } of fetches) void done.then(() => (left -= 1));
    const ms = await world.clock.run(() => left === 0, 600_000);
    for (const { held } of fetches) {
      expect(held.bad()).toEqual([]);
      expect([...held.writes.values()].every((times) => times === 1)).toBe(true);
    }
    for (const { counts } of world.agents) {
      const dials = Object.values(counts.dials).reduce((sum, times) => sum + times, 0);
      // Each of two neighbours is tried a few times in each ten seconds.
      expect(dials).toBeLessThan((ms / 10_000 + 1) * 2 * 8);
    }
  });
});
