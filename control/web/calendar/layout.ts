// A fortnight as a picture: where its days begin for the reader, which part of it a span of time takes, and what happens in it in the order of time.
// Pure but for the zone of the reader, in which the browser itself knows when days begin.

import type { Explanation } from '../../../proto/api/promotions.ts';
import type { Freeze, Lock, Pin } from '../../../proto/api/restraints.ts';
import type { EnvironmentWindows } from '../../../proto/api/windows.ts';
import type { Standing } from '../attention.ts';
import { spanText, timeText } from '../words.ts';

export const daysShown = 14;

/** Midnights here, from that before `now` on: one more than days, the last being the end. Days of 23 and of 25 hours are what they are. */
export function daysFrom(now: number): readonly number[] {
  const today = new Date(now);
  return Array.from({ length: daysShown + 1 }, (_, day) => new Date(today.getFullYear(), today.getMonth(), today.getDate() + day).getTime());
}

export interface Span {
  readonly from: number;
  /** Absent: without an end. */
  readonly to?: number;
}

/** What a span takes of the picture, in percent; undefined when nothing. */
export function placeOf({ from, to }: Span, days: readonly number[]): { readonly left: number; readonly width: number } | undefined {
  const [begin, end] = [days[0] ?? 0, days.at(-1) ?? 0];
  const [first, last] = [Math.max(from, begin), Math.min(to ?? end, end)];
  if (last <= first || end <= begin) return undefined;
  const percent = (ms: number): number => Math.round((100_000 * ms) / (end - begin)) / 1000;
  return { left: percent(first - begin), width: percent(last - first) };
}

/** What is known of one environment's fortnight. */
export interface Fortnight {
  readonly windows: EnvironmentWindows | undefined;
  readonly freezes: readonly Freeze[];
  readonly locks: readonly Lock[];
  readonly pin?: Pin;
  /** Why nothing moves there now, where that is known. */
  readonly explanation?: Explanation;
}

/** Whether something may start now, in a word. */
export function standingNow({ windows, freezes, locks, pin }: Fortnight): Standing {
  if (freezes.length > 0) return { tone: 'blocked', text: 'frozen' };
  if (locks.length > 0) return { tone: 'blocked', text: 'locked' };
  if (pin?.pinned === true) return { tone: 'blocked', text: 'pinned' };
  if (windows === undefined) return { tone: 'off', text: 'not known yet' };
  if (windows.windows.length === 0) return { tone: 'well', text: 'always open' };
  return windows.open ? { tone: 'well', text: 'open' } : { tone: 'waiting', text: 'closed' };
}

/** One line of what happens. */
export interface Moment extends Span {
  readonly kind: 'open' | 'freeze' | 'lock' | 'pin' | 'planned';
  readonly text: string;
  /** The same times in another zone, where it is another. */
  readonly there?: string;
}

/** Everything of the fortnight in the order of time; `zones` are those of the environment's windows, `here` the reader's. */
export function agendaOf({ windows, freezes, locks, pin, explanation }: Fortnight, { now, days, zones, here }: { readonly now: number; readonly days: readonly number[]; readonly zones: readonly string[]; readonly here: string }): readonly Moment[] {
  const clock = (at: number, zone?: string): string => timeText(at, now, zone);
  const stretch = ({ from, to }: Span, zone?: string): string => {
    const [begin, end] = [from <= now ? 'now' : clock(from, zone), to === undefined ? undefined : clock(to, zone)];
    if (end === undefined) return `${begin} without an end`;
    // The day is said once: `Mon 15:00 to 22:00`.
    const day = begin.slice(0, -5);
    return `${begin} to ${day !== '' && end.startsWith(day) ? end.slice(day.length) : end}`;
  };
  const elsewhere = zones.filter((zone) => zone !== here);
  const openings = (windows === undefined || windows.windows.length === 0 ? [] : windows.openings).map((span): Moment => ({
    ...span,
    kind: 'open',
    text: `open ${stretch(span)}${span.to === undefined ? '' : `, for ${spanText(span.to - Math.max(now, span.from))}`}`,
    ...(elsewhere.length === 0 ? {} : { there: elsewhere.map((zone) => `${stretch(span, zone)} in ${zone}`).join(', ') }),
  }));
  const frozen = freezes.map(({ at, until, reason, scope, by }): Moment => ({ from: at, ...(until === undefined ? {} : { to: until }), kind: 'freeze', text: `frozen ${stretch({ from: now, ...(until === undefined ? {} : { to: until }) })}: ${reason} (${scope.kind === 'all' ? 'everything' : `${scope.kind} ${scope.id ?? ''}`}, by ${by})` }));
  const locked = locks.map(({ at, expiresAt, reason, by, mode }): Moment => ({ from: at, ...(expiresAt === undefined ? {} : { to: expiresAt }), kind: 'lock', text: `locked ${stretch({ from: now, ...(expiresAt === undefined ? {} : { to: expiresAt }) })}: ${reason} (by ${mode === 'workflow' ? 'a workflow' : by})` }));
  const pinned = pin?.pinned !== true ? [] : [pin].map(({ at = now, until, members = [], reason = '', by = '' }): Moment => ({ from: at, ...(until === undefined ? {} : { to: until }), kind: 'pin', text: `pinned to ${members.map(({ app, number }) => `${app}@${number}`).join(', ')} ${stretch({ from: now, ...(until === undefined ? {} : { to: until }) })}: ${reason} (by ${by})` }));
  const end = days.at(-1) ?? now;
  return [...frozen, ...pinned, ...locked, ...plannedOf(explanation, now, clock), ...openings].filter(({ from, to }) => from < end && (to === undefined || to > now)).toSorted((a, b) => Math.max(a.from, now) - Math.max(b.from, now));
}

/**
 * The promotion that is first in line, at the time from which only time held it: where every gate says when it opens. One that waits for people has no time, and stands at
 * now.
 */
function plannedOf(explanation: Explanation | undefined, now: number, clock: (at: number) => string): readonly Moment[] {
  if (explanation === undefined || explanation.phase !== 'waiting' || explanation.blockers.length === 0) return [];
  const { blockers, summary } = explanation;
  const [what = summary] = summary.split(' waits for ');
  const endless = blockers.filter(({ until }) => until === undefined);
  const from = Math.max(now, ...blockers.map(({ until }) => until ?? now));
  if (endless.length > 0) return [{ from: now, kind: 'planned', text: `${what} waits for what has no time: ${endless.map(({ reason }) => reason).join('; ')}` }];
  return [{ from, kind: 'planned', text: `${what} may start ${clock(from)}, when nothing else comes in between: ${blockers.map(({ type }) => type).join(', ')}` }];
}
