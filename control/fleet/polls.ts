// Long polls that wait for news: one for each member at most, the newer ends the older. What news is, is sync.ts.

import type { Clock } from '../clock.ts';

/** Why a wait ended. */
export type Woken = 'news' | 'timeout' | 'replaced' | 'gone';

/** One open poll. */
export interface Poll {
  /** Waits for news, at most `ms`. News that came since the last wait ends it at once. */
  wait(ms: number, options: { readonly signal: AbortSignal }): Promise<Woken>;
  /** Must be called when the poll is answered. */
  end(): void;
}

const rousedReason = 'roused';

interface Open {
  woken: Woken | undefined;
  rouse: (() => void) | undefined;
}

/** The polls of all members: bounded by their number. */
export class Polls {
  readonly #open = new Map<string, Open>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Members that wait. */
  members(): Iterable<string> {
    return this.#open.keys();
  }

  open(member: string): Poll {
    this.#wake(member, 'replaced');
    const open: Open = { woken: undefined, rouse: undefined };
    this.#open.set(member, open);
    return {
      wait: async (ms, { signal }) => await this.#wait(open, ms, signal),
      end: () => {
        if (this.#open.get(member) === open) this.#open.delete(member);
      },
    };
  }

  wake(member: string): void {
    this.#wake(member, 'news');
  }

  #wake(member: string, why: 'news' | 'replaced'): void {
    const open = this.#open.get(member);
    if (open === undefined) return;
    open.woken = why;
    open.rouse?.();
  }

  async #wait(open: Open, ms: number, signal: AbortSignal): Promise<Woken> {
    const roused = new AbortController();
    // With a reason of its own: the one that is made otherwise carries a stack, for each of ten thousand.
    open.rouse = () => roused.abort(rousedReason);
    if (open.woken !== undefined) roused.abort(rousedReason);
    const timedOut = await this.#clock.wait(ms, { signal: AbortSignal.any([signal, roused.signal]) }).then(
      () => true,
      (error: unknown) => {
        if (!signal.aborted && !roused.signal.aborted) throw error;
        return false;
      },
    );
    open.rouse = undefined;
    const { woken } = open;
    if (woken !== 'replaced') open.woken = undefined;
    return woken ?? (timedOut ? 'timeout' : 'gone');
  }
}
