// Time windows by example: the nights on which clocks change, what holds and until when, jitter, occurrences used up,
// and what a closing asks of work in progress.

import { describe, expect, it, test } from 'vitest';
import { closingOf } from '../../../../control/core/windows/closing.ts';
import { evaluateWindows, isOpenAt } from '../../../../control/core/windows/evaluate.ts';
import type { WindowUse } from '../../../../control/core/windows/evaluate.ts';
import { windowProblems } from '../../../../control/core/windows/problems.ts';
import type { Schedule, TimeWindow } from '../../../../proto/window.ts';

const use: WindowUse = { environment: 'prod', starts: [], lifted: new Set() };
const everyDay = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

function daily(from: string, to: string): Schedule {
  return { kind: 'weekly', rows: [{ days: everyDay, times: { from, to } }] };
}

function allow(schedule: Schedule, more: Partial<TimeWindow> = {}): TimeWindow {
  return { window: 'hours', kind: 'allow', timeZone: 'America/New_York', schedule, onClose: 'pause', ...more };
}

function openMinutes(window: TimeWindow, from: string, to: string): number {
  let open = 0;
  for (let at = Date.parse(from); at < Date.parse(to); at += 60_000) open += isOpenAt([window], use, at) ? 1 : 0;
  return open;
}

describe('T-3 on the nights on which clocks change, in New York', () => {
  test.each([
    ['02:30 to 03:30 is never open when 02:30 is missing', '02:30', '03:30', '2026-03-08T05:00Z', '2026-03-08T12:00Z', 0],
    ['02:30 to 03:30 is open an hour on the day after', '02:30', '03:30', '2026-03-09T04:00Z', '2026-03-09T12:00Z', 60],
    ['01:00 to 02:00 is open an hour though 01:00 comes twice', '01:00', '02:00', '2026-11-01T04:00Z', '2026-11-01T12:00Z', 60],
    ['01:00 to 01:30 is not open in the night in which the end comes before the later start', '01:00', '01:30', '2026-11-01T04:00Z', '2026-11-01T12:00Z', 0],
    ['23:00 to 01:30 closes once and does not open again', '23:00', '01:30', '2026-11-01T03:00Z', '2026-11-01T12:00Z', 150],
  ])('%s', (_name, from, to, start, end, minutes) => {
    expect(openMinutes(allow(daily(from, to)), start, end)).toBe(minutes);
  });

  it('a deny window is closed for both readings of a boundary', () => {
    const deny = allow(daily('01:30', '01:45'), { kind: 'deny' });
    expect(openMinutes(deny, '2026-11-01T05:30Z', '2026-11-01T06:45Z')).toBe(0);
  });

  it('an end at 24:00 of a leap day is the first instant of March', () => {
    const leap = allow({ kind: 'weekly', rows: [{ days: ['tue'], times: { from: '22:00', to: '24:00' } }] }, { timeZone: 'UTC' });
    expect(evaluateWindows([leap], use, Date.parse('2028-02-29T23:00Z')).changesAt).toBe(Date.parse('2028-03-01T00:00Z'));
  });
});

describe('evaluateWindows()', () => {
  const hours = allow(daily('09:00', '16:00'));
  const freeze: TimeWindow = { window: 'holidays', kind: 'deny', timeZone: 'UTC', schedule: { kind: 'once', from: '2026-12-18T00:00', to: '2027-01-03T00:00' }, onClose: 'pause' };
  const at = (text: string): number => Date.parse(text);

  it('is open without windows, and never changes', () => {
    expect(evaluateWindows([], use, 0)).toEqual({ open: true, holds: [] });
  });

  it('T-4 is half-open: open until the last millisecond, closed at the end', () => {
    expect(evaluateWindows([hours], use, at('2026-11-20T20:59:59.999Z'))).toEqual({ open: true, holds: [], changesAt: at('2026-11-20T21:00Z') });
    expect(evaluateWindows([hours], use, at('2026-11-20T21:00Z')).open).toBe(false);
  });

  it('says what holds, until when, and when all of it is open again', () => {
    const verdict = evaluateWindows([hours, freeze], use, at('2026-12-20T03:00Z'));
    expect(verdict.holds.map(({ window, why, until }) => [window.window, why, until])).toEqual([
      ['holidays', 'denied', at('2027-01-03T00:00Z')],
      ['hours', 'closed', at('2026-12-20T14:00Z')],
    ]);
    expect(verdict.changesAt).toBe(at('2027-01-03T14:00Z'));
  });

  it('finds the end of a freeze that is most of a year away', () => {
    const long: TimeWindow = { ...freeze, schedule: { kind: 'once', from: '2026-01-01T00:00', to: '2026-12-01T00:00' } };
    expect(evaluateWindows([hours, long], use, at('2026-01-15T15:00Z')).changesAt).toBe(at('2026-12-01T14:00Z'));
  });

  it('does not look for ever when a window is shut for good', () => {
    const never = { ...freeze, schedule: { kind: 'weekly', rows: [{ days: everyDay }] } } as const;
    expect(evaluateWindows([never], use, at('2026-05-05T00:00Z')).changesAt).toBeUndefined();
  });

  it('an override lifts the windows that it names', () => {
    expect(evaluateWindows([hours, freeze], { ...use, lifted: new Set(['holidays']) }, at('2026-12-20T15:00Z')).open).toBe(true);
  });

  it('opens later by an amount of its own for each environment, the same each time, and never past half', () => {
    const jittered = { ...hours, jitterMs: 3_600_000 };
    const opens = ['na', 'eu', 'fe'].map((environment) => evaluateWindows([jittered], { ...use, environment }, at('2026-11-20T13:00Z')).changesAt ?? 0);
    expect(new Set(opens).size).toBe(3);
    for (const open of opens) expect(open - at('2026-11-20T14:00Z')).toBeLessThanOrEqual(3_600_000);
    const first = Math.min(...opens);
    const late = ['na', 'eu', 'fe'].find((_, index) => opens[index] !== first) ?? '';
    expect(evaluateWindows([jittered], { ...use, environment: late }, first).holds[0]).toMatchObject({ why: 'jitter', since: at('2026-11-20T14:00Z') });
    const short = { ...allow(daily('09:00', '09:10')), jitterMs: 3_600_000 };
    expect(evaluateWindows([short], use, at('2026-11-20T14:05Z')).open).toBe(true);
  });

  it('T-6 is closed for the rest of an occurrence that is used up, and open at the next', () => {
    const limited = { ...hours, maxDeploysPerOccurrence: 2 };
    const starts = [at('2026-11-19T15:00Z'), at('2026-11-20T14:00Z'), at('2026-11-20T15:00Z')];
    const verdict = evaluateWindows([limited], { ...use, starts }, at('2026-11-20T16:00Z'));
    expect(verdict.holds).toMatchObject([{ why: 'used-up' }]);
    expect(verdict.changesAt).toBe(at('2026-11-21T14:00Z'));
    expect(evaluateWindows([limited], { ...use, starts: starts.slice(0, 2) }, at('2026-11-20T16:00Z')).open).toBe(true);
  });
});

describe('closingOf()', () => {
  const day = Date.parse('2026-11-20T00:00Z');
  const hour = (hours: number): number => day + hours * 3_600_000;
  const work = allow(daily('09:00', '16:00'), { timeZone: 'UTC' });

  it('asks nothing while the windows are open, though the occurrence is used up', () => {
    expect(closingOf([{ ...work, maxDeploysPerOccurrence: 1 }], { ...use, starts: [hour(10)] }, hour(10), hour(11))).toBeUndefined();
  });

  it('asks what the window that closed last asks, and the strictest where several deny', () => {
    const evening = allow(daily('12:00', '18:00'), { timeZone: 'UTC', window: 'evening', onClose: 'finish' });
    expect(closingOf([work, evening], use, hour(10), hour(19))).toMatchObject({ action: 'finish', opensAt: hour(33) });
    const deny: TimeWindow = { ...work, window: 'deny', kind: 'deny', onClose: 'rollback', schedule: daily('18:30', '19:30') };
    expect(closingOf([work, evening, deny], use, hour(10), hour(19))).toMatchObject({ action: 'rollback' });
  });
});

describe('windowProblems()', () => {
  test.each([
    ['an offset for a zone', { timeZone: '+02:00' }, 'no zone'],
    ['a zone that is none', { timeZone: 'Europe/Atlantis' }, 'no zone'],
    ['a time that is none', { schedule: daily('9:00', '25:00') }, "'9:00' is not a time"],
    ['an empty span', { schedule: daily('09:00', '09:00') }, 'leave the times out'],
    ['no days', { schedule: { kind: 'weekly', rows: [{ days: [] }] } }, 'no days'],
    ['a date that is none', { schedule: { kind: 'once', from: '2026-02-30T00:00', to: '2026-03-01T00:00' } }, "'2026-02-30T00:00' is not"],
    ['an instant in place of a local time', { schedule: { kind: 'once', from: '2026-02-20T00:00Z', to: '2026-03-01T00:00' } }, 'not a local time'],
    ['an end before its start', { schedule: { kind: 'once', from: '2026-03-02T00:00', to: '2026-03-01T00:00' } }, 'is not after'],
    ['seconds in a cron schedule', { schedule: { kind: 'cron', expression: '0 0 9 * * 1', durationMs: 3_600_000 } }, 'five fields'],
    ['a cron schedule that never fires', { schedule: { kind: 'cron', expression: '0 9 30 2 *', durationMs: 3_600_000 } }, 'never fires'],
    ['a deny window that counts', { kind: 'deny', maxDeploysPerOccurrence: 3 }, 'leave them out'],
  ] as const)('refuses %s', (_name, wrong, message) => {
    expect(windowProblems({ ...allow(daily('09:00', '16:00')), ...wrong }).join('; ')).toContain(message);
  });

  it('has nothing against a good one', () => {
    expect(windowProblems(allow({ kind: 'cron', expression: '0 9 * * 1-5', durationMs: 3_600_000 }, { jitterMs: 60_000, maxDeploysPerOccurrence: 3 }))).toEqual([]);
  });
});
