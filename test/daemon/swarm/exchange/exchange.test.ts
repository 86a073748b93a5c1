// The swarm over real libp2p on loopback: fetching, corrupt senders, revocation on the way, manifests. Members that keep no rules are in intruder.test.ts.

import { afterEach, describe, expect, test } from 'vitest';
import { createHash } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import { createBitmap, fullBitmap } from '../../../../proto/bitmap.ts';
import { systemClock } from '../../../../daemon/clock.ts';
import { DaemonError } from '../../../../daemon/errors.ts';
import type { Packing } from '../../../../daemon/swarm/exchange/packing.ts';
import type { Holdings } from '../../../../daemon/swarm/swarm.ts';
import { rereadMs } from '../../../../daemon/swarm/exchange/unread.ts';
import { blobOf, closeAll, holdingsOf, openMember, openSeed, rosterOf, until, type Member, type MemberOptions } from '../swarm-fixture.ts';

const members: Member[] = [];
afterEach(async () => await closeAll(members.splice(0)));

async function fleet(names: Readonly<Record<string, MemberOptions>>): Promise<Record<string, Member>> {
  const opened = await Promise.all(Object.entries(names).map(async ([name, options]) => [name, await openMember(name, options)] as const));
  members.push(...opened.map(([, member]) => member));
  const roster = rosterOf(1, members);
  for (const [, { swarm }] of opened) swarm.setRoster(roster);
  await until(() => opened.every(([, { swarm }]) => swarm.neighbours().length === opened.length - 1), 'everybody has met');
  return Object.fromEntries(opened);
}

const soon = (): AbortSignal => AbortSignal.timeout(25_000);

function named(fleetOf: Record<string, Member>, name: string): Member {
  const found = fleetOf[name];
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

describe('a fetch', () => {
  test('takes chunks that travel compressed, and counts them as what they are', async () => {
    const packing: Packing = { pack: (_neighbour, bytes) => zstdCompressSync(bytes), sent: () => undefined };
    const all = await fleet({ seed: { roles: ['seed'], packing }, a: {} });
    const blob = blobOf(3, 60, 120_000);
    named(all, 'seed').swarm.share(blob.topic, holdingsOf(blob, 'all').holdings);
    const held = holdingsOf(blob, 'none');
    const transfer = await named(all, 'a').swarm.share(blob.topic, held.holdings).fetch({ wanted: fullBitmap(60), write: held.write, signal: soon() });
    expect(held.bad()).toEqual([]);
    expect(transfer.originBytes).toBe(blob.bytes);
    const { sent, packed, carriedBytes } = named(all, 'seed').counts;
    expect(sent).toBe(blob.bytes);
    expect(packed).toBeGreaterThan(blob.bytes / 2);
    expect((carriedBytes['bulk sent'] ?? 0) + (carriedBytes['stream sent'] ?? 0)).toBe(blob.bytes - packed);
  });

  test('takes chunks that were read together, however many were there, and some of them compressed', async () => {
    const packing: Packing = { pack: (_neighbour, bytes) => (bytes.length % 5 === 0 ? zstdCompressSync(bytes) : undefined), sent: () => undefined };
    const all = await fleet({ seed: { roles: ['seed'], packing }, a: {} });
    const blob = blobOf(5, 300, 60_000);
    const { holdings, kept } = holdingsOf(blob, 'all');
    let together = 0;
    const readRun: NonNullable<Holdings['readRun']> = async (ordinals, places) => {
      const [first = 0] = ordinals;
      if (first % 5 === 0) throw new Error('the disk hiccups');
      const count = await Promise.resolve(Math.min(first % 4, ordinals.length));
      for (const [at, ordinal] of ordinals.slice(0, count).entries()) places[at]?.set(kept.get(ordinal) ?? []);
      together += count > 1 ? count : 0;
      return count;
    };
    named(all, 'seed').swarm.share(blob.topic, { ...holdings, readRun });
    const held = holdingsOf(blob, 'none');
    await named(all, 'a').swarm.share(blob.topic, held.holdings).fetch({ wanted: fullBitmap(300), write: held.write, signal: soon() });
    expect(held.bad()).toEqual([]);
    expect(together).toBeGreaterThan(20);
    expect(named(all, 'seed').counts.sent).toBe(blob.bytes);
  });

  test('brings a tree to three agents, from the origin about once, each chunk once and right', async () => {
    const all = await fleet({ seed: { roles: ['seed'] }, a: {}, b: {}, c: {} });
    const blob = blobOf(1, 300, 40_000);
    named(all, 'seed').swarm.share(blob.topic, holdingsOf(blob, 'all').holdings);
    const results = await Promise.all(
      ['a', 'b', 'c'].map(async (name) => {
        const held = holdingsOf(blob, 'none');
        const progress: number[] = [];
        const transfer = await named(all, name)
          .swarm.share(blob.topic, held.holdings)
          .fetch({ wanted: fullBitmap(300), write: held.write, signal: soon(), onProgress: ({ haveBytes }) => progress.push(haveBytes) });
        return { held, transfer, progress };
      }),
    );
    for (const { held, transfer, progress } of results) {
      expect(held.bad()).toEqual([]);
      expect([...held.writes.values()].every((times) => times === 1)).toBe(true);
      expect(transfer.originBytes + transfer.peerBytes).toBe(blob.bytes);
      expect(progress.at(-1)).toBe(blob.bytes);
    }
    expect(named(all, 'seed').counts.sent / blob.bytes).toBeLessThanOrEqual(1.3);
  });

  test('of nothing that is missing ends at once', async () => {
    const blob = blobOf(2, 10, 1_000);
    const seed = await openSeed(blob);
    members.push(seed);
    const other = blobOf(3, 10, 1_000);
    const held = holdingsOf(other, 'all');
    const sharing = seed.swarm.share(other.topic, held.holdings);
    expect(await sharing.fetch({ wanted: fullBitmap(10), write: held.write, signal: soon() })).toMatchObject({ originBytes: 0, peerBytes: 0, reusedBytes: 0, wastedBytes: 0 });
    expect(await sharing.fetch({ wanted: createBitmap(10), write: held.write, signal: soon() })).toMatchObject({ originBytes: 0 });
  });

  test('ends with ABORTED when its signal fires, and can be taken up again where it was', async () => {
    const all = await fleet({ seed: { roles: ['seed'] }, a: {} });
    const blob = blobOf(4, 200, 40_000);
    named(all, 'seed').swarm.share(blob.topic, holdingsOf(blob, 'all').holdings);
    const held = holdingsOf(blob, 'none');
    const sharing = named(all, 'a').swarm.share(blob.topic, held.holdings);
    const stop = new AbortController();
    const first = sharing.fetch({ wanted: fullBitmap(200), write: held.write, signal: stop.signal, onProgress: ({ haveBytes }) => void (haveBytes > 500_000 && stop.abort()) });
    await expect(first).rejects.toMatchObject({ code: 'ABORTED' });
    const kept = held.writes.size;
    expect(kept).toBeGreaterThan(0);
    await sharing.fetch({ wanted: fullBitmap(200), write: held.write, signal: soon() });
    expect(held.bad()).toEqual([]);
    expect([...held.writes.values()].every((times) => times === 1)).toBe(true);
  });

  test('rejects with what a write rejects with, after the other writes are back', async () => {
    const all = await fleet({ seed: { roles: ['seed'] }, a: {} });
    const blob = blobOf(5, 100, 20_000);
    named(all, 'seed').swarm.share(blob.topic, holdingsOf(blob, 'all').holdings);
    const sharing = named(all, 'a').swarm.share(blob.topic, holdingsOf(blob, 'none').holdings);
    let writing = 0;
    const fetch = sharing.fetch({
      wanted: fullBitmap(100),
      async write(ordinal) {
        writing += 1;
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
        writing -= 1;
        if (ordinal === 50) throw new Error('the disk is full');
      },
      signal: soon(),
    });
    await expect(fetch).rejects.toThrow('the disk is full');
    expect(writing).toBe(0);
  });

  test('hands on what can be read while its disk has not taken it for good', async () => {
    const all = await fleet({ seed: { roles: ['seed'] }, a: {}, b: {} });
    const blob = blobOf(9, 60, 20_000);
    const origin = named(all, 'seed').swarm.share(blob.topic, holdingsOf(blob, 'all').holdings);
    const [slow, other] = [holdingsOf(blob, 'none'), holdingsOf(blob, 'none')];
    const disk = Promise.withResolvers<undefined>();
    const first = named(all, 'a').swarm.share(blob.topic, slow.holdings).fetch({
      wanted: fullBitmap(60),
      async write(ordinal, bytes, placed) {
        await slow.write(ordinal, bytes);
        placed();
        await disk.promise;
      },
      signal: soon(),
    });
    await expect.poll(() => slow.kept.size).toBe(60);
    origin.close();
    await named(all, 'b').swarm.share(blob.topic, other.holdings).fetch({ wanted: fullBitmap(60), write: other.write, signal: soon() });
    expect(other.bad()).toEqual([]);
    const ended: string[] = [];
    first.then(() => ended.push('whole'), () => ended.push('failed'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(ended).toEqual([]);
    disk.resolve(undefined);
    expect(await first).toMatchObject({ originBytes: blob.bytes });
  });

  test('rejects when the disk fails after all could be read', async () => {
    const all = await fleet({ seed: { roles: ['seed'] }, a: {} });
    const blob = blobOf(10, 20, 20_000);
    named(all, 'seed').swarm.share(blob.topic, holdingsOf(blob, 'all').holdings);
    const held = holdingsOf(blob, 'none');
    const disk = Promise.withResolvers<undefined>();
    const sharing = named(all, 'a').swarm.share(blob.topic, held.holdings);
    const fetch = sharing.fetch({
      wanted: fullBitmap(20),
      async write(ordinal, bytes, placed) {
        await held.write(ordinal, bytes);
        placed();
        await disk.promise;
        if (ordinal === 7) throw new Error('a sync failed');
      },
      signal: soon(),
    });
    const ended = fetch.then(() => 'whole', String);
    await expect.poll(() => held.kept.size).toBe(20);
    disk.resolve(undefined);
    expect(await ended).toContain('a sync failed');
    // What was not kept after all is not held.
    const again = holdingsOf(blob, 'none');
    await sharing.fetch({ wanted: fullBitmap(20), write: again.write, signal: soon() });
    expect([...again.kept.keys()]).toEqual([7]);
  });

  test('goes on when a holder finds a chunk gone or damaged on its disk', async () => {
    const all = await fleet({ seed: { roles: ['seed'] }, a: {}, b: {} });
    const blob = blobOf(6, 60, 20_000);
    named(all, 'seed').swarm.share(blob.topic, holdingsOf(blob, 'all').holdings);
    const damaged = holdingsOf(blob, 'all');
    for (const ordinal of [3, 4, 30]) damaged.kept.delete(ordinal);
    named(all, 'a').swarm.share(blob.topic, damaged.holdings);
    const held = holdingsOf(blob, 'none');
    await named(all, 'b').swarm.share(blob.topic, held.holdings).fetch({ wanted: fullBitmap(60), write: held.write, signal: soon() });
    expect(held.bad()).toEqual([]);
  });
});

describe('a holder whose disk fails for a moment', () => {
  test('is asked again a while later for what it could not read, though it is the only one', async () => {
    const hurried = { ...systemClock, wait: async (ms: number, options: { readonly signal: AbortSignal }) => await systemClock.wait(ms === rereadMs ? 50 : ms, options) };
    const all = await fleet({ seed: { roles: ['seed'], clock: hurried }, a: {} });
    const blob = blobOf(7, 40, 20_000);
    const { holdings } = holdingsOf(blob, 'all');
    const failures = new Map([[3, 2], [4, 1], [30, 1]]);
    const read = async (ordinal: number): Promise<Uint8Array | undefined> => {
      const left = failures.get(ordinal) ?? 0;
      failures.set(ordinal, left - 1);
      if (left > 0) throw new DaemonError('STORAGE_FAILED', 'no descriptor is left');
      return await holdings.read(ordinal);
    };
    named(all, 'seed').swarm.share(blob.topic, { held: holdings.held, read });
    const held = holdingsOf(blob, 'none');
    await named(all, 'a').swarm.share(blob.topic, held.holdings).fetch({ wanted: fullBitmap(40), write: held.write, signal: soon() });
    expect(held.bad()).toEqual([]);
    expect([...failures.values()].filter((left) => left > 0)).toEqual([]);
  });
});

describe('a corrupt sender', () => {
  test('is named in the log and counted, and nothing that it sent is kept', async () => {
    const all = await fleet({ seed: { roles: ['seed'] }, bad: {}, a: {} });
    const blob = blobOf(7, 120, 30_000);
    named(all, 'seed').swarm.share(blob.topic, holdingsOf(blob, 'all').holdings);
    const lying = holdingsOf(blob, 'all');
    const bad = named(all, 'bad');
    bad.swarm.share(blob.topic, {
      held: lying.holdings.held,
      read: async (ordinal) => {
        const bytes = (await lying.holdings.read(ordinal))?.slice();
        if (bytes !== undefined) bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
        return bytes;
      },
    });
    const agent = named(all, 'a');
    const held = holdingsOf(blob, 'none');
    const transfer = await agent.swarm.share(blob.topic, held.holdings).fetch({ wanted: fullBitmap(120), write: held.write, signal: soon() });
    expect(held.bad()).toEqual([]);
    expect(agent.counts.verifyFailed).toEqual([bad.member]);
    expect(agent.counts.strikes).toEqual({ 'corrupt-chunk': 1 });
    expect(agent.log.lines).toContainEqual(expect.objectContaining({ level: 'warn', fields: expect.objectContaining({ member: bad.member, neighbour: 'bad', reason: 'corrupt-chunk' }) }));
    expect(transfer).toMatchObject({ peerBytes: 0, originBytes: blob.bytes });
    expect(transfer.wastedBytes).toBeGreaterThan(0);
  });
});

describe('a revoked member', () => {
  test('is cut off in the middle of a transfer and not met again', async () => {
    const all = await fleet({ seed: { roles: ['seed'] }, a: {}, b: {} });
    const [seed, a, b] = [named(all, 'seed'), named(all, 'a'), named(all, 'b')];
    const blob = blobOf(8, 300, 60_000);
    seed.swarm.share(blob.topic, holdingsOf(blob, 'all').holdings);
    const [heldA, heldB] = [holdingsOf(blob, 'none'), holdingsOf(blob, 'none')];
    const stop = new AbortController();
    let revoked = false;
    const fetchA = a.swarm.share(blob.topic, heldA.holdings).fetch({
      wanted: fullBitmap(300),
      write: heldA.write,
      signal: stop.signal,
      onProgress({ haveBytes }) {
        if (revoked || haveBytes < blob.bytes / 4) return;
        revoked = true;
        for (const { swarm } of [seed, b]) swarm.setRoster(rosterOf(2, [seed, a, b], [a.member]));
      },
    });
    const ended = fetchA.catch((error: unknown) => error);
    await b.swarm.share(blob.topic, heldB.holdings).fetch({ wanted: fullBitmap(300), write: heldB.write, signal: soon() });
    expect(heldB.bad()).toEqual([]);
    await until(() => a.swarm.neighbours().length === 0, 'the revoked one has no neighbours');
    for (const { swarm } of [seed, b]) expect(swarm.neighbours().map(({ member }) => member)).not.toContain(a.member);
    await expect(seed.network.dial(a.member, { signal: soon() })).rejects.toMatchObject({ code: 'PEER_REFUSED' });
    await expect(a.network.dial(seed.member, { signal: soon() })).rejects.toMatchObject({ code: expect.stringMatching(/^PEER_/) });
    stop.abort();
    expect(await ended).toMatchObject({ code: 'ABORTED' });
    expect(heldA.writes.size).toBeLessThan(300);
  });
});

describe('a manifest', () => {
  const bytes = new Uint8Array(1_000).fill(3);
  const digest = createHash('sha256').update(bytes).digest('hex');
  const holds = (what: Uint8Array, environments: readonly string[]): MemberOptions => ({ manifests: async (revision) => await Promise.resolve(revision === digest ? { bytes: what, environments } : undefined) });

  test('comes from whichever neighbour has it, checked against its digest', async () => {
    const all = await fleet({ liar: holds(new Uint8Array(5), ['prod']), nobody: {}, holder: holds(bytes, ['prod']), asker: {} });
    expect(Buffer.from(await named(all, 'asker').swarm.fetchManifest(digest, { signal: soon() }))).toEqual(Buffer.from(bytes));
  });

  test('of another environment is as good as absent, except for an origin', async () => {
    const all = await fleet({ holder: holds(bytes, ['staging']), agent: {} });
    await expect(named(all, 'agent').swarm.fetchManifest(digest, { signal: AbortSignal.timeout(300) })).rejects.toMatchObject({ code: 'ABORTED' });
    const seed = await openMember('seed', { roles: ['seed'] });
    members.push(seed);
    const roster = rosterOf(2, members);
    for (const { swarm } of members) swarm.setRoster(roster);
    expect((await seed.swarm.fetchManifest(digest, { signal: soon() })).length).toBe(1_000);
  });
});

describe('a swarm', () => {
  test('connects again after a neighbour was restarted', async () => {
    const all = await fleet({ a: {}, b: {} });
    const b = named(all, 'b');
    await b.swarm.close();
    members.splice(members.indexOf(b), 1);
    await until(() => named(all, 'a').swarm.neighbours().length === 0, 'it is gone');
    const back = await openMember('b');
    members.push(back);
    for (const { swarm } of members) swarm.setRoster(rosterOf(2, members));
    await until(() => named(all, 'a').swarm.neighbours().length === 1, 'it is back');
  });

  test('says which address it cannot listen on', async () => {
    const first = await openMember('first');
    members.push(first);
    const port = /tcp\/(\d+)/.exec(first.network.addresses()[0] ?? '')?.[1];
    await expect(openMember('second', { listen: `/ip4/127.0.0.1/tcp/${port}` })).rejects.toMatchObject({ code: 'PORT_IN_USE', message: expect.stringContaining(`tcp/${port}`) });
  });
});
