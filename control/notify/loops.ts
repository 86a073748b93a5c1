// Loops that rest until somebody wakes them all, or until a time that each says itself.

import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';

/** Without anything new, each looks again after this long. */
const idleMs = 3_600_000;
/** After a failure. */
const pauseMs = 5_000;

export interface LoopDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** Ends all of them. */
  readonly signal: AbortSignal;
}

export interface Loops {
  readonly wake: () => void;
  /** Does `once` again and again; it says when to come back, in milliseconds since 1970. A failure is logged, and tried again. */
  readonly loop: (once: () => Promise<number>) => Promise<void>;
}

export function createLoops({ clock, log, signal }: LoopDeps): Loops {
  const wakers = new Set<() => void>();
  return {
    wake() {
      for (const rouse of wakers) rouse();
    },
    async loop(once) {
      while (!signal.aborted) {
        const roused = new AbortController();
        const rouse = (): void => roused.abort();
        wakers.add(rouse);
        const next = await once().catch((error: unknown) => {
          if (!signal.aborted) log.error({ err: error }, 'notifying failed; it is tried again');
          return clock.now() + pauseMs;
        });
        const ms = Math.min(idleMs, Math.max(0, next - clock.now()));
        await clock.wait(ms, { signal: AbortSignal.any([signal, roused.signal]) }).catch((error: unknown) => {
          if (!signal.aborted && !roused.signal.aborted) throw error;
        });
        wakers.delete(rouse);
      }
    },
  };
}
