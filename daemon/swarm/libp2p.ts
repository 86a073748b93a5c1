// The network over libp2p: TCP, Noise, yamux; admission by roster and certificate; one long-lived exchange stream for each neighbour.
// The greeting's bytes are in admission.ts, frames and backpressure in stream-neighbour.ts, who may be met in gate.ts.
//
// Whoever dials greets and then opens the exchange. A connection that is not admitted in time, or on which anything else is opened before, is closed.
// Of two connections to one member the newer counts, except that of two made at once both sides keep the one that the lower id dialled.

import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import type { Connection, Libp2p, Stream } from '@libp2p/interface';
import { createLibp2p } from 'libp2p';
import { exchangeProtocol, helloProtocol } from '../../proto/exchange.ts';
import { limits } from '../../proto/limits.ts';
import type { Certificate, Roster } from '../../proto/statement.ts';
import type { Clock } from '../clock.ts';
import { DaemonError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { encodeHello, readHello, type Hello, type VerifyCertificate } from './admission.ts';
import { createGate } from './gate.ts';
import { libp2pOptions } from './libp2p-options.ts';
import type { Neighbour, Network } from './network.ts';
import { createStreamNeighbour } from './stream-neighbour.ts';
import type { SwarmMetrics } from './swarm.ts';

export interface Libp2pNetworkOptions {
  /** The member's Ed25519 seed, 32 bytes. */
  readonly seed: Uint8Array;
  /** Multiaddrs to accept connections on; port 0 takes a free one. */
  readonly listen: readonly string[];
  /** Whether many members come to us: a seed or proxy. */
  readonly origin: boolean;
  /** Our certificate as it is now, in compact form; asked for each greeting. */
  certificate(): string;
  readonly verifyCertificate: VerifyCertificate;
  readonly clock: Clock;
  readonly metrics: SwarmMetrics;
  readonly log: Logger;
}

/** Two connections made within this are made at once. */
const simultaneousMs = 5_000;

interface Present {
  readonly neighbour: Neighbour;
  readonly connection: Connection;
  /** Who dialled. */
  readonly initiator: string;
  readonly since: number;
}

/** Listens when it resolves. @throws {DaemonError} PORT_IN_USE when an address cannot be listened on. */
export async function openLibp2pNetwork(options: Libp2pNetworkOptions): Promise<Network> {
  const { clock, log, metrics } = options;
  const privateKey = await generateKeyPairFromSeed('Ed25519', options.seed);
  const gate = createGate();
  const node = await createLibp2p({ ...libp2pOptions(options), privateKey, connectionGater: gate.gater, start: false });
  const self = node.peerId.toString();
  const present = new Map<string, Present>();
  const admitted = new WeakMap<Connection, Certificate>();
  const greeted = new WeakSet<Connection>();
  const dials = new Map<string, Promise<Neighbour>>();
  const stop = new AbortController();
  let announce: ((neighbour: Neighbour) => void) | undefined;
  let epoch = -1;

  const refuse = (connection: Connection, error: unknown): void => {
    metrics.strike('not-admitted');
    log.warn({ member: connection.remotePeer.toString(), address: connection.remoteAddr.toString(), error: messageOf(error) }, 'refused a connection');
    connection.abort(new Error('not admitted'));
  };
  const judge = async (connection: Connection, hello: Hello): Promise<void> => {
    const member = connection.remotePeer.toString();
    const certificate = await options.verifyCertificate(hello.certificate, member);
    if (certificate.member !== member) throw new DaemonError('PEER_REFUSED', `the certificate is ${certificate.member}'s, not ${member}'s`);
    if (!gate.admits(member)) throw new DaemonError('PEER_REFUSED', `${member} is not in the roster, or revoked`);
    admitted.set(connection, certificate);
  };
  const ownHello = (): Uint8Array => encodeHello({ certificate: options.certificate(), epoch });

  /** Makes a neighbour of an admitted connection's stream; the one that counts when there are two. */
  const settle = (connection: Connection, stream: Stream, certificate: Certificate): Neighbour => {
    const member = connection.remotePeer.toString();
    const initiator = connection.direction === 'outbound' ? self : member;
    const neighbour = createStreamNeighbour({
      connection,
      stream,
      certificate,
      onMisbehaviour(reason, detail) {
        metrics.strike(reason);
        log.warn({ member, name: certificate.name, reason, detail }, 'closed a neighbour');
      },
    });
    const before = present.get(member);
    if (before !== undefined) {
      const atOnce = clock.monotonic() - before.since < simultaneousMs && before.initiator !== initiator;
      if (atOnce && before.initiator < initiator) {
        neighbour.close('replaced');
        return before.neighbour;
      }
      present.delete(member);
      before.neighbour.close('replaced');
    }
    present.set(member, { neighbour, connection, initiator, since: clock.monotonic() });
    neighbour.onClose(() => {
      if (present.get(member)?.neighbour === neighbour) present.delete(member);
    });
    announce?.(neighbour);
    return neighbour;
  };

  const onHello = async (stream: Stream, connection: Connection): Promise<void> => {
    try {
      if (greeted.has(connection)) throw new DaemonError('PEER_REFUSED', 'it greeted twice');
      greeted.add(connection);
      const hello = await readHello(stream, { signal: stop.signal });
      await judge(connection, hello);
      stream.send(ownHello());
      await stream.close();
    } catch (error) {
      refuse(connection, error);
    }
  };
  const onExchange = (stream: Stream, connection: Connection): void => {
    const certificate = admitted.get(connection);
    if (certificate === undefined || connection.direction === 'outbound') {
      stream.abort(new Error('not admitted'));
      return refuse(connection, 'it opened an exchange before it was admitted, or against the direction');
    }
    settle(connection, stream, certificate);
  };
  const watch = async (connection: Connection): Promise<void> => {
    await clock.wait(limits.helloTimeoutMs, { signal: stop.signal });
    const isUsed = [...present.values()].some((entry) => entry.connection === connection);
    if (isUsed || connection.status !== 'open') return;
    refuse(connection, `no exchange within ${limits.helloTimeoutMs} ms`);
  };
  const greet = async (member: string, signal: AbortSignal): Promise<Neighbour> => {
    const addresses = gate.addressesOf(member);
    if (addresses.length === 0) throw new DaemonError('PEER_REFUSED', `the roster gives no address of ${member} that may be dialled`);
    const connection = await reach(node, addresses, member, signal);
    // It came to us in the meantime, and is about to open its exchange.
    if (connection.direction === 'inbound') return await arrival(connection);
    try {
      const stream = await connection.newStream(helloProtocol, { signal });
      const reply = readHello(stream, { signal });
      stream.send(ownHello());
      await judge(connection, await reply);
      return settle(connection, await connection.newStream(exchangeProtocol, { signal }), certificateOf(connection));
    } catch (error) {
      connection.abort(new Error('not admitted'));
      if (error instanceof DaemonError && error.code === 'STATEMENT_REFUSED') metrics.strike('not-admitted');
      throw new DaemonError('PEER_REFUSED', `${member} and this member did not admit each other: ${messageOf(error)}`, { cause: error });
    }
  };
  const certificateOf = (connection: Connection): Certificate => {
    const certificate = admitted.get(connection);
    if (certificate === undefined) throw new DaemonError('PEER_REFUSED', 'the connection is not admitted');
    return certificate;
  };
  const arrival = async (connection: Connection): Promise<Neighbour> => {
    await new Promise<void>((resolve) => {
      connection.addEventListener('close', () => resolve(), { once: true });
      void clock.wait(limits.helloTimeoutMs, { signal: stop.signal }).then(resolve, resolve);
    });
    const found = present.get(connection.remotePeer.toString());
    if (found === undefined) throw new DaemonError('PEER_GONE', 'the neighbour dialled us and did not open its exchange');
    return found.neighbour;
  };

  // Bounded by the protocol: one greeting and one exchange for each connection.
  await node.handle(helloProtocol, onHello, { maxInboundStreams: 1, maxOutboundStreams: 1 });
  await node.handle(exchangeProtocol, onExchange, { maxInboundStreams: 1, maxOutboundStreams: 1 });
  node.addEventListener('connection:open', ({ detail }) => {
    watch(detail).catch(() => undefined);
  });
  await start(node, options.listen);

  const close = async (): Promise<void> => {
    stop.abort();
    for (const { neighbour } of present.values()) neighbour.close('shutdown');
    await node.stop();
  };
  return {
    self,
    addresses: () => node.getMultiaddrs().map((address) => address.toString()),
    setRoster(roster: Roster) {
      epoch = roster.epoch;
      gate.setRoster(roster);
      for (const [member, { neighbour }] of present) {
        if (!gate.admits(member)) neighbour.close('revoked');
      }
      for (const connection of node.getConnections()) {
        if (!gate.admits(connection.remotePeer.toString())) connection.abort(new Error('not in the roster'));
      }
    },
    async dial(member, { signal }) {
      const found = present.get(member);
      if (found !== undefined) return found.neighbour;
      const running = dials.get(member);
      if (running !== undefined) return await running;
      const dialling = greet(member, AbortSignal.any([signal, stop.signal])).finally(() => dials.delete(member));
      dials.set(member, dialling);
      return await dialling;
    },
    onNeighbour(listener) {
      announce = listener;
      for (const { neighbour } of present.values()) listener(neighbour);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function reach(node: Libp2p, addresses: Parameters<Libp2p['dial']>[0], member: string, signal: AbortSignal): Promise<Connection> {
  try {
    return await node.dial(addresses, { signal });
  } catch (cause) {
    throw new DaemonError('PEER_GONE', `${member} cannot be reached: ${messageOf(cause)}`, { cause });
  }
}

async function start(node: Libp2p, listen: readonly string[]): Promise<void> {
  try {
    await node.start();
  } catch (cause) {
    await node.stop();
    throw new DaemonError('PORT_IN_USE', `cannot listen on ${listen.join(', ')}: ${messageOf(cause)}; free the port or choose another one`, { cause });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
