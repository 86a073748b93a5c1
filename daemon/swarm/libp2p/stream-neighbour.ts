// A neighbour over one libp2p stream, and a bulk channel beside it when there is one, which then carries everything: frames in and out with bounded
// buffers. Who becomes one is decided in libp2p.ts, when there is a channel in bulk/link.ts, what keeps words in their order in word-order.ts.
//
// Traps of the stream's interface that this file goes round: `onDrain()` answers from a promise that is never renewed, `drain` is announced to all
// streams of a connection whether or not theirs went out, and the async iterator queues without bound (swarm.md, section 3.4).

import type { Connection, Stream } from '@libp2p/interface';
import { ProtocolError } from '../../../proto/errors.ts';
import { createFrameReader, encodeMessage } from '../../../proto/exchange-codec.ts';
import { chunkBytesOf, isAnswer, isAnswerFrame } from '../../../proto/exchange-frame.ts';
import type { BulkMessage, ExchangeMessage } from '../../../proto/exchange.ts';
import type { Certificate } from '../../../proto/statement.ts';
import { DaemonError } from '../../errors.ts';
import type { BulkLink, BulkLinkOptions } from '../bulk/link.ts';
import { backlogBytesMax, backlogLowBytes, type CloseReason, type Neighbour } from '../network.ts';
import type { SwarmMetrics } from '../swarm.ts';
import { createWordOrder, type Way, type WordOrder } from './word-order.ts';

/** Messages kept for a receiver that is not there yet: it is set in the same turn, so more is a programmer's mistake. */
const keptMessagesMax = 256;
/** So much is not held back until the end of the turn: it fills a frame of the encryption by itself. */
const frameBytes = 64 * 1024;

export interface StreamNeighbourOptions {
  readonly connection: Connection;
  readonly stream: Stream;
  readonly certificate: Certificate;
  /** The neighbour broke the protocol, or does not read what it asked for. */
  readonly onMisbehaviour: (reason: 'protocol' | 'stalled', detail: string) => void;
  readonly metrics: SwarmMetrics;
  /** Makes the bulk channel's side of it; absent when it is turned off here. */
  readonly bulk?: (ends: Pick<BulkLinkOptions, 'say' | 'onMessage' | 'onSent' | 'onOpened' | 'onQuiet' | 'onEnded' | 'onMisbehaviour'>) => BulkLink;
}

/** Listens from the call on. */
export function createStreamNeighbour(options: StreamNeighbourOptions): Neighbour {
  return new StreamNeighbour(options);
}

class StreamNeighbour implements Neighbour {
  readonly member: string;
  readonly certificate: Certificate;
  readonly #options: StreamNeighbourOptions;
  readonly #reader = createFrameReader();
  readonly #kept: ExchangeMessage[] = [];
  readonly #closeListeners: ((reason: CloseReason) => void)[] = [];
  /** Who waits for the backlog to become smaller. */
  readonly #waiting = new Set<() => void>();
  readonly #bulk: BulkLink | undefined;
  readonly #words: WordOrder;
  /** Parts of messages for the stream that wait for the end of the turn. */
  readonly #unsent: Uint8Array[] = [];
  /** Told when they are copied. */
  readonly #takers: (() => void)[] = [];
  #unsentBytes = 0;
  #receive: ((message: ExchangeMessage) => void) | undefined;
  #interrupted: (() => void) | undefined;
  #closed: CloseReason | undefined;

  constructor(options: StreamNeighbourOptions) {
    const { connection, stream, certificate } = options;
    this.#options = options;
    this.member = connection.remotePeer.toString();
    this.certificate = certificate;
    this.#words = createWordOrder({
      send: (way, parts) => this.#sendWord(way, parts),
      deliver: (message) => this.#deliver(message),
      onMisbehaviour: (reason, detail) => this.#misbehave(reason, detail),
    });
    this.#bulk = options.bulk?.({
      say: (message) => this.#say(message),
      onMessage: (message) => this.#onMessage(message, 'bulk'),
      onSent: () => this.#sent(),
      onOpened: () => this.#words.opened(),
      onQuiet: () => this.#words.quiet(),
      onEnded: () => {
        this.#words.ended();
        this.#interrupted?.();
      },
      onMisbehaviour: (detail) => this.#misbehave('protocol', detail),
    });
    stream.addEventListener('message', ({ data }) => this.#read(data));
    const onEnd = (): void => this.close('gone');
    stream.addEventListener('close', onEnd);
    stream.addEventListener('remoteCloseWrite', onEnd);
    connection.addEventListener('close', onEnd);
    // The stream goes on sending in a microtask of its own listener; only after that is its length true.
    const onDrain = (): void => queueMicrotask(() => this.#sent());
    stream.addEventListener('drain', onDrain);
    stream.addEventListener('idle', onDrain);
  }

  get backlogBytes(): number {
    return this.#closed === undefined ? this.#options.stream.writeBufferLength + this.#unsentBytes + (this.#bulk?.backlogBytes ?? 0) : 0;
  }

  send(parts: readonly Uint8Array[], onTaken?: () => void): void {
    const [head] = parts;
    if (this.#closed !== undefined || head === undefined) return;
    if (isAnswerFrame(head)) {
      const byBulk = this.#bulk?.send(parts, onTaken) === true;
      if (!byBulk && !this.#sendByStream(parts, onTaken)) return;
      this.#options.metrics.carried(byBulk ? 'bulk' : 'stream', 'sent', chunkBytesOf(parts));
    } else this.#words.say(parts);
    const { backlogBytes } = this;
    if (backlogBytes > backlogBytesMax) this.#misbehave('stalled', `${backlogBytes} bytes wait to be read`);
  }

  async drained({ signal, below = backlogLowBytes }: { readonly signal: AbortSignal; readonly below?: number }): Promise<void> {
    signal.throwIfAborted();
    if (this.#closed !== undefined) throw gone();
    if (this.backlogBytes < below) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = (): void => {
      if (this.#closed !== undefined) reject(gone());
      else if (this.backlogBytes < below) resolve();
    };
    const onAbort = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
    signal.addEventListener('abort', onAbort, { once: true });
    this.#waiting.add(look);
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#waiting.delete(look);
    }
  }

  onMessage(listener: (message: ExchangeMessage) => void): void {
    this.#receive = listener;
    for (const message of this.#kept.splice(0)) listener(message);
  }

  onInterrupted(listener: () => void): void {
    this.#interrupted = listener;
  }

  onClose(listener: (reason: CloseReason) => void): void {
    if (this.#closed === undefined) this.#closeListeners.push(listener);
    else listener(this.#closed);
  }

  close(reason: CloseReason): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    this.#bulk?.close();
    this.#kept.length = 0;
    for (const listener of this.#closeListeners.splice(0)) listener(reason);
    this.#sent();
    this.#options.connection.abort(new Error(`closed as ${reason}`));
  }

  #say(message: BulkMessage): void {
    if (this.#closed === undefined) this.#sendByStream(encodeMessage(message));
  }

  #sendWord(way: Way, parts: readonly Uint8Array[]): void {
    if (this.#closed !== undefined) return;
    if (way === 'stream') this.#sendByStream(parts);
    else this.#bulk?.say(parts);
  }

  /** What is said in one turn goes out as one frame: most messages are of some twenty bytes, and a frame costs as much as a kilobyte. */
  #sendByStream(parts: readonly Uint8Array[], onTaken?: () => void): boolean {
    if (onTaken !== undefined) this.#takers.push(onTaken);
    for (const part of parts) {
      this.#unsent.push(part);
      this.#unsentBytes += part.length;
    }
    if (this.#unsentBytes >= frameBytes) return this.#flush();
    if (this.#unsent.length === parts.length) queueMicrotask(() => this.#flush());
    return true;
  }

  #flush(): boolean {
    const [first] = this.#unsent;
    if (first === undefined || this.#closed !== undefined) return this.#closed === undefined;
    // The stream keeps what it is given for as long as it likes.
    const frame = this.#unsent.length === 1 && this.#takers.length === 0 ? first : Buffer.concat(this.#unsent, this.#unsentBytes);
    for (const taken of this.#takers.splice(0)) taken();
    this.#unsent.length = 0;
    this.#unsentBytes = 0;
    try {
      this.#options.stream.send(frame);
      return true;
    } catch {
      this.close('gone');
      return false;
    }
  }

  #sent(): void {
    for (const look of this.#waiting) look();
  }

  #misbehave(reason: 'protocol' | 'stalled', detail: string): void {
    if (this.#closed !== undefined) return;
    this.#options.onMisbehaviour(reason, detail);
    this.close(reason);
  }

  #read(data: Uint8Array | Iterable<Uint8Array>): void {
    try {
      for (const part of data instanceof Uint8Array ? [data] : data) {
        if (this.#closed !== undefined) return;
        for (const message of this.#reader.push(part)) this.#onMessage(message, 'stream');
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#misbehave('protocol', error.message);
    }
  }

  #onMessage(message: ExchangeMessage, way: Way): void {
    if (this.#closed !== undefined) return;
    if (message.kind === 'bulk') {
      if (way === 'bulk') return this.#misbehave('protocol', 'an invitation to a bulk channel on a bulk channel');
      return this.#bulk?.hear(message);
    }
    if (message.kind === 'data') this.#options.metrics.carried(way, 'received', message.bytes.length);
    if (isAnswer(message)) this.#deliver(message);
    else this.#words.hear(message, way);
  }

  #deliver(message: ExchangeMessage): void {
    if (this.#closed !== undefined) return;
    if (this.#receive !== undefined) this.#receive(message);
    else if (this.#kept.length < keptMessagesMax) this.#kept.push(message);
    else this.#misbehave('protocol', `more than ${keptMessagesMax} messages before anybody listens`);
  }
}

function gone(): DaemonError {
  return new DaemonError('PEER_GONE', 'the neighbour left before it had read everything');
}
