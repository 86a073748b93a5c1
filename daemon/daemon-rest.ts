// Memory at rest. The runtime gives back what work left in the heap when more is asked of it, which a daemon with nothing to do hardly does: it would keep
// that for days. So it is collected once the daemon rests, a twentieth of a second for 25 MiB, and not again until it has worked.

import type { Clock } from './clock.ts';

/** Over how long load is looked at: less than people wait between two deployments, more than there is between two pieces of a slow line. */
const spanMs = 5_000;
/** Of one core. An agent among sixteen neighbours that rests takes a tenth of it on average, and ten times that when it greets them all, once a minute. */
const restShare = 0.005;
/** What is less was no work: a collection takes as long. */
const workShare = 0.02;

export interface RestDeps {
  readonly clock: Clock;
  /** Processor time of all threads since the start, in milliseconds. */
  readonly cpuMs: () => number;
  /** Gives back what it can; synchronous. */
  readonly collect: () => void;
}

/** Watches until it is disposed of. */
export function collectAtRest({ clock, cpuMs, collect }: RestDeps): Disposable {
  const over = new AbortController();
  const watch = async (): Promise<void> => {
    // The start was work.
    let hasWorked = true;
    let [sinceMs, usedMs] = [clock.monotonic(), cpuMs()];
    while (!over.signal.aborted) {
      await clock.wait(spanMs, { signal: over.signal });
      const share = (cpuMs() - usedMs) / (clock.monotonic() - sinceMs);
      if (share >= workShare) hasWorked = true;
      if (share < restShare && hasWorked) {
        collect();
        hasWorked = false;
      }
      // After the collection, which is no work.
      [sinceMs, usedMs] = [clock.monotonic(), cpuMs()];
    }
  };
  watch().catch(() => {
    // Only the wait rejects, when it is over.
  });
  return { [Symbol.dispose]: () => over.abort() };
}
