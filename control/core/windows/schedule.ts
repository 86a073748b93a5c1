// When a workflow that runs on a schedule is due: five fields of cron in a zone. A time that the wall clock never shows is
// moved on by the cron library; one that it shows twice comes once.

import { Cron } from 'croner';
import { isTimeZone } from './local-time.ts';

export interface Schedule {
  readonly cron: string;
  readonly timeZone: string;
}

/** Everything wrong with a schedule; empty when nothing is. */
export function scheduleProblems({ cron, timeZone }: Schedule): readonly string[] {
  const zone = isTimeZone(timeZone) ? [] : [`there is no zone '${timeZone}'; use a name such as 'Europe/Berlin', not an offset`];
  try {
    const next = new Cron(cron, { timezone: 'UTC', mode: '5-part' }).nextRun(new Date('2024-01-01T00:00:00Z'));
    return next === null ? [...zone, `'${cron}' never comes`] : zone;
  } catch {
    return [...zone, `'${cron}' is not a schedule of five fields (minute, hour, day of month, month, day of week)`];
  }
}

/** The first time after `after` at which it is due; undefined when it never is. Milliseconds since 1970. */
export function nextDue({ cron, timeZone }: Schedule, after: number): number | undefined {
  return new Cron(cron, { timezone: timeZone, mode: '5-part' }).nextRun(new Date(after))?.getTime();
}
