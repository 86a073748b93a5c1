// What a target's report adds to the state: its phase in the deployment, what its member runs, and when its batch has come to an end.
// Reports may come twice, late, out of order, or after the deployment has ended.

import type { Digest } from '../../proto/cid.ts';
import type { Event } from '../../proto/events.ts';
import type { Report } from '../../proto/fleet.ts';
import type { Draft, Mutable } from './draft.ts';
import type { Batch, Deployment, Member, TargetDeployment } from './model.ts';
import { isDone, isFinal, isFinished } from './phases.ts';

/** Folds one report. */
export function foldReport(draft: Draft, { member: id, report }: Extract<Event, { readonly kind: 'target.reported' }>, at: number): void {
  const target = draft.deployments.get(report.deployment)?.targets[id];
  if (target === undefined || report.reportNo <= target.reportNo) return;
  const deployment = draft.deployments.edit(report.deployment);
  if (deployment === undefined) return;
  const targets = draft.targets(report.deployment);
  const over = isFinished(deployment.phase);
  const next = reported(target, report, at, over);
  targets[id] = next;
  const member = isFinal(report.phase) ? draft.members.edit(id) : undefined;
  if (member !== undefined) foldRunning(member, deployment, target, report, at);
  if (over) return;
  deployment.progressedAt = at;
  // Only then: looking at a whole batch for each of ten reports of each of ten thousand targets would be a million times too often.
  if (isDone(next) !== isDone(target)) settleBatches(deployment, at);
}

/** In a deployment that is over, a target may still come to its end, but it may not come back to life. */
function reported(target: TargetDeployment, report: Report, at: number, over: boolean): TargetDeployment {
  const { phase, code: _code, detail: _detail, output: _output, ...kept } = target;
  const final = isFinal(report.phase);
  // A word of farewell after the last word (`cancelled` after `committed`) takes nothing back.
  const farewell = report.phase === 'cancelled' && target.settled;
  const counts = final ? !farewell : !over && !target.settled && target.phase !== 'cancelled';
  return {
    ...kept,
    phase: counts ? report.phase : phase,
    settled: target.settled || (final && (target.order === undefined || report.seq >= target.order.seq)),
    reportNo: report.reportNo,
    reportedAt: at,
    ...(report.code === undefined ? {} : { code: report.code }),
    ...(report.detail === undefined ? {} : { detail: report.detail }),
    ...(report.output === undefined ? {} : { output: report.output }),
    ...(report.transfer === undefined ? {} : { transfer: report.transfer }),
  };
}

/** Whether the report answers the order to go back, rather than the one to go forward. */
function answersRollback(deployment: Deployment, target: TargetDeployment, report: Report): boolean {
  return deployment.rollback !== undefined && target.order?.action === 'rollback' && report.seq >= target.order.seq;
}

function foldRunning(member: Mutable<Member>, deployment: Deployment, target: TargetDeployment, report: Report, at: number): void {
  const { app } = deployment;
  const back = answersRollback(deployment, target, report);
  const work = member.work[app];
  const answers = work?.deployment === deployment.deployment && report.seq >= work.seq;
  if (work !== undefined && answers && !(work.settled && report.phase === 'cancelled')) {
    member.work = { ...member.work, [app]: { ...work, phase: report.phase, settled: true } };
  }
  const running = member.running[app];
  if (running !== undefined && report.seq < running.seq) return;
  if (report.phase === 'inconsistent') {
    const { [app]: _gone, ...others } = member.running;
    member.running = others;
    return;
  }
  const now = servedAfter(deployment, report, back);
  if (now === undefined) return;
  const since = running?.revision === now.revision ? running.since : at;
  member.running = { ...member.running, [app]: { ...now, since, seq: report.seq } };
}

/** What the target serves after a final report; undefined when that is what it served before. */
function servedAfter(deployment: Deployment, report: Report, back: boolean): { readonly revision: Digest; readonly number: number } | undefined {
  const arrived = report.phase === 'committed' || report.phase === 'already-current';
  if (back && deployment.rollback !== undefined && (arrived || report.phase === 'rolled-back')) {
    return { revision: deployment.rollback.to, number: deployment.rollback.number };
  }
  return arrived ? { revision: deployment.to, number: deployment.number } : undefined;
}

/** Moves the batch under way to `baking` when its last target came to an end, and back when a lost one returned. */
export function settleBatches(deployment: Mutable<Deployment>, at: number): void {
  if (isFinished(deployment.phase) || deployment.phase === 'rolling-back') return;
  const index = deployment.batches.findIndex((batch) => batch.phase === 'running' || batch.phase === 'baking');
  const batch = deployment.batches[index];
  if (batch === undefined) {
    deployment.phase = 'running';
    return;
  }
  const done = batch.targets.every((member) => {
    const target = deployment.targets[member];
    return target === undefined || isDone(target);
  });
  if (done !== (batch.phase === 'baking')) {
    const { bakingSince: _since, ...rest } = batch;
    const next: Batch = done ? { ...rest, phase: 'baking', bakingSince: at } : { ...rest, phase: 'running' };
    deployment.batches = deployment.batches.with(index, next);
  }
  deployment.phase = done && index < deployment.batches.length - 1 ? 'baking' : 'running';
}
