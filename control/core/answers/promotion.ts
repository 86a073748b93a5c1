// Commands that move environments: promote, roll back, abort. They record what is wanted; decide.ts starts it when the gates allow.

import type { Event } from '../../../proto/events.ts';
import type { SetMembers } from '../../../proto/pipeline.ts';
import { accepted, refused } from '../commands/answer.ts';
import { chosenFor } from '../choice/candidates.ts';
import type { Abort, AbortPromotion, Accepted, Answer, Promote, Retry, Rollback } from '../commands/command.ts';
import { setText } from '../gates/blocker.ts';
import { edgesInto } from '../gates/place.ts';
import { wantedSet } from '../gates/source-set.ts';
import type { Deployment } from '../model/deployment.ts';
import type { Environment, Promotion, Slot, State } from '../model/model.ts';
import { isFinished, isOpen } from '../model/phases.ts';
import { findSet, membersOf, revisionOf, succeededHere } from '../model/select.ts';
import { isSameSet, pick } from '../model/sets.ts';
import { finished, holdsAfterRollback } from '../rollout/step.ts';

/**
 * A repeated command (same id) is accepted once; the same revision twice in one environment is one promotion (P-1). Automation
 * wins no race against a person: what it would ask for again is not created.
 */
export function promote(state: State, command: Promote, now: number): Answer {
  const { promotion, cause, edge, reason } = command;
  const environment = state.environments.get(command.environment);
  if (environment === undefined) return refused('not-found', unknownEnvironment(state, command.environment));
  if (state.promotions.has(promotion)) return accepted();
  const set = wantedSet(state, environment, command.revision);
  if ('problem' in set) return refused('not-found', set.problem);
  const { members } = set;
  if (cause === 'hotfix' && (reason ?? '').trim() === '') return refused('invalid', 'a hotfix goes past gates, and needs a reason');
  const open = openPromotions(state, environment).find((one) => isSameSet(membersOf(one), members) && one.trigger === 'manual');
  // A hotfix is what one does about a promotion that waits.
  if (open !== undefined && !(cause === 'hotfix' && open.phase === 'waiting' && open.cause !== 'hotfix')) {
    return refused('conflict', `promotion ${open.promotion} is bringing ${setText(state, members)} to '${environment.environment}' already (${open.phase}); watch that one`);
  }
  const path = { ...(cause === undefined ? {} : { cause }), ...(edge === undefined ? {} : { edge }), ...retryOf(command) };
  const answer = create(state, environment, members, 'manual', promotion, reason, path);
  return cause === 'auto' ? answer : accepted(...answer.events, ...heldAfter(state, environment, members, promotion, now));
}

/** A promotion by hand of what automation would not choose puts automation on hold there; of what it would, lets it go again (control-plane.md 1.3). */
function heldAfter(state: State, environment: Environment, members: SetMembers, promotion: string, now: number): readonly Event[] {
  return edgesInto(state, environment.environment).flatMap((edge): readonly Event[] => {
    const carried = pick(members, edge.spec.apps);
    if (Object.keys(carried).length === 0 || !edge.spec.auto) return [];
    const chosen = chosenFor(state, environment, edge, { now, lastSeen: new Map(), since: now });
    const isCandidate = chosen.kind === 'chosen' && isSameSet(pick(chosen.option.carried, Object.keys(carried)), carried);
    const hold = state.holds.get(edge.id);
    const what = setText(state, carried);
    if (isCandidate) return hold !== undefined ? [{ kind: 'hold.released', edge: edge.id, reason: `${what} was promoted` }] : [];
    // One that is about what was taken back would let automation go past what this person chose.
    return hold !== undefined && hold.sets === undefined ? [] : [{ kind: 'hold.placed', edge: edge.id, promotion, reason: `${what} was promoted by hand, which is not the candidate` }];
  });
}

/** Back to a set that succeeded here before; it replaces what is under way (control-plane.md 1.3). */
export function rollback(state: State, command: Rollback): Answer {
  const environment = state.environments.get(command.environment);
  if (environment === undefined) return refused('not-found', unknownEnvironment(state, command.environment));
  if (state.promotions.has(command.promotion)) return accepted();
  const active = state.deployments.get(environment.activeDeployment ?? '');
  if (active?.phase === 'rolling-back') {
    return refused('conflict', `deployment ${active.deployment} is rolling '${environment.environment}' back to ${active.app}@${active.rollback?.number} already; watch it`);
  }
  const open = openPromotions(state, environment).find((promotion) => promotion.trigger === 'rollback');
  if (open !== undefined) return refused('conflict', `rollback ${open.promotion} of '${environment.environment}' to ${open.app}@${open.number} is under way already (${open.phase})`);
  const to = command.to ?? 'previous';
  const members = to === 'previous' ? previousSet(state, environment, active) : namedSet(state, environment, String(to));
  if (typeof members === 'string') return refused('not-found', members);
  const text = setText(state, members);
  if (active === undefined && Object.entries(members).every(([app, revision]) => environment.slots[app]?.current === revision)) {
    return refused('conflict', `environment '${environment.environment}' runs ${text} already; name another revision, or promote it to deploy it again`);
  }
  const answer = create(state, environment, members, 'rollback', command.promotion, command.reason, retryOf(command));
  return accepted(...answer.events, ...holdsAfterRollback(state, environment, `rolled back to ${text}`, command.promotion));
}

function retryOf({ retryOf: id, attempt }: Retry): Retry {
  return { ...(id === undefined ? {} : { retryOf: id }), ...(attempt === undefined ? {} : { attempt }) };
}

/** Revisions that a refusal names: the newest. */
const choicesShown = 5;

/** What a rollback goes to by name; a sentence when there is no such thing. */
function namedSet(state: State, environment: Environment, text: string): SetMembers | string {
  const set = findSet(state, environment, text);
  if ('problem' in set) return `${set.problem}, so that '${environment.environment}' cannot go back to it`;
  // A rollback passes gates because what it brings has passed them here before (C-1).
  for (const [app, revision] of Object.entries(set.members)) {
    const good = succeededHere(state, environment.environment, app);
    if (good.has(revision)) continue;
    const known = [...good].map((one) => setText(state, { [app]: one })).slice(-choicesShown);
    return `${setText(state, { [app]: revision })} never succeeded in '${environment.environment}', so that it cannot go back to it; ${known.length === 0 ? 'nothing of that application did' : `it can to ${known.toReversed().join(', ')}`}; promote it instead`;
  }
  return set.members;
}

/** While something new is being deployed, `previous` is what was good before it; else the set that ran before this one. A sentence when there is none. */
function previousSet(state: State, environment: Environment, active: Deployment | undefined): SetMembers | string {
  const slots = Object.entries(environment.slots);
  const changing = slots.filter(([, slot]) => slot.desired !== slot.stable);
  const unsettled = (active !== undefined && active.type !== 'catch-up') || environment.continuing !== undefined || changing.length > 0;
  const sets = state.sets.get(environment.environment);
  const good = sets?.current ?? {};
  const before = sets?.arrivals.findLast((arrival) => !arrival.undone && !isSameSet(arrival.members, good))?.members ?? {};
  const wanted = unsettled && slots.some(([app, slot]) => slot.desired !== good[app]) ? good : before;
  const members = Object.fromEntries(Object.entries(wanted).filter(([app, revision]) => isElsewhere(environment.slots[app], revision)));
  if (Object.keys(members).length > 0) return members;
  if (Object.keys(good).length === 0) return `nothing has succeeded in '${environment.environment}' yet, so that there is nothing to go back to; promote a revision instead`;
  return `'${environment.environment}' runs ${setText(state, good)}, and nothing that succeeded there before it is left to go back to; name a revision that did (--to), or promote one`;
}

/** Whether an application does not run a revision, or is not to. */
function isElsewhere(slot: Slot | undefined, revision: string): boolean {
  return slot !== undefined && (slot.desired !== revision || slot.current !== revision);
}

/** A newer wish supersedes those that still wait for the same applications; what is being deployed is never displaced. */
function create(
  state: State,
  environment: Environment,
  members: SetMembers,
  trigger: 'manual' | 'rollback',
  promotion: string,
  reason: string | undefined,
  path: Pick<Promotion, 'cause' | 'edge' | 'retryOf' | 'attempt'>,
): Accepted {
  const older = environment.waiting.flatMap((id) => state.promotions.get(id) ?? []).filter((one) => trigger === 'rollback' || Object.keys(membersOf(one)).some((app) => members[app] !== undefined));
  const superseded = older.map((one): Event => ({ kind: 'promotion.finished', promotion: one.promotion, phase: 'superseded', reason: `superseded by ${promotion}` }));
  const app = environment.apps.find((one) => members[one] !== undefined) ?? '';
  const revision = members[app] ?? '';
  const number = revisionOf(state, app, revision)?.number ?? 0;
  const whole = Object.keys(members).length > 1 ? { members } : {};
  const why = reason === undefined ? {} : { reason };
  return accepted(...superseded, { kind: 'promotion.created', promotion, environment: environment.environment, app, revision, number, trigger, ...whole, ...path, ...why });
}

function openPromotions(state: State, environment: Environment) {
  const active = state.deployments.get(environment.activeDeployment ?? '');
  const under = active === undefined || active.type === 'catch-up' ? environment.continuing : active.promotion;
  return [...environment.waiting, ...[under, environment.verifying].flatMap((id) => id ?? [])].flatMap((id) => state.promotions.get(id) ?? []).filter((promotion) => isOpen(promotion.phase));
}

/** Stops a deployment where it is: nothing new is activated, and those at work are told. What is done stays done. */
export function abort(state: State, { deployment: id, reason }: Abort): Answer {
  const deployment = state.deployments.get(id);
  if (deployment === undefined) return refused('not-found', `there is no deployment '${id}'`);
  if (deployment.type === 'prefetch') return refused('conflict', `'${id}' only brings content near, and switches nothing; it ends with promotion ${deployment.promotion}: abort that one`);
  if (deployment.phase === 'aborted') return accepted();
  if (isFinished(deployment.phase)) return refused('conflict', `deployment '${id}' has ended already: it ${deployment.phase}; there is nothing to abort`);
  if (deployment.phase === 'rolling-back') {
    return refused('conflict', `deployment '${id}' is rolling back, and aborting that would leave targets on a set that failed; wait for its end`);
  }
  return accepted(...finished(state, deployment, 'aborted', reason ?? 'aborted on request'));
}

export function abortPromotion(state: State, { promotion: id, reason }: AbortPromotion): Answer {
  const promotion = state.promotions.get(id);
  if (promotion === undefined) return refused('not-found', `there is no promotion '${id}'`);
  if (promotion.phase === 'aborted') return accepted();
  // What is verified runs already, and goes on running: it is only not known to be good.
  if (promotion.phase === 'waiting' || promotion.phase === 'verifying') {
    return accepted({ kind: 'promotion.finished', promotion: id, phase: 'aborted', reason: reason ?? 'aborted on request' });
  }
  if (promotion.phase === 'deploying' && promotion.deployment !== undefined) {
    // Between two of its applications there is nothing to stop but what comes next.
    const between = state.environments.get(promotion.environment)?.activeDeployment !== promotion.deployment;
    if (between) return accepted({ kind: 'promotion.finished', promotion: id, phase: 'aborted', reason: reason ?? 'aborted on request' });
    return abort(state, { kind: 'abort', deployment: promotion.deployment, ...(reason === undefined ? {} : { reason }) });
  }
  return refused('conflict', `promotion '${id}' has ended already: it ${promotion.phase}; there is nothing to abort`);
}

function unknownEnvironment(state: State, name: string): string {
  const known = [...state.environments.keys()].toSorted();
  const list = known.length === 0 ? 'there are none yet' : `there are ${known.slice(0, 10).join(', ')}${known.length > 10 ? ', …' : ''}`;
  return `there is no environment '${name}'; ${list}`;
}
