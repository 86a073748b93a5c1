// A task done again and again: the re-signing of what grows old, and the sweeping of what has expired.

import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';

export interface Every {
  readonly name: string;
  readonly everyMs: number;
  readonly task: () => Promise<unknown>;
}

/** Runs the task at once and then each time that the pause is over, until the signal is aborted. A failure is logged, and the task tried again. */
export async function every({ name, everyMs, task }: Every, { clock, log, signal }: { readonly clock: Clock; readonly log: Logger; readonly signal: AbortSignal }): Promise<void> {
  while (!signal.aborted) {
    await task().catch((error: unknown) => log.error({ err: error, task: name }, 'a periodic task failed; it is tried again'));
    await clock.wait(everyMs, { signal }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}
