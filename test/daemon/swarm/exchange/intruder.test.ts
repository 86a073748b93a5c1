// An admitted member that keeps no rules, over real libp2p on loopback: readers that do not read, floods, and what may be seen by whom.

import { afterEach, describe, expect, test } from 'vitest';
import { createHash } from 'node:crypto';
import { swarmBounds } from '../../../../daemon/core/schedule/state/swarm-bounds.ts';
import { systemClock } from '../../../../daemon/clock.ts';
import { enter, hear, openRaw, say, type RawPeer } from '../raw-peer.ts';
import { blobOf, certificateOf, closeAll, holdingsOf, openMember, openSeed, rosterOf, until, type Blob, type Member, type MemberOptions } from '../swarm-fixture.ts';

const members: Member[] = [];
const raws: RawPeer[] = [];
afterEach(async () => {
  await Promise.all(raws.splice(0).map(async ({ node }) => await node.stop()));
  await closeAll(members.splice(0));
});

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
  const seed = await openSeed(blob, options);
  members.push(seed);
  return seed;
}

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
