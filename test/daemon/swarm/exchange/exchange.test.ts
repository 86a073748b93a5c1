// The swarm over real libp2p on loopback: fetching, corrupt senders, revocation on the way, readers that do not read, floods, and what may be seen by whom.

import { afterEach, describe, expect, test } from 'vitest';
import { createHash } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import { createBitmap, fullBitmap } from '../../../../proto/bitmap.ts';
import { swarmBounds } from '../../../../daemon/core/schedule/state/swarm-bounds.ts';
import { systemClock } from '../../../../daemon/clock.ts';
import { DaemonError } from '../../../../daemon/errors.ts';
import type { Packing } from '../../../../daemon/swarm/exchange/packing.ts';
import type { Holdings } from '../../../../daemon/swarm/swarm.ts';
import { rereadMs } from '../../../../daemon/swarm/exchange/unread.ts';
import { enter, hear, openRaw, say, type RawPeer } from '../raw-peer.ts';
import { blobOf, certificateOf, closeAll, holdingsOf, openMember, rosterOf, until, type Blob, type Member, type MemberOptions } from '../swarm-fixture.ts';

const members: Member[] = [];
const raws: RawPeer[] = [];
afterEach(async () => {
  await Promise.all(raws.splice(0).map(async ({ node }) => await node.stop()));
  await closeAll(members.splice(0));
});

async function fleet(names: Readonly<Record<string, MemberOptions>>): Promise<Record<string, Member>> {
  const opened = await Promise.all(Object.entries(names).map(async ([name, options]) => [name, await openMember(name, options)] as const));
  members.push(...opened.map(([, member]) => member));
  const roster = rosterOf(1, members);
  for (const [, { swarm }] of opened) swarm.setRoster(roster);
  await until(() => opened.every(([, { swarm }]) => swarm.neighbours().length === opened.length - 1), 'everybody has met');
  return Object.fromEntries(opened);
}

/** A raw peer that the seed has admitted, with its exchange open. */
async function intruder(seed: Member, environments: readonly string[] = ['prod']) {
  const peer = await openRaw('peer');
  raws.push(peer);
  seed.swarm.setRoster({ ...rosterOf(2, [seed, { rostered: { member: peer.member, addresses: [], roles: ['agent'], environments: [...environments], zone: 'a' } }]) });
  const connection = await peer.connect(seed.network.addresses()[0] ?? '');
  const stream = await enter(connection, JSON.stringify(certificateOf(peer.member, 'peer', ['agent'], environments)));
  await until(() => seed.swarm.neighbours().length === 1, 'the peer is admitted');
  return { peer, connection, stream };
}

async function seedOf(blob: Blob, options: MemberOptions = {}): Promise<Member> {
  const seed = await openMember('seed', { roles: ['seed'], ...options });
  members.push(seed);
  seed.swarm.share(blob.topic, holdingsOf(blob, 'all').holdings);
  return seed;
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
    const seed = await seedOf(blob);
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
    expect(agent.log.lines).toContainEqual(expect.objectContaining({ level: 'warn', fields: expect.objectContaining({ member: bad.member, name: 'bad', reason: 'corrupt-chunk' }) }));
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

describe('an admitted member that keeps no rules', () => {
  test('that does not read what it asked for costs less than 8 MiB and is cut', async () => {
    const blob = blobOf(9, 400, 250_000);
    let cut: (() => void) | undefined;
    // The next look at who does not read, and the ten seconds of grace before it, at the test's word.
    let graceMs = 0;
    const clock = {
      ...systemClock,
      monotonic: () => systemClock.monotonic() + graceMs,
      wait: async (ms: number, options: { readonly signal: AbortSignal }): Promise<void> =>
        ms === 1_000
          ? await new Promise((resolve) => {
              cut = () => {
                graceMs = 10_000;
                resolve();
              };
            })
          : await systemClock.wait(ms, options),
    };
    const seed = await seedOf(blob, { clock });
    const { stream, connection } = await intruder(seed);
    stream.pause();
    say(stream, { kind: 'open', topic: 1, blob: 'tree', revision: blob.topic.revision, held: new Uint8Array(0) });
    for (let request = 1; request <= 20; request += 1) say(stream, { kind: 'request', topic: 1, request, ranges: [{ from: request * 15, to: request * 15 + 15 }] });
    await until(() => cut !== undefined, 'the seed waits for the reader');
    expect(seed.counts.sent).toBeLessThan(8 * 1024 * 1024);
    cut?.();
    await until(() => seed.swarm.neighbours().length === 0 && connection.status !== 'open', 'it is cut');
    expect(seed.counts.strikes['stalled']).toBeGreaterThanOrEqual(1);
  });

  test.each([
    ['an oversized frame', Buffer.from([5, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff])],
    ['a frame of no type', Buffer.alloc(16, 0xee)],
    ['noise', createHash('sha512').update('noise').digest()],
  ])('is cut for %s', async (_what, bytes) => {
    const blob = blobOf(10, 10, 1_000);
    const seed = await seedOf(blob);
    const { stream, connection } = await intruder(seed);
    stream.send(bytes);
    await until(() => seed.swarm.neighbours().length === 0 && connection.status !== 'open', 'it is cut');
    expect(seed.counts.strikes).toEqual({ protocol: 1 });
  });

  test.each([
    ['data that nobody asked for', { kind: 'data', topic: 1, request: 9, ordinal: 1, compression: 'none', bytes: new Uint8Array(100) }],
    ['a request of more than a piece', { kind: 'request', topic: 1, request: 1, ranges: [{ from: 0, to: 4_000_000 }] }],
    ['a bitmap of another length', { kind: 'open', topic: 1, blob: 'tree', revision: blobOf(10, 10, 1_000).topic.revision, held: new Uint8Array(99) }],
  ] as const)('is cut for %s', async (_what, message) => {
    const blob = blobOf(10, 10, 1_000);
    const seed = await seedOf(blob);
    const { stream, connection } = await intruder(seed);
    say(stream, message);
    await until(() => seed.swarm.neighbours().length === 0 && connection.status !== 'open', 'it is cut');
    expect(seed.counts.strikes).toEqual({ protocol: 1 });
  });

  test('gets the same answer for what is absent and for what is not for it', async () => {
    const blob = blobOf(11, 10, 1_000, ['staging']);
    const seed = await seedOf(blob);
    const { stream } = await intruder(seed, ['prod']);
    const heard = hear(stream);
    say(stream, { kind: 'open', topic: 1, blob: 'tree', revision: blob.topic.revision, held: new Uint8Array(0) });
    say(stream, { kind: 'request', topic: 1, request: 1, ranges: [{ from: 0, to: 10 }] });
    say(stream, { kind: 'request', topic: 77, request: 2, ranges: [{ from: 0, to: 10 }] });
    await until(() => heard.messages.length === 2, 'both are answered');
    expect(heard.messages).toEqual([
      { kind: 'absent', request: 1, ranges: [{ from: 0, to: 10 }] },
      { kind: 'absent', request: 2, ranges: [{ from: 0, to: 10 }] },
    ]);
    expect(seed.counts.sent).toBe(0);
  });

  test('is told to come again when it asks for more than the line holds', async () => {
    const blob = blobOf(12, 10, 1_000);
    const held = holdingsOf(blob, 'all');
    const seed = await openMember('seed', { roles: ['seed'] });
    members.push(seed);
    // Nothing is ever read, so the line only grows.
    seed.swarm.share(blob.topic, {
      held: held.holdings.held,
      read: async (_ordinal, { signal }) =>
        await new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
        }),
    });
    const { stream } = await intruder(seed);
    const heard = hear(stream);
    for (let request = 1; request <= 70; request += 1) say(stream, { kind: 'request', topic: 1, request, ranges: [{ from: 0, to: 1 }] });
    await until(() => heard.messages.filter(({ kind }) => kind === 'busy').length === 6, 'the last six are refused');
    expect(swarmBounds.queueOriginMax).toBeGreaterThan(64);
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
