// Whether windows are open for an environment at an instant, what holds it when they are not, and when that changes.
// One answer for admission, automation, the API and the command line (T-2). Pure: windows and an instant in, a verdict out.

import type { TimeWindow } from '../../../proto/window.ts';
import { jitterOf } from './jitter.ts';
import { landmarksAfter, occurrencesBetween } from './occurrences.ts';
import type { Occurrence } from './occurrences.ts';

/** For whom the windows are asked about. */
export interface WindowUse {
  readonly environment: string;
  /** When the promotions that count against `maxDeploysPerOccurrence` started here; milliseconds since 1970, any order. */
  readonly starts: readonly number[];
  /** Windows that an override lifts, by name. Of several that allow, one is enough. */
  readonly lifted: ReadonlySet<string>;
}

/** Why a window holds: it denies; it is not active; this environment's turn in it has not come; its occurrence is used up. */
export type HoldReason = 'denied' | 'closed' | 'jitter' | 'used-up';

/** One window that holds. */
export interface WindowHold {
  readonly window: TimeWindow;
  readonly why: HoldReason;
  /** Since when, as far as the occurrence under way says. */
  readonly since?: number;
  /** When this one holds no longer; absent when that is not within the horizon. */
  readonly until?: number;
}

/** What windows say at an instant. */
export interface WindowVerdict {
  readonly open: boolean;
  /** Every window that holds; empty when open. */
  readonly holds: readonly WindowHold[];
  /** When closed: the first instant at which they are open, within {@link horizonMs}. When open: the first at which they are not. */
  readonly changesAt?: number;
}

/** How far ahead a change is looked for: a freeze for the holidays of next year is found, a window for ever shut is not. */
export const horizonMs = 400 * 86_400_000;
/** Looked through without a gap: every weekly and monthly schedule shows itself in it. */
const nearMs = 35 * 86_400_000;
/** The first stretch of a search; each further one is four times as long. */
const stretchMs = 2 * 86_400_000;
/** Looked through after each landmark beyond the near future: a week in which whatever is weekly comes round. */
const landmarkMs = 8 * 86_400_000;
/** Landmarks that one search visits. */
const landmarksMax = 16;
/** Stretches of one search: four are enough, unless a window has so many occurrences that each stretch is cut short. */
const stretchesMax = 12;

/** The windows' verdict at `now`. */
export function evaluateWindows(windows: readonly TimeWindow[], use: WindowUse, now: number): WindowVerdict {
  const asked = stillAsked(windows, use.lifted);
  if (asked.length === 0) return { open: true, holds: [] };
  const near = new Timetable(asked, use, now, now + stretchMs);
  const open = near.isOpen(now);
  const changesAt = search(asked, near, use, (table, at) => table.isOpen(at) !== open);
  const known = changesAt === undefined ? {} : { changesAt };
  return open ? { open, holds: [], ...known } : { open, holds: holdsAt(asked, near, use), ...known };
}

/** Whether the windows are open at an instant: the same answer as {@link evaluateWindows}, without looking ahead. */
export function isOpenAt(windows: readonly TimeWindow[], use: WindowUse, at: number): boolean {
  return new Timetable(stillAsked(windows, use.lifted), use, at, at + 1).isOpen(at);
}

/** Windows that have a say beside those that are lifted: a deny window that is lifted denies nothing, an allow window that is lifted is as good as open, and one is enough. */
function stillAsked(windows: readonly TimeWindow[], lifted: ReadonlySet<string>): readonly TimeWindow[] {
  const allowed = windows.some(({ kind, window }) => kind === 'allow' && lifted.has(window));
  return windows.filter(({ kind, window }) => !lifted.has(window) && !(allowed && kind === 'allow'));
}

type Question = (table: Timetable, at: number) => boolean;

/** The first instant after the beginning of `near` at which `is`, as far as looked: only at a boundary can anything change. */
function search(windows: readonly TimeWindow[], near: Timetable, use: WindowUse, is: Question): number | undefined {
  const now = near.from;
  const found = near.boundaries().find((at) => at > now && is(near, at)) ?? scan(windows, use, { after: now, from: near.knownTo, to: now + nearMs }, is);
  if (found !== undefined) return found;
  const beyond = windows.flatMap((window) => landmarksAfter(window, now + nearMs)).filter((at) => at > now + nearMs && at < now + horizonMs);
  for (const landmark of [...new Set(beyond)].toSorted((a, b) => a - b).slice(0, landmarksMax)) {
    // A little before it, since a landmark is one reading of the wall clock.
    const later = scan(windows, use, { after: now, from: landmark - 3 * 3_600_000, to: landmark + landmarkMs }, is);
    if (later !== undefined) return later;
  }
  return undefined;
}

interface Stretch {
  readonly after: number;
  readonly from: number;
  readonly to: number;
}

function scan(windows: readonly TimeWindow[], use: WindowUse, { after, from, to }: Stretch, is: Question): number | undefined {
  let start = from;
  for (let stretch = 0, length = stretchMs; stretch < stretchesMax && start < to; stretch += 1, length *= 4) {
    const table = new Timetable(windows, use, start, Math.min(start + length, to));
    for (const at of [start, ...table.boundaries()]) {
      if (at > after && is(table, at)) return at;
    }
    if (table.knownTo <= start) return undefined;
    start = table.knownTo;
  }
  return undefined;
}

function holdsAt(windows: readonly TimeWindow[], table: Timetable, use: WindowUse): readonly WindowHold[] {
  const now = table.from;
  const denying = windows.filter((window) => window.kind === 'deny' && table.isActive(window, now));
  const allows = windows.filter((window) => window.kind === 'allow');
  const shut = allows.some((window) => table.isActive(window, now)) ? [] : allows;
  return [...denying, ...shut].map((window) => {
    const raw = table.raw(window, now);
    const until = search([window], table, use, (ahead, at) => ahead.isActive(window, at) === (window.kind === 'allow'));
    const why = window.kind === 'deny' ? 'denied' : raw === undefined ? 'closed' : table.isUsedUp(window, raw) ? 'used-up' : 'jitter';
    return { window, why, ...(raw === undefined ? {} : { since: raw.from }), ...(until === undefined ? {} : { until }) };
  });
}

/** The occurrences of windows that touch a stretch of time. */
class Timetable {
  /** From here to there the table is complete. */
  readonly from: number;
  readonly knownTo: number;
  readonly #rows: readonly { readonly window: TimeWindow; readonly occurrences: readonly Occurrence[] }[];
  readonly #use: WindowUse;

  constructor(windows: readonly TimeWindow[], use: WindowUse, from: number, to: number) {
    const read = windows.map((window) => ({ window, ...occurrencesBetween(window, from, to) }));
    this.from = from;
    this.knownTo = Math.min(to, ...read.map((row) => row.knownTo));
    this.#rows = read;
    this.#use = use;
  }

  isOpen(at: number): boolean {
    let allowed: boolean | undefined;
    for (const { window } of this.#rows) {
      const active = this.isActive(window, at);
      if (window.kind === 'deny' && active) return false;
      if (window.kind === 'allow') allowed = allowed === true || active;
    }
    return allowed ?? true;
  }

  /** Whether a window denies at an instant, or lets this environment start. */
  isActive(window: TimeWindow, at: number): boolean {
    return this.#of(window).some((one) => this.#start(window, one) <= at && at < one.to && !this.isUsedUp(window, one));
  }

  /** The occurrence of a window under way by the schedule alone. */
  raw(window: TimeWindow, at: number): Occurrence | undefined {
    return this.#of(window).findLast((one) => one.from <= at && at < one.to);
  }

  isUsedUp(window: TimeWindow, { from, to }: Occurrence): boolean {
    const most = window.maxDeploysPerOccurrence;
    if (window.kind === 'deny' || most === undefined) return false;
    return this.#use.starts.filter((start) => from <= start && start < to).length >= most;
  }

  /** Every instant of the stretch at which something may change, in order. */
  boundaries(): readonly number[] {
    const all = this.#rows.flatMap(({ window, occurrences }) => occurrences.flatMap((one) => [this.#start(window, one), one.to]));
    return [...new Set(all)].filter((at) => this.from <= at && at < this.knownTo).toSorted((a, b) => a - b);
  }

  #of(window: TimeWindow): readonly Occurrence[] {
    return this.#rows.find((row) => row.window === window)?.occurrences ?? [];
  }

  #start(window: TimeWindow, occurrence: Occurrence): number {
    return window.kind === 'deny' ? occurrence.from : occurrence.from + jitterOf(window, occurrence, this.#use.environment);
  }
}
