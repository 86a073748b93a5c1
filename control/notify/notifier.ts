// Follows the journal and tells people: takes the notices of each new entry into the outbox, then sends what is due, each channel at its
// own pace, so that a dead chat holds up no pager. At least once, with the same id each time.

import type { JournalEntry } from '../../proto/events.ts';
import type { Clock } from '../clock.ts';
import type { Notice } from '../core/notices.ts';
import { noticesOf } from '../core/notices.ts';
import type { State } from '../core/model/model.ts';
import { ControlError } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';
import type { Logger } from '../log.ts';
import { createLoop, type Loop } from '../loop.ts';
import type { Metrics } from '../metrics.ts';
import type { RandomBytes } from '../random.ts';
import type { Channel } from './channel.ts';
import type { Delivery, Outbox } from './outbox.ts';

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
/** Pauses before each further try; after the last, somebody has to look (two days and a half in all). */
export const retryAfterMs = [5 * secondMs, 30 * secondMs, 2 * minuteMs, 10 * minuteMs, 30 * minuteMs, 2 * hourMs, 6 * hourMs, 12 * hourMs, 24 * hourMs] as const;
/** Without anything new, a loop looks again after this long. */
const restMsMax = hourMs;
/** Entries looked at together. */
const pageEntries = 1_000;
/** Entries kept as they come, so that a deployment's thousands of reports are not read again for the few that are news; whoever is further behind reads the journal. */
const freshMax = 4_000;

export interface NotifierOptions {
  readonly journal: Pick<Journal, 'head' | 'read'>;
  readonly state: () => State;
  /** Calls the listener with what the journal has grown by; returns how to stop. */
  readonly onChange: (listener: (entries: readonly JournalEntry[]) => void) => () => void;
  readonly outbox: Outbox;
  readonly channels: readonly Channel[];
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly signal: AbortSignal;
}

export interface Notifier {
  readonly channels: readonly Channel[];
  readonly outbox: Outbox;
  /** Sends one notice to a channel at once, to see whether it arrives; keeps nothing. @throws {ControlError} NOT_FOUND. */
  test(channel: string, by: string): Promise<{ readonly ok: boolean; readonly reason?: string }>;
  /** Puts a delivery that is over back in line. @throws {ControlError} NOT_FOUND, CONFLICT. */
  again(id: string): Promise<Delivery>;
  /** Until the signal is aborted. */
  run(): Promise<void>;
}

export function createNotifier(options: NotifierOptions): Notifier {
  const { outbox, channels, clock, log, signal } = options;

  const wake = (): void => {
    for (const loop of serving) loop.wake();
  };

  let fresh: readonly JournalEntry[] = [];
  const next = async (after: number): Promise<readonly JournalEntry[]> => {
    const at = fresh.findIndex(({ seq }) => seq === after + 1);
    const known = at < 0 ? [] : fresh.slice(at, at + pageEntries);
    return known.length > 0 ? known : await options.journal.read(after, pageEntries);
  };

  const take = async (): Promise<void> => {
    const { journal, state } = options;
    // What happened before anybody listened is no news; what the journal does not know any more, since it was restored, comes anew.
    if ((outbox.cursor() ?? Infinity) > journal.head()) await outbox.take([], journal.head());
    for (let after = outbox.cursor() ?? 0; after < journal.head() && !signal.aborted; after = outbox.cursor() ?? after) {
      const entries = await next(after);
      const last = entries.at(-1);
      if (last === undefined) return;
      fresh = fresh.filter(({ seq }) => seq > last.seq);
      if ((await outbox.take(entries.flatMap((entry) => noticesOf(state(), entry)), last.seq)) > 0) wake();
    }
  };

  /** Sends what is due for one channel, oldest first; a failure lets the next ones try too. */
  const serve = async (channel: Channel): Promise<number> => {
    const mine = () => outbox.list().filter((one) => one.channel === channel.name && one.state === 'pending');
    for (const delivery of mine().toReversed()) {
      if (signal.aborted) return Infinity;
      if (dueOf(delivery) <= clock.now()) await deliver(options, channel, delivery);
    }
    return Math.min(Infinity, ...mine().map(dueOf)) - clock.now();
  };
  const loopOf = (once: () => Promise<number>): Loop => createLoop({ once, failed: 'notifying failed; it is tried again', restMsMax, clock, log, signal });
  const taking = loopOf(async () => await take().then(() => Infinity));
  const serving = channels.map((channel) => loopOf(async () => await serve(channel)));

  return {
    channels,
    outbox,
    async test(name, by) {
      const channel = channels.find((one) => one.name === name);
      if (channel === undefined) throw unknownChannel(name, channels);
      const title = `a test from Starling, sent by ${by}`;
      const at = clock.now();
      const notice: Notice = { id: `test-${at}`, name: 'automation.changed', channel: name, pipeline: '', subject: name, title, text: title, at };
      const outcome = await channel.send(notice, { signal });
      return outcome.kind === 'sent' ? { ok: true } : { ok: false, reason: outcome.reason };
    },
    async again(id) {
      const delivery = outbox.get(id);
      if (delivery === undefined) throw new ControlError('NOT_FOUND', `there is no notice '${id}'`);
      if (delivery.state === 'pending') throw new ControlError('CONFLICT', `notice '${id}' is in line already, and is tried again by itself`);
      const renewed: Delivery = { ...delivery, state: 'pending', attempts: 0, due: clock.now() };
      await outbox.note(renewed);
      wake();
      return renewed;
    },
    async run() {
      const stop = options.onChange((entries) => {
        fresh = [...fresh, ...entries].slice(-freshMax);
        taking.wake();
      });
      await Promise.all([...[taking, ...serving].map(async (loop) => await loop.run()), unroutable(options)]).finally(stop);
    },
  };
}

/** The first try is at once: a clock that was set back since the fact must not delay it. */
function dueOf({ attempts, due }: Delivery): number {
  return attempts === 0 ? 0 : due;
}

/** Notices for channels that the settings do not have: said once at the start, since nobody would ever see them. */
async function unroutable({ outbox, channels, log }: NotifierOptions): Promise<void> {
  const known = new Set(channels.map(({ name }) => name));
  const lost = new Set(outbox.list().filter((one) => one.state === 'pending' && !known.has(one.channel)).map((one) => one.channel));
  for (const channel of lost) log.warn({ channel }, 'notices wait for a channel that the settings do not have');
  await Promise.resolve();
}

/** One try, and what came of it noted. */
async function deliver({ outbox, clock, log, metrics, random, signal }: NotifierOptions, channel: Channel, delivery: Delivery): Promise<void> {
  const outcome = await channel.send(delivery, { signal });
  const now = clock.now();
  const attempts = delivery.attempts + 1;
  const pause = retryAfterMs[attempts - 1];
  if (outcome.kind === 'sent') {
    metrics.notifications.inc({ channel: channel.name, result: 'sent' });
    return await outbox.note({ ...strip(delivery), state: 'sent', attempts, due: now });
  }
  const { reason } = outcome;
  if (outcome.kind === 'refused' || pause === undefined) {
    metrics.notifications.inc({ channel: channel.name, result: 'failed' });
    log.error({ channel: channel.name, notice: delivery.id, attempts, reason }, 'a notice could not be delivered; look at the channel and send it again');
    return await outbox.note({ ...delivery, state: 'failed', attempts, due: now, reason });
  }
  metrics.notifications.inc({ channel: channel.name, result: 'retried' });
  // Up to a tenth more, so that many do not come back at once.
  const jitter = 1 + (random(1)[0] ?? 0) / 2560;
  await outbox.note({ ...delivery, attempts, due: now + Math.max(pause * jitter, outcome.retryAfterMs ?? 0), reason });
}

function strip({ reason: _reason, ...delivery }: Delivery): Omit<Delivery, 'reason'> {
  return delivery;
}

/** What to say of a channel that is not in the settings. */
export function unknownChannel(name: string, channels: readonly Channel[]): ControlError {
  const list = channels.map((channel) => channel.name).toSorted().join(', ');
  return new ControlError('NOT_FOUND', `there is no channel '${name}'; ${list === '' ? 'the settings have none: add `channels` to control.yaml' : `the settings have ${list}`}`);
}
