// What a window must satisfy before it is recorded: a zone that exists, times that are times, and a schedule that opens
// at all. Told all together, so that a file is corrected once.

import { Cron } from 'croner';
import type { TimeWindow, WeeklyRow } from '../../../proto/window.ts';
import { isTimeZone, minuteMs, parseClock, parseWall } from './local-time.ts';

/** A longer window is two, or one that is `once`. */
const durationMaxMs = 7 * 86_400_000;
const jitterMaxMs = 86_400_000;
/** Rows of one weekly schedule. */
const rowsMax = 50;

/** Everything wrong with `window`; empty when nothing is. */
export function windowProblems(window: TimeWindow): readonly string[] {
  const problems: string[] = [];
  if (!isTimeZone(window.timeZone)) problems.push(`timeZone: there is no zone '${window.timeZone}'; use a name such as 'Europe/Berlin', not an offset`);
  problems.push(...scheduleProblems(window));
  const { jitterMs, maxDeploysPerOccurrence: most, override } = window;
  if (jitterMs !== undefined && !(Number.isSafeInteger(jitterMs) && jitterMs >= 0 && jitterMs <= jitterMaxMs)) {
    problems.push(`jitter: ${jitterMs} ms is not from 0 to ${jitterMaxMs} ms`);
  }
  if (most !== undefined && !(Number.isSafeInteger(most) && most >= 1)) problems.push(`maxDeploysPerOccurrence: ${most} is not a number from 1`);
  if (window.kind === 'deny' && (jitterMs !== undefined || most !== undefined)) {
    problems.push('jitter and maxDeploysPerOccurrence are for windows that allow; leave them out of one that denies');
  }
  if (override !== undefined && !(Number.isSafeInteger(override.count) && override.count >= 1)) problems.push(`override.count: ${override.count} is not a number of people from 1`);
  return problems.map((problem) => `window '${window.window}': ${problem}`);
}

function scheduleProblems({ schedule }: TimeWindow): readonly string[] {
  switch (schedule.kind) {
    case 'weekly':
      if (schedule.rows.length === 0) return ['weekly: there is no row in it, so that it is never active'];
      if (schedule.rows.length > rowsMax) return [`weekly: ${schedule.rows.length} rows, at most ${rowsMax} may be`];
      return schedule.rows.flatMap(rowProblems);
    case 'cron':
      return cronProblems(schedule.expression, schedule.durationMs);
    case 'once': {
      const wrong = [schedule.from, schedule.to].filter((text) => parseWall(text) === undefined);
      if (wrong.length > 0) return wrong.map((text) => `once: '${text}' is not a local time such as '2026-12-18T00:00' (the zone is in timeZone)`);
      return schedule.from < schedule.to ? [] : [`once: ${schedule.to} is not after ${schedule.from}`];
    }
    default:
      return schedule satisfies never;
  }
}

function rowProblems({ days, times }: WeeklyRow, index: number): readonly string[] {
  const problems = days.length === 0 ? [`weekly[${index}]: no days are named`] : [];
  if (times === undefined) return problems;
  for (const text of [times.from, times.to]) {
    if (parseClock(text) === undefined) problems.push(`weekly[${index}]: '${text}' is not a time from '00:00' to '24:00'`);
  }
  if (times.from === '24:00') problems.push(`weekly[${index}]: nothing begins at 24:00; name the next day and 00:00`);
  if (times.from === times.to) problems.push(`weekly[${index}]: from ${times.from} to ${times.to} is nothing or a whole day; leave the times out for whole days`);
  return problems;
}

function cronProblems(expression: string, durationMs: number): readonly string[] {
  const problems: string[] = [];
  if (!(Number.isSafeInteger(durationMs) && durationMs >= minuteMs && durationMs <= durationMaxMs)) problems.push(`duration: ${durationMs} ms is not from ${minuteMs} to ${durationMaxMs} ms`);
  try {
    // Any leap year will do: what does not fire within eight years of it never does.
    const next = new Cron(expression, { timezone: 'UTC', mode: '5-part' }).nextRun(new Date('2024-01-01T00:00:00Z'));
    if (next === null) problems.push(`cron: '${expression}' never fires`);
  } catch {
    problems.push(`cron: '${expression}' is not a schedule of five fields (minute, hour, day of month, month, day of week)`);
  }
  return problems;
}
