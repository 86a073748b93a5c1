// Time, handed in: the one place on this floor that reads the system's clocks and sets timers.

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
    signal.throwIfAborted();
    // By hand: timers/promises makes an error with a stack for each wait that is cut short, and there are thousands a second when a fleet joins.
    await new Promise<void>((resolve) => {
      const cut = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        signal.removeEventListener('abort', cut);
        resolve();
      }, ms);
      signal.addEventListener('abort', cut, { once: true });
    });
    signal.throwIfAborted();
  },
};
