// The windows of an environment together: which hold it, and when it is open next. The verdict at an instant is windows/evaluate.ts,
// the same that the gate asks (T-2); here it is asked again at each change.

import type { TimeWindow } from '../../proto/window.ts';
import { edgesInto, placeOf, windowsOf } from './gates/place.ts';
import type { State } from './model.ts';
import type { Observed } from './select.ts';
import { evaluateWindows } from './windows/evaluate.ts';
import type { WindowVerdict } from './windows/evaluate.ts';

/** A time at which all windows together are open; without `to` when that is beyond the horizon. */
export interface Opening {
  readonly from: number;
  readonly to?: number;
}

/** Openings that are told at once: what comes after a handful nobody plans by. */
export const openingsMax = 5;

/** Every window that holds an environment: its own, and those of the promotions to it. */
export function windowsAt(state: State, environment: string): readonly TimeWindow[] {
  const place = placeOf(state, environment);
  if (place === undefined) return [];
  const all = [windowsOf(place, undefined), ...edgesInto(state, environment).map((edge) => windowsOf(place, edge))].flat();
  return [...new Map(all.map((window) => [window.window, window])).values()];
}

/** What the windows say at an instant, and the next openings from then on. Overrides are of single promotions, and lift nothing here. */
export function openingsAt(state: State, environment: string, now: number): WindowVerdict & { readonly windows: readonly TimeWindow[]; readonly openings: readonly Opening[] } {
  const windows = windowsAt(state, environment);
  const use = { environment, starts: state.sets.get(environment)?.starts ?? [], lifted: new Set<string>() };
  const verdict = evaluateWindows(windows, use, now);
  const openings: Opening[] = [];
  let [at, next]: [number, WindowVerdict] = [now, verdict];
  for (let step = 0; step < 2 * openingsMax && openings.length < openingsMax; step += 1) {
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
