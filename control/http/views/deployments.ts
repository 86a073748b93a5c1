// Deployments as /v1 shows them: how far they are, batch by batch and target by target.

import type { Batch, Deployment, DeploymentSummary, DeploymentTarget, TargetDeployment } from '../../../proto/api/deployments.ts';
import type { Explanation, ProgressCounts } from '../../../proto/api/promotions.ts';
import type { Progress, Transfer } from '../../../proto/fleet.ts';
import { limits } from '../../../proto/limits.ts';
import { batchRuns } from '../../core/rollout/batch-verification.ts';
import { bakeMsOf, specOf } from '../../core/batches/batches.ts';
import type * as core from '../../core/explain/explain.ts';
import type * as deployments from '../../core/model/deployment.ts';
import type { State } from '../../core/model/model.ts';
import type { DeploymentProgress } from '../../core/model/progress.ts';
import { deploymentProgress } from '../../core/model/select.ts';
import type { Presence } from '../../fleet/presence.ts';
import { blockerView } from './governance.ts';
import { configView, refusalView } from './views.ts';

export function deploymentSummary(deployment: deployments.Deployment): DeploymentSummary {
  const { from, reason, finishedAt, rollbackOf, rollback, paused } = deployment;
  return {
    deployment: deployment.deployment,
    promotion: deployment.promotion,
    environment: deployment.environment,
    app: deployment.app,
    type: deployment.type,
    seq: deployment.seq,
    to: deployment.to,
    number: deployment.number,
    phase: deployment.phase,
    startedAt: deployment.startedAt,
    progressedAt: deployment.progressedAt,
    progress: progressView(deploymentProgress(deployment)),
    ...(from === undefined ? {} : { from }),
    ...(reason === undefined ? {} : { reason }),
    ...(finishedAt === undefined ? {} : { finishedAt }),
    ...(paused === undefined ? {} : { paused: { reason: paused.reason, since: paused.since, byHand: paused.byHand ?? false } }),
    ...(rollbackOf === undefined ? {} : { rollbackOf }),
    ...(rollback === undefined ? {} : { rollback: { to: rollback.to, number: rollback.number, targets: rollback.targets.length } }),
  };
}

export function deploymentView(state: State, deployment: deployments.Deployment, presence: Presence): Deployment {
  return {
    ...deploymentSummary(deployment),
    config: configView(deployment.config),
    ...alarmsView(deployment),
    batches: deployment.batches.map((batch, index) => batchView(state, batch, index, deployment)),
    targets: targetsInOrder(deployment)
      .slice(0, limits.pageItemsMax)
      .map((target) => deploymentTargetView(state, deployment, target, presence)),
  };
}

/** The targets batch by batch, in the order in which they go. */
export function targetsInOrder(deployment: deployments.Deployment): readonly deployments.TargetDeployment[] {
  return deployment.batches.flatMap((batch) => batch.targets.flatMap((member) => deployment.targets.get(member) ?? []));
}

export function deploymentTargetView(state: State, { deployment }: deployments.Deployment, target: deployments.TargetDeployment, presence: Presence): DeploymentTarget {
  const { member, batch, phase, order, settled, code, detail, output, transfer, reportNo, reportedAt, refusal } = target;
  const name = state.members.get(member)?.name ?? member;
  const fetching = presence.of(member)?.progress.find((progress) => progress.deployment === deployment);
  return {
    member,
    name,
    batch,
    phase,
    settled,
    ...(order === undefined ? {} : { order: { action: order.action, seq: order.seq, at: order.at } }),
    ...(code === undefined ? {} : { code }),
    ...(detail === undefined ? {} : { detail }),
    ...(output === undefined ? {} : { output }),
    ...(transfer === undefined ? {} : { transfer: bytesView(transfer) }),
    ...(fetching === undefined ? {} : { fetching: fetchingView(fetching) }),
    ...(reportNo === 0 ? {} : { reportedAt }),
    ...(refusal === undefined ? {} : { refused: refusalView(name, refusal) }),
  };
}

/** What a deployment was to one of its targets; none when it had no part in it. */
export function targetDeploymentView(state: State, one: deployments.Deployment, member: string, presence: Presence): readonly TargetDeployment[] {
  const { deployment, promotion, environment, app, type, to, number, phase, reason, startedAt, finishedAt } = one;
  const target = one.targets.get(member);
  if (target === undefined) return [];
  const ended = { ...(reason === undefined ? {} : { reason }), ...(finishedAt === undefined ? {} : { finishedAt }) };
  return [{ deployment, promotion, environment, app, type, to, number, phase, startedAt, ...ended, target: deploymentTargetView(state, one, target, presence) }];
}

/** Core's explanation in the form of the API. */
export function explanationView(environment: string, explained: core.Explanation): Explanation {
  const { subject, summary, blockers, waits, nextCheckAt, promotion, deployment } = explained;
  return {
    subject: { ...subject },
    environment,
    phase: promotion?.phase ?? deployment?.phase ?? 'idle',
    summary,
    blockers: blockers.map(blockerView),
    waits: waits.map((wait) => ({ ...wait })),
    ...(nextCheckAt === undefined ? {} : { nextCheckAt }),
    ...(promotion === undefined ? {} : { promotion: promotion.promotion }),
    ...(deployment === undefined ? {} : { deployment: deployment.deployment, progress: progressView(deployment.progress) }),
  };
}

function progressView({ total, done, failed, inFlight, revoked, byPhase, batch, batches, transfer }: DeploymentProgress): ProgressCounts {
  return { total, done, failed, inFlight, ...(revoked === undefined ? {} : { revoked }), byPhase: { ...byPhase }, batch, batches, transfer: { ...transfer } };
}

function batchView(state: State, { targets, phase, startedAt, bakingSince, finishedAt }: deployments.Batch, index: number, deployment: deployments.Deployment): Batch {
  const run = batchRuns(state, deployment.deployment, index).newest;
  const { name, canary, minSamples } = specOf(deployment, index);
  const reading = deployment.readings?.[`samples:${index}`];
  return {
    index,
    ...(name === undefined ? {} : { name }),
    ...(canary === undefined ? {} : { canary }),
    phase,
    targets: targets.length,
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(bakingSince === undefined || phase !== 'baking' ? {} : { bakeUntil: bakingSince + bakeMsOf(deployment, index) }),
    ...(minSamples === undefined ? {} : { samples: { count: minSamples.count, ...(reading === undefined ? {} : { reading: { ...reading } }) } }),
    ...(run === undefined ? {} : { verification: { run: run.run, workflow: run.workflow, phase: run.phase } }),
    ...(finishedAt === undefined ? {} : { finishedAt }),
  };
}

function alarmsView({ config, readings }: deployments.Deployment): Pick<Deployment, 'alarms'> {
  if (config.alarms === undefined) return {};
  return {
    alarms: config.alarms.flatMap(({ alarm }) => {
      const reading = readings?.[`alarm:${alarm}`];
      return reading === undefined ? [] : [{ alarm, ...reading }];
    }),
  };
}

/** The rest of what a target says of its fetch is in the receipt. */
function bytesView({ originBytes, peerBytes, reusedBytes, wastedBytes }: Transfer) {
  return { originBytes, peerBytes, reusedBytes, wastedBytes };
}

function fetchingView({ haveBytes, totalBytes }: Progress) {
  return { haveBytes, totalBytes };
}
