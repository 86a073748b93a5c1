// The windows of an environment together: which hold it, and when it is open next. The verdict at an instant is windows/evaluate.ts,
// the same that the gate asks (T-2); here it is asked again at each change.

import type { TimeWindow } from '../../../proto/window.ts';
import { edgesInto, placeOf, windowsOf } from './place.ts';
import type { State } from '../model/model.ts';
import type { Observed } from '../model/select.ts';
import { evaluateWindows } from '../windows/evaluate.ts';
import type { WindowVerdict } from '../windows/evaluate.ts';

/** A time at which all windows together are open; without `to` when that is beyond the horizon. */
export interface Opening {
  readonly from: number;
  readonly to?: number;
}

/** Openings that are told at once: what comes after a handful nobody plans by. */
export const openingsMax = 5;
/** Openings that are told up to a time that was asked for: four a day of a fortnight, and each of them has the windows evaluated twice. */
export const openingsUntilMax = 56;

/** Every window that holds an environment: its own, and those of the promotions to it. */
export function windowsAt(state: State, environment: string): readonly TimeWindow[] {
  const place = placeOf(state, environment);
  if (place === undefined) return [];
  const all = [windowsOf(place, undefined), ...edgesInto(state, environment).map((edge) => windowsOf(place, edge))].flat();
  return [...new Map(all.map((window) => [window.window, window])).values()];
}

/** What the windows say at an instant, and the next openings from then on, or those that begin before `until`. Overrides are of single promotions, and lift nothing here. */
export function openingsAt(state: State, environment: string, now: number, until?: number): WindowVerdict & { readonly windows: readonly TimeWindow[]; readonly openings: readonly Opening[] } {
  const windows = windowsAt(state, environment);
  const use = { environment, starts: state.sets.get(environment)?.starts ?? [], lifted: new Set<string>() };
  const verdict = evaluateWindows(windows, use, now);
  const openings: Opening[] = [];
  let [at, next]: [number, WindowVerdict] = [now, verdict];
  const most = until === undefined ? openingsMax : openingsUntilMax;
  for (let step = 0; step < 2 * most && openings.length < most && (until === undefined || at < until); step += 1) {
    if (next.open) openings.push({ from: at, ...(next.changesAt === undefined ? {} : { to: next.changesAt }) });
    if (next.changesAt === undefined) break;
    at = next.changesAt;
    next = evaluateWindows(windows, use, at);
  }
  return { ...verdict, windows, openings };
}

/** What is observed now, as if it were so at another time: machines that are heard now are taken to be heard then. */
export function observedAt(observed: Observed, at: number): Observed {
  const moved = at - observed.now;
  return { ...observed, now: at, since: observed.since + moved, lastSeen: new Map([...observed.lastSeen].map(([member, seen]) => [member, seen + moved])) };
}
