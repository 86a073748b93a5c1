// A loop that rests until it is woken or its time has come: what moves environments, workflow runs and notices goes round in one.

import type { Clock } from './clock.ts';
import type { Logger } from './log.ts';

export interface LoopOptions {
  /** One round; answers in how many milliseconds to come again, Infinity for when somebody wakes it. */
  readonly once: () => Promise<number>;
  /** What a round that failed is called in the log: "deciding failed". It is tried again after {@link retryAfterMs}. */
  readonly failed: string;
  /** The longest rest, whatever a round said, in milliseconds. */
  readonly restMsMax: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Ends the loop. */
  readonly signal: AbortSignal;
}

export interface Loop {
  /** Asks for a round soon; cheap, and many at once are one. During a round it means another. */
  readonly wake: () => void;
  /** Resolves when the signal is aborted. */
  readonly run: () => Promise<void>;
}

/** With a reason of its own: the one that is made otherwise carries a stack. */
const rousedReason = 'roused';

/** A round that failed is tried again after this long. */
export const retryAfterMs = 5_000;

/** A loop that does not run yet; woken before that, it has nothing to do: its first round comes by itself. */
export function createLoop({ once, failed, restMsMax, clock, log, signal }: LoopOptions): Loop {
  let roused = new AbortController();
  return {
    wake: () => {
      if (!roused.signal.aborted) roused.abort(rousedReason);
    },
    run: async () => {
      while (!signal.aborted) {
        roused = new AbortController();
        const restMs = await once().catch((error: unknown) => {
          if (!signal.aborted) log.error({ err: error }, failed);
          return retryAfterMs;
        });
        await rest(clock, Math.max(0, Math.min(restMs, restMsMax)), [signal, roused.signal]);
      }
    },
  };
}

/** Waits until the time has passed or one of the signals is aborted. */
async function rest(clock: Clock, ms: number, signals: readonly AbortSignal[]): Promise<void> {
  if (signals.some(({ aborted }) => aborted)) return;
  await clock.wait(ms, { signal: AbortSignal.any([...signals]) }).catch((error: unknown) => {
    if (!signals.some(({ aborted }) => aborted)) throw error;
  });
}
