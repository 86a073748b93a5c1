// What is still to be told, and what was: kept in a store of its own beside the journal, so that no notice is lost when the process
// dies, and none is made twice. The journal says what happened; this only how far the telling is.

import { Level } from 'level';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { ControlError } from '../errors.ts';
import { oneOf } from '../../proto/api/schema.ts';
import { noticeNames } from '../../proto/notification.ts';
import type { Notice } from '../core/notices.ts';

/** Deliveries kept, newest first to stay; some 500 bytes each. */
export const deliveriesMax = 10_000;
/**
 * Entries without a notice after which the cursor is written down. Each entry of a busy journal would otherwise cost a synced write here as well; what is
 * looked at again after a crash is soon looked at.
 */
const quietEntriesMax = 1_000;

const DeliverySchema = Type.Object({
  id: Type.String(),
  name: oneOf(noticeNames),
  channel: Type.String(),
  pipeline: Type.String(),
  subject: Type.String(),
  title: Type.String(),
  text: Type.String(),
  at: Type.Integer(),
  state: Type.Union([Type.Literal('pending'), Type.Literal('sent'), Type.Literal('failed')]),
  attempts: Type.Integer(),
  /** When it is tried next; of those that are over, when that was. Milliseconds since 1970. */
  due: Type.Integer(),
  reason: Type.Optional(Type.String()),
});
type Stored = Static<typeof DeliverySchema>;
const isDelivery = Compile(DeliverySchema);

/** A notice on its way. */
export type Delivery = Notice & Pick<Stored, 'state' | 'attempts' | 'due' | 'reason'>;

export class Outbox implements AsyncDisposable {
  readonly #level: Level<string, unknown>;
  /** By key, oldest first: the journal's order. */
  readonly #deliveries = new Map<string, Delivery>();
  #cursor: number | undefined;
  /** What of it is on the disk. */
  #synced: number | undefined;
  #closed = false;

  private constructor(level: Level<string, unknown>) {
    this.#level = level;
  }

  /** @throws {ControlError} STORAGE_FAILED. */
  static async open(directory: string): Promise<Outbox> {
    const level = new Level<string, unknown>(directory, { valueEncoding: 'json' });
    try {
      await level.open();
      const outbox = new Outbox(level);
      for await (const [key, value] of level.iterator({ gt: 'd/', lt: 'd0' })) {
        // Written by the same version or an older one; what cannot be read is not told.
        if (isDelivery.Check(value)) outbox.#deliveries.set(key, value);
      }
      const cursor = await level.get('cursor');
      if (typeof cursor === 'number') outbox.#cursor = outbox.#synced = cursor;
      return outbox;
    } catch (cause) {
      await level.close();
      throw failed(directory, cause);
    }
  }

  /** Up to which entry of the journal everything was taken; undefined when nothing ever was. */
  cursor(): number | undefined {
    return this.#cursor;
  }

  /** Newest first. */
  list(): readonly Delivery[] {
    return [...this.#deliveries.values()].toReversed();
  }

  get(id: string): Delivery | undefined {
    return this.#deliveries.get(keyOf(id));
  }

  /** Takes the notices of the entries up to `cursor`; resolves when they are synced. Those it has already stay as they are. Gives how many it had not. */
  async take(notices: readonly Notice[], cursor: number): Promise<number> {
    const fresh = notices.filter(({ id }) => !this.#deliveries.has(keyOf(id))).map((notice): Delivery => ({ ...notice, state: 'pending', attempts: 0, due: notice.at }));
    if (fresh.length === 0 && this.#synced !== undefined && Math.abs(cursor - this.#synced) < quietEntriesMax) {
      this.#cursor = cursor;
      return 0;
    }
    await this.#write([...fresh.map((delivery) => ({ type: 'put' as const, key: keyOf(delivery.id), value: delivery })), { type: 'put', key: 'cursor', value: cursor }]);
    for (const delivery of fresh) this.#deliveries.set(keyOf(delivery.id), delivery);
    this.#cursor = this.#synced = cursor;
    await this.#forget();
    return fresh.length;
  }

  /** Notes what came of a try; resolves when it is synced. */
  async note(delivery: Delivery): Promise<void> {
    await this.#write([{ type: 'put', key: keyOf(delivery.id), value: delivery }]);
    this.#deliveries.set(keyOf(delivery.id), delivery);
  }

  async close(): Promise<void> {
    // What could not be written is looked at again.
    if (this.#cursor !== undefined && this.#cursor !== this.#synced) await this.#write([{ type: 'put', key: 'cursor', value: this.#cursor }]).catch(() => undefined);
    this.#closed = true;
    await this.#level.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** What is over goes first; with nothing but unsent notices, the oldest of those. */
  async #forget(): Promise<void> {
    const over = this.#deliveries.size - deliveriesMax;
    if (over <= 0) return;
    const keys = [...this.#deliveries];
    const old = [...keys.filter(([, one]) => one.state !== 'pending'), ...keys.filter(([, one]) => one.state === 'pending')].slice(0, over).map(([key]) => key);
    await this.#write(old.map((key) => ({ type: 'del', key })));
    for (const key of old) this.#deliveries.delete(key);
  }

  /** After a failed write the store is opened anew: what is written behind a torn record is lost when it is opened, though it was synced. */
  async #write(operations: readonly ({ readonly type: 'put'; readonly key: string; readonly value: unknown } | { readonly type: 'del'; readonly key: string })[]): Promise<void> {
    if (this.#closed) throw new ControlError('STORAGE_FAILED', 'the store of notifications is closed');
    try {
      if (this.#level.status !== 'open') await this.#level.open();
      await this.#level.batch([...operations], { sync: true });
    } catch (cause) {
      await this.#level.close().catch(() => undefined);
      throw failed('notifications', cause);
    }
  }
}

/** In the order of the journal. */
function keyOf(id: string): string {
  const [seq = '', ...rest] = id.split('.');
  return `d/${seq.padStart(16, '0')}.${rest.join('.')}`;
}

function failed(what: string, cause: unknown): ControlError {
  return new ControlError('STORAGE_FAILED', `the store of ${what} refused: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
}
