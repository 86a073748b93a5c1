// The account of one fetch, for the receipt: whose bytes, from which zone, and where the time went. Times are those of the caller's steps; between two
// of them everything counts as it was at the first. What is made of it is the control plane's.

import type { Feeder, TransferTiming } from '../../../../proto/fleet.ts';
import { limits } from '../../../../proto/limits.ts';
import { swarmBounds } from '../state/swarm-bounds.ts';

/** How a fetch stands at a moment. */
export interface FetchMoment {
  /** Requests of this topic that are under way. */
  readonly inFlight: number;
  /** Bytes that came and are not on disk yet. */
  readonly unstoredBytes: number;
  readonly unstoredChunks: number;
  /** Our own cap forbids asking. */
  readonly throttled: boolean;
}

export interface FetchAccount {
  readonly originBytes: number;
  readonly peerBytes: number;
  readonly wastedBytes: number;
  readonly zonePeerBytes: number;
  readonly crossZoneBytes: number;
  received(from: { readonly member: string; readonly origin: boolean; readonly sameZone: boolean }, bytes: number, now: number): void;
  wasted(bytes: number): void;
  strike(): void;
  /** How it stands from `now` on. */
  look(moment: FetchMoment, now: number): void;
  /** Who sent most, most first. */
  feeders(): Feeder[];
  timing(now: number): TransferTiming;
}

/** Members that are told apart; what others send counts in the sums only. The roster's neighbours are far fewer. */
const membersMax = 256;

/** @param startedAt in the caller's milliseconds. */
export function createFetchAccount(startedAt: number): FetchAccount {
  const sums = { originBytes: 0, peerBytes: 0, wastedBytes: 0, zonePeerBytes: 0, crossZoneBytes: 0 };
  const spent = { wait: 0, store: 0, throttled: 0, other: 0 };
  const byMember = new Map<string, number>();
  let firstByteMs: number | undefined;
  let strikes = 0;
  let state: keyof typeof spent = 'other';
  let since = startedAt;
  const account = (now: number): void => {
    spent[state] += now - since;
    since = now;
  };
  return {
    get originBytes() {
      return sums.originBytes;
    },
    get peerBytes() {
      return sums.peerBytes;
    },
    get wastedBytes() {
      return sums.wastedBytes;
    },
    get zonePeerBytes() {
      return sums.zonePeerBytes;
    },
    get crossZoneBytes() {
      return sums.crossZoneBytes;
    },
    received({ member, origin, sameZone }, bytes, now) {
      firstByteMs ??= now - startedAt;
      sums[origin ? 'originBytes' : 'peerBytes'] += bytes;
      if (!sameZone) sums.crossZoneBytes += bytes;
      else if (!origin) sums.zonePeerBytes += bytes;
      if (byMember.has(member) || byMember.size < membersMax) byMember.set(member, (byMember.get(member) ?? 0) + bytes);
    },
    wasted(bytes) {
      sums.wastedBytes += bytes;
    },
    strike() {
      strikes += 1;
    },
    look(moment, now) {
      account(now);
      state = stateOf(moment);
    },
    feeders: () =>
      [...byMember]
        .toSorted(([a, most], [b, least]) => least - most || (a < b ? -1 : 1))
        .slice(0, limits.transferFeedersMax)
        .map(([member, bytes]) => ({ member, bytes })),
    timing(now) {
      account(now);
      return {
        totalMs: Math.round(now - startedAt),
        ...(firstByteMs === undefined ? {} : { firstByteMs: Math.round(firstByteMs) }),
        waitMs: Math.round(spent.wait),
        storeMs: Math.round(spent.store),
        throttledMs: Math.round(spent.throttled),
        strikes,
      };
    },
  };
}

/** Half of what may be unstored says that the disk, not the line, sets the pace. */
function stateOf({ inFlight, unstoredBytes, unstoredChunks, throttled }: FetchMoment): 'wait' | 'store' | 'throttled' | 'other' {
  if (unstoredBytes >= swarmBounds.totalBytesMax / 2 || unstoredChunks >= swarmBounds.chunksMax / 2) return 'store';
  if (inFlight > 0) return 'other';
  if (unstoredBytes > 0) return 'store';
  return throttled ? 'throttled' : 'wait';
}
