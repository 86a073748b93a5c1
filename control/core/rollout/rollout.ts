// The way forward of one deployment (control-plane.md 1.7): prefetch everywhere, then batch by batch within `maxParallel` and
// `minHealthy`; bake; stop at the failure threshold or the progress deadline. The way back is rollback.ts.

import type { Event } from '../../../proto/events.ts';
import { allowed, balanceOf, failuresToStop, toleratedOf } from '../batches/arithmetic.ts';
import { batchVerdict } from './batch-verification.ts';
import { bakeMsOf, batchText, judgesContent, specOf } from '../batches/batches.ts';
import type { Cause } from '../batches/batches.ts';
import { closingFor } from './closing.ts';
import type { Effect } from '../effects.ts';
import type { Batch, Deployment, TargetDeployment } from '../model/deployment.ts';
import type { Environment, State } from '../model/model.ts';
import { valuesOf } from '../model/shared-map.ts';
import { hasFailed, isDone, isInFlight } from '../model/phases.ts';
import { goingBack, rollbackTo } from './rollback.ts';
import { membersOf } from '../model/select.ts';
import type { Observed } from '../model/select.ts';
import { deadlineOf, finished, holdsAfterRollback, lostTargets, nothing, orderEffect, roleEffect } from './step.ts';
import type { Step } from './step.ts';
import { alarmVerdict, missingSamples } from './watch.ts';
import { heardFirst, lastUnheard, outOfTheWay } from './way-back.ts';

/** The next step of a deployment that is running or baking. */
export function stepRollout(state: State, environment: Environment, deployment: Deployment, observed: Observed): Step {
  const targets = valuesOf(deployment.targets);
  const failed = countedFailures(deployment, targets);
  const limit = limitOf(deployment, failed, targets.length);
  if (failed.length >= limit) return stop(state, deployment, thresholdReason(state, failed, targets.length, limit), failed.some(judgesContent) ? 'health' : 'error');
  const index = deployment.batches.findIndex((batch) => batch.phase !== 'succeeded');
  const batch = deployment.batches[index];
  if (batch === undefined) return { events: finished(state, deployment, 'succeeded', leftBehind(state, deployment)), effects: [] };
  const alarms = alarmVerdict(deployment);
  if (alarms.kind === 'rollback') return stop(state, deployment, alarms.reason, 'alarm');
  // Whoever paused it for another reason is told too, before resuming it: after that the alarm counts as known.
  if (alarms.kind === 'pause' && (deployment.paused?.byHand !== true || deployment.paused.reason !== alarms.reason)) return pausedByHand(deployment, alarms.reason);
  const held = stepHeld(state, deployment, batch, targets, observed);
  if (held !== undefined) return held;
  if (batch.phase === 'baking') return stepBake(state, deployment, index, batch, observed);
  const role = roleEffect(environment, deployment.app, deployment.to);
  if (role !== undefined) return { events: [], effects: [role] };
  const unordered = targets.filter((target) => target.order === undefined && !isDone(target));
  if (unordered.length > 0 && deployment.type !== 'rollback') {
    const prefetch = orderEffect(state, environment, deployment, 'prefetch', unordered.map((target) => target.member));
    return { events: [], effects: prefetch === undefined ? [] : [prefetch] };
  }
  if (alarms.kind === 'unread') return nothing;
  if (batch.phase === 'pending') return { events: [{ kind: 'batch.started', deployment: deployment.deployment, batch: index }], effects: [] };
  return stepBatch(state, environment, deployment, index, targets, observed);
}

/** Closed windows, or a person: what is in flight comes to its end, and nothing new begins (T-5); or all goes back. Undefined while nothing holds it. */
function stepHeld(state: State, deployment: Deployment, batch: Batch, targets: readonly TargetDeployment[], observed: Observed): Step | undefined {
  const { deployment: id, paused } = deployment;
  const closing = closingFor(state, deployment, observed.now);
  const byHand = paused?.byHand === true;
  if (closing === undefined && !byHand) return paused === undefined ? undefined : { events: [{ kind: 'deployment.resumed', deployment: id }], effects: [] };
  const reason = `window '${closing?.window.window}' closed`;
  if (closing?.action === 'rollback') return stop(state, deployment, reason, 'window');
  // What has been activated goes on baking.
  if (batch.phase === 'baking') return undefined;
  if (paused === undefined) return { events: [{ kind: 'deployment.paused', deployment: id, reason }], effects: [] };
  const lost = lostTargets(deployment, targets.filter(isInFlight), observed);
  if (lost.events.length > 0) return lost;
  const nextCheckAt = Math.min((byHand ? undefined : closing?.opensAt) ?? Infinity, lost.nextCheckAt ?? Infinity);
  return nextCheckAt === Infinity ? nothing : { ...nothing, nextCheckAt };
}

function stepBatch(state: State, environment: Environment, deployment: Deployment, index: number, targets: readonly TargetDeployment[], observed: Observed): Step {
  // Those of earlier batches too: one that was given up as lost may have come back.
  const open = targets.filter((target) => target.batch <= index && !isDone(target));
  const lost = lostTargets(deployment, open, observed);
  if (lost.events.length > 0) return lost;
  const candidates = open.filter((target) => target.order?.action !== 'activate').map((target) => target.member);
  // Who serves is looked at where somebody is to change: to count ten thousand for nobody would be half of what a decision costs.
  const aside = outOfTheWay(state, deployment, candidates, observed);
  if (aside.events.length > 0) return aside;
  const last = lastUnheard(deployment, open, observed);
  if (last.events.length > 0) return last;
  const balance = candidates.length === 0 ? undefined : balanceOf(state, deployment, observed.now);
  const next = balance === undefined ? [] : allowed(deployment, balance, heardFirst(deployment, candidates, observed));
  const order = activation(state, environment, deployment, next, index);
  if (order !== undefined) return { ...lost, effects: [order] };
  const deadline = deadlineOf(deployment);
  if (observed.now < deadline) return { ...nothing, nextCheckAt: Math.min(deadline, ...[lost, aside, last].map((step) => step.nextCheckAt ?? Infinity), balance?.matureAt ?? Infinity) };
  // Whoever was switching and got stuck in it says something about the content; whoever never got so far does not.
  const stuck = open.some((target) => target.order?.action === 'activate' && (target.phase === 'activating' || target.phase === 'health-checking'));
  return stop(state, deployment, `${batchText(deployment, index)} made no progress for ${seconds(deployment.config.progressDeadlineMs)}`, stuck ? 'health' : 'error');
}

/** Where batches have health checks of their own, an order is for targets of one batch: those of another, which came back, get theirs with the next step. */
function activation(state: State, environment: Environment, deployment: Deployment, members: readonly string[], index: number): Effect | undefined {
  if (deployment.config.healthChecks === undefined) return orderEffect(state, environment, deployment, 'activate', members, index);
  const batchOf = (member: string): number => deployment.targets.get(member)?.batch ?? 0;
  const batch = Math.max(...members.map(batchOf));
  return orderEffect(state, environment, deployment, 'activate', members.filter((member) => batchOf(member) === batch), batch);
}

/** A batch succeeds when it has baked, and what is to look at it was satisfied. */
function stepBake(state: State, deployment: Deployment, index: number, batch: Batch, observed: Observed): Step {
  const last = index === deployment.batches.length - 1;
  const verdict = batchVerdict(state, deployment, index, observed.now);
  if (verdict.kind === 'failed') return stop(state, deployment, verdict.reason, verdict.cause);
  if (verdict.kind === 'waits' && verdict.events.length > 0) return { ...nothing, events: verdict.events };
  const until = (batch.bakingSince ?? observed.now) + bakeMsOf(deployment, index);
  if (observed.now < until && batch.bakeSkipped !== true) return { ...nothing, nextCheckAt: until };
  const missing = missingSamples(deployment, index);
  if (missing?.unanswered === true && deployment.paused?.byHand !== true) return pausedByHand(deployment, missing.reason);
  if (verdict.kind === 'waits' || missing !== undefined) return nothing;
  const events: Event[] = [{ kind: 'batch.finished', deployment: deployment.deployment, batch: index, phase: 'succeeded' }];
  if (last) events.push(...finished(state, deployment, 'succeeded', leftBehind(state, deployment)));
  else if (specOf(deployment, index).pause === true && batch.bakeSkipped !== true) {
    events.push({ kind: 'deployment.paused', deployment: deployment.deployment, reason: `somebody is to look at ${batchText(deployment, index)} before the next`, byHand: true });
  }
  return { events, effects: [] };
}

/** Until somebody resumes it. */
function pausedByHand({ deployment }: Deployment, reason: string): Step {
  return { events: [{ kind: 'deployment.paused', deployment, reason, byHand: true }], effects: [] };
}

/** Stops a deployment for good: back to the last good set when that is allowed and there is anything to undo, else it failed. */
function stop(state: State, deployment: Deployment, reason: string, cause: Cause | 'window'): Step {
  const events: Event[] = [];
  deployment.batches.forEach((batch, index) => {
    if (batch.phase === 'running' || batch.phase === 'baking') {
      events.push({ kind: 'batch.finished', deployment: deployment.deployment, batch: index, phase: 'failed' });
    }
  });
  const back = rollbackTo(state, deployment, cause);
  const { targets, scope } = goingBack(deployment, cause);
  if (back === undefined || targets.length === 0) events.push(...finished(state, deployment, 'failed', reason, cause === 'error' || cause === 'verification-error'));
  else {
    const { revision: to, number } = back;
    events.push({ kind: 'deployment.rolling-back', deployment: deployment.deployment, reason, targets, to, number, ...(scope === undefined ? {} : { scope }) });
    const environment = state.environments.get(deployment.environment);
    const promotion = state.promotions.get(deployment.promotion);
    const bad = promotion === undefined ? { [deployment.app]: deployment.to } : membersOf(promotion);
    if (environment !== undefined) events.push(...holdsAfterRollback(state, environment, `${deployment.deployment} rolled back: ${reason}`, deployment.promotion, bad));
  }
  return { events, effects: [] };
}

/** Targets that failed, but for those that may be missing. */
function countedFailures(deployment: Deployment, targets: readonly TargetDeployment[]): readonly TargetDeployment[] {
  const failed = targets.filter(hasFailed);
  const missing = failed.filter((target) => target.phase === 'lost' && target.code === undefined);
  if (deployment.type === 'rollback') {
    // What is left must be saved: who was away or down before says nothing against it, as long as anybody is left.
    const away = new Set(missing.filter(({ order }) => order?.served !== true));
    return away.size === targets.length ? failed : failed.filter((target) => !away.has(target));
  }
  const tolerated = new Set(missing.slice(0, toleratedOf(deployment.config, targets.length)));
  return tolerated.size === 0 ? failed : failed.filter((target) => !tolerated.has(target));
}

/** Who is not known to have come along with a rollback that succeeded: they do when they are heard again, as the order stays. */
function leftBehind(state: State, { type, targets }: Deployment): string | undefined {
  const lost = type === 'rollback' ? valuesOf(targets).filter(({ phase }) => phase === 'lost') : [];
  if (lost.length === 0) return undefined;
  const names = lost.slice(0, 5).map(({ member }) => state.members.get(member)?.name ?? member).join(', ') + (lost.length > 5 ? ', …' : '');
  return `${lost.length} of ${targets.size} targets could not be heard (${names}), and go back when they can`;
}

/** How many failures stop it now: of a canary, one does. */
function limitOf(deployment: Deployment, failed: readonly TargetDeployment[], total: number): number {
  const canary = failed.some((target) => specOf(deployment, target.batch).canary === true);
  return canary ? 1 : failuresToStop(deployment.config, total);
}

/** What a target says of its failure may be a page; a reason is a sentence, and `starling deployment logs` has the page. */
const detailMax = 200;

function thresholdReason(state: State, failed: readonly TargetDeployment[], total: number, limit: number): string {
  const names = failed.slice(0, 5).map(({ member, phase, code, detail }, index) => {
    const name = state.members.get(member)?.name ?? member;
    // The first one's own words: mostly the others failed of the same.
    const why = index > 0 || detail === undefined ? '' : `, ${detail.length > detailMax ? `${detail.slice(0, detailMax)}…` : detail}`;
    return code === undefined ? `${name} ${phase}` : `${name} ${phase}: ${code}${why}`;
  });
  const more = failed.length > names.length ? ', …' : '';
  return `${failed.length} of ${total} targets failed (${names.join(', ')}${more}); ${limit === 1 ? 'one is' : `${limit} are`} enough to stop it`;
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
