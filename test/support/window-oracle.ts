// A slow second opinion on time windows: minute by minute, with nothing but Intl.DateTimeFormat. It shares no code and no
// library with control/core/windows. It knows the wall clock of every minute of a stretch, finds each boundary there by
// looking, and where the wall shows a boundary twice or never takes the reading that is more closed.

import type { TimeWindow, Weekday } from '../../proto/window.ts';

const minuteMs = 60_000;
const days: readonly Weekday[] = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const dayMinutes = 1440;

/** The wall clock of a zone, minute by minute: `wall[i]` is what it shows at `from + i` minutes, as minutes since 1970 as if in UTC. */
export class WallClock {
  readonly from: number;
  readonly wall: readonly number[];
  readonly #first = new Map<number, number>();
  readonly #last = new Map<number, number>();

  /** `from` and `to` in milliseconds, on whole minutes. */
  constructor(timeZone: string, from: number, to: number) {
    this.from = from / minuteMs;
    const format = new Intl.DateTimeFormat('en-US', { timeZone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric' });
    const wall: number[] = [];
    for (let at = from; at < to; at += minuteMs) {
      const part: Record<string, number> = {};
      for (const { type, value } of format.formatToParts(at)) part[type] = Number(value);
      wall.push(Date.UTC(part['year'] ?? 0, (part['month'] ?? 1) - 1, part['day'] ?? 1, part['hour'] ?? 0, part['minute'] ?? 0) / minuteMs);
    }
    this.wall = wall;
    wall.forEach((shown, index) => {
      if (!this.#first.has(shown)) this.#first.set(shown, index);
      this.#last.set(shown, index);
    });
  }

  /** The minute (since 1970) at which the wall shows `local`, in its earlier or later reading; undefined beyond the stretch. */
  minuteOf(local: number, reading: 'earlier' | 'later'): number | undefined {
    const shown = reading === 'earlier' ? this.#first.get(local) : this.#last.get(local);
    if (shown !== undefined) return this.from + shown;
    for (let index = 1; index < this.wall.length; index += 1) {
      const [before, after] = [this.wall[index - 1] ?? 0, this.wall[index] ?? 0];
      if (before < local && local < after) {
        // The wall jumps over it: read it by the offset that held after the jump, or by that before.
        const offset = reading === 'earlier' ? after - (this.from + index) : before - (this.from + index - 1);
        return local - offset;
      }
    }
    return undefined;
  }
}

/** The stretches that a window is active in, as minutes since 1970, looked up on a wall clock that reaches days beyond what is asked. */
export function activeStretches(window: TimeWindow, clock: WallClock): readonly (readonly [number, number])[] {
  const side = window.kind === 'allow' ? (['later', 'earlier'] as const) : (['earlier', 'later'] as const);
  const stretches: [number, number][] = [];
  for (const { start, end, length } of localSpans(window, clock)) {
    const from = clock.minuteOf(start, side[0]);
    const other = clock.minuteOf(end ?? start, side[1]);
    if (from === undefined || other === undefined) continue;
    const to = other + (length ?? 0);
    if (from < to) stretches.push([from, to]);
  }
  return stretches;
}

interface LocalSpan {
  readonly start: number;
  readonly end?: number;
  readonly length?: number;
}

function localSpans({ schedule }: TimeWindow, clock: WallClock): readonly LocalSpan[] {
  const first = Math.min(...ends(clock));
  const last = Math.max(...ends(clock));
  const spans: LocalSpan[] = [];
  if (schedule.kind === 'once') {
    return [{ start: Date.parse(`${schedule.from}Z`) / minuteMs, end: Date.parse(`${schedule.to}Z`) / minuteMs }];
  }
  if (schedule.kind === 'cron') {
    const [minutes, hours, dates, months, weekdays] = schedule.expression.split(' ').map(field);
    for (let local = first; local <= last; local += 1) {
      const date = new Date(local * minuteMs);
      const dateFits = dates?.has(date.getUTCDate()) ?? true;
      const dayFits = weekdays?.has(date.getUTCDay()) ?? true;
      // Vixie's rule: when both day fields are restricted, one of them is enough.
      const onDay = dates !== undefined && weekdays !== undefined ? dateFits || dayFits : dateFits && dayFits;
      if (onDay && (minutes?.has(date.getUTCMinutes()) ?? true) && (hours?.has(date.getUTCHours()) ?? true) && (months?.has(date.getUTCMonth() + 1) ?? true)) {
        spans.push({ start: local, length: schedule.durationMs / minuteMs });
      }
    }
    return spans;
  }
  for (let midnight = Math.floor(first / dayMinutes) * dayMinutes; midnight <= last; midnight += dayMinutes) {
    const day = days[new Date(midnight * minuteMs).getUTCDay()];
    for (const row of schedule.rows) {
      if (day === undefined || !row.days.includes(day)) continue;
      const start = midnight + (row.times === undefined ? 0 : clockMinutes(row.times.from));
      const end = midnight + (row.times === undefined ? dayMinutes : clockMinutes(row.times.to));
      spans.push({ start, end: end <= start ? end + dayMinutes : end });
    }
  }
  return spans;
}

function ends(clock: WallClock): readonly number[] {
  return [clock.wall[0] ?? 0, clock.wall.at(-1) ?? 0];
}

function clockMinutes(text: string): number {
  const [hours = '0', minutes = '0'] = text.split(':');
  return Number(hours) * 60 + Number(minutes);
}

/** A cron field of `*`, numbers, ranges and lists; undefined for `*`. */
function field(text: string): ReadonlySet<number> | undefined {
  if (text === '*') return undefined;
  return new Set(
    text.split(',').flatMap((part) => {
      const [from = 0, to = from] = part.split('-').map(Number);
      return Array.from({ length: to - from + 1 }, (_, index) => from + index);
    }),
  );
}

/** Whether windows are open at each minute of the clock from `skip` minutes after its start to `skip` before its end. */
export function openMinutes(windows: readonly TimeWindow[], clocks: ReadonlyMap<string, WallClock>, skip: number): readonly boolean[] {
  const clock = [...clocks.values()][0];
  if (clock === undefined) return [];
  const count = clock.wall.length - 2 * skip;
  const allow = windows.some((window) => window.kind === 'allow');
  const allowed = new Uint8Array(count);
  const denied = new Uint8Array(count);
  for (const window of windows) {
    const own = clocks.get(window.timeZone);
    if (own === undefined) throw new Error(`no clock for ${window.timeZone}`);
    for (const [from, to] of activeStretches(window, own)) {
      const base = clock.from + skip;
      (window.kind === 'allow' ? allowed : denied).fill(1, Math.min(count, Math.max(0, from - base)), Math.min(count, Math.max(0, to - base)));
    }
  }
  return Array.from({ length: count }, (_, minute) => denied[minute] === 0 && (!allow || allowed[minute] === 1));
}
