// The workflow that looks at a batch before the next one goes (`verify` of a batch): a run of its own, under the lock that the deployment
// itself is, from the moment that the batch's last target has come to an end. It says nothing of the set as a whole: that is automation/verification.ts.

import type { Event } from '../../../proto/events.ts';
import type { WorkflowSpec } from '../../../proto/pipeline.ts';
import { batchText, specOf } from '../batches/batches.ts';
import type { Cause } from '../batches/batches.ts';
import { definitionOf } from '../gates/approval.ts';
import { wholeWith } from '../gates/carried.ts';
import { placeOf } from '../gates/place.ts';
import type { WorkflowRun } from '../model/approval.ts';
import type { Batch, Deployment } from '../model/deployment.ts';
import type { State } from '../model/model.ts';
import { isWithdrawn, membersOf } from '../model/select.ts';

/** What is known of a batch that is to be verified. */
export type BatchVerdict =
  | { readonly kind: 'passed' }
  /** `events`: what begins now. Without any, a run is under way, or people must act. */
  | { readonly kind: 'waits'; readonly events: readonly Event[]; readonly run?: WorkflowRun }
  | { readonly kind: 'failed'; readonly reason: string; readonly cause: Cause };

/** The name of the workflow that a batch must pass; undefined when there is none. What goes back, and what only brings late targets, passes without. */
export function verifyOf(deployment: Pick<Deployment, 'type' | 'config'>, index: number): string | undefined {
  const { type } = deployment;
  return type === 'promote' || type === 'redeploy' ? specOf(deployment, index).verify : undefined;
}

/** A workflow of the environment's pipeline. */
function workflowNamed(state: State, environment: string, name: string): WorkflowSpec | undefined {
  return placeOf(state, environment)?.pipeline.spec.workflows.find(({ workflow }) => workflow === name);
}

/** The workflow that a run is of, as it is configured now: of a batch's run the one that the batch names. */
export function workflowOfRun(state: State, { environment, workflow, batch }: Pick<WorkflowRun, 'environment' | 'workflow' | 'batch'>): WorkflowSpec | undefined {
  const name = batch === undefined ? placeOf(state, environment)?.spec.workflow : workflow;
  return name === undefined ? undefined : workflowNamed(state, environment, name);
}

/** Ids are made of the deployment's, so that a repeated decision cannot start a second run. */
function runId(deployment: string, index: number, nth: number): string {
  return `${deployment}-batch-${index + 1}${nth === 1 ? '' : `-${nth}`}`;
}

/** The newest run over a batch, and how many there were. Another one follows only where a person changed what was to be run. */
export function batchRuns(state: State, deployment: string, index: number): { readonly count: number; readonly newest?: WorkflowRun } {
  let newest: WorkflowRun | undefined;
  for (let count = 0; ; count += 1) {
    const next = state.runs.get(runId(deployment, index, count + 1));
    if (next === undefined) return { count, ...(newest === undefined ? {} : { newest }) };
    newest = next;
  }
}

/** What the workflow of a batch that bakes says. */
export function batchVerdict(state: State, deployment: Deployment, index: number, now: number): BatchVerdict {
  const name = verifyOf(deployment, index);
  if (name === undefined || deployment.batches[index]?.bakeSkipped === true) return { kind: 'passed' };
  const { count, newest: last } = batchRuns(state, deployment.deployment, index);
  // What began before the last target had come to an end has not seen it.
  const newest = last === undefined || hasSeen(last, deployment.batches[index]) ? last : undefined;
  if (newest?.phase === 'successful') return { kind: 'passed' };
  const workflow = workflowNamed(state, deployment.environment, name);
  const open = newest?.phase === 'running' || newest?.phase === 'inconclusive';
  if (open && workflow !== undefined) return { kind: 'waits', events: [], run: newest };
  if (newest !== undefined && !open && newest.phase !== 'invalidated') {
    const reason = `workflow '${newest.workflow}' ended ${newest.phase} over ${batchText(deployment, index)}${newest.outcome === undefined ? '' : `: ${newest.outcome}`} (${newest.run})`;
    return { kind: 'failed', reason, cause: `verification-${newest.phase}` };
  }
  if (workflow !== undefined) return { kind: 'waits', events: [begun(state, deployment, index, count + 1, workflow, now)] };
  const reason = `${batchText(deployment, index)} is to be verified by workflow '${name}', which is no longer in the pipeline: put it back, or go on without it`;
  return { kind: 'waits', events: deployment.paused?.byHand === true ? [] : [{ kind: 'deployment.paused', deployment: deployment.deployment, reason, byHand: true }] };
}

function hasSeen({ startedAt }: WorkflowRun, batch: Batch | undefined): boolean {
  return startedAt >= (batch?.bakingSince ?? 0);
}

function begun(state: State, { deployment, environment, promotion, app, to }: Deployment, index: number, nth: number, workflow: WorkflowSpec, now: number): Event {
  const wanted = state.promotions.get(promotion);
  return {
    kind: 'workflow.started',
    run: runId(deployment, index, nth),
    workflow: workflow.workflow,
    definition: definitionOf(workflow),
    environment,
    members: wholeWith(state, environment, wanted === undefined ? { [app]: to } : membersOf(wanted)),
    steps: workflow.steps.map(({ step }) => step),
    deadline: now + workflow.timeoutMs,
    batch: { deployment, index },
  };
}

/** How a run over a batch ends from outside; undefined while it goes on. */
export function batchRunEnd(state: State, run: WorkflowRun, now: number): { readonly phase: 'aborted' | 'invalidated' | 'failed' | 'timed-out'; readonly reason: string } | undefined {
  const deployment = state.deployments.get(run.batch?.deployment ?? '');
  const batch = deployment?.batches[run.batch?.index ?? -1];
  const again = deployment?.finishedAt === undefined && (batch?.phase === 'running' || (batch?.phase === 'baking' && !hasSeen(run, batch)));
  if (again) return { phase: 'invalidated', reason: 'a target of the batch that was away is being changed after all; it is verified anew' };
  if (batch?.phase !== 'baking') return { phase: 'aborted', reason: `deployment ${run.batch?.deployment} waits for it no longer` };
  const workflow = workflowOfRun(state, run);
  if (workflow === undefined || definitionOf(workflow) !== run.definition) return { phase: 'invalidated', reason: 'the workflow was changed' };
  if (Object.entries(run.members).some(([app, revision]) => isWithdrawn(state, run.environment, app, revision))) return { phase: 'failed', reason: 'a revision of the set was vetoed' };
  if (run.phase === 'running' && run.deadline <= now) return { phase: 'timed-out', reason: 'it took longer than it may' };
  return undefined;
}
