// Waits until our own cap lets bytes go. Which caps there are is core/rate.ts's; what is sent is uploads.ts's.

import type { Clock } from '../../clock.ts';
import type { RateGate } from '../../core/rate.ts';

/** Lets senders go one after the other, in the order in which they came. */
export interface Pace {
  /** Resolves when `bytes` may go, and counts them. Rejects when the signal fires first; then nothing was counted. */
  take(bytes: number, options: { readonly signal: AbortSignal }): Promise<void>;
}

/** What cannot be known in advance, such as the hour at which a cap changes, is looked at again after this. */
const lookMs = 1_000;

/** As many may wait as requests are served at once, which the scheduler bounds. */
export function createPace(gate: RateGate, clock: Clock, onWaited: (ms: number) => void): Pace {
  let tail: Promise<void> = Promise.resolve();
  const pass = async (bytes: number, signal: AbortSignal): Promise<void> => {
    for (;;) {
      signal.throwIfAborted();
      const waitMs = Math.min(lookMs, gate.waitMs('rollout', bytes, 0, clock.monotonic()));
      if (waitMs <= 0) break;
      // A timer that fires a little early would only be set once more.
      await clock.wait(Math.ceil(waitMs), { signal });
      onWaited(waitMs);
    }
    gate.take('rollout', bytes, clock.monotonic());
  };
  return {
    async take(bytes, { signal }) {
      const turn = tail.then(async () => await pass(bytes, signal));
      tail = turn.catch(() => undefined);
      await turn;
    },
  };
}
