// How much the local clock and the newest timestamp can be relied upon (trust.md, section 5). Pure: all times come in.

import { limits } from '../../proto/limits.ts';
import type { Freshness } from './trust.ts';
import type { TrustedSet } from './tuf/trusted-set.ts';
import { currentRole } from './tuf/trusted-set.ts';

/** Milliseconds since 1970: what the clock says, and the latest moment that has certainly been. */
export interface Times {
  readonly now: number;
  readonly floor: number;
}

/** When the newest timestamp was signed, in milliseconds since 1970: real time cannot be before it. */
export function signedAt(set: TrustedSet | undefined): number | undefined {
  const text = set?.timestamp?.metadata.signed.unrecognizedFields['signed_at'];
  const ms = typeof text === 'string' ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

/** Whether the clock is behind what has certainly been, by more than clocks may differ. */
export function isSuspect({ now, floor }: Times): boolean {
  return now < floor - limits.clockSkewMs;
}

/** How fresh the set is, and with it the role of one environment when one is named. */
export function freshnessOf(set: TrustedSet | undefined, times: Times, environment?: string): Freshness {
  if (isSuspect(times)) return 'CLOCK_SUSPECT';
  const { now } = times;
  if (set?.timestamp === undefined || set.snapshot === undefined || set.targets === undefined) return 'STALE';
  const role = environment === undefined ? undefined : currentRole(set, environment)?.file;
  const files = [set.root, set.timestamp, set.snapshot, set.targets, ...(role === undefined ? [] : [role])];
  if (files.some((file) => file.expiresAt <= now)) return 'STALE';
  const from = signedAt(set) ?? now;
  return now - from > (set.timestamp.expiresAt - from) / 2 ? 'AGING' : 'FRESH';
}

/**
 * The floor after an update at `now`. It only rises, with one exception: a clock that once was far ahead would leave the machine suspect
 * for good, so a timestamp that is new here and was signed just now by this clock lowers it. Someone who both sets the clock and has
 * held back the newest timestamps can use that to relive the time he held back; after a day at most, the machine is STALE again.
 */
export function nextFloor(times: Times, newlySignedAt: number | undefined): number {
  const { now, floor } = times;
  if (newlySignedAt === undefined) return Math.max(floor, now);
  if (Math.abs(now - newlySignedAt) <= limits.clockSkewMs) return Math.max(now, newlySignedAt);
  return Math.max(floor, now, newlySignedAt);
}
