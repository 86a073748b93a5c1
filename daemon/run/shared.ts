// Work that several wait for: done once, for as long as anybody waits. What the work is, is the caller's.

/** One piece of work at a time for each key. */
export interface Shared<Key, Result> {
  /**
   * Begins `work`, or joins what is under way for the key. A caller whose signal fires leaves with its reason; when the last one has left, the signal of the work
   * fires, and how that ends is what the last one gets.
   * As many wait as callers do: that bound is theirs.
   */
  join(key: Key, signal: AbortSignal, work: (all: AbortSignal) => Promise<Result>): Promise<Result>;
}

interface Running<Result> {
  readonly result: Promise<Result>;
  readonly stop: AbortController;
  waiting: number;
}

/** Nothing is under way. */
export function createShared<Key, Result>(): Shared<Key, Result> {
  const running = new Map<Key, Running<Result>>();

  const begin = (key: Key, work: (all: AbortSignal) => Promise<Result>): Running<Result> => {
    const stop = new AbortController();
    const begun: Running<Result> = { result: work(stop.signal), stop, waiting: 0 };
    const over = (): void => {
      if (running.get(key) === begun) running.delete(key);
    };
    begun.result.then(over, over);
    running.set(key, begun);
    return begun;
  };
  return {
    async join(key, signal, work) {
      // What is being stopped is of no use to who comes now, and must have ended before it begins anew.
      for (let last = running.get(key); last?.stop.signal.aborted === true; last = running.get(key)) await last.result.catch(() => undefined);
      signal.throwIfAborted();
      const one = running.get(key) ?? begin(key, work);
      one.waiting += 1;
      const left = Promise.withResolvers<never>();
      const leave = (): void => {
        one.waiting -= 1;
        if (one.waiting > 0) left.reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
        else one.stop.abort(signal.reason);
      };
      signal.addEventListener('abort', leave, { once: true });
      try {
        return await Promise.race([one.result, left.promise]);
      } finally {
        signal.removeEventListener('abort', leave);
      }
    },
  };
}
