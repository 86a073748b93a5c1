// Whom a roster names, and for how long: nobody whose certificate can not count any more, be it among the members or among those barred. Without that a fleet that
// replaces its machines every day would divide its work among machines long gone, and would at last be unable to sign a roster.

import { limits } from '../../../proto/limits.ts';
import type { Member, RosterDay, State } from './model.ts';

const dayMs = 86_400_000;
/** Life of a certificate, and a day for clocks that are behind. */
export const namedMs = limits.certificateLifeMs + dayMs;
/** A member that holds an older roster than these days know is told the whole. */
const daysMax = 32;

type Standing = Pick<Member, 'revoked' | 'renewedAt'>;

/** Whether a roster made at `at` (milliseconds since 1970) names the member among those who may meet. */
export function isPresent({ revoked, renewedAt }: Standing, at: number): boolean {
  return !revoked && at - renewedAt < namedMs;
}

/** Whether it names the member among those barred. */
export function isBarred({ revoked, renewedAt }: Standing, at: number): boolean {
  return revoked && at - renewedAt < namedMs;
}

/** Whether a roster made at `rosterAt` is so old at `at` that members may have expired since: a fleet where nobody joins or moves forgets them too. */
export function isOutdated(rosterAt: number, at: number): boolean {
  return at - rosterAt >= dayMs;
}

/** The first roster of each of the last days, oldest first, once `epoch` was made at `at`. */
export function withDay(days: readonly RosterDay[], epoch: number, at: number): readonly RosterDay[] {
  const last = days.at(-1);
  return last !== undefined && Math.floor(last.at / dayMs) === Math.floor(at / dayMs) ? days : [...days, { epoch, at }].slice(-daysMax);
}

/**
 * Who was named in the roster of `epoch`, as a member or as barred, and is no more; some of them may have gone a day before it. Undefined when that roster is older
 * than the days that are known.
 */
export function forgotten({ members, rosterAt, rosterDays }: State, epoch: number): readonly string[] | undefined {
  const day = rosterDays.findLast((one) => one.epoch <= epoch);
  if (day === undefined) return undefined;
  return [...members.values()]
    .filter(({ renewedAt }) => rosterAt - renewedAt >= namedMs && day.at - renewedAt < namedMs)
    .map(({ member }) => member)
    .toSorted();
}
