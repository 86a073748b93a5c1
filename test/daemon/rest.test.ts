// When what work left in memory is collected, with time and load made by hand.

import { expect, test } from 'vitest';
import { systemClock } from '../../daemon/clock.ts';
import { collectAtRest } from '../../daemon/daemon-rest.ts';

/** Never passes; rejects when it is over. */
async function untilOver(signal: AbortSignal): Promise<void> {
  await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('over')), { once: true }));
}

/** The spans of five seconds after which there was a collection, which takes 50 ms itself, by what a daemon used in each, in milliseconds. */
async function collections(spans: readonly number[]): Promise<readonly number[]> {
  const found: number[] = [];
  const ended = Promise.withResolvers<void>();
  let [now, used, span] = [1_000_000, 900, -1];
  const wait = async (ms: number, { signal }: { readonly signal: AbortSignal }): Promise<void> => {
    span += 1;
    if (span === spans.length) ended.resolve();
    if (span >= spans.length) await untilOver(signal);
    now += ms;
    used += spans[span] ?? 0;
  };
  const collect = (): void => {
    found.push(span);
    now += 50;
    used += 50;
  };
  using _ = collectAtRest({ clock: { now: () => now, monotonic: () => now, wait }, cpuMs: () => used, collect });
  await ended.promise;
  return found;
}

test.each([
  ['once after the start', [3_000, 400, 3, 2, 4, 2], [2]],
  ['once after each time of work, however short', [2, 2, 2, 700, 26, 2, 2, 100, 1], [0, 5, 8]],
  ['never while it works', [100, 26, 26, 30, 5_000], []],
  ['never for what it does at rest now and then', [2, 2, 60, 2, 26, 99, 2], [0]],
])('collects %s', async (_, spans, expected) => {
  expect(await collections(spans)).toEqual(expected);
});

test('waits no longer once it is disposed of', () => {
  const signals: AbortSignal[] = [];
  const wait = async (_: number, { signal }: { readonly signal: AbortSignal }): Promise<void> => {
    signals.push(signal);
    await untilOver(signal);
  };
  collectAtRest({ clock: { ...systemClock, wait }, cpuMs: () => 0, collect: () => {} })[Symbol.dispose]();
  expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
});
