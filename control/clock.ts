// Time, handed in: the one place on this floor that reads the system's clocks and sets timers.

import { setTimeout as sleep } from 'node:timers/promises';

/** Wall clock for signed instants, monotonic clock for durations, and waiting. Milliseconds. */
export interface Clock {
  /** Since 1970. May jump. */
  now(): number;
  /** Since some moment in the past. Never goes back. */
  monotonic(): number;
  /** Rejects with the signal's reason when it is aborted. */
  wait(ms: number, options: { readonly signal: AbortSignal }): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  wait: async (ms, { signal }) => {
    await sleep(ms, undefined, { signal });
  },
};
