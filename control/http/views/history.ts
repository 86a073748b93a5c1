// What happened, as the API shows it: progress of changes, their traces down to machines, and what environments ran.

import type { RevisionRef } from '../../../proto/api/apps.ts';
import type { ChangeProgress, Comparison, PastDeployment, Trace, TraceMachine } from '../../../proto/api/history.ts';
import { whoPushed, type Progress } from '../../core/history/changes.ts';
import type { Difference, Past } from '../../core/history/environment.ts';
import type * as core from '../../core/history/trace.ts';
import type { ApprovalRequest, WorkflowRun } from '../../core/model/approval.ts';
import type { Deployment } from '../../core/model/deployment.ts';
import type { RevisionRecord, State } from '../../core/model/model.ts';
import { personOf } from '../../core/model/people.ts';
import { descriptionOf } from '../../core/model/revisions.ts';
import { deploymentProgress, revisionOf } from '../../core/model/select.ts';
import { zoneOf } from '../../core/model/zones.ts';

/** One check-in, and those of the same commit in other applications. */
export function progressView(progress: Progress, others: readonly Progress[] = []): ChangeProgress {
  const also = others.map(({ app, number, revision, alias, inFlight, cells }) => ({ app, number, revision, ...(alias === undefined ? {} : { alias }), inFlight, cells: cells.map((cell) => ({ ...cell })) }));
  return { ...progress, inFlight: [progress, ...others].some((one) => one.inFlight), cells: progress.cells.map((cell) => ({ ...cell })), ...(also.length === 0 ? {} : { also }) };
}

export function traceView(state: State, { checkIn, record, environments }: core.Trace): Trace {
  const { tests, signedBy = [] } = descriptionOf(state, record) ?? {};
  return {
    ...checkIn,
    pushedAt: record.createdAt,
    pushedBy: whoPushed(state, record),
    bytes: record.bytes,
    ...(tests === undefined ? {} : { tests: { ...tests } }),
    signedBy: [...signedBy],
    environments: environments.map((stop) => stopView(state, stop)),
  };
}

function stopView(state: State, { cell, promotions, more, approvals, runs, targets, having }: core.TraceStop): Trace['environments'][number] {
  return {
    ...cell,
    promotions: promotions.map(({ promotion: { promotion, phase, by, createdAt, cause, trigger, reason, outcome }, number, deployments }) => {
      const how = cause ?? (trigger === 'rollback' ? 'rollback' : undefined);
      return {
        promotion, number, phase, by: personOf(state, by), at: createdAt,
        ...(how === undefined ? {} : { cause: how }),
        ...(reason === undefined ? {} : { reason }),
        ...(outcome === undefined ? {} : { outcome }),
        deployments: deployments.map(traceDeploymentView),
      };
    }),
    more,
    approvals: approvals.map(approvalView),
    runs: runs.map(runView),
    targets,
    having,
  };
}

function traceDeploymentView(one: Deployment): Trace['environments'][number]['promotions'][number]['deployments'][number] {
  const { deployment, type, phase, startedAt, finishedAt, reason, exemptions = [] } = one;
  const { total, done, failed } = deploymentProgress(one);
  return {
    deployment, type, phase, startedAt, targets: total, done, failed,
    ...(finishedAt === undefined ? {} : { finishedAt }),
    ...(reason === undefined ? {} : { reason }),
    exemptions: exemptions.map(({ gate, why }) => ({ gate, why })),
  };
}

function approvalView({ request, subject, status, openedAt, settledAt, step, votes }: ApprovalRequest): Trace['environments'][number]['approvals'][number] {
  return {
    approval: request, purpose: subject.purpose, status, openedAt,
    ...(settledAt === undefined ? {} : { settledAt }),
    ...(step === undefined ? {} : { step }),
    votes: votes.map((vote) => ({ ...vote, groups: [...vote.groups] })),
  };
}

function runView({ run, workflow, phase, startedAt, finishedAt, outcome, steps }: WorkflowRun): Trace['environments'][number]['runs'][number] {
  return {
    run, workflow, phase, startedAt,
    ...(finishedAt === undefined ? {} : { finishedAt }),
    ...(outcome === undefined ? {} : { outcome }),
    steps: steps.map(({ step, phase: how, at, detail }) => ({ step, phase: how, at, ...(detail === undefined ? {} : { detail }) })),
  };
}

export function machineView({ member, number, has, since, deployment }: core.Machine, app: string): TraceMachine {
  return { member: member.member, name: member.name, zone: zoneOf(member), app, has, number, ...(since === undefined ? {} : { since }), ...(deployment === undefined ? {} : { deployment }) };
}

export function pastView(state: State, { deployment: one, from, current, back }: Past): PastDeployment {
  const { deployment, app, type, to, number, phase, startedAt, finishedAt, promotion, reason: outcome, rollbackOf, environment } = one;
  const { by = 'system', reason } = state.promotions.get(promotion) ?? {};
  const record = revisionOf(state, app, to);
  const several = (state.environments.get(environment)?.apps.length ?? 1) > 1;
  return {
    deployment, app, type, phase, startedAt, promotion,
    to: record === undefined ? { revision: to, number } : revisionRef(record),
    ...(from === undefined ? {} : { from: revisionRef(from) }),
    ...(finishedAt === undefined ? {} : { finishedAt }),
    by: type === 'catch-up' ? 'system' : personOf(state, by),
    ...(reason === undefined || type === 'catch-up' ? {} : { reason }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(rollbackOf === undefined ? {} : { rollbackOf }),
    targets: one.archived?.progress.total ?? one.targets.size,
    current,
    ...(back ? { undo: `starling rollback ${environment} --to ${several ? `${app}@${number}` : number}` } : {}),
  };
}

export function differenceView({ app, here, there, changes }: Difference): Comparison['apps'][number] {
  return { app, ...(here === undefined ? {} : { here: revisionRef(here) }), ...(there === undefined ? {} : { there: revisionRef(there) }), changes: changes.map((change) => ({ ...change })) };
}

function revisionRef({ revision, number, alias }: RevisionRecord): RevisionRef {
  return { revision, number, ...(alias === undefined ? {} : { alias }) };
}
