// Where bulk channels are opened and accepted: TLS 1.3 with certificates that carry the libp2p keys of both, and a token that the one who accepts has
// given to the other over their admitted connection. Nobody without an invitation gets further than the handshake. Who invites whom is link.ts's.
//
//   opener                                            acceptor
//   TLS 1.3 handshake, both show a certificate; each proves the other's peer id
//   token (16 bytes)                    ->            is it of that member, and unused?
//                                       <-            ready (1 byte); then frames, both ways

import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { connect, createSecureContext, TLSSocket, type SecureContext } from 'node:tls';
import type { PrivateKey } from '@libp2p/interface';
import { bulkTokenBytes } from '../../../proto/exchange-frame.ts';
import { limits } from '../../../proto/limits.ts';
import type { Clock } from '../../clock.ts';
import { DaemonError } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import { makeBulkCertificate, provenPeer } from './certificate.ts';
import { createBuffers, type Buffers } from '../buffers.ts';
import { createBulkChannel, type BulkChannel } from './channel.ts';
import { createInlet, type Inlet } from './inlet.ts';

export interface BulkPortOptions {
  readonly identity: PrivateKey;
  /** Where to accept: an IP address, and a port or 0 for a free one. */
  readonly host: string;
  readonly port: number;
  /** Whether many members may come from one address: a seed or proxy. */
  readonly origin: boolean;
  readonly randomBytes: (length: number) => Uint8Array;
  /** For what comes over the channels; its own when they are left out. */
  readonly buffers?: Buffers;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What lets a neighbour open a channel to us, once. */
export interface Invitation extends Disposable {
  readonly port: number;
  readonly token: Uint8Array;
}

export interface BulkPort extends AsyncDisposable {
  /** Whether we can be reached; a member that could not listen can still open channels. */
  readonly listens: boolean;
  /** Lets `member` open one channel within {@link invitationMs}. `undefined` when we do not listen, or too many are invited. */
  invite(member: string, onOpen: (channel: BulkChannel) => void): Invitation | undefined;
  /** Opens one to a member that has invited us. @throws {DaemonError} PEER_GONE when it cannot be reached, PEER_REFUSED when another one is there. */
  open(member: string, to: { readonly host: string; readonly port: number; readonly token: Uint8Array }, options: { readonly signal: AbortSignal }): Promise<BulkChannel>;
}

/** How long an invitation is good for: longer than the opener tries. */
export const invitationMs = 3 * limits.helloTimeoutMs;
/** Connected and not yet let in: of everybody, and from one address. */
const pendingMax = 256;
const pendingOfHostMax = { agent: 8, origin: 64 } as const;
/** One for each neighbour and a few that are being renewed. */
const invitationsMax = 8_192;
/** The first had answers only; members that speak of different ones stay with the stream. */
const protocol = 'starling-bulk/2';
const readyByte = 1;
/** A TLS record has 16 KiB at most, and comes by itself. */
const readBytes = 64 * 1024;

interface Invited {
  readonly member: string;
  readonly onOpen: (channel: BulkChannel) => void;
}

/** Never fails for want of a port: it is logged, and the member opens channels to others only. */
export async function openBulkPort(options: BulkPortOptions): Promise<BulkPort> {
  const { key, cert } = await makeBulkCertificate(options.identity, options.clock.now());
  const context = createSecureContext({ key, cert, minVersion: 'TLSv1.3', ciphers: 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256' });
  const port = new Port(options, context);
  await port.listen();
  return port;
}

class Port implements BulkPort {
  readonly #options: BulkPortOptions;
  readonly #buffers: Buffers;
  readonly #context: SecureContext;
  readonly #server: Server;
  readonly #stop = new AbortController();
  readonly #invited = new Map<string, Invited>();
  /** Sockets that are not channels yet, by address. */
  readonly #pending = new Map<string, number>();
  readonly #sockets = new Set<Socket>();
  /** Those that came to us, channels too: what has to be closed before the port is. */
  readonly #accepted = new Set<Socket>();
  #port: number | undefined;

  constructor(options: BulkPortOptions, context: SecureContext) {
    this.#options = options;
    this.#buffers = options.buffers ?? createBuffers();
    this.#context = context;
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  get listens(): boolean {
    return this.#port !== undefined;
  }

  async listen(): Promise<void> {
    const { host, port, log } = this.#options;
    try {
      this.#server.listen({ host, port });
      await once(this.#server, 'listening');
    } catch (error) {
      log.warn({ host, port, error: messageOf(error) }, 'cannot listen for bulk channels; chunks travel faster when the port is free, or bulk.port names another');
      return;
    }
    const address = this.#server.address();
    if (typeof address === 'object' && address !== null) this.#port = address.port;
    this.#server.on('error', (error) => log.warn({ error: error.message }, 'a bulk channel could not be accepted'));
    log.info({ host, port: this.#port }, 'listening for bulk channels');
  }

  invite(member: string, onOpen: (channel: BulkChannel) => void): Invitation | undefined {
    if (this.#port === undefined || this.#invited.size >= invitationsMax) return undefined;
    const token = this.#options.randomBytes(bulkTokenBytes);
    const name = hexOf(token);
    const over = new AbortController();
    const dispose = (): void => {
      this.#invited.delete(name);
      over.abort();
    };
    this.#invited.set(name, { member, onOpen });
    this.#options.clock.wait(invitationMs, { signal: AbortSignal.any([over.signal, this.#stop.signal]) }).then(dispose, () => undefined);
    return { port: this.#port, token, [Symbol.dispose]: dispose };
  }

  async open(member: string, { host, port, token }: { readonly host: string; readonly port: number; readonly token: Uint8Array }, { signal }: { readonly signal: AbortSignal }): Promise<BulkChannel> {
    const inlet = createInlet((error) => socket.destroy(error));
    // One buffer for all that comes; only Node's own client sockets can do that.
    const onread = { buffer: Buffer.allocUnsafeSlow(readBytes), callback: (length: number, buffer: Uint8Array) => pushed(inlet, buffer.subarray(0, length)) };
    const options = { host, port, secureContext: this.#context, rejectUnauthorized: false, ALPNProtocols: [protocol], servername: '', onread };
    const socket: TLSSocket = connect(options);
    return await this.#within(socket, signal, async () => {
      await once(socket, 'secureConnect');
      const found = await this.#peerOf(socket);
      if (found !== member) throw new DaemonError('PEER_REFUSED', `${found} is at ${host} port ${port}, not ${member}`);
      socket.write(token);
      if ((await inlet.exactly(1))[0] !== readyByte) throw new DaemonError('PEER_REFUSED', `${member} answered with something else than a bulk channel`);
      return createBulkChannel(socket, inlet, this.#buffers, true);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#invited.clear();
    for (const socket of [...this.#sockets, ...this.#accepted]) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(raw: Socket): void {
    const host = raw.remoteAddress ?? '';
    const ofHost = this.#pending.get(host) ?? 0;
    const isFull = this.#sockets.size >= pendingMax || ofHost >= (this.#options.origin ? pendingOfHostMax.origin : pendingOfHostMax.agent);
    // Nobody is expected: not a byte is read, nor a handshake paid for.
    if (this.#invited.size === 0 || isFull) {
      raw.destroy();
      return;
    }
    this.#pending.set(host, ofHost + 1);
    this.#accepted.add(raw);
    raw.once('close', () => this.#accepted.delete(raw));
    const socket = new TLSSocket(raw, { isServer: true, secureContext: this.#context, requestCert: true, rejectUnauthorized: false, ALPNProtocols: [protocol] });
    raw.once('error', () => socket.destroy());
    const inlet = createInlet((error) => socket.destroy(error));
    readInto(socket, inlet);
    const letIn = async (): Promise<void> => {
      try {
        const [channel, invited] = await this.#within(socket, this.#stop.signal, async () => await this.#letIn(socket, inlet));
        invited.onOpen(channel);
      } catch (error) {
        this.#options.log.debug({ host, error: messageOf(error) }, 'a bulk channel was not let in');
      } finally {
        const left = (this.#pending.get(host) ?? 1) - 1;
        if (left === 0) this.#pending.delete(host);
        else this.#pending.set(host, left);
      }
    };
    void letIn();
  }

  async #letIn(socket: TLSSocket, inlet: Inlet): Promise<readonly [BulkChannel, Invited]> {
    await once(socket, 'secure');
    const member = await this.#peerOf(socket);
    const token = hexOf(await inlet.exactly(bulkTokenBytes));
    const invited = this.#invited.get(token);
    if (invited?.member !== member) throw new DaemonError('PEER_REFUSED', `${member} was not invited, or too long ago`);
    this.#invited.delete(token);
    socket.write(Uint8Array.of(readyByte));
    return [createBulkChannel(socket, inlet, this.#buffers, false), invited];
  }

  async #peerOf(socket: TLSSocket): Promise<string> {
    if (socket.alpnProtocol !== protocol) throw new DaemonError('PEER_REFUSED', 'the other side does not speak of bulk channels');
    const leaf = socket.getPeerX509Certificate();
    if (leaf === undefined) throw new DaemonError('PEER_REFUSED', 'the other side shows no certificate');
    const issuer = leaf.issuerCertificate;
    const chain = issuer === undefined || issuer.raw.equals(leaf.raw) ? [leaf.raw] : [leaf.raw, issuer.raw];
    return await provenPeer(chain, this.#options.clock.now());
  }

  /** Gives `work` the time of a greeting; the socket is destroyed when that, the signal or an error ends it. */
  async #within<Result>(socket: TLSSocket, signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    const over = new AbortController();
    const { promise: failed, reject } = Promise.withResolvers<never>();
    const gone = (why: string): void => reject(new DaemonError('PEER_GONE', `a bulk channel was not open in time: ${why}`));
    const onError = (error: Error): void => gone(error.message);
    const onClose = (): void => gone('the connection was closed');
    this.#sockets.add(socket);
    socket.once('error', onError);
    socket.once('close', onClose);
    this.#options.clock.wait(limits.helloTimeoutMs, { signal: AbortSignal.any([over.signal, signal, this.#stop.signal]) }).then(
      () => gone(`${limits.helloTimeoutMs} ms have passed`),
      () => gone('it was given up'),
    );
    const working = work();
    try {
      return await Promise.race([working, failed]);
    } catch (error) {
      working.catch(() => undefined);
      // What is destroyed may still fail, and nobody else listens.
      socket.on('error', () => undefined);
      socket.destroy();
      throw error;
    } finally {
      over.abort();
      this.#sockets.delete(socket);
      socket.off('error', onError);
      socket.off('close', onClose);
    }
  }
}

/**
 * What comes goes on at once, past the queue of the socket's stream: its bookkeeping, and the look for more that it puts off to the next tick after each
 * record of 16 KiB, were 4 % of an agent's processor time. The end, `null`, is still the stream's.
 */
function readInto(socket: TLSSocket, inlet: Inlet): void {
  const push = socket.push.bind(socket);
  socket.push = (chunk: unknown) => (chunk instanceof Uint8Array ? pushed(inlet, chunk) : push(chunk));
  socket.resume();
}

/** True: go on reading. */
function pushed(inlet: Inlet, bytes: Uint8Array): true {
  inlet.push(bytes);
  return true;
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
