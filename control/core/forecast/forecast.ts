// What a promotion would do, asked without making it: the command is answered and the facts folded into a copy of the state,
// and the functions that decide say the rest. Figures that only the past can tell are estimate.ts.

import type { Event, JournalEntry } from '../../../proto/events.ts';
import type { Promote, Refused } from '../commands/command.ts';
import { handle } from '../answers/handle.ts';
import { started, toGo } from '../decide.ts';
import { evolveAll } from '../evolve/evolve.ts';
import { evaluateGates } from '../gates/gates.ts';
import type { GateResult } from '../gates/gates.ts';
import type { Promotion, State } from '../model/model.ts';
import type { Observed } from '../model/select.ts';
import { bytesOf, pacesOf, timesOf } from './estimate.ts';
import type { BytesForecast, TimesForecast } from './estimate.ts';

type Started = Extract<Event, { readonly kind: 'deployment.started' }>;

/** The deployment of one application, as it would be. */
export interface Leg {
  readonly started: Started;
  readonly bytes: BytesForecast;
  readonly times: TimesForecast;
}

export interface Forecast {
  readonly promotion: Promotion;
  readonly gates: GateResult;
  /** In the order in which they go. */
  readonly legs: readonly Leg[];
  /** Promotions that it would supersede. */
  readonly supersedes: readonly string[];
  /** Promotion configurations that it would put on hold, and those that it would let go again. */
  readonly holds: readonly string[];
  readonly releases: readonly string[];
}

/** What `command` would do now, asked by `actor`; the refusal when it would not be taken. */
export function forecast(state: State, observed: Observed, command: Promote, actor: string): Forecast | Refused {
  const answer = handle(state, command, observed.now);
  if (answer.kind === 'refused') return answer;
  const entries = answer.events.map((event, index): JournalEntry => ({ seq: state.head + 1 + index, at: observed.now, actor, event }));
  const after = evolveAll(state, entries);
  const promotion = after.promotions.get(command.promotion);
  const environment = after.environments.get(command.environment);
  if (promotion === undefined || environment === undefined) return { kind: 'refused', code: 'conflict', message: `promotion '${command.promotion}' is on record already` };
  const gates = evaluateGates(after, promotion, observed);
  const apps = toGo(environment, promotion);
  const legs = apps.flatMap((_app, index) => {
    const going: Promotion = index === 0 ? promotion : { ...promotion, phase: 'deploying', next: apps.slice(index) };
    return started(after, environment, going, gates, observed).flatMap((event) => (event.kind === 'deployment.started' ? [event] : []));
  });
  return {
    promotion,
    gates,
    legs: legs.map((event) => {
      const bytes = bytesOf(after, environment, event.app, event.to);
      return { started: event, bytes, times: timesOf(event, bytes, pacesOf(after, environment.environment, event.app)) };
    }),
    supersedes: answer.events.flatMap((event) => (event.kind === 'promotion.finished' && event.phase === 'superseded' ? [event.promotion] : [])),
    holds: answer.events.flatMap((event) => (event.kind === 'hold.placed' ? [event.edge] : [])),
    releases: answer.events.flatMap((event) => (event.kind === 'hold.released' ? [event.edge] : [])),
  };
}
