// What happens to a deployment under way when its windows close: it finishes, it pauses before its next activation, or it
// goes back (control-plane.md 1.8). Those that were exempt when they started stay exempt.

import type { OnClose, TimeWindow } from '../../../proto/window.ts';
import { evaluateWindows, horizonMs } from './evaluate.ts';
import type { WindowUse } from './evaluate.ts';
import { occurrencesBetween } from './occurrences.ts';

/** The strictest wins where several windows are closed. */
const strictness: Readonly<Record<OnClose, number>> = { finish: 0, pause: 1, rollback: 2 };

/** What the closed windows ask of work in progress. */
export interface Closing {
  readonly action: OnClose;
  readonly window: TimeWindow;
  /** When they open again, as far as known. */
  readonly opensAt?: number;
}

/**
 * What closed windows ask of a deployment that started at `startedAt`; undefined while they are open. That the occurrence is used up
 * or an environment's jitter has not passed concerns those that have yet to start, not this one.
 */
export function closingOf(windows: readonly TimeWindow[], use: WindowUse, startedAt: number, now: number): Closing | undefined {
  const plain = windows.map(({ jitterMs: _jitter, maxDeploysPerOccurrence: _most, ...window }): TimeWindow => window);
  const verdict = evaluateWindows(plain, use, now);
  const denying = verdict.holds.filter((hold) => hold.why === 'denied').map((hold) => hold.window);
  // Of several allow windows, the one that was open last is the one that closed.
  const closed = verdict.holds.filter((hold) => hold.why === 'closed').map((hold) => ({ window: hold.window, at: closedAt(hold.window, startedAt, now) }));
  const lastAt = Math.max(0, ...closed.map((one) => one.at));
  const closing = [...denying, ...closed.filter((one) => one.at === lastAt).map((one) => one.window)];
  const strictest = closing.toSorted((a, b) => strictness[b.onClose] - strictness[a.onClose])[0];
  if (strictest === undefined) return undefined;
  return { action: strictest.onClose, window: strictest, ...(verdict.changesAt === undefined ? {} : { opensAt: verdict.changesAt }) };
}

/** When an allow window closed last after the deployment started; 0 when it was not open since. */
function closedAt(window: TimeWindow, startedAt: number, now: number): number {
  const from = Math.max(startedAt, now - horizonMs);
  if (from >= now) return 0;
  return Math.max(0, ...occurrencesBetween(window, from, now).occurrences.map((one) => one.to).filter((to) => to <= now));
}
