// Answers to syncs as bytes. What ten thousand members are told alike is made and compressed once: a whole roster, which comes alone, a change of it, an order's text.

import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { Compile } from 'typebox/compile';
import { SyncReplySchema, type SyncReply } from '../../proto/fleet.ts';

/** A body, and how it is encoded. */
export interface EncodedAnswer {
  readonly bytes: Uint8Array;
  readonly encoding?: 'gzip';
}

/** Rosters and changes of it kept made: nearly everybody holds one of the last few. A roster of ten thousand is 3 MB, and 1 MB compressed. */
const keptMax = 4;
/** Shorter ones are not worth a try. */
const compressedBytesMin = 16 * 1024;

const form = Compile(SyncReplySchema);
const compress = promisify(gzip);

interface Kept {
  readonly bytes: Uint8Array;
  /** Undefined when that is no shorter. */
  readonly compressed: Promise<Uint8Array> | undefined;
}

/** Orders kept made, the newest: each target that one names is told all of it, and a decision makes up to ten (core/effects.ts). */
const ordersMax = 64;

export class SyncAnswers {
  /** By what tells one roster from another, the text or the change itself, oldest first. */
  readonly #kept = new Map<unknown, Kept>();
  readonly #orders = new Map<string, Uint8Array>();
  /** Whole answers that bring orders, by the last of these: the last answer with it. */
  readonly #whole = new Map<string, { readonly answer: SyncReply; readonly bytes: Uint8Array }>();

  /** `accepted` is the request's Accept-Encoding. */
  async encode(answer: SyncReply, accepted: string | string[] | undefined): Promise<EncodedAnswer> {
    const common = commonIn(answer);
    if (common === undefined) return { bytes: answer.orders.length === 0 ? encoded(answer) : this.#withOrders(answer) };
    const { bytes, compressed } = this.#kept.get(common) ?? this.#keep(common, answer);
    if (compressed === undefined || !/\bgzip\b/.test(String(accepted))) return { bytes };
    return { bytes: await compressed, encoding: 'gzip' };
  }

  /** Targets of the same orders are told the same with them, mostly: those bytes are put together, and looked at, once. */
  #withOrders(answer: SyncReply): Uint8Array {
    const { orders, ...others } = answer;
    const last = orders.at(-1) ?? '';
    const kept = this.#whole.get(last);
    if (kept !== undefined && isSameAnswer(kept.answer, answer)) return kept.bytes;
    const bytes = this.#joined(orders, text({ orders: [], ...others }));
    this.#whole.set(last, { answer, bytes });
    dropOldest(this.#whole, ordersMax);
    return bytes;
  }

  /** `{"orders":[` and what follows, with the orders in between. */
  #joined(orders: readonly string[], rest: string): Uint8Array {
    const parts = orders.flatMap((order, index) => [index === 0 ? beforeOrders : comma, this.#orderBytes(order)]);
    return Buffer.concat([...parts, Buffer.from(rest).subarray(beforeOrders.length)]);
  }

  #orderBytes(order: string): Uint8Array {
    const known = this.#orders.get(order);
    if (known !== undefined) return known;
    const made = Buffer.from(JSON.stringify(order));
    this.#orders.set(order, made);
    dropOldest(this.#orders, ordersMax);
    return made;
  }

  #keep(common: unknown, answer: SyncReply): Kept {
    const bytes = encoded(answer);
    const made: Kept = { bytes, compressed: bytes.length < compressedBytesMin ? undefined : compress(bytes) };
    this.#kept.set(common, made);
    dropOldest(this.#kept, keptMax);
    return made;
  }
}

const beforeOrders = Buffer.from('{"orders":[');
const comma = Buffer.from(',');

function dropOldest(map: Map<unknown, unknown>, max: number): void {
  for (const oldest of map.keys()) {
    if (map.size <= max) return;
    map.delete(oldest);
  }
}

/** What everybody who is told it is told in the same bytes: a roster or a change of it with nothing else. */
function commonIn({ roster, rosterChange, orders, metadata, certificate, pollAfterMs }: SyncReply): unknown {
  if (orders.length > 0 || certificate !== undefined || pollAfterMs !== 0 || Object.keys(metadata).length > 0) return undefined;
  return roster ?? rosterChange;
}

/** Whether both say the same in the same texts. What is made for one member, a certificate, is never the same. */
function isSameAnswer(a: SyncReply, b: SyncReply): boolean {
  if (a.pollAfterMs !== b.pollAfterMs || a.roster !== b.roster || a.rosterChange !== b.rosterChange || a.certificate !== b.certificate) return false;
  return isSameList(a.orders, b.orders) && isSameList(a.manifests ?? [], b.manifests ?? []) && isSameList(Object.entries(a.metadata).flat(), Object.entries(b.metadata).flat());
}

function isSameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one, index) => one === b[index]);
}

function encoded(answer: SyncReply): Uint8Array {
  return Buffer.from(text(answer));
}

/** @throws when it does not fit its schema: that is our own mistake. */
function text(answer: SyncReply): string {
  if (form.Check(answer)) return JSON.stringify(answer);
  const first = form.Errors(answer)[0];
  throw new Error(`the answer to a sync does not fit its schema: ${first?.instancePath ?? ''} ${first?.message ?? ''}`);
}
