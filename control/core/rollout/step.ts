// One step of one environment, and the pieces that roll-out, rollback and catch-up share: effects that bring the role and
// the orders up to what a deployment wants, lost targets, and how a deployment ends.

import type { Digest } from '../../../proto/cid.ts';
import type { DeploymentPhase, Event } from '../../../proto/events.ts';
import type { SetMembers } from '../../../proto/pipeline.ts';
import type { HealthCheckSpec } from '../../../proto/rollout-config.ts';
import type { OrderAction, OrderCheck } from '../../../proto/statement.ts';
import { checksOf, lostAfterOf } from '../batches/batches.ts';
import { orderTargetsMax, ordersTogetherMax } from '../effects.ts';
import type { Effect, UnsignedOrder } from '../effects.ts';
import { workflowIn } from '../gates/approval.ts';
import { setText } from '../gates/blocker.ts';
import { edgesInto } from '../gates/place.ts';
import type { Deployment, TargetDeployment } from '../model/deployment.ts';
import type { Environment, Promotion, State } from '../model/model.ts';
import { isWayBack } from '../model/phases.ts';
import { heardAt, membersOf, revisionOf } from '../model/select.ts';
import { pick } from '../model/sets.ts';
import type { Observed } from '../model/select.ts';

/** What to do about one environment now. */
export interface Step {
  readonly events: readonly Event[];
  readonly effects: readonly Effect[];
  readonly nextCheckAt?: number;
}

/** Nothing to do until something is appended. */
export const nothing: Step = { events: [], effects: [] };

/** The effect that makes the environment's role name `revision` of `app`, beside those of its other applications, when it does not: no order can before. */
export function roleEffect(environment: Environment, app: string, revision: Digest): Effect | undefined {
  if (environment.role?.revisions[app] === revision) return undefined;
  const others = Object.entries(environment.role?.revisions ?? {}).filter(([other]) => environment.apps.includes(other));
  return { kind: 'publish-role', environment: environment.environment, revisions: { ...Object.fromEntries(others), [app]: revision } };
}

/** The next orders of an environment, as many as are given at a time: they name what the role names now, and the order before them (P-6). */
export function orderEffect(
  state: State,
  environment: Environment,
  deployment: Deployment,
  action: OrderAction,
  members: readonly string[],
  batch = 0,
): Effect | undefined {
  const { app } = deployment;
  const role = environment.role;
  const revision = role?.revisions[app];
  if (role === undefined || revision === undefined || members.length === 0) return undefined;
  const record = revisionOf(state, app, revision);
  if (record === undefined) return undefined;
  const common = { environment: environment.environment, app, deployment: deployment.deployment, action, revision, revisionNumber: record.number, roleVersion: role.version, batch };
  const checks = action === 'activate' ? withChecks(checksOf(deployment, batch)) : {};
  const count = Math.min(ordersTogetherMax, Math.ceil(members.length / orderTargetsMax));
  const orders = Array.from({ length: count }, (_, index): UnsignedOrder => {
    const targets = members.slice(index * orderTargetsMax, (index + 1) * orderTargetsMax);
    const previous = index > 0 || environment.orderDigest === undefined ? {} : { previous: environment.orderDigest };
    return { ...common, seq: environment.orderSeq + 1 + index, targets, ...previous, ...checks };
  });
  return { kind: 'sign-orders', environment: environment.environment, orders };
}

function withChecks(specs: readonly HealthCheckSpec[]): { readonly checks?: OrderCheck[] } {
  return specs.length === 0 ? {} : { checks: specs.map((spec) => ({ ...spec })) };
}

/** Facts about targets that have been silent for too long since they were told to act, and when the next one may be, at the earliest. */
export function lostTargets(deployment: Deployment, targets: readonly TargetDeployment[], observed: Observed): Step {
  const events: Event[] = [];
  const back = isWayBack(deployment);
  // A machine that is away does not make a rollback fail: it is given up in time.
  const lostAfter = back ? Math.min(lostAfterOf(deployment.config), deployment.config.progressDeadlineMs) : lostAfterOf(deployment.config);
  let nextCheckAt = Infinity;
  for (const target of targets) {
    if (target.order === undefined) continue;
    const toldAt = Math.max(observed.since, target.reportedAt, target.order.at, deployment.batches[target.batch]?.startedAt ?? 0);
    // When it was last heard is looked up only where that matters: for ten thousand at each decision it took longer than all the rest.
    const answeredAt = observed.now < toldAt + lostAfter ? toldAt : Math.max(toldAt, heardAt(observed, target.member));
    const lostAt = answeredAt + lostAfter;
    const overdueAt = overdueSince(deployment, target);
    const unheard = (): boolean => back && heardAt(observed, target.member) < (target.order?.at ?? 0);
    if (observed.now >= lostAt) events.push({ kind: 'target.lost', member: target.member, deployment: deployment.deployment, ...(unheard() ? { unheard: true } : {}) });
    else if (observed.now >= overdueAt) {
      const detail = `it was ${target.phase} for ${Math.round((deployment.config.healthyDeadlineMs ?? 0) / 1000)} s without a further word (healthyDeadlineMs)`;
      events.push({ kind: 'target.lost', member: target.member, deployment: deployment.deployment, code: 'HEALTHY_DEADLINE', detail });
    } else nextCheckAt = Math.min(nextCheckAt, lostAt, overdueAt);
  }
  return { events, effects: [], ...(nextCheckAt === Infinity ? {} : { nextCheckAt }) };
}

/** When a target that is being switched has had its time to become healthy; paused time does not count. */
function overdueSince({ config, paused, resumedAt }: Deployment, { phase, reportedAt, settled }: TargetDeployment): number {
  if (config.healthyDeadlineMs === undefined || paused !== undefined || settled || !switching.has(phase)) return Infinity;
  return Math.max(reportedAt, resumedAt ?? 0) + config.healthyDeadlineMs;
}

const switching: ReadonlySet<string> = new Set(['activating', 'health-checking', 'rolling-back']);

type End = Exclude<DeploymentPhase, 'distributing' | 'running' | 'baking' | 'rolling-back'>;

/** The facts that end a deployment, and its promotion with it. `errored`: machinery failed it, and nobody can tell about the content. */
export function finished(state: State, deployment: Deployment, phase: End, reason?: string, errored = false): readonly Event[] {
  const why = reason === undefined ? {} : { reason };
  const promotion = state.promotions.get(deployment.promotion);
  // What is rolled back to was good before; everything else is good when the workflow says so, where there is one.
  const unverified = phase === 'succeeded' && promotion?.phase === 'deploying' && promotion.trigger !== 'rollback' && deployment.type !== 'catch-up' && workflowIn(state, deployment.environment) !== undefined;
  const ended: Event = { kind: 'deployment.finished', deployment: deployment.deployment, phase, ...why, ...(unverified ? { unverified } : {}) };
  // A catch-up is for a promotion that has ended long ago.
  if (promotion?.phase !== 'deploying' || deployment.type === 'catch-up') return [ended];
  // The promotion goes on with its next application.
  if (phase === 'succeeded' && (promotion.next ?? []).length > 0) return [ended];
  if (unverified) return [ended, { kind: 'promotion.verifying', promotion: deployment.promotion }];
  const outcome = phase === 'succeeded' || phase === 'aborted' ? phase : errored ? 'errored' : 'failed';
  const undoing = phase === 'rolled-back' || phase === 'rollback-failed' ? undo(state, deployment, promotion) : [];
  const released = phase === 'succeeded' && promotion.trigger !== 'rollback' ? holdsPassed(state, promotion) : [];
  return [ended, { kind: 'promotion.finished', promotion: deployment.promotion, phase: outcome, ...why }, ...undoing, ...released];
}

/** A set arrives whole or not at all (V-4): the applications that came before the one that failed go back too. */
function undo(state: State, deployment: Deployment, promotion: Promotion): readonly Event[] {
  if (promotion.trigger === 'rollback') return [];
  const later = new Set([deployment.app, ...(promotion.next ?? [])]);
  const before = state.sets.get(deployment.environment)?.current ?? {};
  const members = Object.fromEntries(
    Object.entries(membersOf(promotion)).flatMap(([app, revision]) => {
      const back = before[app];
      return later.has(app) || back === undefined || back === revision ? [] : [[app, back] as const];
    }),
  );
  const [first] = Object.entries(members);
  const record = first === undefined ? undefined : revisionOf(state, ...first);
  if (record === undefined) return [];
  const { app, revision, number } = record;
  const reason = `${deployment.app}@${deployment.number} of the same set was rolled back`;
  return [{ kind: 'promotion.created', promotion: `${promotion.promotion}-undo`, environment: deployment.environment, app, revision, number, trigger: 'rollback', members, reason }];
}

/** When a deployment that makes no more progress fails. */
export function deadlineOf(deployment: Deployment): number {
  return deployment.progressedAt + deployment.config.progressDeadlineMs;
}

/**
 * After a rollback automation does not bring the bad set again until somebody says so. Where a person asked for it, that person says when automation goes on. One by
 * itself is about `bad` alone: what comes after that may be what mends it, and is judged as that was.
 */
export function holdsAfterRollback(state: State, environment: Environment, reason: string, promotion: string, bad?: SetMembers): readonly Event[] {
  return edgesInto(state, environment.environment).flatMap((edge): readonly Event[] => {
    const held = state.holds.get(edge.id);
    if (held !== undefined && held.sets === undefined) return [];
    if (bad === undefined) return [{ kind: 'hold.placed', edge: edge.id, reason, promotion }];
    const set = pick(bad, edge.spec.apps);
    const scope = `; what comes after ${setText(state, set)} is not held`;
    return Object.keys(set).length === 0 ? [] : [{ kind: 'hold.placed', edge: edge.id, reason: `${reason}${scope}`, promotion, set }];
  });
}

/** A set that succeeded ends the holds that were about those before it. */
export function holdsPassed(state: State, { environment, ...promotion }: Promotion): readonly Event[] {
  const brought = Object.keys(membersOf(promotion));
  return edgesInto(state, environment).flatMap((edge): readonly Event[] => {
    const passed = state.holds.get(edge.id)?.sets !== undefined && edge.spec.apps.some((app) => brought.includes(app));
    return passed ? [{ kind: 'hold.released', edge: edge.id, reason: `${promotion.promotion} succeeded` }] : [];
  });
}
