// Who was heard when, and what they said of themselves: observations, kept in memory only and lost with the process.
// What follows from silence is core's.

import type { Progress, Rates, Running, SyncRequest } from '../../proto/fleet.ts';

/** What a member last said. */
export interface Heard {
  readonly at: number;
  readonly version: string;
  readonly running: readonly Running[];
  readonly progress: readonly Progress[];
  /** What it declares that it may send and receive. */
  readonly rates: Rates;
}

/** A member whose requests are refused for the time that they name. */
export interface Misset {
  /** By how much its clock was ahead of ours; below zero when it was behind. */
  readonly aheadMs: number;
  /** Of the newest request that was refused. */
  readonly at: number;
}

/** By the last time that a member was heard. */
export type Connectivity = 'online' | 'stale' | 'offline';

/** One long poll and the pause after it; a member is online for two of them, stale for ten (control-plane.md, section 1.2). */
const intervalMs = 60_000;
const onlineIntervals = 2;
const staleIntervals = 10;
/** How often it is written down of everybody whose poll is open that they are there: far below what decides anything. */
const lookEveryMs = 1_000;

/** Observations of enrolled members: bounded by their number, since only requests that a member's key signed get here. */
export class Presence {
  readonly #heard = new Map<string, Heard>();
  readonly #lastSeen = new Map<string, number>();
  /** Long polls open at this moment: as long as one is open, its member is there. */
  readonly #listening = new Map<string, number>();
  readonly #misset = new Map<string, Misset>();
  readonly #now: () => number;
  #lookedAt = -Infinity;

  /** `now` is milliseconds since 1970. */
  constructor(now: () => number) {
    this.#now = now;
  }

  heard(member: string, { version, running, progress, rates = {} }: Pick<SyncRequest, 'version' | 'running' | 'progress' | 'rates'>): void {
    this.#misset.delete(member);
    this.#lastSeen.set(member, this.#now());
    this.#heard.set(member, { at: this.#now(), version, running, progress, rates });
  }

  /** Heard, but with nothing to say of itself: a report, an upload. */
  seen(member: string): void {
    this.#lastSeen.set(member, this.#now());
  }

  /** A request was its key's and not of our time, so that it was refused. Says whether that is new. */
  mistimed(member: string, aheadMs: number): boolean {
    const isNew = this.missetOf(member) === undefined;
    this.#misset.set(member, { aheadMs, at: this.#now() });
    return isNew;
  }

  /** That its clock is wrong, while nothing was heard of it since that could be believed. */
  missetOf(member: string): Misset | undefined {
    const misset = this.#misset.get(member);
    return misset === undefined || misset.at < (this.seenAt(member) ?? 0) ? undefined : misset;
  }

  /** Everybody whose clock is wrong. */
  misset(): ReadonlyMap<string, Misset> {
    return new Map([...this.#misset.keys()].flatMap((member) => {
      const misset = this.missetOf(member);
      return misset === undefined ? [] : [[member, misset] as const];
    }));
  }

  /** Marks a long poll open; returns how to say that it ended. */
  listen(member: string): () => void {
    this.#listening.set(member, (this.#listening.get(member) ?? 0) + 1);
    return () => {
      const left = (this.#listening.get(member) ?? 1) - 1;
      if (left > 0) this.#listening.set(member, left);
      else this.#listening.delete(member);
      this.seen(member);
    };
  }

  forget(member: string): void {
    this.#heard.delete(member);
    this.#lastSeen.delete(member);
    this.#misset.delete(member);
  }

  of(member: string): Heard | undefined {
    return this.#heard.get(member);
  }

  /** When each member was last heard, milliseconds since 1970; of those whose poll is open, a second ago at most. Asked at every decision. */
  lastSeen(): ReadonlyMap<string, number> {
    const now = this.#now();
    if (Math.abs(now - this.#lookedAt) < lookEveryMs) return this.#lastSeen;
    this.#lookedAt = now;
    for (const member of this.#listening.keys()) this.#lastSeen.set(member, now);
    return this.#lastSeen;
  }

  seenAt(member: string): number | undefined {
    return this.#listening.has(member) ? this.#now() : this.#lastSeen.get(member);
  }

  connectivity(member: string): Connectivity {
    // Of most a poll is open: a look at ten thousand need not ask for the time ten thousand times.
    if (this.#listening.has(member)) return 'online';
    const at = this.#lastSeen.get(member);
    const silent = at === undefined ? Infinity : this.#now() - at;
    if (silent < onlineIntervals * intervalMs) return 'online';
    return silent < staleIntervals * intervalMs ? 'stale' : 'offline';
  }
}
