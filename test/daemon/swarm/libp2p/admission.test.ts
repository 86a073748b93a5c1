// Who gets in, over real libp2p on loopback: strangers, forged and stolen certificates, greetings that are none, and what any of them get to see.

import { afterEach, describe, expect, test } from 'vitest';
import { limits } from '../../../../proto/limits.ts';
import { exchangeProtocol } from '../../../../proto/exchange.ts';
import { decodeHello, encodeHello } from '../../../../daemon/swarm/libp2p/admission.ts';
import { createGate } from '../../../../daemon/swarm/libp2p/gate.ts';
import { greetWith, hear, openRaw, say, type RawPeer } from '../raw-peer.ts';
import { blobOf, certificateOf, closeAll, holdingsOf, openMember, rosterOf, until, type Member, type MemberOptions } from '../swarm-fixture.ts';

const members: Member[] = [];
const raws: RawPeer[] = [];
afterEach(async () => {
  await Promise.all(raws.splice(0).map(async ({ node }) => await node.stop()));
  await closeAll(members.splice(0));
});

async function member(name: string, options?: MemberOptions): Promise<Member> {
  const opened = await openMember(name, options);
  members.push(opened);
  return opened;
}

async function raw(name: string): Promise<RawPeer> {
  const opened = await openRaw(name);
  raws.push(opened);
  return opened;
}

const addressOf = ({ network }: Member): string => network.addresses()[0] ?? '';
const rosteredRaw = ({ member: id }: RawPeer) => ({ rostered: { member: id, addresses: [], roles: ['agent' as const], environments: ['prod'], zone: 'a' } });

/** A seed that shares a blob, and a raw peer that its roster names or does not. */
async function scene(isRostered: boolean, options: MemberOptions = {}) {
  const seed = await member('seed', { roles: ['seed'], ...options });
  const peer = await raw('peer');
  const blob = blobOf(1, 20, 40_000);
  seed.swarm.share(blob.topic, holdingsOf(blob, 'all').holdings);
  seed.swarm.setRoster(rosterOf(1, isRostered ? [seed, rosteredRaw(peer)] : [seed]));
  return { seed, peer, blob };
}

/** Tries to get chunks without having been admitted. Bytes that came, whatever they are. */
async function grab({ seed, peer, blob }: Awaited<ReturnType<typeof scene>>): Promise<number> {
  try {
    const connection = await peer.connect(addressOf(seed));
    const stream = await connection.newStream(exchangeProtocol, { signal: AbortSignal.timeout(5_000) });
    const heard = hear(stream);
    say(stream, { kind: 'open', topic: 1, blob: 'tree', revision: blob.topic.revision, held: new Uint8Array(0) });
    say(stream, { kind: 'request', topic: 1, request: 1, ranges: [{ from: 0, to: 20 }] });
    await until(() => heard.ended !== undefined || connection.status !== 'open', 'the stream is reset');
    return heard.bytes;
  } catch {
    return 0;
  }
}

describe('a stranger', () => {
  test('that the roster does not name gets nothing, however often it comes', async () => {
    const where = await scene(false);
    for (let attempt = 0; attempt < 30; attempt += 1) expect(await grab(where)).toBe(0);
    expect(where.seed.counts.sent).toBe(0);
    expect(where.seed.swarm.neighbours()).toEqual([]);
  }, 30_000);

  test('with a key that the roster names and no certificate has its streams reset, its connection closed and a strike', async () => {
    const where = await scene(true);
    expect(await grab(where)).toBe(0);
    await until(() => where.peer.node.getConnections().length === 0, 'the connection is closed');
    expect(where.seed.counts.strikes['not-admitted']).toBe(1);
    expect(where.seed.counts.sent).toBe(0);
    expect(where.seed.log.lines.some(({ fields }) => fields['member'] === where.peer.member)).toBe(true);
  });

  test('that connects and says nothing is closed after the deadline', async () => {
    let expire: (() => void) | undefined;
    const clock = {
      now: () => Date.now(),
      monotonic: () => performance.now(),
      wait: async (ms: number, { signal }: { readonly signal: AbortSignal }): Promise<void> =>
        await new Promise((resolve, reject) => {
          if (ms === limits.helloTimeoutMs) expire = resolve;
          signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
        }),
    };
    const { seed, peer } = await scene(true, { clock });
    const connection = await peer.connect(addressOf(seed));
    await until(() => expire !== undefined, 'the deadline is set');
    expect(connection.status).toBe('open');
    expire?.();
    await until(() => connection.status !== 'open', 'the connection is closed');
    expect(seed.counts.strikes['not-admitted']).toBe(1);
  });
});

describe('a certificate', () => {
  const now = Math.floor(Date.now() / 1000);
  const strict = async (compact: string, peerId: string) => {
    const certificate = JSON.parse(compact);
    const seconds = Math.floor(Date.now() / 1000);
    if (certificate.member !== peerId) throw new Error('another key');
    if (certificate.org !== 'acme') throw new Error('another organisation');
    if (certificate.notAfter < seconds) throw new Error('expired');
    if (certificate.notBefore > seconds) throw new Error('not yet valid');
    return await Promise.resolve(certificate);
  };

  test.each([
    ['of another member (stolen)', { member: '12D3KooWSomebodyElse' }],
    ['that has expired', { notAfter: now - 1 }],
    ['that is not valid yet', { notBefore: now + 3_600 }],
    ['of another organisation', { org: 'evil' }],
  ])('%s does not open anything', async (_what, change) => {
    const where = await scene(true, { verifyCertificate: strict });
    const connection = await where.peer.connect(addressOf(where.seed));
    const hello = encodeHello({ certificate: JSON.stringify({ ...certificateOf(where.peer.member, 'peer'), ...change }), epoch: 1 });
    expect(await greetWith(connection, hello)).toMatchObject({ bytes: 0 });
    expect(await grab(where)).toBe(0);
    expect(where.seed.swarm.neighbours()).toEqual([]);
    expect(where.seed.counts.strikes['not-admitted']).toBeGreaterThanOrEqual(1);
  });

  test('is not even looked at when the roster does not name the key', async () => {
    let verified = 0;
    const where = await scene(false, {
      verifyCertificate: async (compact, peerId) => {
        verified += 1;
        return await strict(compact, peerId);
      },
    });
    const hello = encodeHello({ certificate: JSON.stringify(certificateOf(where.peer.member, 'peer')), epoch: 1 });
    const reply = await where.peer
      .connect(addressOf(where.seed))
      .then(async (connection) => await greetWith(connection, hello))
      .catch(() => ({ bytes: 0 }));
    expect([reply.bytes, verified]).toEqual([0, 0]);
  });

  test('does not help a member that is revoked while it is verified', async () => {
    const verifying = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    const where = await scene(true, {
      verifyCertificate: async (compact, peerId) => {
        verifying.resolve();
        await go.promise;
        return await strict(compact, peerId);
      },
    });
    const connection = await where.peer.connect(addressOf(where.seed));
    const greeting = greetWith(connection, encodeHello({ certificate: JSON.stringify(certificateOf(where.peer.member, 'peer')), epoch: 1 }));
    await verifying.promise;
    where.seed.network.setRoster(rosterOf(2, [where.seed, rosteredRaw(where.peer)], [where.peer.member]));
    go.resolve();
    expect(await greeting).toMatchObject({ bytes: 0 });
    expect(where.seed.swarm.neighbours()).toEqual([]);
  });

  test('that a verifier lets pass for another key is still refused', async () => {
    const where = await scene(true, { verifyCertificate: async () => await Promise.resolve(certificateOf('somebody-else', 'else')) });
    const connection = await where.peer.connect(addressOf(where.seed));
    expect(await greetWith(connection, encodeHello({ certificate: 'x', epoch: 1 }))).toMatchObject({ bytes: 0 });
    expect(where.seed.counts.strikes['not-admitted']).toBe(1);
  });

  test('that is right is answered with our own', async () => {
    const where = await scene(true, { verifyCertificate: strict });
    const connection = await where.peer.connect(addressOf(where.seed));
    const hello = encodeHello({ certificate: JSON.stringify(certificateOf(where.peer.member, 'peer')), epoch: 1 });
    expect((await greetWith(connection, hello)).bytes).toBeGreaterThan(100);
  });

  test('of the one that was dialled is judged by the dialler too', async () => {
    const honest = await member('honest', { verifyCertificate: strict });
    const forger = await member('forger', { certificate: () => JSON.stringify({ ...certificateOf('somebody', 'else'), org: 'evil' }) });
    const roster = rosterOf(1, [honest, forger]);
    honest.network.setRoster(roster);
    forger.network.setRoster(roster);
    await expect(honest.network.dial(forger.member, { signal: AbortSignal.timeout(5_000) })).rejects.toMatchObject({ code: 'PEER_REFUSED' });
    expect([honest.swarm.neighbours(), forger.swarm.neighbours()]).toEqual([[], []]);
  });
});

describe('a greeting', () => {
  const framed = (text: string): Buffer => {
    const bytes = Buffer.alloc(2 + Buffer.byteLength(text));
    bytes.writeUInt16BE(Buffer.byteLength(text));
    bytes.write(text, 2);
    return bytes;
  };
  test.each([
    ['that is not JSON', framed('{')],
    ['without a certificate', framed('{"epoch":1}')],
    ['that is a list', framed('[]')],
    ['with more after it', Buffer.concat([framed('{"certificate":"{}","epoch":1}'), Buffer.from('x')])],
    ['that announces too much', Buffer.from([0xff, 0xff, 1])],
    ['that is too long', Buffer.alloc(64 * 1024, 1)],
  ])('%s ends the connection', async (_what, bytes) => {
    const { seed, peer } = await scene(true);
    const connection = await peer.connect(addressOf(seed));
    expect(await greetWith(connection, bytes)).toMatchObject({ bytes: 0 });
    await until(() => connection.status !== 'open', 'the connection is closed');
    expect(seed.counts.strikes['not-admitted']).toBe(1);
  });

  test('that is repeated ends the connection', async () => {
    const { seed, peer } = await scene(true);
    const connection = await peer.connect(addressOf(seed));
    const hello = encodeHello({ certificate: JSON.stringify(certificateOf(peer.member, 'peer')), epoch: 1 });
    expect((await greetWith(connection, hello)).bytes).toBeGreaterThan(100);
    const again = await greetWith(connection, hello).catch(() => ({ bytes: 0 }));
    expect(again.bytes).toBe(0);
    await until(() => connection.status !== 'open', 'the connection is closed');
  });

  test('by the hundred from one member costs it the connection', async () => {
    const { seed, peer } = await scene(true);
    const connection = await peer.connect(addressOf(seed));
    const hello = encodeHello({ certificate: JSON.stringify(certificateOf(peer.member, 'peer')), epoch: 1 });
    await Promise.allSettled(Array.from({ length: 100 }, async () => await greetWith(connection, hello)));
    await until(() => connection.status !== 'open', 'the connection is closed');
    expect(seed.swarm.neighbours()).toEqual([]);
  });

  test('survives encoding, and is refused when it would be too long', () => {
    const hello = { certificate: 'abc.def.ghi', epoch: 7 };
    expect(decodeHello(Buffer.from(encodeHello(hello)).subarray(2).toString())).toEqual(hello);
    expect(() => encodeHello({ certificate: 'x'.repeat(limits.helloBytesMax), epoch: 1 })).toThrow(/fewer labels/);
  });
});

describe('addresses', () => {
  const id = '12D3KooWQYV9dGMFoRzNStwpXztXaBUjtPqi6aU76ZgUriHhKust';
  const other = '12D3KooWLH9KQWvCvpp8JCFMDErVbNpgvJKbaUcZEDyXtPfKhYRB';
  const dialled = (address: string): readonly string[] => {
    const gate = createGate();
    gate.setRoster({ epoch: 1, members: [{ member: id, addresses: [address], roles: ['agent'], environments: [], zone: 'a' }], revoked: [] });
    return gate.addressesOf(id).map((each) => each.toString());
  };

  test.each([
    ['/ip4/127.0.0.1/tcp/7401', `/ip4/127.0.0.1/tcp/7401/p2p/${id}`],
    ['/ip4/10.0.0.7/tcp/7401', `/ip4/10.0.0.7/tcp/7401/p2p/${id}`],
    [`/ip6/fd00::7/tcp/7401/p2p/${id}`, `/ip6/fd00::7/tcp/7401/p2p/${id}`],
    ['/dns4/seed.example.org/tcp/7401', `/dns4/seed.example.org/tcp/7401/p2p/${id}`],
  ])('%s is dialled', (address, expected) => {
    expect(dialled(address)).toEqual([expected]);
  });

  test.each([
    '/ip4/169.254.169.254/tcp/80', '/ip4/0.0.0.0/tcp/7401', '/ip4/224.0.0.1/tcp/7401', '/ip4/255.255.255.255/tcp/7401', '/ip6/::/tcp/7401', '/ip6/fe80::1/tcp/7401', '/ip6/ff02::1/tcp/7401',
    '/ip4/10.0.0.7/udp/7401', '/ip4/10.0.0.7/tcp/7401/ws', `/ip4/10.0.0.7/tcp/7401/p2p/${other}`, `/ip4/10.0.0.7/tcp/7401/p2p/${other}/p2p-circuit`, 'http://10.0.0.7', '',
  ])('%s is not', (address) => {
    expect(dialled(address)).toEqual([]);
  });

  test('that the roster does not give are denied, whoever asks', async () => {
    const gate = createGate();
    gate.setRoster({ epoch: 1, members: [{ member: id, addresses: ['/ip4/10.0.0.7/tcp/7401'], roles: ['agent'], environments: [], zone: 'a' }], revoked: [] });
    const { multiaddr } = await import('@multiformats/multiaddr');
    const isDenied = (address: string) => gate.gater.denyDialMultiaddr?.(multiaddr(address));
    expect(isDenied(`/ip4/10.0.0.7/tcp/7401/p2p/${id}`)).toBe(false);
    expect(isDenied('/ip4/10.0.0.7/tcp/7401')).toBe(false);
    expect(isDenied('/ip4/10.0.0.7/tcp/7402')).toBe(true);
    expect(isDenied(`/ip4/10.0.0.7/tcp/7402/p2p/${id}`)).toBe(true);
    expect(isDenied(`/ip4/10.0.0.7/tcp/7401/p2p/${other}`)).toBe(true);
  });
});
