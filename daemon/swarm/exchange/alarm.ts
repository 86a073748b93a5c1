// One next moment at which the scheduler wants to be asked. What is to happen then is the caller's.

import { setMaxListeners } from 'node:events';
import type { Clock } from '../../clock.ts';

/** Waits under way at once, of which all but one are for moments that have become later: what is due is at most half a second ahead. */
const waitsMax = 256;

/**
 * Calls `ring` at the moment last set, once. A moment that is set while an earlier one is waited for changes nothing: the scheduler says anew what it
 * wants when that has passed. A wait that is no longer needed is left to pass: ending it would cost more than it does.
 */
export function createAlarm(clock: Clock, ring: () => void, signal: AbortSignal): { set(at: number | undefined): void } {
  setMaxListeners(waitsMax, signal);
  let next: number | undefined;
  return {
    set(at) {
      if (signal.aborted || at === undefined || (next !== undefined && next <= at)) return;
      next = at;
      clock.wait(Math.max(0, at - clock.monotonic()), { signal }).then(
        () => {
          if (next !== at || signal.aborted) return;
          next = undefined;
          ring();
        },
        () => undefined,
      );
    },
  };
}
