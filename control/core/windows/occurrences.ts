// The occurrences of one window as instants. A boundary that the wall clock shows twice or never is read towards closed
// (control-plane.md 1.8): an allow window is what both readings call open, a deny window what either calls closed.
// Whole days meet at midnight; where clocks change at midnight an allow window is therefore closed for that hour.

import { Cron } from 'croner';
import type { TimeWindow, WeeklyRow } from '../../../proto/window.ts';
import { dayMs, instantOf, minuteMs, parseClock, parseWall, wallAt, weekdayOf } from './local-time.ts';
import type { Reading } from './local-time.ts';

/** The most that a wall clock can be moved at once, and a little: a zone that changed the side of the date line moved by a day. */
const skewMs = 86_400_000 + 2 * 3_600_000;

/** One time that a window is active: from `from` until before `to`; milliseconds since 1970. */
export interface Occurrence {
  readonly from: number;
  readonly to: number;
}

/** Occurrences of one window that one question may look at: a search that needs more goes on from there. */
export const occurrencesMax = 500;

/** The most that the two readings of a boundary differ: occurrences found in the order of the wall clock are out of order by no more. */
const slackMs = 3 * 3_600_000;

/** Occurrences of one window, by their start, and the instant up to which they are all. */
interface Known {
  readonly occurrences: readonly Occurrence[];
  readonly knownTo: number;
}

/** Stretches that are remembered of one window: those of a search, from now on to landmarks within its horizon. */
const rememberedMax = 24;

/**
 * What was found of a window, by the days from and to which it was looked through: every environment asks about the same windows at every
 * decision, and wall clocks are dear. It follows from the window and the days alone, and goes with the window.
 */
const remembered = new WeakMap<TimeWindow, Map<string, Known>>();

/**
 * The occurrences that touch `[from, to)`, by their start. When there are more than {@link occurrencesMax}, the earliest of them;
 * `knownTo` is the instant up to which they are all.
 */
export function occurrencesBetween(window: TimeWindow, from: number, to: number): Known {
  const [first, last] = [Math.floor(from / dayMs) * dayMs, Math.ceil(to / dayMs) * dayMs];
  const days = ofDays(window, first, last);
  if (days.knownTo < last) return found(window, from, to);
  return { occurrences: days.occurrences.filter((one) => one.to > from && one.from < to), knownTo: to };
}

function ofDays(window: TimeWindow, first: number, last: number): Known {
  const stretches = remembered.get(window) ?? new Map<string, Known>();
  const key = `${first} ${last}`;
  const known = stretches.get(key) ?? found(window, first, last);
  // The one that was asked for last is the last one.
  stretches.delete(key);
  stretches.set(key, known);
  for (const oldest of stretches.keys()) {
    if (stretches.size <= rememberedMax) break;
    stretches.delete(oldest);
  }
  remembered.set(window, stretches);
  return known;
}

function found(window: TimeWindow, from: number, to: number): Known {
  const all: Occurrence[] = [];
  const [fromWall, toWall] = [wallAt(from, window.timeZone), wallAt(to, window.timeZone)];
  for (const span of spans(window, fromWall, toWall)) {
    // Resolving is the dear part: what is far off on the wall clock is far off in truth.
    if (('forMs' in span ? span.start + span.forMs : span.end) < fromWall - skewMs || span.start > toWall + skewMs) continue;
    const occurrence = resolved(window, span);
    if (occurrence.to <= occurrence.from || occurrence.to <= from || occurrence.from >= to) continue;
    all.push(occurrence);
    if (all.length >= occurrencesMax) return { occurrences: all.toSorted(byStart), knownTo: Math.max(from, occurrence.from - slackMs) };
  }
  return { occurrences: all.toSorted(byStart), knownTo: to };
}

/** Instants beyond the near future at which a window that is not weekly may change: where a search goes on that has found nothing. */
export function landmarksAfter({ schedule, timeZone }: TimeWindow, after: number): readonly number[] {
  if (schedule.kind === 'weekly') return [];
  if (schedule.kind === 'cron') {
    const next = cronOf(schedule.expression).nextRun(new Date(wallAt(after, timeZone)));
    return next === null ? [] : [instantOf(next.getTime(), timeZone, 'earlier')];
  }
  return [schedule.from, schedule.to].flatMap((text) => {
    const wall = parseWall(text);
    return wall === undefined ? [] : [instantOf(wall, timeZone, 'earlier')];
  });
}

/** A stretch on the wall clock, up to another time on it, or for so long after its start. */
type Span = { readonly start: number; readonly end: number } | { readonly start: number; readonly forMs: number };

/** The spans that may touch the stretch of the wall clock, and a few more at both sides, by their start. */
function spans({ schedule }: TimeWindow, from: number, to: number): Iterable<Span> {
  switch (schedule.kind) {
    case 'weekly':
      return weekly(schedule.rows, from, to);
    case 'cron':
      return cron(schedule.expression, schedule.durationMs, from, to);
    case 'once': {
      const [start, end] = [parseWall(schedule.from), parseWall(schedule.to)];
      return start === undefined || end === undefined ? [] : [{ start, end }];
    }
    default:
      return schedule satisfies never;
  }
}

function* weekly(rows: readonly WeeklyRow[], from: number, to: number): Iterable<Span> {
  const ranges = rows.flatMap(rangeOf).toSorted((a, b) => a.start - b.start);
  // What began the day before yesterday, overnight, ended yesterday; one day more for what the change of an offset moves.
  for (let midnight = Math.floor(from / dayMs) * dayMs - 2 * dayMs; midnight <= to + dayMs; midnight += dayMs) {
    const day = weekdayOf(midnight);
    for (const { days, start, end } of ranges) {
      if (days.includes(day)) yield { start: midnight + start, end: midnight + end };
    }
  }
}

/** A row in milliseconds after the midnight that begins its day. */
function rangeOf({ days, times }: WeeklyRow) {
  const start = times === undefined ? 0 : parseClock(times.from);
  const end = times === undefined ? 1440 : parseClock(times.to);
  return start === undefined || end === undefined ? [] : [{ days, start: start * minuteMs, end: (end <= start ? end + 1440 : end) * minuteMs }];
}

/** Counted on the wall clock, since the schedule is written for it; what the change of an offset does comes when it is resolved. */
function* cron(expression: string, forMs: number, from: number, to: number): Iterable<Span> {
  const schedule = cronOf(expression);
  let next = schedule.nextRun(new Date(from - forMs - dayMs));
  while (next !== null && next.getTime() <= to + dayMs) {
    yield { start: next.getTime(), forMs };
    next = schedule.nextRun(next);
  }
}

function cronOf(expression: string): Cron {
  return new Cron(expression, { timezone: 'UTC', mode: '5-part' });
}

function resolved({ kind, timeZone }: TimeWindow, span: Span): Occurrence {
  const [first, second]: readonly [Reading, Reading] = kind === 'allow' ? ['later', 'earlier'] : ['earlier', 'later'];
  const from = instantOf(span.start, timeZone, first);
  const to = 'forMs' in span ? instantOf(span.start, timeZone, second) + span.forMs : instantOf(span.end, timeZone, second);
  return { from, to };
}

function byStart(a: Occurrence, b: Occurrence): number {
  return a.from - b.from || a.to - b.to;
}
