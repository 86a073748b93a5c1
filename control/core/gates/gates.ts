// All that can hold a promotion, answered by one pure function for admission, automation, the API, and the command line's
// `explain` (control-plane.md 1.4; T-2). The gates themselves, and which promotions must pass which, are gates/table.ts.

import type { Blocker, BlockerType, Candidate, Exemption, GateContext } from './blocker.ts';
import { kindOf } from './blocker.ts';
import { wholeWith } from './carried.ts';
import { liftedUntil } from './override.ts';
import { edgeOf, edgesInto, placeOf } from './place.ts';
import { gates } from './table.ts';
import type { Environment, State } from '../model/model.ts';
import { membersOf, revisionOf } from '../model/select.ts';
import type { Observed } from '../model/select.ts';

export type { Blocker, BlockerType, Candidate } from './blocker.ts';
export { leavesNone } from './fleet.ts';

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
  const contexts = perEdge(context);
  const blockers: Blocker[] = [...unknownRevisions(context)];
  const exemptions: Exemption[] = [];
  let nextCheckAt = liftedUntil(context);
  for (const { gate, kinds, ask } of gates) {
    if (!kinds.includes(context.kind) || (candidate.phase === 'deploying' && !ofProgress.has(gate))) continue;
    const answers = contexts.map(ask);
    blockers.push(...once(answers.flatMap((answer) => answer.blockers), ({ type, ref, reason }) => `${type} ${ref} ${reason}`));
    exemptions.push(...once(answers.flatMap((answer) => answer.exemptions ?? []), ({ gate: which, why, ref }) => `${which} ${why} ${ref}`));
    nextCheckAt = Math.min(nextCheckAt, ...answers.flatMap((answer) => [answer.nextCheckAt ?? Infinity, ...answer.blockers.flatMap((blocker) => blocker.until ?? [])]));
  }
  return { blockers, exemptions, ...(nextCheckAt === Infinity ? {} : { nextCheckAt }) };
}

/** Gates that hold the next application of a promotion that has begun: locks, approvals and the like were passed by the whole of it (L-7). */
const ofProgress: ReadonlySet<BlockerType> = new Set(['veto', 'window', 'freeze', 'active-deployment', 'targets-offline', 'min-healthy', 'node-requirement']);

/** A set that several edges carry must pass the gates of each. */
function perEdge(context: GateContext): readonly GateContext[] {
  const apps = Object.keys(membersOf(context.candidate));
  const edges = edgesInto(context.state, context.environment.environment).filter((edge) => edge.spec.apps.some((app) => apps.includes(app)));
  return edges.length < 2 ? [context] : edges.map((edge) => ({ ...context, edge }));
}

function once<Value>(values: readonly Value[], keyOf: (value: Value) => string): readonly Value[] {
  return values.length < 2 ? values : [...new Map(values.map((value) => [keyOf(value), value])).values()];
}

/** What the gates look at: the candidate as a whole set, in its place. */
export function contextOf(state: State, environment: Environment, candidate: Candidate, observed: Observed): GateContext {
  const place = placeOf(state, environment.environment);
  const edge = edgeOf(state, environment.environment, candidate.app);
  const members = wholeWith(state, environment.environment, { ...candidate.members, [candidate.app]: candidate.revision });
  return { state, observed, candidate, environment, members, kind: kindOf(candidate), ...(place === undefined ? {} : { place }), ...(edge === undefined ? {} : { edge }) };
}

function unknownRevisions({ state, members, candidate }: GateContext): readonly Blocker[] {
  return Object.entries(members).flatMap(([app, revision]): readonly Blocker[] => {
    if (revisionOf(state, app, revision) !== undefined) return [];
    const reason = `application '${app}' has no revision ${revision.slice(0, 12)}; push it first`;
    return [{ type: 'unknown-revision', reason, since: candidate.createdAt, ref: revision }];
  });
}
