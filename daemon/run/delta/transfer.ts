// What several fetches of one release came to together, for the receipt. Each one's own account is the swarm's.

import type { Feeder, Transfer } from '../../../proto/fleet.ts';
import { limits } from '../../../proto/limits.ts';

/** Sums of bytes; times one after the other (`sequence`), or the longer of each (`together`). */
export function mergeTransfers(a: Transfer, b: Transfer, how: 'sequence' | 'together'): Transfer {
  const time = (left: number, right: number): number => (how === 'together' ? Math.max(left, right) : left + right);
  const optional = (key: 'deltaBytes' | 'savedBytes' | 'zonePeerBytes' | 'crossZoneBytes') => (a[key] === undefined && b[key] === undefined ? {} : { [key]: (a[key] ?? 0) + (b[key] ?? 0) });
  const timing = a.timing === undefined || b.timing === undefined ? (a.timing ?? b.timing) : {
    totalMs: time(a.timing.totalMs, b.timing.totalMs),
    ...firstByte(a.timing.firstByteMs, b.timing.firstByteMs === undefined ? undefined : b.timing.firstByteMs + (how === 'together' ? 0 : a.timing.totalMs)),
    waitMs: time(a.timing.waitMs, b.timing.waitMs),
    storeMs: time(a.timing.storeMs, b.timing.storeMs),
    throttledMs: time(a.timing.throttledMs, b.timing.throttledMs),
    // Together each counts the strikes of both.
    strikes: time(a.timing.strikes, b.timing.strikes),
  };
  const from = feeders([...(a.from ?? []), ...(b.from ?? [])]);
  const rates = b.rates ?? a.rates;
  return {
    originBytes: a.originBytes + b.originBytes,
    peerBytes: a.peerBytes + b.peerBytes,
    reusedBytes: a.reusedBytes + b.reusedBytes,
    wastedBytes: a.wastedBytes + b.wastedBytes,
    ...optional('deltaBytes'), ...optional('savedBytes'), ...optional('zonePeerBytes'), ...optional('crossZoneBytes'),
    ...(a.from === undefined && b.from === undefined ? {} : { from }),
    ...(timing === undefined ? {} : { timing }),
    ...(rates === undefined ? {} : { rates }),
  };
}

function firstByte(a: number | undefined, b: number | undefined): { readonly firstByteMs?: number } {
  const least = Math.min(a ?? Infinity, b ?? Infinity);
  return Number.isFinite(least) ? { firstByteMs: least } : {};
}

function feeders(all: readonly Feeder[]): Feeder[] {
  const byMember = new Map<string, number>();
  for (const { member, bytes } of all) byMember.set(member, (byMember.get(member) ?? 0) + bytes);
  return [...byMember]
    .toSorted(([a, most], [b, least]) => least - most || (a < b ? -1 : 1))
    .slice(0, limits.transferFeedersMax)
    .map(([member, bytes]) => ({ member, bytes }));
}
