// What happened, as the API shows it: progress of changes, and their traces down to machines.

import type { ChangeProgress, Trace, TraceMachine } from '../../proto/api/history.ts';
import { whoPushed, type Progress } from '../core/history/changes.ts';
import type * as core from '../core/history/trace.ts';
import type { ApprovalRequest, WorkflowRun } from '../core/model-approval.ts';
import type { Deployment, State } from '../core/model.ts';
import { personOf } from '../core/people.ts';
import { descriptionOf } from '../core/revisions.ts';
import { deploymentProgress } from '../core/select.ts';
import { zoneOf } from '../core/zones.ts';

export function progressView(progress: Progress): ChangeProgress {
  return { ...progress, cells: progress.cells.map((cell) => ({ ...cell })) };
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
