// The loop that rests until woken, on a clock that moves when told.

import { describe, expect, it } from 'vitest';
import { pino } from 'pino';
import { createLoop, retryAfterMs } from '../../control/loop.ts';

/** A loop over `once`, and the rests that it takes: each is ended by `pass`. */
function looping(once: () => Promise<number>) {
  const ending = new AbortController();
  const rests: number[] = [];
  let pass = (): void => undefined;
  let began = Promise.withResolvers<void>();
  const clock = {
    now: () => 0,
    monotonic: () => 0,
    async wait(ms: number, { signal }: { readonly signal: AbortSignal }) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      signal.addEventListener('abort', () => reject(signal.reason));
      rests.push(ms);
      pass = resolve;
      began.resolve();
      await promise;
    },
  };
  const loop = createLoop({ once, failed: 'it failed', restMsMax: 1_000_000, clock, log: pino({ enabled: false }), signal: ending.signal });
  return {
    loop,
    rests,
    pass: () => pass(),
    /** Until the next rest begins. */
    rest: async () => {
      await began.promise;
      began = Promise.withResolvers();
    },
    end: () => ending.abort(),
  };
}

describe('createLoop()', () => {
  it('comes again when the time has passed that a round named, and after no more than the longest rest', async () => {
    const named = [5, -3, Infinity];
    let rounds = 0;
    const { loop, rests, rest, pass, end } = looping(async () => await Promise.resolve(named[rounds++] ?? 0));
    const running = loop.run();
    for (let turn = 0; turn < named.length; turn += 1) {
      await rest();
      pass();
    }
    end();
    await running;
    expect(rests.slice(0, 3)).toEqual([5, 0, 1_000_000]);
  });

  it('comes at once when it is woken, also when that was during the round', async () => {
    let rounds = 0;
    const { loop, rests, rest, end } = looping(async () => {
      rounds += 1;
      if (rounds === 1) loop.wake();
      return await Promise.resolve(60_000);
    });
    const running = loop.run();
    await rest();
    expect([rounds, rests.length]).toEqual([2, 1]);
    loop.wake();
    await rest();
    expect([rounds, rests.length]).toEqual([3, 2]);
    end();
    await running;
  });

  it('tries again after a pause when a round fails, and ends when told, whatever it waits for', async () => {
    const { loop, rests, rest, end } = looping(async () => await Promise.reject(new Error('no')));
    const running = loop.run();
    await rest();
    end();
    await expect(running).resolves.toBeUndefined();
    expect(rests).toEqual([retryAfterMs]);
  });
});
