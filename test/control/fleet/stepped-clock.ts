// A clock that stands until it is told to go on, and then lets what waits go on one after the other, each with all that follows from it.

import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../../control/clock.ts';

interface Waiting {
  readonly at: number;
  readonly go: () => void;
}

export class SteppedClock implements Clock {
  #now = 1_700_000_000_000;
  readonly #waiting = new Set<Waiting>();

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  /** Waits that have not ended. */
  get waits(): number {
    return this.#waiting.size;
  }

  async wait(ms: number, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting = { at: this.#now + ms, go: resolve };
    const abort = (): void => reject(new Error('aborted'));
    signal.addEventListener('abort', abort, { once: true });
    this.#waiting.add(waiting);
    try {
      await promise;
    } finally {
      this.#waiting.delete(waiting);
      signal.removeEventListener('abort', abort);
    }
  }

  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    await setImmediate();
    for (;;) {
      const next = [...this.#waiting].filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#now = Math.max(this.#now, next.at);
      next.go();
      await setImmediate();
    }
    this.#now = end;
  }
}
