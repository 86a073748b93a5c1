// All that can hold a promotion, answered by one pure function for admission, automation, the API, and the command line's
// `explain` (control-plane.md 1.4; T-2). The gates themselves, and which promotions must pass which, are gates/table.ts.

import type { Blocker, Candidate, Exemption, GateContext } from './gates/blocker.ts';
import { kindOf } from './gates/blocker.ts';
import { edgeOf, placeOf } from './gates/place.ts';
import { gates } from './gates/table.ts';
import type { Environment, State } from './model.ts';
import { revisionOf } from './select.ts';
import type { Observed } from './select.ts';

export type { Blocker, BlockerType, Candidate } from './gates/blocker.ts';
export { leavesNone } from './gates/fleet.ts';

export interface GateResult {
  /** In the order of control-plane.md 1.4; empty when nothing holds it. */
  readonly blockers: readonly Blocker[];
  /** Gates that would have held it and do not, with the reason: recorded with the deployment (T-1). */
  readonly exemptions: readonly Exemption[];
  /** When to ask again though nothing was appended: a blocker may end by time alone. */
  readonly nextCheckAt?: number;
}

/** Everything that holds `candidate` now. */
export function evaluateGates(state: State, candidate: Candidate, observed: Observed): GateResult {
  const environment = state.environments.get(candidate.environment);
  if (environment === undefined) {
    const reason = `there is no environment '${candidate.environment}'; create it first`;
    return { blockers: [{ type: 'unknown-environment', reason, since: candidate.createdAt, ref: candidate.environment }], exemptions: [] };
  }
  const context = contextOf(state, environment, candidate, observed);
  const blockers: Blocker[] = [...unknownRevisions(context)];
  const exemptions: Exemption[] = [];
  let nextCheckAt = Infinity;
  for (const { kinds, ask } of gates) {
    if (!kinds.includes(context.kind)) continue;
    const answer = ask(context);
    blockers.push(...answer.blockers);
    exemptions.push(...(answer.exemptions ?? []));
    nextCheckAt = Math.min(nextCheckAt, answer.nextCheckAt ?? Infinity, ...answer.blockers.flatMap((blocker) => blocker.until ?? []));
  }
  return { blockers, exemptions, ...(nextCheckAt === Infinity ? {} : { nextCheckAt }) };
}

/** What the gates look at: the candidate as a whole set, in its place. */
export function contextOf(state: State, environment: Environment, candidate: Candidate, observed: Observed): GateContext {
  const place = placeOf(state, environment.environment);
  const edge = edgeOf(state, environment.environment, candidate.app);
  const members = { ...state.sets.get(environment.environment)?.current, ...candidate.members, [candidate.app]: candidate.revision };
  return { state, observed, candidate, environment, members, kind: kindOf(candidate), ...(place === undefined ? {} : { place }), ...(edge === undefined ? {} : { edge }) };
}

function unknownRevisions({ state, members, candidate }: GateContext): readonly Blocker[] {
  return Object.entries(members).flatMap(([app, revision]): readonly Blocker[] => {
    if (revisionOf(state, app, revision) !== undefined) return [];
    const reason = `application '${app}' has no revision ${revision.slice(0, 12)}; push it first`;
    return [{ type: 'unknown-revision', reason, since: candidate.createdAt, ref: revision }];
  });
}
