// Who gets a bulk channel and who does not: strangers, thieves of tokens, those who say nothing, and how much of them is borne.

import { randomBytes } from 'node:crypto';
import { connect as connectPlain, type Socket } from 'node:net';
import { connect, createSecureContext } from 'node:tls';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import { afterEach, describe, expect, test } from 'vitest';
import { encodeMessage } from '../../../../proto/exchange-codec.ts';
import type { ExchangeMessage } from '../../../../proto/exchange.ts';
import { systemClock, type Clock } from '../../../../daemon/clock.ts';
import { makeBulkCertificate } from '../../../../daemon/swarm/bulk/certificate.ts';
import type { BulkChannel } from '../../../../daemon/swarm/bulk/channel.ts';
import { openBulkPort, type BulkPort } from '../../../../daemon/swarm/bulk/port.ts';
import { identityOf, keptLog, until } from '../swarm-fixture.ts';

const signal = new AbortController().signal;
const closing: AsyncDisposable[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(closing.splice(0).map(async (port) => await port[Symbol.asyncDispose]()));
});

/** Time that passes when the test says so: waits end by hand, the oldest first. */
function heldClock() {
  const waits: { readonly ms: number; readonly resolve: () => void }[] = [];
  const clock: Clock = {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    wait: async (ms, options) =>
      await new Promise((resolve, reject) => {
        waits.push({ ms, resolve });
        options.signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
      }),
  };
  return { clock, pass: (ms: number) => waits.filter((wait) => wait.ms <= ms).forEach(({ resolve }) => resolve()) };
}

async function opened(name: string, options: { readonly clock?: Clock; readonly port?: number; readonly origin?: boolean } = {}) {
  const { seed, member } = await identityOf(name);
  const identity = await generateKeyPairFromSeed('Ed25519', seed);
  const log = keptLog();
  const { clock = systemClock, port = 0, origin = false } = options;
  const bulk = await openBulkPort({ identity, host: '127.0.0.1', port, origin, randomBytes: (length) => randomBytes(length), clock, log });
  closing.push(bulk);
  return { member, identity, bulk, log };
}

/** What comes over a channel, and its end. */
function listen(channel: BulkChannel) {
  const heard = { messages: [] as ExchangeMessage[], ended: undefined as string | undefined };
  channel.start({ onMessage: (message) => heard.messages.push(message), onSent: () => undefined, onQuiet: () => false, onEnd: (reason) => (heard.ended = reason) });
  return heard;
}

function invited(bulk: BulkPort, member: string) {
  const channels: BulkChannel[] = [];
  const invitation = bulk.invite(member, (channel) => channels.push(channel));
  if (invitation === undefined) throw new Error('it listens');
  return { channels, invitation, to: { host: '127.0.0.1', port: invitation.port, token: invitation.token } };
}

/** A bare socket to the port; resolves when the port has closed it. */
function stranger(port: number): { readonly socket: Socket; readonly closed: Promise<void>; bytes: number } {
  const socket = connectPlain(port, '127.0.0.1');
  sockets.push(socket);
  const made = { socket, bytes: 0, closed: new Promise<void>((resolve) => socket.on('close', () => resolve())) };
  socket.on('error', () => undefined);
  socket.on('data', ({ length }) => (made.bytes += length));
  return made;
}

const data = (ordinal: number, bytes: Uint8Array): ExchangeMessage => ({ kind: 'data', topic: 1, request: 2, ordinal, compression: 'none', bytes });

describe('a bulk channel', () => {
  test('carries answers both ways, whole and in order, over TLS 1.3 with AES-128-GCM', async () => {
    const [a, b] = [await opened('a'), await opened('b')];
    const { channels, to } = invited(b.bulk, a.member);
    const own = await a.bulk.open(b.member, to, { signal });
    const fromB = listen(own);
    await until(() => channels.length === 1, 'it is accepted');
    const [theirs] = channels;
    if (theirs === undefined) throw new Error('it is there');
    const fromA = listen(theirs);
    const chunks = Array.from({ length: 40 }, (_, at) => randomBytes(1 + at * 6_000));
    for (const [at, bytes] of chunks.entries()) {
      own.send(encodeMessage(data(at, bytes)));
      theirs.send(encodeMessage({ kind: 'absent', request: at, ranges: [{ from: 0, to: 1 }] }));
    }
    await until(() => fromA.messages.length === 40 && fromB.messages.length === 40, 'everything has come');
    expect(fromA.messages.every((message, at) => message.kind === 'data' && message.ordinal === at && Buffer.compare(message.bytes, chunks[at] ?? Buffer.alloc(0)) === 0)).toBe(true);
    expect(fromB.messages.map((message) => (message.kind === 'absent' ? message.request : -1))).toEqual(chunks.map((_, at) => at));
    await until(() => own.backlogBytes === 0, 'and the books say so');
    own.close();
    await until(() => fromA.ended !== undefined, 'the other side sees the end');
    expect([fromA.ended, fromB.ended]).toEqual(['closed', 'closed']);
  });

  test('what follows the preface at once is not lost', async () => {
    const [a, b] = [await opened('a'), await opened('b')];
    const invitation = b.bulk.invite(a.member, (channel) => {
      listen(channel);
      for (let at = 0; at < 10; at += 1) channel.send(encodeMessage(data(at, randomBytes(50_000))));
    });
    if (invitation === undefined) throw new Error('it listens');
    const heard = listen(await a.bulk.open(b.member, { host: '127.0.0.1', port: invitation.port, token: invitation.token }, { signal }));
    await until(() => heard.messages.length === 10, 'all have come');
  });

  test('ends when what comes over it is no frame', async () => {
    const [a, b] = [await opened('a'), await opened('b')];
    const { channels, to } = invited(b.bulk, a.member);
    const own = await a.bulk.open(b.member, to, { signal });
    listen(own);
    await until(() => channels.length === 1, 'it is accepted');
    const heard = channels.map(listen);
    own.send([Buffer.alloc(64, 0xee)]);
    await until(() => heard[0]?.ended !== undefined, 'it is ended');
    expect(heard[0]).toEqual({ ended: 'protocol', messages: [] });
  });

  test('carries what is said in one turn in order, and before answers that wait', async () => {
    const [a, b] = [await opened('a'), await opened('b')];
    const { channels, to } = invited(b.bulk, a.member);
    const own = await a.bulk.open(b.member, to, { signal });
    listen(own);
    await until(() => channels.length === 1, 'it is accepted');
    const [heard] = channels.map(listen);
    for (let at = 0; at < 20; at += 1) own.send(encodeMessage(data(at, randomBytes(100_000))));
    for (let request = 1; request <= 10; request += 1) own.say(encodeMessage({ kind: 'cancel', request }));
    await until(() => heard?.messages.length === 30, 'everything has come');
    expect(heard?.messages.flatMap((message) => (message.kind === 'data' ? [message.ordinal] : []))).toEqual(Array.from({ length: 20 }, (_, at) => at));
    expect(heard?.messages.flatMap((message) => (message.kind === 'cancel' ? [message.request] : []))).toEqual(Array.from({ length: 10 }, (_, at) => at + 1));
    expect(heard?.messages.at(-1)?.kind).toBe('data');
    await until(() => own.backlogBytes === 0, 'and the books say so');
  });
});

describe('an invitation', () => {
  test('is good once, and for the one it was given to', async () => {
    const [a, b, thief] = [await opened('a'), await opened('b'), await opened('thief')];
    const { channels, to } = invited(b.bulk, a.member);
    await expect(thief.bulk.open(b.member, to, { signal })).rejects.toMatchObject({ code: 'PEER_GONE' });
    expect(channels).toEqual([]);
    await a.bulk.open(b.member, to, { signal });
    await until(() => channels.length === 1, 'the right one is let in');
    // Somebody else is expected, so the port answers.
    invited(b.bulk, thief.member);
    await expect(a.bulk.open(b.member, to, { signal })).rejects.toMatchObject({ code: 'PEER_GONE' });
    await expect(a.bulk.open(b.member, { ...to, token: randomBytes(16) }, { signal })).rejects.toMatchObject({ code: 'PEER_GONE' });
    expect(channels.length).toBe(1);
  });

  test('leads to nobody but the member that gave it', async () => {
    const [a, b, other] = [await opened('a'), await opened('b'), await opened('other')];
    const { channels, to } = invited(other.bulk, a.member);
    await expect(a.bulk.open(b.member, to, { signal })).rejects.toMatchObject({ code: 'PEER_REFUSED' });
    expect(channels).toEqual([]);
  });

  test('runs out, and can be taken back', async () => {
    const { clock, pass } = heldClock();
    const [a, b] = [await opened('a'), await opened('b', { clock })];
    const { to, channels } = invited(b.bulk, a.member);
    pass(60_000);
    invited(b.bulk, 'somebody else');
    await expect(a.bulk.open(b.member, to, { signal })).rejects.toMatchObject({ code: 'PEER_GONE' });
    const second = invited(b.bulk, a.member);
    second.invitation[Symbol.dispose]();
    await expect(a.bulk.open(b.member, second.to, { signal })).rejects.toMatchObject({ code: 'PEER_GONE' });
    expect([...channels, ...second.channels]).toEqual([]);
  });
});

describe('strangers (S1, S5)', () => {
  test('are closed unread while nobody is expected', async () => {
    const b = await opened('b');
    const { invitation } = invited(b.bulk, 'a');
    invitation[Symbol.dispose]();
    const one = stranger(invitation.port);
    await one.closed;
    expect(one.bytes).toBe(0);
  });

  test('get no channel without a certificate, nor with one that carries no member', async () => {
    const [a, b] = [await opened('a'), await opened('b')];
    const { channels, invitation } = invited(b.bulk, a.member);
    const outsider = await makeBulkCertificate(await generateKeyPairFromSeed('Ed25519', randomBytes(32)), Date.now());
    for (const credentials of [{}, outsider]) {
      const socket = connect({ host: '127.0.0.1', port: invitation.port, rejectUnauthorized: false, secureContext: createSecureContext(credentials), ALPNProtocols: ['starling-bulk/1'] });
      sockets.push(socket);
      let bytes = 0;
      socket.on('error', () => undefined);
      socket.on('data', ({ length }: Buffer) => (bytes += length));
      socket.on('secureConnect', () => socket.write(invitation.token));
      await new Promise<void>((resolve) => socket.on('close', () => resolve()));
      expect(bytes).toBe(0);
    }
    expect(channels).toEqual([]);
  });

  test('do not get further with TLS 1.2', async () => {
    const [a, b] = [await opened('a'), await opened('b')];
    const { invitation } = invited(b.bulk, a.member);
    const socket = connect({ host: '127.0.0.1', port: invitation.port, rejectUnauthorized: false, maxVersion: 'TLSv1.2', ALPNProtocols: ['starling-bulk/1'] });
    sockets.push(socket);
    const failed = await new Promise<Error>((resolve) => socket.on('error', resolve));
    expect(failed.message).toMatch(/version|closed|reset|disconnected/i);
  });

  test('who say nothing hold a few places for the time of a greeting, and nobody else up', async () => {
    const { clock, pass } = heldClock();
    const [a, b] = [await opened('a'), await opened('b', { clock })];
    const { invitation } = invited(b.bulk, 'nobody who comes');
    const silent = Array.from({ length: 8 }, () => stranger(invitation.port));
    await Promise.all(silent.map(async ({ socket }) => await new Promise((resolve) => (socket.connecting ? socket.once('connect', resolve) : resolve(undefined)))));
    // From this address no more are borne …
    await stranger(invitation.port).closed;
    pass(3_000);
    await Promise.all(silent.map(async ({ closed }) => await closed));
    // … until those have had their time.
    const { channels, to } = invited(b.bulk, a.member);
    await a.bulk.open(b.member, to, { signal });
    await until(() => channels.length === 1, 'the member is let in');
  });
});

describe('a port', () => {
  test('that is taken is said, and is no reason not to open channels to others', async () => {
    const [a, b] = [await opened('a'), await opened('b')];
    const { invitation } = invited(b.bulk, a.member);
    const second = await opened('c', { port: invitation.port });
    expect(second.bulk.listens).toBe(false);
    expect(second.bulk.invite(a.member, () => undefined)).toBeUndefined();
    expect(second.log.lines.some(({ level, message }) => level === 'warn' && message.includes('bulk.port'))).toBe(true);
    const { channels, to } = invited(b.bulk, second.member);
    await second.bulk.open(b.member, to, { signal });
    await until(() => channels.length === 1, 'it gets out');
  });

  test('that is not there is an error of ours', async () => {
    const a = await opened('a');
    await expect(a.bulk.open('b', { host: '127.0.0.1', port: 1, token: randomBytes(16) }, { signal })).rejects.toMatchObject({ code: 'PEER_GONE' });
    await expect(a.bulk.open('b', { host: '127.0.0.1', port: 1, token: randomBytes(16) }, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'PEER_GONE' });
  });
});
