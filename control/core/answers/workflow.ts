// Commands about runs of workflows: how they start, what becomes of their steps, how they end. What follows by itself is
// work/next-steps.ts and automation/workflows.ts.

import type { Event } from '../../../proto/events.ts';
import type { Scope, TryEnd } from '../../../proto/events-pipeline.ts';
import type { StepSpec, WorkflowSpec } from '../../../proto/pipeline.ts';
import { accepted, refused } from '../commands/answer.ts';
import type { BeginStep, DecideStep, EndStep, FinishWorkflow, MeasureStep, NotifyStep, ReportStep, StartWorkflow } from '../commands/command-governance.ts';
import type { Answer, Refused } from '../commands/command.ts';
import { why } from './pipeline.ts';
import { workflowOfRun } from '../rollout/batch-verification.ts';
import { definitionOf, workflowIn } from '../gates/approval.ts';
import { locksOn } from '../gates/lock.ts';
import { placeOf } from '../gates/place.ts';
import type { StepRun, WorkflowRun } from '../model/approval.ts';
import type { State } from '../model/model.ts';
import { mayBecome, runTransitions, stepTransitions } from '../model/transitions.ts';
import { isReady } from '../work/next-steps.ts';

/** A run and its lock begin in one append (L-2), only where no deployment is under way and no other run (L-3). */
export function startWorkflow(state: State, { run, environment }: StartWorkflow, now: number): Answer {
  if (state.runs.has(run)) return accepted();
  const workflow = workflowIn(state, environment);
  const members = state.sets.get(environment)?.current;
  if (!state.environments.has(environment)) return refused('not-found', `there is no environment '${environment}'`);
  if (workflow === undefined) return refused('not-found', `environment '${environment}' has no workflow; name one in its pipeline`);
  if (members === undefined) return refused('conflict', `nothing has succeeded in '${environment}' that a workflow could look at`);
  const deadline = now + workflow.timeoutMs;
  const locked = lockFor(state, run, environment, workflow, now, deadline);
  if ('kind' in locked) return locked;
  const steps = workflow.steps.map((step) => step.step);
  return accepted(...locked.events, { kind: 'workflow.started', run, workflow: workflow.workflow, definition: definitionOf(workflow), environment, members, steps, deadline, ...locked.lock });
}

interface Locked {
  readonly events: readonly Event[];
  readonly lock: { readonly lock?: string };
}

/** The lock under which a run goes on, where nothing else does. */
function lockFor(state: State, run: string, environment: string, workflow: WorkflowSpec, now: number, deadline: number): Locked | Refused {
  const place = placeOf(state, environment);
  if (place === undefined) return refused('not-found', `environment '${environment}' is in no pipeline`);
  const held = workflow.lock === 'stage' ? place.stage.environments.map((one) => one.environment) : [environment];
  const busy = held.find((one) => state.environments.get(one)?.activeDeployment !== undefined);
  if (busy !== undefined) return refused('blocked', `a deployment is under way in '${busy}'; the workflow starts when it has ended`);
  const other = held.flatMap((one) => locksOn(state, one, now)).find((lock) => lock.mode === 'workflow');
  if (other !== undefined) return refused('blocked', `workflow run ${other.holder} holds '${environment}'; this one starts when it has ended`);
  // A run whose lock has expired is still there until it has been ended.
  const running = [...state.runs.values()].find((one) => one.phase === 'running' && held.includes(one.environment));
  if (running !== undefined) return refused('blocked', `workflow run ${running.run} has not been ended in '${running.environment}'; this one starts then`);
  if (workflow.lock === 'none') return { events: [], lock: {} };
  const scope: Scope = workflow.lock === 'stage' ? { kind: 'stage', id: `${place.pipeline.pipeline}/${place.stage.stage}` } : { kind: 'environment', id: environment };
  const lock = `lock-${run}`;
  const reason = `workflow '${workflow.workflow}' is running`;
  return { events: [{ kind: 'lock.acquired', lock, scope, mode: 'workflow', holder: run, reason, includeRollback: false, expiresAt: deadline }], lock: { lock } };
}

interface Found {
  readonly run: WorkflowRun;
  readonly step: StepRun;
  readonly spec: StepSpec;
  readonly workflow: WorkflowSpec;
}

/** A step of a run that may still change: one that is over, or past its deadline, takes no more words, since its holder has been fenced (L-4). */
function findStep(state: State, id: string, name: string, now: number): Found | Refused {
  const run = state.runs.get(id);
  const step = run?.steps.find((one) => one.step === name);
  if (run === undefined || step === undefined) return refused('not-found', `there is no step '${name}' in a run '${id}'`);
  const workflow = workflowOfRun(state, run);
  const spec = workflow?.steps.find((one) => one.step === name);
  if (run.finishedAt !== undefined || (run.phase === 'running' && run.deadline <= now)) return refused('conflict', `run '${id}' is over; its steps can no longer change`);
  if (workflow === undefined || spec === undefined || definitionOf(workflow) !== run.definition) return refused('conflict', `the workflow of run '${id}' was changed; run it again`);
  return { run, step, spec, workflow };
}

/** What something outside says of a step. */
export function reportStep(state: State, { kind: _kind, ...command }: ReportStep, now: number): Answer {
  const known = findStep(state, command.run, command.step, now);
  if ('kind' in known) return known;
  const { step } = known;
  if (!mayBecome(stepTransitions, step.phase, command.phase)) return refused('conflict', `step '${command.step}' is ${step.phase}, and cannot become ${command.phase}`);
  return accepted({ kind: 'workflow.step', ...command });
}

/** A new attempt, by the control plane itself or under a worker's lease. At most one holds a step (B-1). */
export function beginStep(state: State, { run: id, step: name, lease, worker }: BeginStep, now: number): Answer {
  const known = findStep(state, id, name, now);
  if ('kind' in known) return known;
  const { run, step, spec } = known;
  if (lease !== undefined && step.lease === lease) return accepted();
  if (step.phase !== 'pending') return refused('conflict', `step '${name}' of run '${id}' is ${step.phase} already`);
  if (!isReady(run, spec)) return refused('blocked', `step '${name}' of run '${id}' waits for ${spec.needs.join(', ') || 'a decision'}`);
  return accepted({ kind: 'workflow.step', run: id, step: name, phase: 'running', attempt: step.attempt + 1, ...(lease === undefined ? {} : { lease }), ...(worker === undefined ? {} : { worker }) });
}

/** The machinery may fail this often at one step, whatever its retries say; a test that fails is not the machinery. */
export const machineryTriesMax = 4;

/** The end of an attempt: for good, or to be tried again. An attempt that is no longer the present one has been fenced (L-4). */
export function endStep(state: State, { run: id, step: name, attempt, lease, end, detail, tests }: EndStep, now: number): Answer {
  const known = findStep(state, id, name, now);
  if ('kind' in known) return known;
  const { step, spec } = known;
  const mine = step.attempt === attempt && (lease === undefined || step.lease === lease);
  if (!mine) return refused('conflict', `attempt ${attempt} at step '${name}' of run '${id}' is over; attempt ${step.attempt} counts now`);
  // The same word again is no second one (B-2).
  if (step.phase === end) return accepted();
  if (!mayBecome(stepTransitions, step.phase, end)) return refused('conflict', `step '${name}' is ${step.phase}, and cannot become ${end}`);
  const said = { ...(detail === undefined ? {} : { detail }), ...(tests === undefined ? {} : { tests }) };
  const again = end !== 'succeeded' && step.phase === 'running' && isTriedAgain(step, spec, end);
  const fact: Event = again ? { kind: 'workflow.step', run: id, step: name, phase: 'pending', attempt, after: end, ...said } : { kind: 'workflow.step', run: id, step: name, phase: end, attempt, ...said };
  return accepted(fact, ...(end === 'succeeded' && tests !== undefined && spec.kind === 'test' ? described(state, known, tests) : []));
}

function isTriedAgain(step: StepRun, spec: StepSpec, end: TryEnd): boolean {
  const tries = step.tries ?? [];
  const errors = tries.filter((one) => one.end === 'errored').length;
  if (end === 'errored' && step.lease !== undefined) return errors + 1 < machineryTriesMax;
  return tries.length - (step.lease === undefined ? 0 : errors) < spec.retries;
}

/** Figures of tests belong to the revisions that were tested: selection asks for them. A set of several is not one revision's merit. */
function described(state: State, { run }: Found, { passed, total, score }: NonNullable<EndStep['tests']>): readonly Event[] {
  const tests = { passed, total, ...(score === undefined ? {} : { score }) };
  return Object.entries(run.members).flatMap(([app, revision]): readonly Event[] => (state.apps.has(app) ? [{ kind: 'revision.described', app, revision, description: { tests } }] : []));
}

/** Measurements of one attempt: above it the step has errored, whatever was measured. */
const measurementsMax = 2_000;

export function measureStep(state: State, { kind: _kind, ...command }: MeasureStep, now: number): Answer {
  const known = findStep(state, command.run, command.step, now);
  if ('kind' in known) return known;
  const { step } = known;
  if (step.attempt !== command.attempt || step.phase !== 'running') return refused('conflict', `step '${command.step}' no longer waits for this measurement`);
  if ((step.measurements?.length ?? 0) < measurementsMax) return accepted({ kind: 'workflow.measured', ...command });
  return accepted({ kind: 'workflow.step', run: command.run, step: command.step, phase: 'errored', attempt: command.attempt, detail: `${measurementsMax} measurements and no end; ask less often` });
}

export function notifyStep(state: State, { run, step: name, attempt, to, message }: NotifyStep, now: number): Answer {
  const known = findStep(state, run, name, now);
  if ('kind' in known) return known;
  if (known.step.phase !== 'running') return accepted();
  return accepted({ kind: 'workflow.notified', run, step: name, to, message }, { kind: 'workflow.step', run, step: name, phase: 'succeeded', attempt, detail: `${to} was told` });
}

/** A person says what a measurement between success and failure was; the run goes on under its lock, or fails. */
export function decideStep(state: State, { run: id, step: name, verdict, reason }: DecideStep, now: number): Answer {
  const known = findStep(state, id, name, now);
  if ('kind' in known) return known;
  const { run, step, workflow } = known;
  if (reason.trim() === '') return refused('invalid', 'a decision needs a reason');
  if (run.phase !== 'inconclusive' || step.phase !== 'running') return refused('conflict', `there is nothing to decide about step '${name}': the run is ${run.phase}, the step ${step.phase}`);
  const said: Event = { kind: 'workflow.step', run: id, step: name, phase: verdict, attempt: step.attempt, detail: `decided by a person: ${reason}` };
  if (verdict === 'failed') return accepted(said, { kind: 'workflow.finished', run: id, phase: 'failed', reason: `step '${name}' was decided to have failed: ${reason}` });
  const deadline = now + workflow.timeoutMs;
  // Over a batch it goes on under the lock that the deployment is.
  const locked = run.batch === undefined ? lockFor(state, id, run.environment, workflow, now, deadline) : { events: [], lock: {} };
  if ('kind' in locked) return locked;
  return accepted(...locked.events, { kind: 'workflow.resumed', run: id, deadline, ...locked.lock }, said);
}

export function finishWorkflow(state: State, { run: id, phase, reason }: FinishWorkflow, now: number): Answer {
  const run = state.runs.get(id);
  if (run === undefined) return refused('not-found', `there is no workflow run '${id}'`);
  if (!mayBecome(runTransitions, run.phase, phase)) return refused('conflict', `run '${id}' is ${run.phase}, and cannot become ${phase}`);
  if (run.deadline <= now && phase === 'successful' && run.phase === 'running') return refused('conflict', `run '${id}' is past its deadline; start it again`);
  return accepted({ kind: 'workflow.finished', run: id, phase, ...why(reason) });
}
