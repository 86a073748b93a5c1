// When workflows run: for every new set that has succeeded in an environment (CDS-8), one at a time in what they lock
// (L-3), and never longer than they may (L-6). Who carries out the steps is a worker's affair.

import type { Command } from '../commands/command.ts';
import { batchRunEnd, workflowOfRun } from '../rollout/batch-verification.ts';
import { isWithdrawn } from '../model/select.ts';
import { definitionOf, workflowIn } from '../gates/approval.ts';
import { startWorkflow } from '../answers/workflow.ts';
import type { WorkflowRun } from '../model/approval.ts';
import type { State } from '../model/model.ts';
import { isSameSet } from '../model/sets.ts';
import { runFor } from './verification.ts';
import type { WorkflowSpec } from '../../../proto/pipeline.ts';
import { nextDue } from '../windows/schedule.ts';

/** Runs that are due. */
export function startRuns(state: State, now: number): readonly Command[] {
  return [...state.environments.values()].flatMap((one): readonly Command[] => {
    const { environment } = one;
    const workflow = workflowIn(state, environment);
    const current = state.sets.get(environment)?.current;
    if (workflow === undefined || current === undefined) return [];
    const newest = runFor(state, one);
    if (newest !== undefined && !isDueAgain(workflow, newest, now)) return [];
    const command = { kind: 'start-workflow', run: `${environment}-run-${state.runs.size + 1}`, environment } as const;
    return startWorkflow(state, command, now).kind === 'accepted' ? [command] : [];
  });
}

/** Whether its schedule came by since it ran last. */
function isDueAgain({ schedule }: WorkflowSpec, newest: WorkflowRun, now: number): boolean {
  if (schedule === undefined || newest.finishedAt === undefined) return false;
  const due = nextDue(schedule, newest.startedAt);
  return due !== undefined && due <= now;
}

/** Successful runs of which an approval was taken back since count no longer. */
function revokedRuns(state: State): readonly Command[] {
  return [...state.requests.values()].flatMap((request): readonly Command[] => {
    if (request.status !== 'revoked' || request.run === undefined || state.runs.get(request.run)?.phase !== 'successful') return [];
    return [{ kind: 'finish-workflow', run: request.run, phase: 'invalidated', reason: `approval ${request.request} was revoked` }];
  });
}

/** Runs that are over: out of time, or about something that is no longer so. */
export function settleRuns(state: State, now: number): readonly Command[] {
  const ended = [...state.runs.values()].flatMap((run): readonly Command[] => {
    const end = run.finishedAt === undefined ? endOf(state, run, now) : undefined;
    return end === undefined ? [] : [{ kind: 'finish-workflow', run: run.run, ...end }];
  });
  return [...ended, ...revokedRuns(state)];
}

type End = { readonly phase: Exclude<WorkflowRun['phase'], 'running'>; readonly reason: string };

function endOf(state: State, run: WorkflowRun, now: number): End | undefined {
  if (run.batch !== undefined) return batchRunEnd(state, run, now);
  const workflow = workflowOfRun(state, run);
  if (workflow === undefined || definitionOf(workflow) !== run.definition) return { phase: 'invalidated', reason: 'the workflow was changed' };
  if (!isSameSet(state.sets.get(run.environment)?.current, run.members)) return { phase: 'invalidated', reason: `'${run.environment}' runs another set by now` };
  if (Object.entries(run.members).some(([app, revision]) => isWithdrawn(state, run.environment, app, revision))) return { phase: 'invalidated', reason: 'a revision of the set was vetoed' };
  if (run.phase === 'running' && run.deadline <= now) return { phase: 'timed-out', reason: 'it took longer than it may' };
  return undefined;
}
