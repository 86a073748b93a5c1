// The reconciler: from what is recorded and observed to what happens next, as facts to append and effects to perform.
// Level-triggered: it may be asked at any time, any number of times; what is done is in the state and is not asked again.
// It takes one step of each environment; the caller appends, performs, folds, and asks again until nothing comes.

import type { Event } from '../../proto/events.ts';
import { cutBatches, inTurn } from './batches/arithmetic.ts';
import { automation } from './automation/automation.ts';
import { batchSpecs, rollbackSpecs, sizesOf } from './batches/batches.ts';
import { catchUp } from './rollout/catch-up.ts';
import { handle } from './answers/handle.ts';
import type { Effect } from './effects.ts';
import { evaluateGates } from './gates/gates.ts';
import type { GateResult } from './gates/gates.ts';
import type { Deployment } from './model/deployment.ts';
import type { Environment, Promotion, State } from './model/model.ts';
import { isWorthFetching, prefetchEnded, prefetchOf, stepPrefetch } from './rollout/prefetch.ts';
import { rejected } from './automation/rejection.ts';
import { stepRollback } from './rollout/rollback.ts';
import { stepRollout } from './rollout/rollout.ts';
import { membersOf, revisionOf, deployableTargets } from './model/select.ts';
import type { Observed } from './model/select.ts';
import { seenBy } from './rollout/seen.ts';
import { nothing, orderEffect } from './rollout/step.ts';
import type { Step } from './rollout/step.ts';
import { displaced, verdictIn } from './automation/verification.ts';

export interface Decision {
  /** To be appended in this order, all or none, when the journal's head is still `state.head`. */
  readonly events: readonly Event[];
  /** To be performed whether or not there are events; each is repeated until its fact is appended. */
  readonly effects: readonly Effect[];
  /** When to decide again though nothing was appended; milliseconds since 1970. */
  readonly nextCheckAt?: number;
}

/** One step of every environment. */
export function decide(state: State, observed: Observed): Decision {
  const events: Event[] = [];
  const effects: Effect[] = [];
  let nextCheckAt = Infinity;
  for (const environment of state.environments.values()) {
    const step = stepOf(state, environment, observed);
    events.push(...step.events);
    effects.push(...step.effects);
    nextCheckAt = Math.min(nextCheckAt, step.nextCheckAt ?? Infinity);
  }
  // Automation comes second: what is under way has its say first. One wish at a time; the caller asks again.
  if (events.length === 0) events.push(...automatic(state, observed));
  return { events, effects, ...(nextCheckAt === Infinity ? {} : { nextCheckAt }) };
}

/** The facts of the first thing that automation asks for and is granted. */
function automatic(state: State, observed: Observed): readonly Event[] {
  for (const command of automation(state, observed)) {
    const answer = handle(state, command, observed.now);
    if (answer.kind === 'accepted' && answer.events.length > 0) return answer.events;
  }
  return [];
}

/** One step of one environment. */
export function stepOf(state: State, environment: Environment, observed: Observed): Step {
  const active = environment.activeDeployment === undefined ? undefined : state.deployments.get(environment.activeDeployment);
  const refused = rejected(state, environment, observed);
  if (refused.length > 0) return { events: refused, effects: [] };
  const line = inLine(state, environment);
  const rollback = line.find((promotion) => promotion.trigger === 'rollback' && promotion.phase === 'waiting');
  if (active !== undefined) {
    if (active.phase === 'rolling-back') return stepRollback(state, environment, active, observed);
    if (rollback !== undefined) {
      const gates = evaluateGates(state, rollback, observed);
      if (gates.blockers.length === 0) return { events: [...replaced(state, active, rollback), ...displaced(environment, rollback), ...started(state, environment, rollback, gates, observed)], effects: [] };
    }
    return stepRollout(state, environment, active, observed);
  }
  const farewell = cancelled(state, environment, environment.newestDeployment) ?? cancelled(state, environment, environment.newestPrefetch);
  if (farewell !== undefined) return { events: [], effects: [farewell] };
  const verdict = verdictIn(state, environment);
  if (verdict.length > 0) return { events: verdict, effects: [] };
  if (line.length === 0) return prefetchOf(state, environment) === undefined ? catchUp(state, environment, observed) : stepPrefetch(state, environment, undefined, observed);
  let nextCheckAt = Infinity;
  let early: Promotion | undefined;
  for (const promotion of line) {
    const gates = evaluateGates(state, promotion, observed);
    if (gates.blockers.length === 0) {
      // Whoever still fetches something else is told to stop before anything new begins.
      const other = prefetchOf(state, environment);
      if (other !== undefined && other.promotion !== promotion.promotion) return { events: prefetchEnded(state, environment, promotion), effects: [] };
      return { events: [...given(environment, promotion), ...displaced(environment, promotion), ...prefetchEnded(state, environment, promotion), ...started(state, environment, promotion, gates, observed)], effects: [] };
    }
    nextCheckAt = Math.min(nextCheckAt, gates.nextCheckAt ?? Infinity);
    if (early === undefined && isWorthFetching(state, environment, promotion, gates.blockers)) early = promotion;
    // What is half done goes on before anything else begins but a rollback.
    if (promotion.phase === 'deploying') break;
  }
  // Whoever joins while something waits gets what runs, for which it may be needed long before that can go.
  const late = environment.continuing === undefined ? catchUp(state, environment, observed) : nothing;
  if (late.events.length > 0) return late;
  const fetching = stepPrefetch(state, environment, early, observed);
  nextCheckAt = Math.min(nextCheckAt, fetching.nextCheckAt ?? Infinity, late.nextCheckAt ?? Infinity);
  return { ...fetching, ...(nextCheckAt === Infinity ? {} : { nextCheckAt }) };
}

/** Who is to start next: a rollback, the promotion that has applications to go, then those that wait, oldest first. */
function inLine(state: State, environment: Environment): readonly Promotion[] {
  const waiting = environment.waiting.flatMap((id) => state.promotions.get(id) ?? []);
  const continuing = state.promotions.get(environment.continuing ?? '');
  const rest = waiting.filter((promotion) => promotion.trigger !== 'rollback');
  return [...waiting.filter((promotion) => promotion.trigger === 'rollback'), ...(continuing === undefined ? [] : [continuing]), ...rest];
}

/** A rollback that starts between two applications of a promotion ends it. */
function given(environment: Environment, promotion: Promotion): readonly Event[] {
  const { continuing } = environment;
  if (continuing === undefined || continuing === promotion.promotion) return [];
  return [{ kind: 'promotion.finished', promotion: continuing, phase: 'aborted', reason: `replaced by rollback ${promotion.promotion}` }];
}

/** Before anything new begins, those who still work for the last deployment are told to stop. */
function cancelled(state: State, environment: Environment, deployment: string | undefined): Effect | undefined {
  const newest = state.deployments.get(deployment ?? '');
  if (newest === undefined || newest.cancels.length === 0) return undefined;
  return orderEffect(state, environment, newest, 'cancel', newest.cancels);
}

/** The applications that a promotion still has to change here, in the order of the environment; all that it brings when it changes none. */
export function toGo(environment: Environment, promotion: Promotion): readonly string[] {
  if (promotion.phase === 'deploying') return promotion.next ?? [];
  const members = membersOf(promotion);
  const carried = environment.apps.filter((app) => members[app] !== undefined);
  const changed = carried.filter((app) => environment.slots[app]?.current !== members[app] || environment.slots[app]?.desired !== members[app]);
  return changed.length === 0 ? carried : changed;
}

/** The facts that begin the deployment of a promotion's next application: the snapshot of targets and configuration, cut into batches. */
export function started(state: State, environment: Environment, promotion: Promotion, { exemptions }: GateResult, observed: Observed): readonly Event[] {
  const rollback = promotion.trigger === 'rollback';
  const [app = promotion.app, ...next] = toGo(environment, promotion);
  const to = membersOf(promotion)[app] ?? promotion.revision;
  const slot = environment.slots[app];
  const members = inTurn(deployableTargets(state, environment), app, environment.config);
  const replacedId = rollback ? environment.activeDeployment : undefined;
  return [
    {
      kind: 'deployment.started',
      deployment: deploymentId(environment),
      promotion: promotion.promotion,
      environment: environment.environment,
      app,
      type: rollback ? 'rollback' : slot?.current === to && promotion.retryOf === undefined ? 'redeploy' : 'promote',
      seq: environment.seq + 1,
      to,
      number: revisionOf(state, app, to)?.number ?? promotion.number,
      config: environment.config,
      batches: cutBatches(members, sizesOf(rollback ? rollbackSpecs(environment.config) : batchSpecs(environment.config))),
      ...(slot?.stable === undefined ? {} : { from: slot.stable }),
      ...(next.length === 0 ? {} : { next }),
      ...(replacedId === undefined ? {} : { rollbackOf: replacedId }),
      ...(exemptions.length === 0 ? {} : { exemptions }),
      seen: seenBy(state, environment, observed),
    },
  ];
}

/** Ids are made of the environment and its fencing number, so that a repeated decision cannot start a second deployment. */
export function deploymentId(environment: Environment): string {
  return `${environment.environment}-${environment.seq + 1}`;
}

/** A rollback ends what is under way in the same append that starts its own deployment (control-plane.md 1.3). */
function replaced(state: State, active: Deployment, promotion: Promotion): readonly Event[] {
  const reason = `replaced by rollback ${promotion.promotion}`;
  const open = state.promotions.get(active.promotion);
  const ended: Event = { kind: 'deployment.finished', deployment: active.deployment, phase: 'aborted', reason };
  if (open === undefined || open.phase !== 'deploying') return [ended];
  return [ended, { kind: 'promotion.finished', promotion: active.promotion, phase: 'aborted', reason }];
}
