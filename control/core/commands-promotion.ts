// Commands that move environments: promote, roll back, abort. They record what is wanted; decide.ts starts it when the gates allow.

import type { Event } from '../../proto/events.ts';
import { accepted, refused } from './answer.ts';
import { chosenFor } from './candidates.ts';
import type { Abort, AbortPromotion, Accepted, Answer, Promote, Rollback } from './command.ts';
import { edgeOf } from './gates/place.ts';
import type { Deployment, Environment, Promotion, RevisionRecord, State } from './model.ts';
import { isFinished, isOpen } from './phases.ts';
import { findRevision, revisionOf } from './select.ts';
import { finished, holdsAfterRollback } from './step.ts';

/**
 * A repeated command (same id) is accepted once; the same revision twice in one environment is one promotion (P-1). Automation
 * wins no race against a person: what it would ask for again is not created.
 */
export function promote(state: State, command: Promote, now: number): Answer {
  const { promotion, cause, edge, reason } = command;
  const environment = state.environments.get(command.environment);
  if (environment === undefined) return refused('not-found', unknownEnvironment(state, command.environment));
  if (state.promotions.has(promotion)) return accepted();
  const record = findRevision(state, environment.app, command.revision);
  if (record === undefined) return refused('not-found', unknownRevision(state, environment.app, command.revision));
  if (cause === 'hotfix' && (reason ?? '').trim() === '') return refused('invalid', 'a hotfix goes past gates, and needs a reason');
  const open = openPromotions(state, environment).find((one) => one.revision === record.revision && one.trigger === 'manual');
  // A hotfix is what one does about a promotion that waits.
  if (open !== undefined && !(cause === 'hotfix' && open.phase === 'waiting' && open.cause !== 'hotfix')) {
    return refused('conflict', `promotion ${open.promotion} is bringing ${record.app}@${record.number} to '${environment.environment}' already (${open.phase}); watch that one`);
  }
  const path = { ...(cause === undefined ? {} : { cause }), ...(edge === undefined ? {} : { edge }) };
  const answer = create(environment, record, 'manual', promotion, reason, path);
  return cause === 'auto' ? answer : accepted(...answer.events, ...heldAfter(state, environment, record, promotion, now));
}

/** A promotion by hand of what automation would not choose puts automation on hold there; of what it would, lets it go again (control-plane.md 1.3). */
function heldAfter(state: State, environment: Environment, record: RevisionRecord, promotion: string, now: number): readonly Event[] {
  const edge = edgeOf(state, environment.environment, record.app);
  if (edge === undefined || !edge.spec.auto) return [];
  const chosen = chosenFor(state, environment, edge, { now, lastSeen: new Map(), since: now });
  const isCandidate = chosen.kind === 'chosen' && chosen.option.carried[record.app] === record.revision;
  const held = state.holds.has(edge.id);
  if (isCandidate) return held ? [{ kind: 'hold.released', edge: edge.id, reason: `${record.app}@${record.number} was promoted` }] : [];
  return held ? [] : [{ kind: 'hold.placed', edge: edge.id, promotion, reason: `${record.app}@${record.number} was promoted by hand, which is not the candidate` }];
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
  const record = rollbackTarget(state, environment, active, command.to ?? 'previous');
  if (record === undefined) {
    const wanted = command.to === undefined || command.to === 'previous' ? 'a set that succeeded before' : `a revision ${environment.app}@${command.to}`;
    return refused('not-found', `environment '${environment.environment}' has no ${wanted.slice(2)} to go back to; promote a revision instead`);
  }
  if (active === undefined && environment.current === record.revision) {
    return refused('conflict', `environment '${environment.environment}' runs ${record.app}@${record.number} already; name another revision, or promote it to deploy it again`);
  }
  const answer = create(environment, record, 'rollback', command.promotion, command.reason, {});
  return accepted(...answer.events, ...holdsAfterRollback(state, environment, `rolled back to ${record.app}@${record.number}`, command.promotion));
}

/** While something new is being deployed, `previous` is what was good before it; else the good set before this one. */
function rollbackTarget(state: State, environment: Environment, active: Deployment | undefined, to: 'previous' | number): RevisionRecord | undefined {
  if (to !== 'previous') return findRevision(state, environment.app, String(to));
  const unsettled = (active !== undefined && active.type !== 'catch-up') || environment.desired !== environment.current;
  const digest = unsettled && environment.desired !== environment.stable ? environment.stable : environment.good.at(-2);
  return digest === undefined ? undefined : revisionOf(state, environment.app, digest);
}

/** A newer wish supersedes those that still wait; what is being deployed is never displaced. */
function create(environment: Environment, record: RevisionRecord, trigger: 'manual' | 'rollback', promotion: string, reason: string | undefined, path: Pick<Promotion, 'cause' | 'edge'>): Accepted {
  const superseded = environment.waiting.map(
    (older): Event => ({ kind: 'promotion.finished', promotion: older, phase: 'superseded', reason: `superseded by ${promotion}` }),
  );
  const { app, revision, number } = record;
  const why = reason === undefined ? {} : { reason };
  return accepted(...superseded, { kind: 'promotion.created', promotion, environment: environment.environment, app, revision, number, trigger, ...path, ...why });
}

function openPromotions(state: State, environment: Environment) {
  const active = state.deployments.get(environment.activeDeployment ?? '');
  const ids = active === undefined || active.type === 'catch-up' ? environment.waiting : [...environment.waiting, active.promotion];
  return ids.flatMap((id) => state.promotions.get(id) ?? []).filter((promotion) => isOpen(promotion.phase));
}

/** Stops a deployment where it is: nothing new is activated, and those at work are told. What is done stays done. */
export function abort(state: State, { deployment: id, reason }: Abort): Answer {
  const deployment = state.deployments.get(id);
  if (deployment === undefined) return refused('not-found', `there is no deployment '${id}'`);
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
  if (promotion.phase === 'waiting') {
    return accepted({ kind: 'promotion.finished', promotion: id, phase: 'aborted', reason: reason ?? 'aborted on request' });
  }
  if (promotion.phase === 'deploying' && promotion.deployment !== undefined) {
    return abort(state, { kind: 'abort', deployment: promotion.deployment, ...(reason === undefined ? {} : { reason }) });
  }
  return refused('conflict', `promotion '${id}' has ended already: it ${promotion.phase}; there is nothing to abort`);
}

function unknownEnvironment(state: State, name: string): string {
  const known = [...state.environments.keys()].toSorted();
  const list = known.length === 0 ? 'there are none yet' : `there are ${known.slice(0, 10).join(', ')}${known.length > 10 ? ', …' : ''}`;
  return `there is no environment '${name}'; ${list}`;
}

function unknownRevision(state: State, app: string, text: string): string {
  const latest = state.apps.get(app)?.revisions.at(-1);
  if (latest === undefined) return `application '${app}' has no revisions yet; push one first`;
  return `application '${app}' has no revision '${text}'; the latest is ${app}@${latest.number}`;
}
