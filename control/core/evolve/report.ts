// What a target's report adds to the state: its phase in the deployment, what its member runs, and when its batch has come to an end.
// Reports may come twice, late, out of order, or after the deployment has ended.

import type { Digest } from '../../../proto/cid.ts';
import type { Event } from '../../../proto/events.ts';
import type { Report } from '../../../proto/fleet.ts';
import type { Draft, Mutable } from './draft.ts';
import { putTarget } from './target.ts';
import type { Batch, Deployment, TargetDeployment } from '../model/deployment.ts';
import type { Member, State } from '../model/model.ts';
import { isFailure, isFinal, isFinished } from '../model/phases.ts';

/** Folds one report. One that is not newer changes nothing in the deployment; it may still tell what the member runs. */
export function foldReport(draft: Draft, { member: id, report }: Extract<Event, { readonly kind: 'target.reported' }>, at: number): void {
  const known = draft.deployments.get(report.deployment);
  const target = known?.targets.get(id);
  if (target === undefined || known === undefined) return;
  const member = isFinal(report.phase) ? draft.members.edit(id) : undefined;
  if (member !== undefined) foldAnswer(member, known, target, report, at);
  const deployment = report.reportNo <= target.reportNo ? undefined : draft.deployments.edit(report.deployment);
  if (deployment === undefined) return;
  const over = isFinished(deployment.phase);
  const next = reported(target, report, at, over);
  const turned = putTarget(draft, deployment, next);
  if (over) return;
  deployment.progressedAt = at;
  const returned = target.phase === 'lost' && next.phase !== 'lost';
  if (returned || turned) settleBatches(deployment, at, returned);
}

/** Whether a report has anything to say: it is the target's newest, or the answer to a newer order than any before. */
export function isNews(state: State, id: string, report: Report): boolean {
  const deployment = state.deployments.get(report.deployment);
  const target = deployment?.targets.get(id);
  const member = state.members.get(id);
  if (deployment === undefined || target === undefined || member === undefined) return false;
  if (report.reportNo > target.reportNo) return !isFinished(deployment.phase) || isFinal(report.phase);
  return saysWhatRuns(deployment, target, report) && report.seq > (member.answered[deployment.app] ?? 0);
}

/** In a deployment that is over, a target may still come to its end, but it may not come back to life. */
function reported(target: TargetDeployment, report: Report, at: number, over: boolean): TargetDeployment {
  const { member, batch, phase, order, settled, refusal, transfer, fetchedAt } = target;
  const final = isFinal(report.phase);
  // A word of farewell after the last word (`cancelled` after `committed`) takes nothing back.
  const farewell = report.phase === 'cancelled' && settled;
  const counts = final ? !farewell : !over && !settled && phase !== 'cancelled';
  const fetched = report.transfer === undefined ? { transfer, fetchedAt } : { transfer: report.transfer, fetchedAt: at };
  // Each field by its name: what "the rest" of a target is takes longer to find out than all else here.
  return {
    member,
    batch,
    phase: counts ? report.phase : phase,
    ...(order === undefined ? {} : { order }),
    settled: settled || (final && (order === undefined || report.seq >= order.seq)),
    reportNo: report.reportNo,
    reportedAt: at,
    ...(refusal === undefined || report.seq >= refusal.seq ? {} : { refusal }),
    ...(report.code === undefined ? {} : { code: report.code }),
    ...(report.detail === undefined ? {} : { detail: report.detail }),
    ...(report.output === undefined ? {} : { output: report.output }),
    ...(fetched.transfer === undefined ? {} : { transfer: fetched.transfer }),
    ...(fetched.fetchedAt === undefined ? {} : { fetchedAt: fetched.fetchedAt }),
  };
}

/** Whether the report answers the order to go back, rather than the one to go forward. */
function answersRollback(deployment: Deployment, target: TargetDeployment, report: Report): boolean {
  return deployment.rollback !== undefined && target.order?.action === 'rollback' && report.seq >= target.order.seq;
}

/** Whether a final report tells what the target runs: `failed`, `rejected` and the like leave what was. */
function saysWhatRuns(deployment: Deployment, target: TargetDeployment, report: Report): boolean {
  return report.phase === 'inconsistent' || servedAfter(deployment, report, answersRollback(deployment, target, report)) !== undefined;
}

function foldAnswer(member: Mutable<Member>, deployment: Deployment, target: TargetDeployment, report: Report, at: number): void {
  const { app } = deployment;
  const work = member.work[app];
  const answers = work?.deployment === deployment.deployment && report.seq >= work.seq && !work.settled;
  // One that did not answer in its time has failed (adrift.ts): that it stopped when told to does not make it fit to try the same again, without end.
  const gaveUp = work !== undefined && isFailure(work.phase) && report.phase === 'cancelled';
  if (work !== undefined && answers) member.work = { ...member.work, [app]: { ...work, phase: gaveUp ? work.phase : report.phase, settled: true } };
  if (report.seq <= (member.answered[app] ?? 0) || !saysWhatRuns(deployment, target, report)) return;
  member.answered = { ...member.answered, [app]: report.seq };
  const now = servedAfter(deployment, report, answersRollback(deployment, target, report));
  const { [app]: running, ...others } = member.running;
  if (now === undefined) member.running = others;
  else member.running = { ...others, [app]: { ...now, since: running?.revision === now.revision ? running.since : at } };
}

/** What the target serves after a report, when it says so. */
function servedAfter(deployment: Deployment, report: Report, back: boolean): { readonly revision: Digest; readonly number: number } | undefined {
  const arrived = report.phase === 'committed' || report.phase === 'already-current';
  if (back && deployment.rollback !== undefined && (arrived || report.phase === 'rolled-back')) {
    return { revision: deployment.rollback.to, number: deployment.rollback.number };
  }
  return arrived ? { revision: deployment.to, number: deployment.number } : undefined;
}

/**
 * Moves the batch under way to `baking` when its last target came to an end, and those of the batches before it too: one that
 * was given up as lost may have come back. `again`: the bake counts from now, since what is to be watched has only now begun.
 */
export function settleBatches(deployment: Mutable<Deployment>, at: number, again = false): void {
  if (isFinished(deployment.phase) || deployment.phase === 'rolling-back' || deployment.phase === 'distributing') return;
  const index = deployment.batches.findIndex((batch) => batch.phase === 'running' || batch.phase === 'baking');
  const batch = deployment.batches[index];
  if (batch === undefined) {
    deployment.phase = 'running';
    return;
  }
  const done = deployment.batches.slice(0, index + 1).every(({ open }) => open === 0);
  if (again || done !== (batch.phase === 'baking')) {
    const { bakingSince: _since, bakeSkipped: _skipped, ...rest } = batch;
    const next: Batch = done ? { ...rest, phase: 'baking', bakingSince: at } : { ...rest, phase: 'running' };
    deployment.batches = deployment.batches.with(index, next);
  }
  deployment.phase = done && index < deployment.batches.length - 1 ? 'baking' : 'running';
}
