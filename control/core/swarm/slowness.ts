// Why a target took as long as it did to fetch, decided from the numbers that it reported of itself.

import type { slownessCauses } from '../../../proto/api/swarm.ts';
import type { Transfer } from '../../../proto/fleet.ts';

export type SlownessCause = (typeof slownessCauses)[number];

/** When a share of the time is what a fetch was slow for. */
const shareMin = 0.3;
/** A delay below this is nobody's fault: an order takes as long to travel. */
const lateMsMin = 1_000;

/** A fetch that ended. `lateMs`: how much later it began than the first of its deployment. */
export interface FetchTimes {
  readonly transfer: Transfer;
  readonly durationMs: number;
  readonly lateMs: number;
}

/** The cause, and the figures that it rests on. The first that explains a third of the time counts, the outermost first. */
export function slownessOf({ transfer, durationMs, lateMs }: FetchTimes): { readonly cause: SlownessCause; readonly detail: string } {
  const { timing, originBytes, peerBytes } = transfer;
  if (lateMs >= lateMsMin && lateMs >= durationMs) return { cause: 'started-late', detail: `it began ${seconds(lateMs)} after the first, and then took ${seconds(durationMs)}` };
  if (timing === undefined) return { cause: 'unknown', detail: 'its daemon is too old to say where the time went' };
  const of = `of ${seconds(timing.totalMs)}`;
  const share = (ms: number): boolean => timing.totalMs > 0 && ms >= shareMin * timing.totalMs;
  if (share(timing.throttledMs)) return { cause: 'rate-cap', detail: `its own cap let it ask for nothing in ${seconds(timing.throttledMs)} ${of}` };
  if (share(timing.storeMs)) return { cause: 'disk', detail: `its disk had to catch up in ${seconds(timing.storeMs)} ${of}` };
  if (share(timing.waitMs)) {
    const waited = `it had nobody to ask in ${seconds(timing.waitMs)} ${of}`;
    if (timing.strikes > 0) return { cause: 'struck-neighbours', detail: `${waited}; neighbours sent what was wrong or let requests pass ${timing.strikes === 1 ? 'once' : `${timing.strikes} times`}` };
    const firstByteMs = timing.firstByteMs ?? timing.totalMs;
    if (originBytes > peerBytes || 2 * firstByteMs >= timing.waitMs) return { cause: 'waiting-for-origin', detail: `${waited}; its first byte came after ${seconds(firstByteMs)}` };
    return { cause: 'few-holders', detail: `${waited}: too few held what it lacked` };
  }
  return { cause: 'downlink', detail: `bytes were on their way to it in ${seconds(Math.max(0, timing.totalMs - timing.waitMs - timing.storeMs - timing.throttledMs))} ${of}` };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
