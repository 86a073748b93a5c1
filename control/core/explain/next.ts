// What would come to an environment next and why it does not, when nobody has asked for it and nothing is under way: the answer of the gates to what
// automation would bring. What was asked for is explain.ts.

import { candidateOf, chooseAmong, freeOptions } from '../choice/candidates.ts';
import { evaluateGates } from '../gates/gates.ts';
import type { Blocker } from '../gates/gates.ts';
import { setText } from '../gates/blocker.ts';
import { edgesInto } from '../gates/place.ts';
import type { Environment, State } from '../model/model.ts';
import type { Observed } from '../model/select.ts';

/** A set that is held on its way, by what. */
export interface Next {
  readonly summary: string;
  readonly blockers: readonly Blocker[];
  readonly nextCheckAt?: number;
}

/** The first set that an automatic edge would bring if nothing held it; undefined when there is none. */
export function explainNext(state: State, observed: Observed, environment: Environment): Next | undefined {
  for (const edge of edgesInto(state, environment.environment)) {
    if (!edge.spec.auto) continue;
    const chosen = chooseAmong(state, environment, edge, freeOptions(state, environment, edge));
    if (chosen.kind !== 'chosen') continue;
    const { blockers, nextCheckAt } = evaluateGates(state, candidateOf(environment, edge, chosen.option, state, observed.now), observed);
    if (blockers.length === 0) continue;
    const summary = `${setText(state, chosen.option.carried)} is next for '${environment.environment}' and waits: ${blockers[0]?.type}`;
    return { summary, blockers, ...(nextCheckAt === undefined ? {} : { nextCheckAt }) };
  }
  return undefined;
}
