// What the facts of a deployment add to the state: batches, targets, orders, and which set an environment runs.
// A finished deployment never changes its phase again (P-2); a report that is not newer changes nothing (N-5).

import type { Event } from '../../../proto/events.ts';
import type { Draft, Mutable } from './draft.ts';
import type { Batch, Deployment, IssuedOrder, TargetDeployment } from '../model/deployment.ts';
import { hasFailed, isDone, isFinal, isFinished, isInFlight, isServing, isWayBack } from '../model/phases.ts';
import { foldUse } from './approval.ts';
import { foldArchive } from './archive.ts';
import { foldPause } from './pause.ts';
import { foldPrefetch, foldPrefetchEnd } from './prefetch.ts';
import { settleBatches } from './report.ts';
import { foldOutcome, setSlot } from './slot.ts';
import { batchOf, putTarget, takeTarget } from './target.ts';
import { isSameSet } from '../model/sets.ts';
import { foldRefusal } from './refusal.ts';

type Of<K extends Event['kind']> = Extract<Event, { readonly kind: K }>;

/** The facts that this file folds. */
export type DeploymentEvent = Of<
  | 'deployment.started'
  | 'batch.started'
  | 'batch.finished'
  | 'deployment.paused'
  | 'deployment.resumed'
  | 'deployment.measured'
  | 'bake.skipped'
  | 'prefetch.started'
  | 'deployment.rolling-back'
  | 'deployment.finished'
  | 'target.lost'
  | 'order.refused'
  | 'role.published'
  | 'order.issued'
>;

/** Folds one fact about a deployment. */
export function foldDeployment(draft: Draft, event: DeploymentEvent, at: number): void {
  switch (event.kind) {
    case 'deployment.started':
      return foldStarted(draft, event, at);
    case 'batch.started':
    case 'batch.finished':
      return foldBatch(draft, event, at);
    case 'deployment.paused':
    case 'deployment.resumed':
    case 'deployment.measured':
    case 'bake.skipped':
      return foldPause(draft, event, at);
    case 'prefetch.started':
      return foldPrefetch(draft, event, at);
    case 'deployment.rolling-back':
      return foldRollingBack(draft, event, at);
    case 'deployment.finished':
      return foldFinished(draft, event, at);
    case 'target.lost':
      return foldLost(draft, event, at);
    case 'order.refused':
      return foldRefusal(draft, event, at);
    case 'role.published': {
      const environment = draft.environments.edit(event.environment);
      if (environment === undefined) return;
      // Signed again, it is no progress.
      const isAnother = !isSameSet(environment.role?.revisions, event.revisions);
      environment.role = { version: event.version, revisions: event.revisions };
      const deployment = environment.activeDeployment === undefined ? undefined : draft.deployments.edit(environment.activeDeployment);
      if (deployment !== undefined && isAnother) deployment.progressedAt = at;
      return;
    }
    case 'order.issued':
      return foldOrder(draft, event, at);
    default:
      event satisfies never;
  }
}

function foldStarted(draft: Draft, event: Of<'deployment.started'>, at: number): void {
  const environment = draft.environments.edit(event.environment);
  if (environment === undefined || draft.deployments.get(event.deployment) !== undefined) return;
  const { kind: _kind, batches, next, seen: _seen, ...rest } = event;
  const targets = new Map<string, TargetDeployment>();
  batches.forEach((members, batch) => {
    for (const member of members) {
      const phase = alreadyRuns(draft, event, member) ? 'already-current' : 'assigned';
      targets.set(member, { member, batch, phase, settled: phase === 'already-current', reportNo: 0, reportedAt: at });
    }
  });
  draft.deployments.set(event.deployment, {
    ...rest,
    batches: batches.map((members) => batchOf(members, targets)),
    targets,
    phase: 'running',
    startedAt: at,
    progressedAt: at,
    cancels: [],
  });
  foldUse(draft, event.deployment, (event.exemptions ?? []).map(({ ref }) => ref), at);
  environment.seq = event.seq;
  environment.activeDeployment = event.deployment;
  environment.newestDeployment = event.deployment;
  foldArchive(draft, environment, event.deployment);
  setSlot(environment, event.app, { desired: event.to });
  environment.waiting = environment.waiting.filter((id) => id !== event.promotion);
  const promotion = event.type === 'catch-up' ? undefined : draft.promotions.edit(event.promotion);
  if (promotion !== undefined && promotion.finishedAt === undefined) {
    promotion.phase = 'deploying';
    promotion.deployment = event.deployment;
    promotion.next = next ?? [];
    if (promotion.next.length > 0) environment.continuing = event.promotion;
    else delete environment.continuing;
  }
}

/** A redeployment asks every target, since a person who repeats one does not believe the records. */
function alreadyRuns(draft: Draft, event: Of<'deployment.started'>, id: string): boolean {
  const member = draft.members.get(id);
  const work = member?.work[event.app];
  return event.type !== 'redeploy' && member?.running[event.app]?.revision === event.to && (work === undefined || work.settled);
}

/** The deployment to be changed, unless there is none or it has finished. */
function unfinished(draft: Draft, id: string, at: number): Mutable<Deployment> | undefined {
  const deployment = draft.deployments.get(id);
  if (deployment === undefined || isFinished(deployment.phase)) return undefined;
  const edited = draft.deployments.edit(id);
  if (edited !== undefined) edited.progressedAt = at;
  return edited;
}

function foldBatch(draft: Draft, event: Of<'batch.started'> | Of<'batch.finished'>, at: number): void {
  const deployment = unfinished(draft, event.deployment, at);
  if (deployment === undefined) return;
  deployment.batches = deployment.batches.map((batch, index): Batch => {
    if (index !== event.batch) return batch;
    return event.kind === 'batch.started' ? { ...batch, phase: 'running', startedAt: at } : { ...batch, phase: event.phase, finishedAt: at };
  });
  settleBatches(deployment, at);
}

function foldRollingBack(draft: Draft, event: Of<'deployment.rolling-back'>, at: number): void {
  const deployment = unfinished(draft, event.deployment, at);
  if (deployment === undefined) return;
  const affected = new Set(event.targets);
  deployment.phase = 'rolling-back';
  delete deployment.paused;
  deployment.reason = event.reason;
  deployment.rollback = { to: event.to, number: event.number, targets: event.targets, ...(event.scope === undefined ? {} : { scope: event.scope }) };
  deployment.cancels = endTargets(draft, deployment, (target) => !affected.has(target.member), 'cancelled');
  deployment.batches = deployment.batches.map((batch) => endedBatch(batch, at));
}

function foldFinished(draft: Draft, event: Of<'deployment.finished'>, at: number): void {
  const deployment = unfinished(draft, event.deployment, at);
  if (deployment?.type === 'prefetch') {
    foldPrefetchEnd(draft, deployment, event, at);
    draft.setOrders(deployment.environment, worthDelivering(draft, draft.orders(deployment.environment)));
    return;
  }
  const environment = deployment === undefined ? undefined : draft.environments.edit(deployment.environment);
  if (deployment === undefined || environment === undefined) return;
  deployment.phase = event.phase;
  deployment.finishedAt = at;
  // Who did not come back is more than why they were to, and says that too.
  if (event.reason !== undefined && (deployment.reason === undefined || event.phase === 'rollback-failed')) deployment.reason = event.reason;
  const silent = event.phase === 'aborted' ? 'cancelled' : 'failed';
  deployment.cancels = endTargets(draft, deployment, () => true, silent);
  deployment.batches = deployment.batches.map((batch) => endedBatch(batch, at));
  if (environment.activeDeployment === event.deployment) delete environment.activeDeployment;
  foldOutcome(environment, deployment, event.unverified === true);
  draft.setOrders(environment.environment, worthDelivering(draft, draft.orders(environment.environment)));
}

/** Ends the targets that have not come to an end and answers those that must be told so. */
function endTargets(draft: Draft, deployment: Mutable<Deployment>, which: (target: TargetDeployment) => boolean, silent: 'cancelled' | 'failed'): readonly string[] {
  const told: string[] = [];
  const targets = draft.targets(deployment.deployment);
  for (const target of targets.values()) {
    if (!which(target) || isDone(target)) continue;
    // A prefetch that failed is a better last word than that it was cancelled.
    if (target.order?.action === 'prefetch' && isFinal(target.phase)) continue;
    if (target.order !== undefined) told.push(target.member);
    const unanswered = silent === 'failed' && isInFlight(target);
    const failed = { code: 'NO_ANSWER', detail: 'it was told to act and had not said how that ended when its deployment did' };
    putTarget(draft, deployment, unanswered ? { ...target, phase: 'failed', ...failed } : { ...target, phase: 'cancelled' });
    if (unanswered) failWork(draft, deployment, target.member);
  }
  return told;
}

/** Its member is not brought to the same set again by itself, though it can be heard: a catch-up would hang as this did. */
function failWork(draft: Draft, { deployment, app }: Deployment, id: string): void {
  const member = draft.members.edit(id);
  const work = member?.work[app];
  if (member !== undefined && work?.deployment === deployment) member.work = { ...member.work, [app]: { ...work, phase: 'failed' } };
}

function endedBatch(batch: Batch, at: number): Batch {
  if (batch.phase === 'pending') return { ...batch, phase: 'skipped' };
  if (batch.phase === 'running' || batch.phase === 'baking') return { ...batch, phase: 'failed', finishedAt: at };
  return batch;
}

function foldLost(draft: Draft, event: Of<'target.lost'>, at: number): void {
  const deployment = unfinished(draft, event.deployment, at);
  const target = deployment?.targets.get(event.member);
  if (deployment === undefined || target === undefined) return;
  const { code, detail, unheard } = event;
  putTarget(draft, deployment, { ...target, ...(unheard === true ? withoutServed(target) : {}), phase: 'lost', ...(code === undefined ? {} : { code }), ...(detail === undefined ? {} : { detail }) });
  // Silence says nothing of the set; a deadline does.
  if (code !== undefined) failWork(draft, deployment, event.member);
  settleBatches(deployment, at);
}

/** What it does not do any more cannot be the doing of an order that never reached it. */
function withoutServed({ order }: TargetDeployment): Pick<TargetDeployment, 'order'> {
  if (order === undefined) return {};
  const { served: _served, ...told } = order;
  return { order: told };
}

function foldOrder(draft: Draft, event: Of<'order.issued'>, at: number): void {
  const environment = draft.environments.edit(event.environment);
  const deployment = draft.deployments.edit(event.deployment);
  if (environment === undefined || deployment === undefined || event.seq <= environment.orderSeq) return;
  environment.orderSeq = event.seq;
  environment.orderDigest = event.digest;
  const { kind: _kind, digest: _digest, ...order } = event;
  const orders = [...draft.orders(event.environment), order];
  const over = isFinished(deployment.phase);
  draft.setOrders(event.environment, over ? worthDelivering(draft, orders) : orders);
  if (event.action === 'cancel') {
    const told = new Set(event.targets);
    deployment.cancels = deployment.cancels.filter((member) => !told.has(member));
    return;
  }
  if (over) return;
  deployment.progressedAt = at;
  for (const member of event.targets) {
    const target = deployment.targets.get(member);
    if (target === undefined) continue;
    const served = servedWhenTold(draft, deployment, target) ? ({ served: true } as const) : {};
    putTarget(draft, deployment, { ...target, order: { action: event.action, seq: event.seq, at, ...served }, settled: false });
    if (event.action === 'activate' || event.action === 'rollback') foldWork(draft, deployment, event, member);
  }
}

/** Whether a target that is told to go back serves until then, as far as is known. */
function servedWhenTold(draft: Draft, deployment: Deployment, { member: id, phase }: TargetDeployment): boolean {
  if (!isWayBack(deployment) || phase === 'lost') return false;
  const member = draft.members.get(id);
  return member !== undefined && isServing(member, deployment.app);
}

function foldWork(draft: Draft, deployment: Deployment, order: Of<'order.issued'>, id: string): void {
  const member = draft.members.edit(id);
  if (member === undefined) return;
  const revision = order.action === 'rollback' && deployment.rollback !== undefined ? deployment.rollback.to : deployment.to;
  const { environment, seq } = order;
  const work = { environment, deployment: deployment.deployment, seq, revision, phase: 'assigned', settled: false } as const;
  member.work = { ...member.work, [deployment.app]: work };
}

/**
 * Orders of unfinished deployments, and the newest of each application that names each target, so that one who comes back learns the last word. Whoever was
 * revoked does not come back as who it was: where machines come and go, their last words would be kept for ever, and the deployments that these belong to.
 */
function worthDelivering(draft: Draft, orders: readonly IssuedOrder[]): readonly IssuedOrder[] {
  // By application: keys made of both names were a twentieth of a start.
  const namedOf = new Map<string, Set<string>>();
  const kept: IssuedOrder[] = [];
  for (const order of orders.toReversed()) {
    const deployment = draft.deployments.get(order.deployment);
    const named = namedOf.get(order.app) ?? new Set();
    namedOf.set(order.app, named);
    const newest = order.targets.some((member) => !named.has(member) && draft.members.get(member)?.revoked !== true);
    for (const member of order.targets) named.add(member);
    if (newest || (deployment !== undefined && !isFinished(deployment.phase))) kept.push(order);
  }
  return kept.reverse();
}

/** A revoked member is waited for no longer, its absence is nobody's failure, and it has no part in shares of the whole. What it said against the content stays. */
export function foldMemberRevoked(draft: Draft, member: string, at: number): void {
  for (const { activeDeployment, newestPrefetch } of draft.environments.values()) {
    for (const id of [activeDeployment, newestPrefetch]) {
      const target = draft.deployments.get(id ?? '')?.targets.get(member);
      if (target === undefined || (hasFailed(target) && target.phase !== 'lost')) continue;
      const deployment = unfinished(draft, id ?? '', at);
      if (deployment === undefined) continue;
      takeTarget(draft, deployment, target);
      settleBatches(deployment, at);
    }
  }
}
