// The automations as pure reconcilers (control-plane.md 1.5): from what is recorded to what automation asks for, as
// commands that anybody could give. Level-triggered: asked at any time, any number of times; what was done is in the state.
// They say nothing while there is no pipeline.

import type { Command } from '../commands/command.ts';
import { candidateOf, carriesSame, chooseAmong, chosenFor, freeOptions, isVerified } from '../choice/candidates.ts';
import { evaluateGates } from '../gates/gates.ts';
import { approvalFor, requestAbout, subjectOf } from '../gates/approval.ts';
import type { BlockerType } from '../gates/blocker.ts';
import { carriedBy, wholeWith } from '../gates/carried.ts';
import { edgesOf } from '../gates/place.ts';
import type { EdgePlace } from '../gates/place.ts';
import { isWorthAsking } from '../gates/table.ts';
import { settleRequests, missingCompliance } from './approvals.ts';
import { settleRuns, startRuns } from './workflows.ts';
import type { Environment, Promotion, State } from '../model/model.ts';
import { authorsOf, personOf } from '../model/people.ts';
import { isAskedAnew } from './rejection.ts';
import { isWithdrawn, membersOf } from '../model/select.ts';
import type { Observed } from '../model/select.ts';
import { isSameSet, setIdOf } from '../model/sets.ts';

/** Blockers that say "not by itself": while one of them holds, automation does not even wish for it (T-7). */
const forbidding: ReadonlySet<BlockerType> = new Set(['pipeline-disabled', 'edge-disabled', 'automation-off', 'veto', 'pin', 'hold', 'same-set', 'downgrade', 'unknown-revision']);

/** Everything that automation asks for now, in an order that does not matter. */
export function automation(state: State, observed: Observed): readonly Command[] {
  if (state.pipelines.size === 0 && state.requests.size === 0) return [];
  const edges = [...state.pipelines.values()].flatMap(edgesOf);
  return [
    ...settleRequests(state, observed.now),
    ...settleRuns(state, observed.now),
    ...startRuns(state, observed.now),
    ...edges.flatMap((edge) => askForApproval(state, edge, observed)),
    ...missingCompliance(state, observed),
    ...edges.flatMap((edge) => promoteAlong(state, edge, observed)),
  ];
}

/** AutoPromote, and AutoDeploy of the first stage: what the policy chooses, when the destination lacks it and nobody waits for something else. */
function promoteAlong(state: State, edge: EdgePlace, observed: Observed): readonly Command[] {
  const environment = state.environments.get(edge.spec.to);
  if (environment === undefined || !edge.spec.auto || !edge.pipeline.enabled) return [];
  const waiting = environment.waiting.flatMap((id) => state.promotions.get(id) ?? []).filter((promotion) => edge.spec.apps.some((app) => membersOf(promotion)[app] !== undefined));
  // What a person asked for is not displaced; in order, nothing is (S-4).
  if (waiting.some((promotion) => promotion.cause !== 'auto' || edge.pipeline.spec.executionMode === 'queued')) return [];
  const chosen = chosenFor(state, environment, edge, observed);
  if (chosen.kind !== 'chosen') return [];
  const candidate = candidateOf(environment, edge, chosen.option, state, observed.now);
  if (waiting.some((promotion) => carriesSame(membersOf(promotion), chosen.option.carried))) return [];
  if (evaluateGates(state, candidate, observed).blockers.some((blocker) => forbidding.has(blocker.type))) return [];
  const count = (state.sets.get(environment.environment)?.promotions ?? 0) + 1;
  return [{ kind: 'promote', promotion: `auto-${environment.environment}-${count}`, environment: environment.environment, revision: setIdOf(chosen.option.carried), cause: 'auto', edge: edge.id }];
}

/** Asks people about what would go next, once it is verified and nothing but time and people stands in its way. */
function askForApproval(state: State, edge: EdgePlace, observed: Observed): readonly Command[] {
  const environment = state.environments.get(edge.spec.to);
  const approval = approvalFor(state, edge);
  if (environment === undefined || approval === undefined || !edge.pipeline.enabled) return [];
  const options = freeOptions(state, environment, edge).filter((option) => isVerified(state, environment, edge, option, observed));
  const chosen = chooseAmong(state, environment, edge, options);
  // What the gates will ask about: a promotion that brings one application of several carries the others as they are.
  const carriedIn = (promotion: Promotion) => carriedBy(edge, wholeWith(state, environment.environment, membersOf(promotion)));
  const byHand = wishes(state, environment).filter((promotion) => edge.spec.apps.some((app) => membersOf(promotion)[app] !== undefined)).map(carriedIn);
  const asked = [...(chosen.kind === 'chosen' ? [chosen.option.carried] : []), ...byHand];
  return asked.flatMap((carried): readonly Command[] => {
    const subject = subjectOf(edge, approval, carried);
    const known = requestAbout(state, subject);
    const wish = wishes(state, environment).findLast((promotion) => isSameSet(carriedIn(promotion), carried));
    if (known !== undefined && !isAskedAnew(known, wish)) return [];
    const { cause: _cause, ...plain } = candidateOf(environment, edge, { carried }, state, observed.now);
    const blockers = evaluateGates(state, plain, observed).blockers;
    if (!isWorthAsking(blockers)) return [];
    const submitters = wishes(state, environment).filter((promotion) => isSameSet(carriedIn(promotion), carried)).map((promotion) => personOf(state, promotion.by));
    const excluded = approval.preventSelfApproval ? [...new Set([...authorsOf({ state, members: carried }), ...submitters])] : [];
    const expires = approval.expiresAfterMs === undefined ? {} : { expiresAt: observed.now + approval.expiresAfterMs };
    return [{ kind: 'request-approval', request: nextRequest(state), subject, rules: approval.rules, excluded, ...expires }];
  });
}

/** Promotions by hand that wait. */
function wishes(state: State, environment: Environment) {
  return environment.waiting
    .flatMap((id) => state.promotions.get(id) ?? [])
    .filter((promotion) => promotion.cause === undefined && promotion.trigger === 'manual')
    .filter((promotion) => !Object.entries(membersOf(promotion)).some(([app, revision]) => isWithdrawn(state, environment.environment, app, revision)));
}

/** Ids count up, since no request is ever forgotten. */
export function nextRequest(state: State): string {
  return `request-${state.requests.size + 1}`;
}
