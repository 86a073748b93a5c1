// From the journal to the channel: nothing lost, nothing told twice under two names, and a dead channel holds up no other.

import { spawnSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Registry } from 'prom-client';
import { noticesOf, type Notice } from '../../../control/core/notices.ts';
import { createLog } from '../../../control/control.ts';
import { createMetrics } from '../../../control/metrics.ts';
import type { Channel, Sent } from '../../../control/notify/channel.ts';
import { createNotifier, retryAfterMs } from '../../../control/notify/notifier.ts';
import { deliveriesMax, Outbox } from '../../../control/notify/outbox.ts';
import type { JournalEntry } from '../../../proto/events.ts';
import { noticeNames } from '../../../proto/notification.ts';
import { pipeline, PipelineWorld } from '../../support/pipeline-world.ts';
import { notice } from './receivers.ts';

let directory = '';
beforeEach(async () => void (directory = await mkdtemp(join(tmpdir(), 'outbox-'))));
afterEach(async () => await rm(directory, { recursive: true, force: true }));

/** Time that stands still until it is moved. */
class HandClock {
  ms = 0;
  readonly #waiting: { readonly until: number; readonly wake: () => void }[] = [];
  now = (): number => this.ms;
  monotonic = (): number => this.ms;
  wait = async (ms: number, { signal }: { readonly signal: AbortSignal }): Promise<void> => {
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ until: this.ms + ms, wake: resolve });
      if (signal.aborted) reject(signal.reason as Error);
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    });
  };
  pass(ms: number): void {
    this.ms += ms;
    for (const one of this.#waiting) if (one.until <= this.ms) one.wake();
  }
}

function channel(name: string, answer: (tries: number) => Sent | Promise<Sent> = () => ({ kind: 'sent' })): Channel & { readonly got: string[] } {
  const got: string[] = [];
  return {
    name, kind: 'slack', where: 'here', got,
    async send({ id }) {
      got.push(id);
      return await answer(got.length);
    },
  };
}

/** A world whose pipeline tells everything to `names`, a notifier over its journal, and what it takes to run one. */
async function setUp(channels: readonly Channel[]) {
  const world = new PipelineWorld(['alpha', 'prod']);
  world.apply(pipeline({ notifications: channels.map(({ name }) => ({ events: [...noticeNames], channel: name })) }));
  const outbox = await Outbox.open(directory);
  const clock = new HandClock();
  const stop = new AbortController();
  const listeners = new Set<(entries: readonly JournalEntry[]) => void>();
  let told = world.journal.length;
  const notifier = createNotifier({
    journal: { head: () => world.state.head, read: async (after, limit) => await Promise.resolve(world.journal.slice(after, after + limit)) },
    state: () => world.state,
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    outbox, channels, clock, random: (length) => new Uint8Array(length), signal: stop.signal,
    log: createLog('error', () => undefined),
    metrics: createMetrics(new Registry(), { version: 'test', nodeVersion: 'test' }, () => undefined),
  });
  const running = notifier.run();
  return {
    world, outbox, clock, notifier,
    changed: () => {
      const entries = world.journal.slice(told);
      told = world.journal.length;
      for (const listener of listeners) listener(entries);
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
      await outbox.close();
    },
  };
}

const freeze = (world: PipelineWorld, id: string): void => world.ask({ kind: 'start-freeze', freeze: id, scope: { kind: 'all' }, reason: 'incident' });

describe('a notifier', () => {
  test('tells what happens from when it first listens, not what was before', async () => {
    const chat = channel('chat');
    await using set = await setUp([chat]);
    await expect.poll(() => set.outbox.cursor()).toBe(set.world.state.head);
    freeze(set.world, 'f');
    set.changed();
    await expect.poll(() => chat.got).toEqual([`${set.world.state.head}.shop.chat`]);
    await expect.poll(() => set.outbox.list()).toMatchObject([{ state: 'sent', attempts: 1 }]);
  });

  test('O-3 tells what happened while it was down, once, and repeats what it cannot know to have arrived under the same id', async () => {
    const never = new Promise<Sent>(() => undefined);
    const stuck = channel('chat', async () => await never);
    const first = await setUp([stuck]);
    await expect.poll(() => first.outbox.cursor()).toBe(first.world.state.head);
    freeze(first.world, 'f');
    first.changed();
    await expect.poll(() => stuck.got).toHaveLength(1);
    // It dies amid the sending: the store is all that is left.
    await first.outbox.close();
    const chat = channel('chat');
    await using second = await setUp([chat]);
    freeze(second.world, 'f');
    freeze(second.world, 'g');
    second.changed();
    await expect.poll(() => chat.got).toHaveLength(2);
    expect(chat.got[0]).toBe(stuck.got[0]);
    expect(new Set(chat.got).size).toBe(2);
  });

  test('goes on from where the journal is when that was restored and knows less', async () => {
    const chat = channel('chat');
    const outbox = await Outbox.open(directory);
    await outbox.take([], 1_000_000);
    await outbox.close();
    await using set = await setUp([chat]);
    await expect.poll(() => set.outbox.cursor()).toBe(set.world.state.head);
    freeze(set.world, 'f');
    set.changed();
    await expect.poll(() => chat.got).toHaveLength(1);
  });

  test('tries again later and later, no sooner than it was asked, and gives up in the end', async () => {
    const chat = channel('chat', (tries) => ({ kind: 'failed', reason: `no ${tries}`, ...(tries === 1 ? { retryAfterMs: 60_000 } : {}) }));
    await using set = await setUp([chat]);
    await expect.poll(() => set.outbox.cursor()).toBe(set.world.state.head);
    freeze(set.world, 'f');
    set.clock.ms = set.world.now;
    set.changed();
    await expect.poll(() => set.outbox.list()[0]).toMatchObject({ state: 'pending', attempts: 1, reason: 'no 1', due: set.clock.ms + 60_000 });
    for (let tries = 2; tries <= retryAfterMs.length + 1; tries += 1) {
      set.clock.pass((set.outbox.list()[0]?.due ?? 0) - set.clock.ms);
      await expect.poll(() => set.outbox.list()[0]?.attempts).toBe(tries);
    }
    expect(set.outbox.list()).toMatchObject([{ state: 'failed', reason: `no ${retryAfterMs.length + 1}` }]);
    await set.notifier.again(set.outbox.list()[0]?.id ?? '');
    await expect.poll(() => chat.got.length).toBe(retryAfterMs.length + 2);
    await expect(set.notifier.again('nothing')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('is not held up by a channel that never answers', async () => {
    const dead = channel('dead', async () => await new Promise<Sent>(() => undefined));
    const alive = channel('alive');
    const set = await setUp([dead, alive]);
    await expect.poll(() => set.outbox.cursor()).toBe(set.world.state.head);
    freeze(set.world, 'f');
    freeze(set.world, 'g');
    set.changed();
    await expect.poll(() => alive.got).toHaveLength(2);
    expect(dead.got).toHaveLength(1);
    await set.outbox.close();
  });

  test('says which channels there are when it is asked to test another', async () => {
    await using set = await setUp([channel('chat', () => ({ kind: 'refused', reason: 'no' })), channel('log')]);
    await expect(set.notifier.test('pager', 'ann')).rejects.toMatchObject({ code: 'NOT_FOUND', message: "there is no channel 'pager'; the settings have chat, log" });
    expect(await set.notifier.test('chat', 'ann')).toEqual({ ok: false, reason: 'no' });
    expect(await set.notifier.test('log', 'ann')).toEqual({ ok: true });
    expect(set.outbox.list()).toEqual([]);
  });
});

describe('an outbox', () => {
  test('writes down how far it is when something is told, when it is closed, and now and then: not with every entry', async () => {
    const size = async (): Promise<number> => (await Promise.all((await readdir(directory)).filter((name) => name.endsWith('.log')).map(async (name) => (await stat(join(directory, name))).size))).reduce((sum, one) => sum + one, 0);
    const outbox = await Outbox.open(directory);
    await outbox.take([], 1);
    const before = await size();
    for (let cursor = 2; cursor <= 1_000; cursor += 1) await outbox.take([], cursor);
    expect(outbox.cursor()).toBe(1_000);
    expect(await size()).toBe(before);
    await outbox.take([], 1_001);
    const written = await size();
    expect(written).toBeGreaterThan(before);
    await outbox.take([notice(1_002)], 1_002);
    expect(await size()).toBeGreaterThan(written);
    await outbox.take([], 1_003);
    await outbox.close();
    await using again = await Outbox.open(directory);
    expect(again.cursor()).toBe(1_003);
  });

  test('has what it took after it was closed, and takes nothing twice', async () => {
    const outbox = await Outbox.open(directory);
    await outbox.take([notice(1), notice(2)], 2);
    await outbox.note({ ...notice(1), state: 'sent', attempts: 1, due: 5 });
    await outbox.take([notice(1)], 2);
    await outbox.close();
    await using again = await Outbox.open(directory);
    expect(again.cursor()).toBe(2);
    expect(again.list().map(({ id, state }) => [id, state])).toEqual([['2.shop.chat', 'pending'], ['1.shop.chat', 'sent']]);
  });

  test('keeps what it took after the disk was full for a while', async ({ skip }) => {
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', directory], { encoding: 'utf8' });
    if (mounted.status !== 0) return skip(`NOT TESTED: a full disk needs the right to mount a tmpfs: ${mounted.stderr}`);
    const long = (number: number): Notice => ({ ...notice(number), text: 'x'.repeat(20_000) });
    try {
      const outbox = await Outbox.open(join(directory, 'outbox'));
      await outbox.take([long(1)], 1);
      const filler = join(directory, 'filler');
      expect(() => {
        for (;;) appendFileSync(filler, Buffer.alloc(4096));
      }).toThrow('ENOSPC');
      await expect(outbox.take([long(2)], 2)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
      await expect(outbox.take([long(2)], 2)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
      expect(outbox.list()).toHaveLength(1);
      await rm(filler);
      await outbox.take([long(2)], 2);
      await outbox.take([long(3)], 3);
      await outbox.close();
      await using again = await Outbox.open(join(directory, 'outbox'));
      expect([again.cursor(), again.list().length]).toEqual([3, 3]);
    } finally {
      spawnSync('umount', [directory]);
    }
  });

  test('forgets what is over first when it is full', async () => {
    await using outbox = await Outbox.open(directory);
    await outbox.take([notice(1)], 1);
    await outbox.take(Array.from({ length: deliveriesMax - 1 }, (_, index) => notice(index + 2)), deliveriesMax);
    await outbox.note({ ...notice(5), state: 'sent', attempts: 1, due: 5 });
    await outbox.take([notice(deliveriesMax + 1)], deliveriesMax + 1);
    expect(outbox.list()).toHaveLength(deliveriesMax);
    expect(outbox.get(notice(1).id)?.state).toBe('pending');
    expect(outbox.get(notice(5).id)).toBeUndefined();
  });
});

test('what the journal says of itself is what is sent', async () => {
  const chat = channel('chat');
  await using set = await setUp([chat]);
  await expect.poll(() => set.outbox.cursor()).toBe(set.world.state.head);
  const from = set.world.state.head;
  set.world.push(1);
  set.world.settle();
  set.changed();
  const expected = set.world.journal.slice(from).flatMap((entry) => noticesOf(set.world.state, entry).map(({ id }) => id));
  await expect.poll(() => chat.got).toEqual(expected);
});
