// A neighbour on the hub of memory-network.ts: its backlog, its listeners, its end. When its words arrive is the hub's.

import type { ExchangeMessage } from '../../../proto/exchange.ts';
import type { Certificate } from '../../../proto/statement.ts';
import { DaemonError } from '../../errors.ts';
import { backlogBytesMax, backlogLowBytes, type CloseReason, type Neighbour } from '../network.ts';

/** Where a neighbour's words go. */
export interface Wire {
  readonly send: (bytes: Uint8Array) => void;
  readonly close: (reason: CloseReason) => void;
}

/** The hub calls what is not in {@link Neighbour}. */
export class MemoryNeighbour implements Neighbour {
  readonly member: string;
  readonly certificate: Certificate;
  readonly #wire: Wire;
  readonly #kept: ExchangeMessage[] = [];
  readonly #closeListeners: ((reason: CloseReason) => void)[] = [];
  readonly #drains: (PromiseWithResolvers<void> & { readonly below: number })[] = [];
  #backlog = 0;
  #receive: ((message: ExchangeMessage) => void) | undefined;
  #closed: CloseReason | undefined;

  constructor(member: string, certificate: Certificate, wire: Wire) {
    this.member = member;
    this.certificate = certificate;
    this.#wire = wire;
  }

  get backlogBytes(): number {
    return this.#backlog;
  }

  send(parts: readonly Uint8Array[], onTaken?: () => void): void {
    if (this.#closed !== undefined) return;
    const bytes = Buffer.concat(parts);
    onTaken?.();
    this.#backlog += bytes.length;
    this.#wire.send(bytes);
    if (this.#backlog > backlogBytesMax) this.close('stalled');
  }

  async drained({ signal, below = backlogLowBytes }: { readonly signal: AbortSignal; readonly below?: number }): Promise<void> {
    signal.throwIfAborted();
    if (this.#closed !== undefined) throw new DaemonError('PEER_GONE', 'the neighbour left before it had read everything');
    if (this.#backlog < below) return;
    const waiting = { ...Promise.withResolvers<void>(), below };
    this.#drains.push(waiting);
    const onAbort = (): void => waiting.reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await waiting.promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#drains.splice(this.#drains.indexOf(waiting), 1);
    }
  }

  onMessage(listener: (message: ExchangeMessage) => void): void {
    this.#receive = listener;
    for (const message of this.#kept.splice(0)) listener(message);
  }

  /** One wire carries everything: nothing is lost while the neighbour is here. */
  onInterrupted(): void {
    return undefined;
  }

  onClose(listener: (reason: CloseReason) => void): void {
    if (this.#closed === undefined) this.#closeListeners.push(listener);
    else listener(this.#closed);
  }

  close(reason: CloseReason): void {
    if (this.#closed === undefined) this.#wire.close(reason);
  }

  /** The hub has put so many bytes on the wire. */
  sent(bytes: number): void {
    this.#backlog -= bytes;
    for (const waiting of this.#drains) if (this.#backlog < waiting.below) waiting.resolve();
  }

  /** The hub brings a message. */
  receive(message: ExchangeMessage): void {
    if (this.#closed !== undefined) return;
    if (this.#receive === undefined) this.#kept.push(message);
    else this.#receive(message);
  }

  /** The hub has cut the link. */
  finish(reason: CloseReason): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    for (const waiting of this.#drains) waiting.reject(new DaemonError('PEER_GONE', 'the neighbour left before it had read everything'));
    for (const listener of this.#closeListeners.splice(0)) listener(reason);
  }
}
