// Waiting for our own cap: in order, no faster than allowed, and at once gone when the request is.

import { expect, test } from 'vitest';
import { createRateGate, rateBounds } from '../../../../daemon/core/rate.ts';
import { createPace } from '../../../../daemon/swarm/exchange/pace.ts';

/** Time that passes when somebody waits. */
function jumpingClock() {
  let at = 0;
  return {
    now: () => at,
    monotonic: () => at,
    wait: async (ms: number, { signal }: { readonly signal: AbortSignal }) => {
      signal.throwIfAborted();
      await Promise.resolve();
      at += ms;
    },
  };
}

const limit = 1_000_000;
const gate = () => createRateGate({ limit, hours: [] }, () => 0);

test('senders go one after the other, at the cap', async () => {
  const clock = jumpingClock();
  let waitedMs = 0;
  const pace = createPace(gate(), clock, (ms) => (waitedMs += ms));
  const { signal } = new AbortController();
  const order: number[] = [];
  await Promise.all(Array.from({ length: 100 }, async (_, index) => {
    await pace.take(100_000, { signal });
    order.push(index);
  }));
  expect(order).toEqual(order.toSorted((a, b) => a - b));
  const least = (100 * 100_000 - rateBounds.burstBytesMin) / (limit / 1000);
  expect(clock.monotonic()).toBeGreaterThanOrEqual(least);
  expect(clock.monotonic()).toBeLessThan(least * 1.05);
  expect(waitedMs).toBeGreaterThan(least * 0.9);
});

test('one that is gone holds up nobody, and was not counted', async () => {
  const clock = jumpingClock();
  const own = gate();
  own.take('rollout', 2 * limit, 0);
  const pace = createPace(own, clock, () => undefined);
  const gone = new AbortController();
  const first = pace.take(10_000_000, { signal: gone.signal });
  const second = pace.take(1_000, { signal: new AbortController().signal });
  gone.abort(new Error('gone'));
  await expect(first).rejects.toThrow('gone');
  await second;
  expect(clock.monotonic()).toBeLessThan(2_100);
});
