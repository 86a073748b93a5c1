// Long polls that wait for news: one for each member at most, the newer ends the older. What news is, is sync.ts.
// Ten thousand of them share one timer, and each costs a promise: a timer and a signal each would be most of what a waiting member costs.

import type { Clock } from '../clock.ts';

/** Why a wait ended. */
export type Woken = 'news' | 'timeout' | 'replaced' | 'gone';

/** One open poll. */
export interface Poll {
  /** Waits for news, at most `ms` and a little. News that came since the last wait ends it at once. */
  wait(ms: number, options: { readonly signal: AbortSignal }): Promise<Woken>;
  /** Must be called when the poll is answered. */
  end(): void;
}

/** With a reason of its own: the one that is made otherwise carries a stack. */
const rousedReason = 'roused';
/** How often it is looked whose time has come, at most: each look goes through all polls. */
const lookEveryMs = 20;

interface Open {
  /** Monotonic milliseconds. */
  readonly openedAt: number;
  woken: 'news' | 'replaced' | undefined;
  rouse: (() => void) | undefined;
  /** Monotonic milliseconds. */
  until: number;
}

/** The polls of all members: bounded by their number. */
export class Polls {
  readonly #open = new Map<string, Open>();
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  /** When it will be looked whose time has come, and how to look earlier. */
  #lookAt = Infinity;
  #sleeping: AbortController | undefined;

  /** `signal` ends every wait. */
  constructor(clock: Clock, signal: AbortSignal) {
    this.#clock = clock;
    this.#signal = signal;
    signal.addEventListener('abort', () => this.#stop(), { once: true });
  }

  /** Members that wait. */
  members(): Iterable<string> {
    return this.#open.keys();
  }

  /** Whether a member waits, and has since that moment, in monotonic milliseconds. */
  hasWaited(member: string, since: number): boolean {
    return (this.#open.get(member)?.openedAt ?? Infinity) <= since;
  }

  open(member: string): Poll {
    this.#wake(member, 'replaced');
    const open: Open = { openedAt: this.#clock.monotonic(), woken: undefined, rouse: undefined, until: Infinity };
    // Behind the others, so that those whose time comes first stand first.
    this.#open.delete(member);
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
    if (open.woken === undefined && !signal.aborted && !this.#signal.aborted) {
      open.until = this.#clock.monotonic() + ms;
      const { promise, resolve } = Promise.withResolvers<void>();
      const rouse = (): void => resolve();
      open.rouse = rouse;
      signal.addEventListener('abort', rouse, { once: true });
      this.#lookBy(open.until);
      await promise;
      open.rouse = undefined;
      signal.removeEventListener('abort', rouse);
    }
    const { woken } = open;
    if (woken !== 'replaced') open.woken = undefined;
    return woken ?? (signal.aborted || this.#signal.aborted ? 'gone' : 'timeout');
  }

  /** Sees to it that the timer ends at that moment at the latest, or soon after. */
  #lookBy(until: number): void {
    if (until >= this.#lookAt || this.#signal.aborted) return;
    this.#sleeping?.abort(rousedReason);
    const sleeping = new AbortController();
    this.#sleeping = sleeping;
    const ms = Math.max(lookEveryMs, until - this.#clock.monotonic());
    this.#lookAt = until;
    void this.#clock.wait(ms, { signal: sleeping.signal }).then(
      () => this.#look(),
      (error: unknown) => {
        if (!sleeping.signal.aborted) throw error;
      },
    );
  }

  #look(): void {
    const now = this.#clock.monotonic();
    this.#lookAt = Infinity;
    this.#sleeping = undefined;
    let next = Infinity;
    for (const { rouse, until } of this.#open.values()) {
      if (rouse === undefined) continue;
      if (until <= now) rouse();
      else next = Math.min(next, until);
    }
    if (next < Infinity) this.#lookBy(next);
  }

  #stop(): void {
    this.#sleeping?.abort(rousedReason);
    for (const { rouse } of this.#open.values()) rouse?.();
  }
}
