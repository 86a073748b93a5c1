// What all runs under way ask for now: their next steps with what these need to know of the rest of the state, and the steps
// that workers may take. The single run is work/next-steps.ts.

import type { SetMembers, StepSpec } from '../../../proto/pipeline.ts';
import { nextRequest } from './automation.ts';
import type { Command } from '../commands/command.ts';
import { contextOf } from '../gates/gates.ts';
import { workflowOfRun } from '../rollout/batch-verification.ts';
import { definitionOf } from '../gates/approval.ts';
import { unmetPolicies } from '../gates/compliance.ts';
import type { ApprovalRequest, StepRun, WorkflowRun } from '../model/approval.ts';
import type { Promotion, State } from '../model/model.ts';
import { authorsOf, personOf } from '../model/people.ts';
import { revisionOf, type Observed } from '../model/select.ts';
import { canonicalText } from '../model/sets.ts';
import { isReady, nextSteps, type Measure, type NextSteps, type Surroundings } from '../work/next-steps.ts';
import { readStep } from '../work/settings.ts';

/** What follows in every run under way. */
export function stepsOfRuns(state: State, observed: Observed): NextSteps {
  const commands: Command[] = [];
  const measures: Measure[] = [];
  let nextCheckAt = Infinity;
  for (const run of openRuns(state)) {
    const workflow = workflowOfRun(state, run);
    // A run whose workflow was changed is about to be ended by automation.
    if (workflow === undefined || definitionOf(workflow) !== run.definition) continue;
    const next = nextSteps(run, workflow, observed.now, surroundings(state, run, observed));
    commands.push(...next.commands);
    measures.push(...next.measures);
    nextCheckAt = Math.min(nextCheckAt, next.nextCheckAt ?? Infinity);
  }
  return { commands, measures, ...(nextCheckAt === Infinity ? {} : { nextCheckAt }) };
}

function openRuns(state: State): readonly WorkflowRun[] {
  return [...state.runs.values()].filter((run) => run.finishedAt === undefined);
}

function surroundings(state: State, run: WorkflowRun, observed: Observed): Surroundings {
  return {
    request: (step) => requestOf(state, run.run, step),
    ask: (spec) => ask(state, run, spec, observed.now),
    unmet: (policy) => unmet(state, run, policy, observed),
  };
}

function requestOf(state: State, run: string, step: string): ApprovalRequest | undefined {
  return [...state.requests.values()].findLast((request) => request.run === run && request.step === step);
}

function ask(state: State, run: WorkflowRun, spec: StepSpec, now: number): Command {
  const approval = spec.approval ?? { rules: [], preventSelfApproval: false };
  const { members, environment } = run;
  const by = broughtBy(state, run)?.by;
  const excluded = approval.preventSelfApproval ? [...new Set([...authorsOf({ state, members }), ...(by === undefined ? [] : [personOf(state, by)])])] : [];
  return {
    kind: 'request-approval',
    request: nextRequest(state),
    subject: { purpose: 'step', source: environment, members, policy: canonicalText(approval) },
    rules: approval.rules,
    excluded,
    run: run.run,
    step: spec.step,
    ...(approval.expiresAfterMs === undefined ? {} : { expiresAt: now + approval.expiresAfterMs }),
  };
}

/** The promotion that brought the set which a run is about, or is bringing it. */
function broughtBy(state: State, { environment, members, batch }: WorkflowRun): Promotion | undefined {
  if (batch !== undefined) return state.promotions.get(state.deployments.get(batch.deployment)?.promotion ?? '');
  const arrival = state.sets.get(environment)?.arrivals.findLast((one) => canonicalText(one.members) === canonicalText(members));
  return state.promotions.get(arrival?.promotion ?? '');
}

/** What the policies demand of the set where it is. A policy that is named must be there. */
function unmet(state: State, run: WorkflowRun, policy: string | undefined, observed: Observed): readonly string[] {
  const environment = state.environments.get(run.environment);
  const [app = '', revision = ''] = Object.entries(run.members)[0] ?? [];
  const number = revisionOf(state, app, revision)?.number;
  if (environment === undefined || number === undefined) return [`environment '${run.environment}' or its set is no longer on record`];
  const promotion = broughtBy(state, run);
  const candidate = { environment: run.environment, app, revision, number, trigger: 'manual', createdAt: run.startedAt, members: run.members, ...(promotion === undefined ? {} : { by: promotion.by }), ...(promotion?.reason === undefined ? {} : { reason: promotion.reason }) } as const;
  return unmetPolicies(contextOf(state, environment, candidate, observed), policy);
}

/** A step that a worker may take. */
export interface StepOffer {
  readonly run: string;
  readonly step: string;
  readonly environment: string;
  readonly members: SetMembers;
  readonly batch?: { readonly deployment: string; readonly index: number };
  /** What the worker must be. */
  readonly role: string;
  readonly command: string;
  readonly timeoutMs: number;
  readonly attempt: number;
}

/** Steps that wait for a worker, oldest run first. */
export function stepOffers(state: State): readonly StepOffer[] {
  return openRuns(state).flatMap((run) => {
    const workflow = workflowOfRun(state, run);
    return run.steps.flatMap((step): readonly StepOffer[] => {
      const spec = workflow?.steps.find((one) => one.step === step.step);
      const offer = spec === undefined || step.phase !== 'pending' || !isReady(run, spec) ? undefined : offerOf(run, step, spec);
      return offer === undefined ? [] : [offer];
    });
  });
}

function offerOf(run: WorkflowRun, step: StepRun, spec: StepSpec): StepOffer | undefined {
  const { settings } = readStep(spec);
  if ((settings?.kind !== 'test' && settings?.kind !== 'command') || settings.run === undefined) return undefined;
  const { environment, members, batch } = run;
  return { ...(batch === undefined ? {} : { batch }), run: run.run, step: step.step, environment, members, role: settings.role, command: settings.run, timeoutMs: spec.timeoutMs, attempt: step.attempt + 1 };
}

/** A step that a worker has taken and not ended. */
export interface LeasedStep {
  readonly run: WorkflowRun;
  readonly step: StepRun;
  readonly lease: string;
}

/** Every step that a worker has taken and not ended. */
export function leasedSteps(state: State): readonly LeasedStep[] {
  return openRuns(state).flatMap((run) => run.steps.flatMap((step) => (step.phase === 'running' && step.lease !== undefined ? [{ run, step, lease: step.lease }] : [])));
}
