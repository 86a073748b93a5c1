// Decisions made again from the journal: the gates as they stood, and what followed. The state is the fold up to then; what
// was seen of machines is as recorded, or said to be unknown. The functions are those that decided.

import { canonicalText } from '../model/sets.ts';
import type { Event, JournalEntry } from '../../../proto/events.ts';
import { decide, stepOf } from '../decide.ts';
import { evaluateGates } from '../gates/gates.ts';
import type { GateResult } from '../gates/gates.ts';
import type { Promotion, State } from '../model/model.ts';
import { observedThen } from '../rollout/seen.ts';

/** A point of the past. */
export interface Moment {
  /** The state then. */
  readonly state: State;
  readonly at: number;
  /** Machines that were silent; absent: nobody recorded it, and all are taken to have been heard. */
  readonly silent?: readonly string[];
}

export interface Replayed {
  /** Promotions that were in line, environment by environment, with what held each. */
  readonly promotions: readonly { readonly promotion: Promotion; readonly gates: GateResult }[];
  /** What the decision led to. */
  readonly events: readonly Event[];
}

/** Where the decision that led to an entry was made: its own record says so. Undefined of entries that are no starts, or from before it was recorded. */
export function recordedIn({ event }: JournalEntry): { readonly head: number; readonly at: number; readonly silent: readonly string[] } | undefined {
  if (event.kind !== 'deployment.started' || event.seen === undefined) return undefined;
  return { head: event.seen.head, at: event.seen.at, silent: event.seen.silent ?? [] };
}

/** The decision at a moment: of one environment, or of all. */
export function replay({ state, at, silent }: Moment, only: { readonly environment?: string; readonly promotion?: string } = {}): Replayed {
  const observed = observedThen(state, { at, ...(silent === undefined ? {} : { silent }) });
  const wanted = state.promotions.get(only.promotion ?? '')?.environment ?? only.environment;
  const environments = [...state.environments.values()].filter(({ environment }) => wanted === undefined || environment === wanted);
  const promotions = environments
    .flatMap(({ waiting, continuing }) => [...new Set([...(continuing === undefined ? [] : [continuing]), ...waiting])].flatMap((id) => state.promotions.get(id) ?? []))
    .filter(({ promotion }) => only.promotion === undefined || promotion === only.promotion)
    .map((promotion) => ({ promotion, gates: evaluateGates(state, promotion, observed) }));
  const events = wanted === undefined ? decide(state, observed).events : environments.flatMap((environment) => stepOf(state, environment, observed).events);
  return { promotions, events };
}

/** Whether a decision made again led to the very fact that is on record. */
export function isReproduced({ event }: JournalEntry, { events }: Replayed): boolean {
  const recorded = canonicalText(event);
  return events.some((one) => one.kind === event.kind && canonicalText(one) === recorded);
}
