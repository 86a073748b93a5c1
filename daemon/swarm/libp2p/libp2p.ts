// The network over libp2p: TCP, Noise, yamux; admission by roster and certificate; one long-lived exchange stream for each neighbour.
// The greeting's bytes are in admission.ts, frames and backpressure in stream-neighbour.ts, who may be met in gate.ts.
//
// Whoever dials greets and then opens the exchange. A connection that is not admitted in time, or on which anything else is opened before, is closed.
// Of two connections to one member the newer counts, except that of two made at once both sides keep the one that the lower id dialled.

import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import type { Connection, Libp2p, Stream } from '@libp2p/interface';
import { CODE_IP6ZONE, multiaddr, type Multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { exchangeProtocol, helloProtocol } from '../../../proto/exchange.ts';
import { limits } from '../../../proto/limits.ts';
import type { Certificate, Roster } from '../../../proto/statement.ts';
import type { Clock } from '../../clock.ts';
import { DaemonError } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import { encodeHello, readHello, type Hello, type VerifyCertificate } from './admission.ts';
import { createBuffers } from '../buffers.ts';
import { createBulkLink } from '../bulk/link.ts';
import { openBulkPort, type BulkPort } from '../bulk/port.ts';
import { createGate, type Gate } from './gate.ts';
import { libp2pOptions } from './options.ts';
import type { Neighbour, Network } from '../network.ts';
import { createStreamNeighbour } from './stream-neighbour.ts';
import type { SwarmMetrics } from '../swarm.ts';

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
  /** Bulk channels beside the connections; none when it is left out. Port 0 takes a free one. */
  readonly bulk?: { readonly port: number; readonly randomBytes: (length: number) => Uint8Array } | undefined;
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
  const privateKey = await generateKeyPairFromSeed('Ed25519', options.seed);
  const gate = createGate();
  const node = await createLibp2p({ ...libp2pOptions(options), privateKey, connectionGater: gate.gater, start: false });
  const network = new Libp2pNetwork(options, node, gate);
  await network.listen();
  const { bulk, listen, ...rest } = options;
  if (bulk !== undefined) network.useBulk(await openBulkPort({ ...rest, ...bulk, buffers: network.buffers, identity: privateKey, host: hostOf(multiaddr(listen[0] ?? '/ip4/0.0.0.0')) }));
  return network;
}

class Libp2pNetwork implements Network {
  readonly self: string;
  readonly buffers = createBuffers();
  readonly #options: Libp2pNetworkOptions;
  readonly #node: Libp2p;
  readonly #gate: Gate;
  readonly #present = new Map<string, Present>();
  /** Certificates of connections whose greeting was accepted. */
  readonly #admitted = new WeakMap<Connection, Certificate>();
  readonly #greeted = new WeakSet<Connection>();
  readonly #dials = new Map<string, Promise<Neighbour>>();
  readonly #stop = new AbortController();
  #announce: ((neighbour: Neighbour) => void) | undefined;
  #epoch = -1;
  #bulk: BulkPort | undefined;

  constructor(options: Libp2pNetworkOptions, node: Libp2p, gate: Gate) {
    this.#options = options;
    this.#node = node;
    this.#gate = gate;
    this.self = node.peerId.toString();
  }

  async listen(): Promise<void> {
    const node = this.#node;
    // Bounded by the protocol: one greeting and one exchange for each connection.
    await node.handle(helloProtocol, async (stream, connection) => await this.#onHello(stream, connection), { maxInboundStreams: 1, maxOutboundStreams: 1 });
    await node.handle(exchangeProtocol, (stream, connection) => this.#onExchange(stream, connection), { maxInboundStreams: 1, maxOutboundStreams: 1 });
    node.addEventListener('connection:open', ({ detail }) => {
      this.#watch(detail).catch(() => undefined);
    });
    await start(node, this.#options.listen);
  }

  /** To be called before the first roster. */
  useBulk(port: BulkPort): void {
    this.#bulk = port;
  }

  addresses(): readonly string[] {
    return this.#node.getMultiaddrs().map((address) => address.toString());
  }

  setRoster(roster: Roster): void {
    this.#epoch = roster.epoch;
    this.#gate.setRoster(roster);
    for (const [member, { neighbour }] of this.#present) {
      if (!this.#gate.admits(member)) neighbour.close('revoked');
    }
    for (const connection of this.#node.getConnections()) {
      if (!this.#gate.admits(connection.remotePeer.toString())) connection.abort(new Error('not in the roster'));
    }
  }

  async dial(member: string, { signal }: { readonly signal: AbortSignal }): Promise<Neighbour> {
    const found = this.#present.get(member);
    if (found !== undefined) return found.neighbour;
    const running = this.#dials.get(member);
    if (running !== undefined) return await running;
    const dialling = this.#greet(member, AbortSignal.any([signal, this.#stop.signal])).finally(() => this.#dials.delete(member));
    this.#dials.set(member, dialling);
    return await dialling;
  }

  onNeighbour(listener: (neighbour: Neighbour) => void): void {
    this.#announce = listener;
    for (const { neighbour } of this.#present.values()) listener(neighbour);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    for (const { neighbour } of this.#present.values()) neighbour.close('shutdown');
    await this.#bulk?.[Symbol.asyncDispose]();
    await this.#node.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** The dialler's side: greets, judges the answer, opens the exchange. */
  async #greet(member: string, signal: AbortSignal): Promise<Neighbour> {
    const addresses = this.#gate.addressesOf(member);
    if (addresses.length === 0) throw new DaemonError('PEER_REFUSED', `the roster gives no address of ${member} that may be dialled`);
    const connection = await reach(this.#node, addresses, member, signal);
    // It came to us in the meantime, and is about to open its exchange.
    if (connection.direction === 'inbound') return await this.#arrival(connection);
    try {
      const stream = await connection.newStream(helloProtocol, { signal });
      const reply = readHello(stream, { signal });
      stream.send(this.#hello());
      const certificate = await this.#judge(connection, await reply);
      return this.#settle(connection, await connection.newStream(exchangeProtocol, { signal }), certificate);
    } catch (error) {
      connection.abort(new Error('not admitted'));
      if (error instanceof DaemonError && error.code === 'STATEMENT_REFUSED') this.#options.metrics.strike('not-admitted');
      throw new DaemonError('PEER_REFUSED', `${member} and this member did not admit each other: ${messageOf(error)}`, { cause: error });
    }
  }

  async #arrival(connection: Connection): Promise<Neighbour> {
    await new Promise<void>((resolve) => {
      const done = (): void => resolve();
      connection.addEventListener('close', done, { once: true });
      this.#options.clock.wait(limits.helloTimeoutMs, { signal: this.#stop.signal }).then(done, done);
    });
    const found = this.#present.get(connection.remotePeer.toString());
    if (found === undefined) throw new DaemonError('PEER_GONE', 'the neighbour dialled us and did not open its exchange');
    return found.neighbour;
  }

  /** The other side: judges the greeting before it answers, so that a stranger learns nothing. */
  async #onHello(stream: Stream, connection: Connection): Promise<void> {
    try {
      if (this.#greeted.has(connection)) throw new DaemonError('PEER_REFUSED', 'it greeted twice');
      this.#greeted.add(connection);
      await this.#judge(connection, await readHello(stream, { signal: this.#stop.signal }));
      stream.send(this.#hello());
      await stream.close();
    } catch (error) {
      stream.abort(new Error('not admitted'));
      this.#refuse(connection, messageOf(error));
    }
  }

  #onExchange(stream: Stream, connection: Connection): void {
    const certificate = this.#admitted.get(connection);
    if (certificate !== undefined && connection.direction === 'inbound') {
      this.#settle(connection, stream, certificate);
      return;
    }
    stream.abort(new Error('not admitted'));
    this.#refuse(connection, 'it opened an exchange before it was admitted, or against the direction');
  }

  /** A connection must lead to something. */
  async #watch(connection: Connection): Promise<void> {
    await this.#options.clock.wait(limits.helloTimeoutMs, { signal: this.#stop.signal });
    const isUsed = [...this.#present.values()].some((entry) => entry.connection === connection);
    if (!isUsed && connection.status === 'open') this.#refuse(connection, `no exchange within ${limits.helloTimeoutMs} ms`);
  }

  #refuse(connection: Connection, why: string): void {
    this.#options.metrics.strike('not-admitted');
    this.#options.log.warn({ member: connection.remotePeer.toString(), address: connection.remoteAddr.toString(), why }, 'refused a connection');
    connection.abort(new Error('not admitted'));
  }

  async #judge(connection: Connection, hello: Hello): Promise<Certificate> {
    const member = connection.remotePeer.toString();
    const certificate = await this.#options.verifyCertificate(hello.certificate, member);
    if (certificate.member !== member) throw new DaemonError('PEER_REFUSED', `the certificate is ${certificate.member}'s, not ${member}'s`);
    // The roster may have changed while the signature was verified.
    if (!this.#gate.admits(member)) throw new DaemonError('PEER_REFUSED', `${member} is not in the roster, or revoked`);
    this.#admitted.set(connection, certificate);
    return certificate;
  }

  #hello(): Uint8Array {
    return encodeHello({ certificate: this.#options.certificate(), epoch: this.#epoch });
  }

  /** Makes a neighbour of an admitted connection's stream, and returns the one that counts when there are two. */
  #settle(connection: Connection, stream: Stream, certificate: Certificate): Neighbour {
    const { clock, metrics, log } = this.#options;
    const port = this.#bulk;
    const member = connection.remotePeer.toString();
    const initiator = connection.direction === 'outbound' ? this.self : member;
    const neighbour = createStreamNeighbour({
      connection,
      stream,
      certificate,
      metrics,
      ...(port === undefined ? {} : { bulk: (ends) => createBulkLink({ port, member, host: hostOf(connection.remoteAddr), dialled: connection.direction === 'outbound', clock, metrics, log, ...ends }) }),
      onMisbehaviour(reason, detail) {
        metrics.strike(reason);
        log.warn({ member, neighbour: certificate.name, reason, detail }, 'closed a neighbour');
      },
    });
    const before = this.#present.get(member);
    if (before !== undefined) {
      const atOnce = clock.monotonic() - before.since < simultaneousMs && before.initiator !== initiator;
      if (atOnce && before.initiator < initiator) {
        neighbour.close('replaced');
        return before.neighbour;
      }
      this.#present.delete(member);
      before.neighbour.close('replaced');
    }
    this.#present.set(member, { neighbour, connection, initiator, since: clock.monotonic() });
    neighbour.onClose(() => {
      if (this.#present.get(member)?.neighbour === neighbour) this.#present.delete(member);
    });
    this.#announce?.(neighbour);
    return neighbour;
  }
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
    throw new DaemonError('PORT_IN_USE', `cannot listen on ${listen.join(', ')}: ${inUse(cause) ? 'another process does; stop that one' : messageOf(cause)}, or choose another port (\`listen\` in the configuration, 0 takes any free one)`, { cause });
  }
}

/** libp2p repeats the system's words with their stack. */
function inUse(cause: unknown): boolean {
  return messageOf(cause).includes('EADDRINUSE');
}

/** Its IP address or name. */
function hostOf(address: Multiaddr): string {
  return address.getComponents().find(({ code }) => code !== CODE_IP6ZONE)?.value ?? '';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
