// The order of words: everything that is said to a neighbour and is no answer travels on the libp2p stream, or on the bulk channel while there is one, and
// arrives once and in the order of sending although each way has its own pace and a channel may end at any time. So words are numbered (proto/exchange.ts),
// what the channel carries is kept until the neighbour has confirmed it, and what comes too early over the channel waits for the stream.
// Which frames are words and how they are sent is stream-neighbour.ts's.

import { encodeMessage } from '../../../proto/exchange-codec.ts';
import { rangeBytes } from '../../../proto/exchange-frame.ts';
import type { ExchangeMessage, MarkMessage, TakenMessage } from '../../../proto/exchange.ts';
import { backlogBytesMax } from '../network.ts';

/** The ways to a neighbour. */
export type Way = 'stream' | 'bulk';

export interface WordOrderOptions {
  readonly send: (way: Way, parts: readonly Uint8Array[]) => void;
  /** The neighbour's next word. */
  readonly deliver: (message: ExchangeMessage, way: Way) => void;
  /** What the neighbour does no honest one would. */
  readonly onMisbehaviour: (reason: 'protocol' | 'stalled', detail: string) => void;
}

export interface WordOrder {
  /** Sends one of our words. Its parts must not change any more. */
  say(parts: readonly Uint8Array[]): void;
  /** There is a channel now: what is said from here on goes over it. */
  opened(): void;
  /** There is none any more: what it carried and nobody has confirmed is said again. */
  ended(): void;
  hear(message: ExchangeMessage, way: Way): void;
  /** The channel has been silent for a while: confirms what has come over it. Whether the neighbour has yet to confirm something. */
  quiet(): boolean;
}

/** What came over a channel is confirmed after so many words, or at once when it is so long: what the other side keeps at rest. */
const unconfirmedMax = 64;
const unconfirmedBytesMax = 64 * 1024;
/** Beside its bytes, what a word costs that is kept. */
const keptBytes = 256;
/** Words over a channel that wait for the stream: what is said in the time by which one connection may lag behind the other. */
const earlyMax = 4_096;

export function createWordOrder(options: WordOrderOptions): WordOrder {
  return new Order(options);
}

class Order implements WordOrder {
  readonly #options: WordOrderOptions;
  #way: Way = 'stream';
  /** Number of our next word. */
  #said = 0;
  /** What the channel carried and is not confirmed, the last of them the last one said. */
  #kept: (readonly Uint8Array[])[] = [];
  #keptBytes = 0;
  /** Number of the next word to be delivered. */
  #heard = 0;
  /** Of the next one on each way; of none on a channel without a mark. */
  readonly #next: { stream: number; bulk: number | undefined } = { stream: 0, bulk: undefined };
  /** Came over the channel before what the stream still brings, in order and without a gap. */
  #early: ExchangeMessage[] = [];
  #earlyBytes = 0;
  #unconfirmed = 0;
  #unconfirmedBytes = 0;

  constructor(options: WordOrderOptions) {
    this.#options = options;
  }

  say(parts: readonly Uint8Array[]): void {
    this.#said += 1;
    if (this.#way === 'bulk') {
      this.#kept.push(parts);
      for (const { length } of parts) this.#keptBytes += length;
      if (this.#keptBytes + keptBytes * this.#kept.length > backlogBytesMax) return this.#options.onMisbehaviour('stalled', `${this.#kept.length} words wait to be confirmed`);
    }
    this.#options.send(this.#way, parts);
  }

  opened(): void {
    this.#way = 'bulk';
    this.#options.send('bulk', encodeMessage({ kind: 'mark', number: this.#said }));
  }

  ended(): void {
    if (this.#way === 'stream') return;
    this.#way = 'stream';
    const kept = this.#kept;
    this.#forget(kept.length);
    // They come again, over the stream.
    this.#next.bulk = undefined;
    this.#early = [];
    this.#earlyBytes = 0;
    this.#options.send('stream', encodeMessage({ kind: 'mark', number: this.#said - kept.length }));
    for (const parts of kept) this.#options.send('stream', parts);
  }

  hear(message: ExchangeMessage, way: Way): void {
    if (message.kind === 'mark') return this.#onMark(message, way);
    if (message.kind === 'taken') return this.#onTaken(message);
    const number = this.#next[way];
    if (number === undefined) return this.#misbehave('a word over a bulk channel without a mark');
    this.#next[way] = number + 1;
    if (number > this.#heard) return this.#keepEarly(message);
    // It came over a channel that has ended, before it did.
    if (number < this.#heard) return;
    this.#deliver(message, way);
    // Their numbers end where the channel's next begins.
    while (this.#early.length > 0 && this.#heard + this.#early.length === this.#next.bulk) {
      const next = this.#early.shift();
      if (next !== undefined) this.#deliver(next, 'bulk');
    }
  }

  quiet(): boolean {
    if (this.#unconfirmed > 0) this.#confirm();
    return this.#kept.length > 0;
  }

  #onMark({ number }: MarkMessage, way: Way): void {
    // The stream itself has brought all that a mark on it says has been said.
    if (way === 'stream' && number > this.#heard) return this.#misbehave(`a mark at ${number} on the stream, of which ${this.#heard} words have come`);
    if (way === 'bulk' && this.#next.bulk !== undefined) return this.#misbehave('a second mark on a bulk channel');
    this.#next[way] = number;
  }

  #onTaken({ number }: TakenMessage): void {
    if (number > this.#said) return this.#misbehave(`${number} words are confirmed of ${this.#said}`);
    this.#forget(number - (this.#said - this.#kept.length));
  }

  #forget(count: number): void {
    if (count <= 0) return;
    for (const parts of this.#kept.slice(0, count)) for (const { length } of parts) this.#keptBytes -= length;
    this.#kept = this.#kept.slice(count);
  }

  #keepEarly(message: ExchangeMessage): void {
    this.#earlyBytes += bytesOf(message);
    if (this.#early.length >= earlyMax || this.#earlyBytes > backlogBytesMax) return this.#misbehave(`${this.#early.length} words over a bulk channel before those on the stream`);
    this.#early.push(message);
  }

  #deliver(message: ExchangeMessage, way: Way): void {
    this.#heard += 1;
    if (this.#early.length === 0) this.#earlyBytes = 0;
    if (way === 'bulk') {
      this.#unconfirmed += 1;
      this.#unconfirmedBytes += bytesOf(message);
      if (this.#unconfirmed >= unconfirmedMax || this.#unconfirmedBytes >= unconfirmedBytesMax) this.#confirm();
    }
    this.#options.deliver(message, way);
  }

  #confirm(): void {
    this.#unconfirmed = 0;
    this.#unconfirmedBytes = 0;
    this.#options.send(this.#way, encodeMessage({ kind: 'taken', number: this.#heard }));
  }

  #misbehave(detail: string): void {
    this.#options.onMisbehaviour('protocol', detail);
  }
}

/** About how long a word is, of those that can be long. */
function bytesOf(message: ExchangeMessage): number {
  if (message.kind === 'open') return message.held.length;
  if (message.kind === 'have' || message.kind === 'request') return message.ranges.length * rangeBytes;
  if (message.kind === 'delta') return message.descriptor.length + message.statement.length;
  return message.kind === 'manifest' ? message.bytes.length : 0;
}
