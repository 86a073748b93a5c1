// Bulk channels between members of a swarm, over real sockets: when there is one, when there cannot be one, and when it dies on the way.

import { afterEach, describe, expect, test } from 'vitest';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import { encodeMessage } from '../../../../proto/exchange-codec.ts';
import type { ExchangeMessage } from '../../../../proto/exchange.ts';
import { systemClock } from '../../../../daemon/clock.ts';
import type { BulkChannel } from '../../../../daemon/swarm/bulk/channel.ts';
import type { Packing } from '../../../../daemon/swarm/exchange/packing.ts';
import { createBulkLink } from '../../../../daemon/swarm/bulk/link.ts';
import { openBulkPort, type BulkPort, type Invitation } from '../../../../daemon/swarm/bulk/port.ts';
import { enter, hear, openRaw, say, type RawPeer } from '../raw-peer.ts';
import { blobOf, bulkOnLoopback, certificateOf, closeAll, counts, holdingsOf, identityOf, keptLog, openMember, rosterOf, until, type Blob, type Member, type MemberOptions } from '../swarm-fixture.ts';

const members: Member[] = [];
const raws: RawPeer[] = [];
const ports: BulkPort[] = [];
afterEach(async () => {
  await Promise.all(raws.splice(0).map(async ({ node }) => await node.stop()));
  await closeAll(members.splice(0));
  await Promise.all(ports.splice(0).map(async (port) => await port[Symbol.asyncDispose]()));
});

/** Answers travel as they are: on a busy machine a line looks slow, and what goes over it is made smaller. */
const asIs: Packing = { pack: () => undefined, sent: () => undefined };

async function pair(a: MemberOptions, b: MemberOptions): Promise<readonly [Member, Member]> {
  const both = [await openMember('a', { packing: asIs, ...a }), await openMember('b', { packing: asIs, ...b })] as const;
  members.push(...both);
  for (const { swarm } of both) swarm.setRoster(rosterOf(1, both));
  await until(() => both.every(({ swarm }) => swarm.neighbours().length === 1), 'they have met');
  return both;
}

async function brought(from: Member, to: Member, blob: Blob) {
  from.swarm.share(blob.topic, holdingsOf(blob, 'all').holdings);
  const held = holdingsOf(blob, 'none');
  await to.swarm.share(blob.topic, held.holdings).fetch({ wanted: holdingsOf(blob, 'all').holdings.held, write: held.write, signal: AbortSignal.timeout(25_000) });
  return held;
}

describe('two members', () => {
  test('move chunks over a bulk channel and nothing of them over the stream, whoever dialled', async () => {
    const [a, b] = await pair({}, {});
    await until(() => a.counts.channels === 1 && b.counts.channels === 1, 'the channel is open');
    for (const [from, to, seed] of [[a, b, 1], [b, a, 2]] as const) {
      const blob = blobOf(seed, 100, 200_000);
      expect((await brought(from, to, blob)).bad()).toEqual([]);
      expect([from.counts.carriedBytes['bulk sent'], to.counts.carriedBytes['bulk received']]).toEqual([blob.bytes, blob.bytes]);
    }
    expect(a.counts.carriedBytes).not.toHaveProperty('stream sent');
    expect(b.counts.carriedBytes).not.toHaveProperty('stream sent');
    expect([a.counts.wasted, b.counts.wasted]).toEqual([{}, {}]);
  });

  test.each([
    ['neither wants one', { bulk: 'off' }, { bulk: 'off' }],
    ['one of them does not', { bulk: 'on' }, { bulk: 'off' }],
    ['the other does not', { bulk: 'off' }, { bulk: 'on' }],
  ] as const)('move chunks over the stream when %s', async (_what, ofA, ofB) => {
    const [a, b] = await pair(ofA, ofB);
    const blob = blobOf(3, 60, 100_000);
    expect((await brought(a, b, blob)).bad()).toEqual([]);
    expect(a.counts.carriedBytes).toEqual({ 'stream sent': blob.bytes });
    expect([a.counts.channels, b.counts.channels]).toEqual([0, 0]);
    expect([a.counts.strikes, b.counts.strikes]).toEqual([{}, {}]);
  });

  test('have none any more when they part', async () => {
    const [a, b] = await pair({}, {});
    await until(() => a.counts.channels === 1 && b.counts.channels === 1, 'the channel is open');
    a.swarm.setRoster(rosterOf(2, [a, b], [b.member]));
    expect(a.counts.channels).toBe(0);
    await until(() => b.counts.channels === 0, 'the other side sees it');
  });
});

/** A raw peer with a bulk port of its own, admitted by a member. */
async function rawPair() {
  const agent = await openMember('agent');
  members.push(agent);
  const peer = await openRaw('peer');
  raws.push(peer);
  agent.swarm.setRoster(rosterOf(1, [agent, { rostered: { member: peer.member, addresses: [], roles: ['agent'], environments: ['prod'], zone: 'a' } }]));
  const connection = await peer.connect(agent.network.addresses()[0] ?? '');
  const stream = await enter(connection, JSON.stringify(certificateOf(peer.member, 'peer')));
  const heard = hear(stream);
  const identity = await generateKeyPairFromSeed('Ed25519', (await identityOf('peer')).seed);
  const port = await openBulkPort({ identity, host: '127.0.0.1', origin: false, clock: systemClock, log: keptLog(), ...bulkOnLoopback });
  ports.push(port);
  await until(() => heard.invitations.length === 1, 'it is invited');
  const [invitation] = heard.invitations;
  if (invitation === undefined) throw new Error('it is there');
  const open = async (): Promise<BulkChannel> => await port.open(agent.member, { host: '127.0.0.1', ...invitation }, { signal: AbortSignal.timeout(5_000) });
  return { agent, stream, connection, heard, open, port };
}

const quiet = { onMessage: () => undefined, onSent: () => undefined, onQuiet: () => false, onEnd: () => undefined };

describe('a channel that dies', () => {
  test('costs only what was on its way: the rest is asked again at once, over the stream', async () => {
    const { agent, stream, heard, open } = await rawPair();
    // Of several chunks a request, so that one answer leaves something of it.
    const blob = blobOf(5, 60, 20_000);
    const held = holdingsOf(blob, 'none');
    const channel = await open();
    const words: ExchangeMessage[] = [];
    channel.start({ ...quiet, onMessage: (message) => void words.push(message) });
    await until(() => agent.counts.channels === 1, 'the channel is open');
    const data = (request: number, ordinal: number): ExchangeMessage => ({ kind: 'data', topic: 1, request, ordinal, compression: 'none', bytes: blob.chunks[ordinal] ?? new Uint8Array(0) });
    say(stream, { kind: 'open', topic: 1, blob: 'tree', revision: blob.topic.revision, held: holdingsOf(blob, 'all').holdings.held.toBytes() });
    const fetching = agent.swarm.share(blob.topic, held.holdings).fetch({ wanted: holdingsOf(blob, 'all').holdings.held, write: held.write, signal: AbortSignal.timeout(25_000) });
    // What the channel carried is said again over the stream when it has ended.
    const requests = () => [...new Map([...words, ...heard.messages].flatMap((message) => (message.kind === 'request' ? [[message.request, message] as const] : []))).values()];
    const ofSeveral = () => requests().find(({ ranges }) => ranges.some(({ from, to }) => to - from > 1));
    await until(() => ofSeveral() !== undefined, 'it asks');
    const first = ofSeveral();
    if (first === undefined) throw new Error('it asked');
    // One chunk of the first request, then the end.
    channel.send(encodeMessage(data(first.request, first.ranges[0]?.from ?? 0)));
    await until(() => agent.counts.received.peer > 0, 'one has come');
    channel.close();
    const takenBack = (asked: number) => heard.messages.some((message) => message.kind === 'cancel' && message.request === asked);
    const live = () => requests().filter(({ request }) => !takenBack(request));
    // Not after a deadline, which is a second away at least: the test would not see it in so few turns.
    await until(() => takenBack(first.request) && live().length > 0, 'it takes back what was on its way, and asks again', 600);
    const answered = new Set<number>();
    const answer = setInterval(() => {
      for (const { request, ranges } of live()) {
        if (answered.has(request)) continue;
        answered.add(request);
        for (const { from, to } of ranges) for (let ordinal = from; ordinal < to; ordinal += 1) say(stream, data(request, ordinal));
      }
    }, 2);
    try {
      await fetching;
    } finally {
      clearInterval(answer);
    }
    expect(held.bad()).toEqual([]);
    expect(Object.keys(agent.counts.wasted).filter((reason) => reason !== 'duplicate')).toEqual([]);
  });

  test('for what breaks the protocol takes the neighbour with it', async () => {
    const { agent, connection, open } = await rawPair();
    const channel = await open();
    channel.start(quiet);
    await until(() => agent.counts.channels === 1, 'the channel is open');
    channel.send(encodeMessage({ kind: 'cancel', request: 1 }));
    await until(() => agent.swarm.neighbours().length === 0 && connection.status !== 'open', 'it is cut');
    expect(agent.counts.strikes).toEqual({ protocol: 1 });
    expect(agent.counts.channels).toBe(0);
  });
});

/** Two links whose words reach each other, with ports that work or do not, and a clock that tells how long was waited. */
function linked({ aListens = true, bListens = true, aReachable = true, bReachable = true }) {
  const waits: number[] = [];
  const log: string[] = [];
  const clock = {
    now: () => 0,
    monotonic: () => 0,
    wait: async (ms: number) => {
      waits.push(ms);
      if (waits.length > 6) await new Promise(() => undefined);
      await Promise.resolve();
    },
  };
  const accepting = new Map<number, (channel: BulkChannel) => void>();
  const fakeChannel = (isOpener: boolean): BulkChannel => ({ opened: isOpener, backlogBytes: 0, start: () => undefined, send: () => undefined, say: () => undefined, close: () => undefined });
  const portOf = (name: string, listens: boolean, reachable: number): BulkPort => ({
    listens,
    invite(_member, onOpen) {
      if (!listens) return undefined;
      log.push(`${name} invites`);
      const port = accepting.size + 1 + (name === 'a' ? 0 : 1_000);
      accepting.set(port, onOpen);
      return { port, token: new Uint8Array(16), [Symbol.dispose]: () => undefined } satisfies Invitation;
    },
    async open(_member, { port }) {
      await Promise.resolve();
      const onOpen = accepting.get(port);
      if (onOpen === undefined || reachable === 0) throw new Error('out of reach');
      onOpen(fakeChannel(false));
      return fakeChannel(true);
    },
    [Symbol.asyncDispose]: async () => await Promise.resolve(),
  });
  const [ofA, ofB] = [counts(), counts()];
  const ends = { clock, log: keptLog(), onMessage: () => undefined, onSent: () => undefined, onOpened: () => undefined, onQuiet: () => false, onEnded: () => undefined, onMisbehaviour: () => undefined, host: 'host' };
  const a = createBulkLink({ ...ends, metrics: ofA, member: 'b', dialled: true, port: portOf('a', aListens, bReachable ? 1 : 0), say: (message) => queueMicrotask(() => b.hear(message)) });
  const b = createBulkLink({ ...ends, metrics: ofB, member: 'a', dialled: false, port: portOf('b', bListens, aReachable ? 1 : 0), say: (message) => queueMicrotask(() => a.hear(message)) });
  return { log, waits, open: () => [ofA.channels, ofB.channels] };
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 200; turn += 1) await Promise.resolve();
}

describe('who invites whom', () => {
  test('the one who was dialled begins', async () => {
    const { log, open } = linked({});
    await turns();
    expect(log).toEqual(['b invites']);
    expect(open()).toEqual([1, 1]);
  });

  test('a member behind a firewall invites nobody in vain for long: the other invites it', async () => {
    const { log, open, waits } = linked({ bReachable: false });
    await turns();
    expect(log).toEqual(['b invites', 'a invites']);
    expect(open()).toEqual([1, 1]);
    expect(waits).toEqual([]);
  });

  test('a member that cannot listen leaves it to the other', async () => {
    const { log, open } = linked({ bListens: false });
    await turns();
    expect(log).toEqual(['a invites']);
    expect(open()).toEqual([1, 1]);
  });

  test('with a firewall before both the attempts become rare', async () => {
    const { waits, open } = linked({ aReachable: false, bReachable: false });
    await turns();
    expect(open()).toEqual([0, 0]);
    expect(waits).toEqual([30_000, 30_000, 60_000, 60_000, 120_000, 120_000, 240_000]);
  });

  test('nobody tries when neither can listen', async () => {
    const { log, waits, open } = linked({ aListens: false, bListens: false });
    await turns();
    expect([log, waits, open()]).toEqual([[], [], [0, 0]]);
  });
});
