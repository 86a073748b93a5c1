// Random time windows, and the stretches of time around changes of the clock in which they are asked about. Three zones,
// one of which moves its clocks by half an hour, and both changes of a year.

import fc from 'fast-check';
import type { Schedule, TimeWindow, Weekday } from '../../proto/window.ts';
import { WallClock } from './window-oracle.ts';

const dayMs = 86_400_000;
/** Asked about: six days before a change of the clock to six after it. */
const aroundMs = 6 * dayMs;
/** The wall clock reaches further, so that what began before and ends after is seen whole. */
export const skipMinutes = 4 * 1440;

export const zones = ['America/New_York', 'Europe/Berlin', 'Australia/Lord_Howe'] as const;
/** Days on which a clock of one of the zones changes. */
const changes = ['2026-03-08', '2026-11-01', '2026-03-29', '2026-10-25', '2026-04-04', '2026-10-03'] as const;

/** Some time around a change. */
export interface Days {
  readonly from: number;
  readonly minutes: number;
}

/** The same with the wall clocks of all zones. */
export interface Stretch extends Days {
  readonly clocks: ReadonlyMap<string, WallClock>;
}

function daysAround(change: string): Days {
  return { from: Date.parse(`${change}T00:00:00Z`) - aroundMs, minutes: (2 * aroundMs) / 60_000 };
}

/** Around the first change, for those who look at no clock: reading one takes seconds. */
export const firstDays = daysAround(changes[0]);

/** Built once for a run: reading a million wall clocks takes seconds. `count`: of the six days on which a clock changes. */
export function stretches(count: number = changes.length): readonly Stretch[] {
  return changes.slice(-count).map((day) => {
    const days = daysAround(day);
    const to = days.from + 2 * aroundMs;
    const margin = skipMinutes * 60_000;
    return { ...days, clocks: new Map(zones.map((zone) => [zone, new WallClock(zone, days.from - margin, to + margin)])) };
  });
}

const weekday = fc.constantFrom<Weekday>('mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun');
/** Mostly in the hours in which clocks change, where mistakes live. */
const minuteOfDay = fc.oneof({ weight: 3, arbitrary: fc.integer({ min: 0, max: 15 }).map((quarter) => quarter * 15) }, { weight: 2, arbitrary: fc.integer({ min: 0, max: 1439 }) });

function clock(minutes: number): string {
  return `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;
}

const row = fc
  .record({
    days: fc.oneof(fc.uniqueArray(weekday, { minLength: 1, maxLength: 7 }), fc.constant<Weekday[]>(['sat', 'sun'])),
    times: fc.option(fc.tuple(minuteOfDay, minuteOfDay).filter(([from, to]) => from !== to), { freq: 6 }),
  })
  .map(({ days, times }) => (times === null ? { days } : { days, times: { from: clock(times[0]), to: clock(times[1]) } }));

const weekly = fc.array(row, { minLength: 1, maxLength: 3 }).map((rows): Schedule => ({ kind: 'weekly', rows }));
const list = (min: number, max: number) => fc.uniqueArray(fc.integer({ min, max }), { minLength: 1, maxLength: 3 }).map((values) => values.join(','));
const star = fc.constant('*');
const cron = fc
  .tuple(list(0, 59), fc.oneof(list(0, 5), list(0, 23)), fc.oneof(star, star, list(1, 28)), star, fc.oneof(star, list(0, 6), fc.constant('1-5')), fc.integer({ min: 1, max: 24 * 60 }))
  .map(([minute, hour, date, month, day, length]): Schedule => ({ kind: 'cron', expression: [minute, hour, date, month, day].join(' '), durationMs: length * 60_000 }));

function once(stretch: Days): fc.Arbitrary<Schedule> {
  const local = (minute: number): string => new Date(stretch.from + minute * 60_000).toISOString().slice(0, 16);
  const minute = fc.integer({ min: 0, max: stretch.minutes });
  return fc.tuple(minute, minute).filter(([a, b]) => a !== b).map(([a, b]): Schedule => ({ kind: 'once', from: local(Math.min(a, b)), to: local(Math.max(a, b)) }));
}

/** One to four windows of any kinds and zones. */
export function windowsIn(stretch: Days): fc.Arbitrary<readonly TimeWindow[]> {
  const window = fc.record({
    kind: fc.constantFrom<'allow' | 'deny'>('allow', 'allow', 'deny'),
    timeZone: fc.constantFrom(...zones),
    schedule: fc.oneof({ weight: 5, arbitrary: weekly }, { weight: 2, arbitrary: cron }, { weight: 1, arbitrary: once(stretch) }),
  });
  return fc.array(window, { minLength: 1, maxLength: 4 }).map((all) => all.map((one, index): TimeWindow => ({ ...one, window: `w${index}`, onClose: 'pause' })));
}
