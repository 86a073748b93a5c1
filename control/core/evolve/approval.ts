// What votes and workflow steps add to the state. Each phase changes only as model/transitions.ts allows: a vote on a request
// that is settled, or a step of a run that has ended, changes nothing.

import type { PipelineEvent } from '../../../proto/events-pipeline.ts';
import type { Draft } from './draft.ts';
import type { StepRun } from '../model/approval.ts';
import { approvalTransitions, mayBecome, runTransitions, stepTransitions } from '../model/transitions.ts';

type Of<K extends PipelineEvent['kind']> = Extract<PipelineEvent, { readonly kind: K }>;

/** The facts that this file folds. */
export type ApprovalEvent = Of<
  'approval.requested' | 'approval.voted' | 'approval.vote-revoked' | 'approval.settled' | 'approval.reviewed' | 'workflow.started' | 'workflow.step' | 'workflow.measured' | 'workflow.resumed' | 'workflow.notified' | 'workflow.finished'
>;

/** Folds one fact about a request or a run. */
export function foldApproval(draft: Draft, event: ApprovalEvent, at: number, actor: string): void {
  switch (event.kind) {
    case 'approval.requested': {
      if (draft.requests.get(event.request) !== undefined) return;
      const { kind: _kind, ...request } = event;
      draft.requests.set(event.request, { ...request, status: 'open', votes: [], openedAt: at, openedBy: actor });
      return;
    }
    case 'approval.voted':
      return foldVote(draft, event, at);
    case 'approval.vote-revoked': {
      const request = draft.requests.edit(event.request);
      // Also after it was approved: what that means then is said by an `approval.settled` of its own.
      if (request !== undefined) request.votes = request.votes.map((vote) => (vote.by === event.by && vote.revokedAt === undefined ? { ...vote, revokedAt: at } : vote));
      return;
    }
    case 'approval.settled': {
      const known = draft.requests.get(event.request);
      if (known === undefined || !mayBecome(approvalTransitions, known.status, event.status)) return;
      draft.requests.set(event.request, { ...known, status: event.status, settledAt: at, ...(event.reason === undefined ? {} : { outcome: event.reason }) });
      return;
    }
    case 'approval.reviewed': {
      const { request, by, comment } = event;
      const known = draft.requests.get(request);
      if (known !== undefined && known.reviewed === undefined) draft.requests.set(request, { ...known, reviewed: { by, comment, at } });
      return;
    }
    case 'workflow.started': {
      if (draft.runs.get(event.run) !== undefined) return;
      const { kind: _kind, steps, ...run } = event;
      const verifies = event.batch === undefined ? draft.environments.get(event.environment)?.verifying : undefined;
      draft.runs.set(event.run, { ...run, ...(verifies === undefined ? {} : { verifies }), phase: 'running', startedAt: at, steps: steps.map((step) => ({ step, phase: 'pending', attempt: 0, at })) });
      return;
    }
    case 'workflow.step':
      return foldStep(draft, event, at);
    case 'workflow.measured':
      return foldMeasured(draft, event, at);
    case 'workflow.resumed': {
      const run = draft.runs.get(event.run);
      if (run === undefined || !mayBecome(runTransitions, run.phase, 'running')) return;
      const { lock: _lock, outcome: _outcome, ...kept } = run;
      draft.runs.set(event.run, { ...kept, phase: 'running', deadline: event.deadline, ...(event.lock === undefined ? {} : { lock: event.lock }) });
      return;
    }
    case 'workflow.notified':
      return;
    case 'workflow.finished':
      return foldRunEnd(draft, event, at);
    default:
      event satisfies never;
  }
}

/** A deployment was let go by overrides: those that are to be reviewed remember the first. */
export function foldUse(draft: Draft, deployment: string, refs: readonly (string | undefined)[], at: number): void {
  for (const ref of refs) {
    const known = draft.requests.get(ref ?? '');
    if (known?.review === true && known.used === undefined) draft.requests.set(known.request, { ...known, used: { deployment, at } });
  }
}

/** The newest word of a person counts, and replaces what the same person said before. */
function foldVote(draft: Draft, event: Of<'approval.voted'>, at: number): void {
  const known = draft.requests.get(event.request);
  if (known === undefined || known.status !== 'open') return;
  const { kind: _kind, request: _request, ...vote } = event;
  draft.requests.set(event.request, { ...known, votes: [...known.votes.filter((one) => one.by !== event.by), { ...vote, at }] });
}

function foldStep(draft: Draft, event: Of<'workflow.step'>, at: number): void {
  const run = draft.runs.get(event.run);
  if (run === undefined || run.finishedAt !== undefined) return;
  const steps = run.steps.map((step): StepRun => {
    if (step.step !== event.step || !mayBecome(stepTransitions, step.phase, event.phase)) return step;
    return changed(step, event, at);
  });
  draft.runs.set(event.run, { ...run, steps });
}

/** Words of an attempt stay until the next one begins; the attempts before it stay for good. */
function changed(step: StepRun, { phase, attempt, detail, after, lease, worker, tests }: Of<'workflow.step'>, at: number): StepRun {
  const begins = phase === 'running' && attempt !== step.attempt;
  const { detail: _detail, ...before } = step;
  const { lease: _lease, worker: _worker, tests: _tests, measurements: _measurements, startedAt: _startedAt, ...bare } = before;
  const ended = after === undefined ? [] : [{ attempt: step.attempt, end: after, at, ...(detail === undefined ? {} : { detail }) }];
  const tries = [...(step.tries ?? []), ...ended];
  return {
    ...(begins ? { ...bare, startedAt: at } : before),
    phase,
    attempt,
    at,
    ...(tries.length === 0 ? {} : { tries }),
    ...(detail === undefined ? {} : { detail }),
    ...(lease === undefined ? {} : { lease }),
    ...(worker === undefined ? {} : { worker }),
    ...(tests === undefined ? {} : { tests }),
  };
}

/** Of another attempt than the present one it is of no interest any more. */
function foldMeasured(draft: Draft, { run: id, step: name, attempt, verdict, value, detail }: Of<'workflow.measured'>, at: number): void {
  const run = draft.runs.get(id);
  if (run === undefined || run.finishedAt !== undefined) return;
  const one = { verdict, at, ...(value === undefined ? {} : { value }), ...(detail === undefined ? {} : { detail }) };
  const steps = run.steps.map((step) => (step.step === name && step.attempt === attempt && step.phase === 'running' ? { ...step, measurements: [...(step.measurements ?? []), one] } : step));
  draft.runs.set(id, { ...run, steps });
}

function foldRunEnd(draft: Draft, event: Of<'workflow.finished'>, at: number): void {
  const run = draft.runs.get(event.run);
  if (run === undefined || !mayBecome(runTransitions, run.phase, event.phase)) return;
  const open = event.phase === 'inconclusive';
  const steps = run.steps.map((step): StepRun => (mayBecome(stepTransitions, step.phase, 'aborted') && !open ? { ...step, phase: 'aborted', at } : step));
  const { finishedAt: _finishedAt, outcome: _outcome, ...kept } = run;
  draft.runs.set(event.run, {
    ...kept,
    phase: event.phase,
    steps,
    ...(open ? {} : { finishedAt: at }),
    ...(event.reason === undefined ? {} : { outcome: event.reason }),
  });
  if (run.lock !== undefined && draft.locks.get(run.lock)?.holder === run.run) draft.locks.delete(run.lock);
}
