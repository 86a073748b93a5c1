// From the wall clock of a zone to instants and back. Where a local time is missing (clocks go forward) or comes twice
// (they go back), there are two readings of it, and the caller says which it wants: closed is the safe side.
// What a wall clock shows is a number here: milliseconds since 1970 as if the clock hung in UTC.

import { Temporal } from 'temporal-polyfill';
import type { Weekday } from '../../../proto/window.ts';

/** Which reading of a local time that is missing or comes twice. */
export type Reading = 'earlier' | 'later';

/** Milliseconds of a minute and of a day on the wall clock. */
export const minuteMs = 60_000;
export const dayMs = 86_400_000;

const weekdays: readonly Weekday[] = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

/** The instant at which a zone's wall clock shows `wall`; milliseconds since 1970. */
export function instantOf(wall: number, timeZone: string, reading: Reading): number {
  if (timeZone === 'UTC') return wall;
  const shown = new Date(wall);
  const local = new Temporal.PlainDateTime(
    shown.getUTCFullYear(), shown.getUTCMonth() + 1, shown.getUTCDate(), shown.getUTCHours(), shown.getUTCMinutes(), shown.getUTCSeconds(),
  );
  return local.toZonedDateTime(timeZone, { disambiguation: reading }).epochMilliseconds;
}

/** What a wall clock of the zone shows at an instant. */
export function wallAt(instant: number, timeZone: string): number {
  return instant + Temporal.Instant.fromEpochMilliseconds(instant).toZonedDateTimeISO(timeZone).offsetNanoseconds / 1e6;
}

/** What the wall shows at a text such as `2026-12-18T00:00`; undefined when it names no such time, or carries an offset or a zone. */
export function parseWall(text: string): number | undefined {
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?$/.test(text)) return undefined;
  const wall = Date.parse(`${text}Z`);
  // Date reads 31 February as 3 March.
  return Number.isNaN(wall) || new Date(wall).getUTCDate() !== Number(text.slice(8, 10)) ? undefined : wall;
}

/** Minutes since midnight of `HH:MM` (`24:00` too); undefined when the text is none. */
export function parseClock(text: string): number | undefined {
  const found = /^(\d{2}):(\d{2})$/.exec(text);
  const minutes = Number(found?.[1]) * 60 + Number(found?.[2]);
  return found !== null && Number(found[2]) < 60 && minutes <= 24 * 60 ? minutes : undefined;
}

/** The day of the week that a wall clock and a calendar beside it show. */
export function weekdayOf(wall: number): Weekday {
  return weekdays[new Date(wall).getUTCDay()] ?? 'sun';
}

/** Whether there is a zone with this name here. Offsets such as `+02:00` are no names. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+)*$/.test(name)) return false;
  try {
    wallAt(0, name);
    return true;
  } catch {
    return false;
  }
}
