// The fortnight: every span is where it belongs and no wider than the picture, days are days even when the clock moves, and what happens is in order.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { agendaOf, daysFrom, daysShown, placeOf, standingNow, type Fortnight } from '../../../control/web/calendar/layout.ts';

const hourMs = 3_600_000;
const now = Date.parse('2026-06-01T12:00:00Z');
const days = Array.from({ length: daysShown + 1 }, (_, day) => Date.parse('2026-06-01T00:00:00Z') + day * 24 * hourMs);
const deed = { by: 'ada', at: now - hourMs };
const lock: Fortnight['locks'][number] = { ...deed, lock: 'lk-1', scope: { kind: 'environment', id: 'prod' }, mode: 'manual', holder: 'ada', reason: 'we look', includeRollback: false, expired: false, expiresAt: now + 3 * hourMs };
const freeze: Fortnight['freezes'][number] = { ...deed, freeze: 'fz-1', scope: { kind: 'all' }, reason: 'holidays', over: false };
const windows: NonNullable<Fortnight['windows']> = { environment: 'prod', at: now, open: false, holds: [], windows: ['hours'], openings: [{ from: now + hourMs, to: now + 2 * hourMs }, { from: now + 25 * hourMs, to: now + 26 * hourMs }] };
const where = { now, days, zones: ['UTC'], here: 'UTC' };

describe('days', () => {
  test('begin at midnight here, today first, and follow each other even where the clock moves', () => {
    fc.assert(
      fc.property(fc.integer({ min: Date.parse('2020-01-01T00:00Z'), max: Date.parse('2040-01-01T00:00Z') }), (at) => {
        const found = daysFrom(at);
        expect(found).toHaveLength(daysShown + 1);
        expect([found[0] ?? 0, at >= (found[0] ?? 0) && at < (found[1] ?? 0)]).toEqual([found[0], true]);
        for (const [index, day] of found.entries()) {
          expect(new Date(day).getMinutes()).toBe(0);
          if (index > 0) expect(Math.abs(day - (found[index - 1] ?? 0) - 24 * hourMs)).toBeLessThanOrEqual(hourMs);
        }
      }),
    );
  });
});

test('a span takes its part of the picture and nothing beyond it', () => {
  expect(placeOf({ from: days[0] ?? 0, to: days[7] ?? 0 }, days)).toEqual({ left: 0, width: 50 });
  expect(placeOf({ from: days[7] ?? 0 }, days)).toEqual({ left: 50, width: 50 });
  expect([placeOf({ from: 0, to: 5 }, days), placeOf({ from: days.at(-1) ?? 0 }, days)]).toEqual([undefined, undefined]);
  fc.assert(
    fc.property(fc.integer({ min: -30, max: 60 }), fc.option(fc.integer({ min: 0, max: 60 }), { nil: undefined }), (start, length) => {
      const from = (days[0] ?? 0) + start * 12 * hourMs;
      const place = placeOf({ from, ...(length === undefined ? {} : { to: from + length * 12 * hourMs }) }, days);
      if (place === undefined) return;
      expect(place.left).toBeGreaterThanOrEqual(0);
      expect(place.width).toBeGreaterThan(0);
      expect(place.left + place.width).toBeLessThanOrEqual(100.001);
    }),
  );
});

test.each<readonly [string, Fortnight]>([
  ['frozen', { windows, freezes: [freeze], locks: [lock] }],
  ['locked', { windows: { ...windows, open: true }, freezes: [], locks: [lock] }],
  ['closed', { windows, freezes: [], locks: [] }],
  ['open', { windows: { ...windows, open: true }, freezes: [], locks: [] }],
  ['always open', { windows: { ...windows, windows: [], open: true }, freezes: [], locks: [] }],
  ['not known yet', { windows: undefined, freezes: [], locks: [] }],
])('an environment is %s now', (text, fortnight) => {
  expect(standingNow(fortnight).text).toBe(text);
});

describe('the agenda', () => {
  test('is in the order of time, with why and until when', () => {
    const agenda = agendaOf({ windows, freezes: [freeze], locks: [lock] }, where);
    expect(agenda.map(({ kind }) => kind)).toEqual(['freeze', 'lock', 'open', 'open']);
    expect(agenda[0]?.text).toBe('frozen now without an end: holidays (everything, by ada)');
    expect(agenda[1]?.text).toMatch(/^locked now to .*: we look \(by ada\)$/);
    expect(agenda[2]?.text).toMatch(/^open .*, for 1 h$/);
  });

  test('leaves out what is over, and what begins after the fortnight', () => {
    expect(agendaOf({ windows: { ...windows, openings: [{ from: (days.at(-1) ?? 0) + 1 }] }, freezes: [{ ...freeze, until: now - 1 }], locks: [] }, where)).toEqual([]);
  });

  test('tells times of the window’s own zone beside those of the reader', () => {
    const [first] = agendaOf({ windows, freezes: [], locks: [] }, { ...where, zones: ['America/New_York'] });
    expect(first?.there).toBe('09:00 to 10:00 in America/New_York');
    const [, second] = agendaOf({ windows, freezes: [], locks: [] }, { ...where, zones: ['Asia/Tokyo'] });
    expect(second?.there).toBe('Tue 22:00 to 23:00 in Asia/Tokyo');
    expect(agendaOf({ windows, freezes: [], locks: [] }, where)[0]?.there).toBeUndefined();
  });
});

describe('what waits', () => {
  const blocker = (type: 'window' | 'soak' | 'approval', until?: number) => ({ type, reason: `${type} holds it`, since: now - hourMs, ...(until === undefined ? {} : { until }) });
  const waiting = (...blockers: readonly ReturnType<typeof blocker>[]): NonNullable<Fortnight['explanation']> => ({ subject: { kind: 'environment', id: 'prod' }, environment: 'prod', phase: 'waiting', summary: "web@7 waits for 'prod': window", blockers: [...blockers], waits: [] });
  const plannedIn = (explanation: NonNullable<Fortnight['explanation']>) => agendaOf({ windows: undefined, freezes: [], locks: [], explanation }, where).map(({ kind, from, text }) => [kind, (from - now) / hourMs, text]);

  test('is planned for when the last gate opens by itself', () => {
    expect(plannedIn(waiting(blocker('window', now + 5 * hourMs), blocker('soak', now + 2 * hourMs)))).toEqual([['planned', 5, 'web@7 may start 17:00, when nothing else comes in between: window, soak']]);
  });

  test('has no time where a person is to say so', () => {
    expect(plannedIn(waiting(blocker('window', now + 5 * hourMs), blocker('approval')))).toEqual([['planned', 0, 'web@7 waits for what has no time: approval holds it']]);
    expect(plannedIn({ ...waiting(), phase: 'succeeded' })).toEqual([]);
  });
});

test('a pin is told with what it keeps and until when, for as long as it is one', () => {
  const pin: NonNullable<Fortnight['pin']> = { environment: 'prod', pinned: true, members: [{ app: 'web', revision: '1'.repeat(64), number: 4 }], by: 'ada', at: now - hourMs, reason: 'fair', until: now + 3 * hourMs };
  const fortnight: Fortnight = { windows, freezes: [], locks: [], pin };
  expect(agendaOf(fortnight, where)[0]).toEqual({ kind: 'pin', from: now - hourMs, to: now + 3 * hourMs, text: 'pinned to web@4 now to 15:00: fair (by ada)' });
  expect(standingNow(fortnight)).toEqual({ tone: 'blocked', text: 'pinned' });
  expect(agendaOf({ ...fortnight, pin: { environment: 'prod', pinned: false } }, where).map(({ kind }) => kind)).not.toContain('pin');
});
