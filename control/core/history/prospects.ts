// What a change that an environment lacks waits for there: the promotion that carries it, or, when there is none yet, what
// holds the next one that could. The answer is that of the gates (T-2), asked once for each promotion and edge.

import { candidateOf, newerOptions } from '../choice/candidates.ts';
import { evaluateGates } from '../gates/gates.ts';
import type { Candidate } from '../gates/gates.ts';
import { numberOf } from '../gates/blocker.ts';
import { edgeOf } from '../gates/place.ts';
import type { EdgePlace } from '../gates/place.ts';
import type { Environment, Promotion, State } from '../model/model.ts';
import { membersOf } from '../model/select.ts';
import type { Observed } from '../model/select.ts';
import { runningNumber } from './course.ts';
import type { Course } from './course.ts';

/** What holds a change. */
export interface Waiting {
  /** The revision that would bring it. */
  readonly number: number;
  readonly reason: string;
  readonly since?: number;
  readonly until?: number;
  readonly promotion?: string;
}

export interface Prospects {
  /** The oldest open promotion that carries revision `number` or a newer one. */
  readonly promoted: (number: number) => Waiting | undefined;
  /** The revision that would be promoted next, where that carries `number`. */
  readonly upstream: (number: number) => Waiting | undefined;
  /** The revision that a promotion under way brings after its other applications; 0 when there is none. */
  readonly continuing: number;
}

/** Promotions of one application and environment whose gates are asked; of those behind it is only said that they wait behind. */
const askedMax = 8;

/** What may come to an environment of an application. */
export function prospectsOf(state: State, observed: Observed, environment: Environment, app: string, courseOf: (environment: string, app: string) => Course): Prospects {
  const carried = (promotion: Promotion): number => numberOf(state, app, membersOf(promotion)[app] ?? '') ?? 0;
  const open = environment.waiting.flatMap((id) => state.promotions.get(id) ?? []).map((promotion) => ({ promotion, number: carried(promotion) }));
  const ask = memo((index: number): Waiting | undefined => {
    const one = open[index];
    if (one === undefined) return undefined;
    const { promotion, number } = one;
    const known = { number, promotion: promotion.promotion, since: promotion.createdAt };
    if (index >= askedMax) return { ...known, reason: `it waits behind promotion ${open[index - 1]?.promotion.promotion}` };
    return { ...known, ...holding(state, promotion, observed, 'nothing holds it: it starts with the next decision') };
  });
  const next = memo((): readonly Waiting[] => nextAlong(state, observed, environment, app, courseOf));
  const continuing = state.promotions.get(environment.continuing ?? '');
  return {
    promoted: (number) => {
      const index = open.findIndex((one) => one.number >= number);
      return index < 0 ? undefined : ask(index);
    },
    upstream: (number) => next(0).find((one) => one.number >= number),
    continuing: continuing !== undefined && (continuing.next ?? []).includes(app) ? carried(continuing) : 0,
  };
}

/** What the edge to an environment would bring next and what holds that, then what its source has beside that and may not go on. */
function nextAlong(state: State, observed: Observed, environment: Environment, app: string, courseOf: (environment: string, app: string) => Course): readonly Waiting[] {
  const edge = edgeOf(state, environment.environment, app);
  if (edge === undefined) return [];
  const stuck = barred(state, edge, app, courseOf);
  const options = newerOptions(state, environment, edge).map((option) => ({ option, number: numberOf(state, app, option.carried[app] ?? '') ?? 0 }));
  const best = options.toSorted((a, b) => b.number - a.number)[0];
  if (best === undefined) return stuck;
  const { cause: _cause, ...thought } = candidateOf(environment, edge, best.option, state, observed.now);
  const candidate: Candidate = edge.spec.auto ? { ...thought, cause: 'auto' } : thought;
  const free = edge.spec.auto ? 'nothing holds it: it is promoted with the next decision' : `it is promoted by hand: starling promote --to ${environment.environment} --revision ${app}@${best.number}`;
  return [{ number: best.number, ...holding(state, candidate, observed, free) }, ...stuck];
}

/** The newest that the source has, as something that may not go on. */
function barred(state: State, edge: EdgePlace, app: string, courseOf: (environment: string, app: string) => Course): readonly Waiting[] {
  const { from } = edge.spec;
  const number = from.kind === 'app' ? (state.apps.get(from.app)?.revisions.length ?? 0) : runningNumber(courseOf(from.environment, app));
  if (number === 0) return [];
  const what = from.kind === 'app' ? `${from.app}@${number}, the newest that was pushed,` : `${app}@${number}, which runs in '${from.environment}',`;
  return [{ number, reason: `${what} may not go on: it is vetoed or expired, or was rolled back there` }];
}

function holding(state: State, candidate: Candidate, observed: Observed, free: string): Pick<Waiting, 'reason' | 'since' | 'until'> {
  const [first] = evaluateGates(state, candidate, observed).blockers;
  if (first === undefined) return { reason: free };
  return { reason: first.reason, ...(first.since > 0 ? { since: first.since } : {}), ...(first.until === undefined ? {} : { until: first.until }) };
}

/** Each question once. */
function memo<Value>(ask: (key: number) => Value): (key: number) => Value {
  const known = new Map<number, { readonly value: Value }>();
  return (key) => {
    const found = known.get(key) ?? { value: ask(key) };
    known.set(key, found);
    return found.value;
  };
}
