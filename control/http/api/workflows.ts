// Handlers of workflow runs: what runs, what people and systems outside say of it, and what its steps wrote.

import type { WorkflowRunView, StepRunView } from '../../../proto/api/workflows.ts';
import type { WorkflowSpec } from '../../../proto/pipeline.ts';
import { workflowOfRun } from '../../core/rollout/batch-verification.ts';
import type { StepRun, WorkflowRun } from '../../core/model/approval.ts';
import type { State } from '../../core/model/model.ts';
import { revisionOf } from '../../core/model/select.ts';
import { ControlError } from '../../errors.ts';
import { answered, found, newId, type ApiOptions, type Handlers } from './api.ts';
import type { WorkOptions } from './work.ts';
import { pageById } from '../paging.ts';

type Operations = 'listWorkflowRuns' | 'createWorkflowRun' | 'getWorkflowRun' | 'abortWorkflowRun' | 'rerunWorkflow' | 'decideStep' | 'reportStep' | 'getStepLog';

export function workflowHandlers({ facts, submit, logs }: ApiOptions & WorkOptions): Handlers<Operations> {
  const runOf = (state: State, run: string) => found(state.runs.get(run), 'workflow run', run);
  const view = (state: State, run: string) => ({ body: runView(state, runOf(state, run)) });
  const begin = async (actor: string, environment: string, draw: (length: number) => Uint8Array) => {
    const run = newId('run', draw);
    return answered(await submit(actor, { kind: 'start-workflow', run, environment }), (state) => ({ ...view(state, run), headers: { location: `/v1/workflow-runs/${run}` } }));
  };
  return {
    listWorkflowRuns: async ({ query }) => {
      const state = facts.state();
      const { environment, phase, ...cursor } = query;
      const page = pageById([...state.runs.values()].toReversed(), ({ run }) => run, cursor, (run) => (environment === undefined || run.environment === environment) && (phase === undefined || run.phase === phase));
      return { body: { ...page, items: page.items.map((run) => runView(state, run)) } };
    },
    createWorkflowRun: async ({ body: { environment }, caller, draw }) => await begin(caller.actor, environment, draw),
    getWorkflowRun: async ({ params: { run } }) => view(facts.state(), run),
    abortWorkflowRun: async ({ params: { run }, body: { reason }, caller }) =>
      answered(await submit(caller.actor, { kind: 'finish-workflow', run, phase: 'aborted', reason }), (state) => view(state, run)),
    rerunWorkflow: async ({ params: { run: id }, caller, draw }) => {
      const state = facts.state();
      const { environment, members, batch } = runOf(state, id);
      if (batch !== undefined) throw new ControlError('CONFLICT', `run ${id} looked at batch ${batch.index + 1} of deployment ${batch.deployment}, which went on or ended with it; \`starling deployment retry ${batch.deployment}\` tries that again`);
      const current = state.sets.get(environment)?.current ?? {};
      const moved = Object.keys({ ...members, ...current }).find((app) => members[app] !== current[app]);
      if (moved !== undefined) throw new ControlError('CONFLICT', `'${environment}' runs another ${moved} by now than run ${id} was about; \`starling workflow run ${environment}\` looks at what is there`);
      return await begin(caller.actor, environment, draw);
    },
    decideStep: async ({ params: { run, step }, body: { verdict, reason }, caller }) =>
      answered(await submit(caller.actor, { kind: 'decide-step', run, step, verdict, reason }), (state) => view(state, run)),
    reportStep: async ({ params: { run, step: name }, body: { phase, detail, tests }, caller }) => {
      const step = stepOf(runOf(facts.state(), run), name);
      if (step.lease !== undefined) throw new ControlError('CONFLICT', `step '${name}' is carried out by worker '${step.worker}'; nobody else can say how it goes`);
      const attempt = step.phase === 'pending' ? step.attempt + 1 : step.attempt;
      if (step.phase === 'pending') {
        const begun = await submit(caller.actor, { kind: 'begin-step', run, step: name });
        if (begun.kind === 'refused') return answered(begun, (state) => view(state, run));
      }
      if (phase === 'running') return view(facts.state(), run);
      const command = { kind: 'end-step', run, step: name, attempt, end: phase, ...(detail === undefined ? {} : { detail }), ...(tests === undefined ? {} : { tests }) } as const;
      return answered(await submit(caller.actor, command), (state) => view(state, run));
    },
    getStepLog: async ({ params: { run, step: name }, query: { attempt: asked, offset = 0 } }) => {
      const step = stepOf(runOf(facts.state(), run), name);
      const attempt = asked ?? Math.max(1, step.attempt);
      const over = attempt < step.attempt || (step.phase !== 'running' && step.phase !== 'pending') || (step.tries ?? []).some((one) => one.attempt === attempt);
      const page = await logs.read({ what: run, part: name, attempt }, offset);
      return { body: { attempt, text: page?.text ?? '', next: page?.next ?? offset, complete: over && (page?.atEnd ?? true) } };
    },
  };
}

function stepOf(run: WorkflowRun, name: string): StepRun {
  return found(run.steps.find((step) => step.step === name), 'step', name);
}

/** Measurements of a step that are shown: the newest. */
const measurementsShown = 50;

function runView(state: State, run: WorkflowRun): WorkflowRunView {
  const { run: id, workflow, environment, members, phase, startedAt, deadline, finishedAt, outcome, steps } = run;
  const spec = workflowOfRun(state, run);
  return {
    run: id, workflow, environment, phase, startedAt, deadline,
    set: Object.entries(members).map(([app, revision]) => ({ app, revision, number: revisionOf(state, app, revision)?.number ?? 0 })),
    steps: steps.map((step) => stepView(step, spec)),
    ...(finishedAt === undefined ? {} : { finishedAt }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(run.batch === undefined ? {} : { batch: { ...run.batch } }),
  };
}

function stepView(run: StepRun, workflow: WorkflowSpec | undefined): StepRunView {
  const { step, phase, attempt, at, startedAt, detail, worker, tests, tries = [], measurements = [] } = run;
  const kind = workflow?.steps.find((one) => one.step === step)?.kind;
  return {
    step, phase, attempt, at,
    tries: tries.map((one) => ({ ...one })),
    measurements: measurements.slice(-measurementsShown).map((one) => ({ ...one })),
    ...(kind === undefined ? {} : { kind }),
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(detail === undefined ? {} : { detail }),
    ...(worker === undefined ? {} : { worker }),
    ...(tests === undefined ? {} : { tests }),
  };
}
