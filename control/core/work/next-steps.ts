// What follows in a run of a workflow, as a pure function of the run, its workflow and the time: steps whose needs are met begin,
// steps that are over end, and with the last of them the run. Asked at any time, any number of times; the answers are commands.
// Test steps are offered to workers (automation/runs.ts); measurements are taken by control/work and come back as facts.

import type { TryEnd } from '../../../proto/events-pipeline.ts';
import type { StepSpec, WorkflowSpec } from '../../../proto/pipeline.ts';
import type { Command } from '../commands/command.ts';
import type { ApprovalRequest, Measurement, StepRun, WorkflowRun } from '../model/approval.ts';
import { readStep, type Query, type StepSettings } from './settings.ts';

/** What a run needs to know of the rest of the state. */
export interface Surroundings {
  /** The newest request for approval of a step. */
  readonly request: (step: string) => ApprovalRequest | undefined;
  /** The command that asks people, in the name of a step. */
  readonly ask: (step: StepSpec) => Command;
  /** What is not met of the compliance policies, in words; empty when all is. */
  readonly unmet: (policy: string | undefined) => readonly string[];
}

/** A look that is due. */
export interface Measure extends Query {
  readonly run: string;
  readonly step: string;
  readonly attempt: number;
  readonly settings: StepSettings;
}

export interface NextSteps {
  /** To be asked in this order; one that is refused is asked again the next time. */
  readonly commands: readonly Command[];
  readonly measures: readonly Measure[];
  /** When to ask again though nothing was appended; milliseconds since 1970. */
  readonly nextCheckAt?: number;
}

/** Measurements without an answer, one after another, after which a step has errored (Argo Rollouts). */
export const consecutiveErrorsMax = 4;
/** A worker ends what takes too long itself; after this much more it is believed to be unable to. */
export const workerGraceMs = 60_000;

const nothing: NextSteps = { commands: [], measures: [] };

/** The next commands of a run that is not over. */
export function nextSteps(run: WorkflowRun, workflow: WorkflowSpec, now: number, around: Surroundings): NextSteps {
  if (run.finishedAt !== undefined) return nothing;
  const end = run.phase === 'running' ? endOf(run, workflow) : undefined;
  if (end !== undefined) return { commands: [{ kind: 'finish-workflow', run: run.run, ...end }], measures: [] };
  const parts = workflow.steps.flatMap((spec): readonly NextSteps[] => {
    const step = run.steps.find((one) => one.step === spec.step);
    return step === undefined ? [] : [ofStep({ run, spec, step, now, around })];
  });
  const nextCheckAt = Math.min(...parts.map((part) => part.nextCheckAt ?? Infinity), run.phase === 'running' ? run.deadline : Infinity);
  return { commands: parts.flatMap((part) => part.commands), measures: parts.flatMap((part) => part.measures), ...(nextCheckAt === Infinity ? {} : { nextCheckAt }) };
}

/** How the run ends now; undefined when it does not. What failed first is what it is about. */
function endOf(run: WorkflowRun, workflow: WorkflowSpec): { readonly phase: 'failed' | 'error' | 'timed-out' | 'successful'; readonly reason?: string } | undefined {
  const bad = workflow.steps.flatMap((spec) => run.steps.filter((step) => step.step === spec.step && !spec.allowFailure && isBad(step))).toSorted((a, b) => a.at - b.at)[0];
  if (bad !== undefined) {
    const phase = bad.phase === 'failed' ? 'failed' : bad.phase === 'errored' ? 'error' : 'timed-out';
    return { phase, reason: `step '${bad.step}' ${bad.phase === 'timed-out' ? 'took too long' : bad.phase}${bad.detail === undefined ? '' : `: ${bad.detail}`}` };
  }
  return workflow.steps.every((spec) => isOver(run.steps.find((step) => step.step === spec.step))) ? { phase: 'successful' } : undefined;
}

function isBad({ phase }: StepRun): boolean {
  return phase === 'failed' || phase === 'errored' || phase === 'timed-out';
}

function isOver(step: StepRun | undefined): boolean {
  return step !== undefined && (isBad(step) || step.phase === 'succeeded' || step.phase === 'skipped');
}

/** Whether all that a step needs is over. What failed and must not have ended the run. */
export function isReady(run: WorkflowRun, spec: StepSpec): boolean {
  return run.phase === 'running' && spec.needs.every((need) => isOver(run.steps.find((step) => step.step === need)));
}

interface Here {
  readonly run: WorkflowRun;
  readonly spec: StepSpec;
  readonly step: StepRun;
  readonly now: number;
  readonly around: Surroundings;
}

function ofStep(here: Here): NextSteps {
  const { run, spec, step, now } = here;
  const { settings, problems } = readStep(spec);
  if (step.phase === 'pending') {
    if (!isReady(run, spec)) return nothing;
    const external = settings?.kind === 'test' || settings?.kind === 'command';
    return external ? nothing : only({ kind: 'begin-step', run: run.run, step: step.step });
  }
  if (step.phase !== 'running' && step.phase !== 'waiting-for-approval') return nothing;
  if (settings === undefined) return only(ended(here, 'errored', problems.join('; ')));
  const deadline = (step.startedAt ?? step.at) + spec.timeoutMs + extraMs(settings);
  if (now >= deadline) return only(ended(here, 'timed-out', `it took longer than ${Math.round((spec.timeoutMs + extraMs(settings)) / 1000)} s`));
  const next = progress(here, settings);
  return { ...next, nextCheckAt: Math.min(next.nextCheckAt ?? Infinity, deadline) };
}

/** What a step takes by its nature does not count against its timeout. */
function extraMs(settings: StepSettings): number {
  switch (settings.kind) {
    case 'bake':
      return settings.durationMs;
    case 'analysis':
      return settings.intervalMs * settings.count;
    case 'test':
    case 'command':
      return settings.run === undefined ? 0 : workerGraceMs;
    case 'approval':
    case 'compliance':
    case 'notify':
      return 0;
    default:
      return settings satisfies never;
  }
}

function progress(here: Here, settings: StepSettings): NextSteps {
  const { run, step, around } = here;
  switch (settings.kind) {
    case 'test':
    case 'command':
      return nothing;
    case 'approval':
      return ofApproval(here);
    case 'compliance': {
      const unmet = around.unmet(settings.policy);
      return only(unmet.length === 0 ? ended(here, 'succeeded') : ended(here, 'failed', unmet.join('; ')));
    }
    case 'notify':
      return only({ kind: 'notify-step', run: run.run, step: step.step, attempt: step.attempt, to: settings.to, message: settings.message });
    case 'bake':
      return ofBake(here, settings);
    case 'analysis':
      return ofAnalysis(here, settings);
    default:
      return settings satisfies never;
  }
}

function ofApproval(here: Here): NextSteps {
  const { run, spec, step, around } = here;
  const request = around.request(step.step);
  if (step.phase === 'running') {
    if (request === undefined) return only(around.ask(spec));
    return only({ kind: 'report-step', run: run.run, step: step.step, phase: 'waiting-for-approval', attempt: step.attempt, detail: request.request });
  }
  if (request === undefined || request.status === 'open') return nothing;
  if (request.status === 'approved') return only(ended(here, 'succeeded', `${request.request} was approved`));
  return only(ended(here, 'failed', `${request.request} was ${request.status}${request.outcome === undefined ? '' : `: ${request.outcome}`}`));
}

function ofBake(here: Here, { durationMs, samples }: Extract<StepSettings, { readonly kind: 'bake' }>): NextSteps {
  const { step, now } = here;
  const startedAt = step.startedAt ?? step.at;
  if (now < startedAt + durationMs) return { ...nothing, nextCheckAt: startedAt + durationMs };
  if (samples === undefined) return only(ended(here, 'succeeded'));
  const last = step.measurements?.at(-1);
  if (last?.verdict === 'success') return only(ended(here, 'succeeded', `${last.value} of ${samples.count} samples`));
  const tired = tooManyErrors(here);
  if (tired !== undefined) return only(tired);
  // As many as came since it began to bake, unless the query itself says what is counted.
  const plain = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(samples.metric);
  const query = plain ? `sum(increase(${samples.metric}[${Math.max(1, Math.ceil((now - startedAt) / 1000))}s]))` : samples.metric;
  return measured(here, last, samples.intervalMs, { prometheus: samples.prometheus, query }, { kind: 'bake', durationMs, samples });
}

function ofAnalysis(here: Here, settings: Extract<StepSettings, { readonly kind: 'analysis' }>): NextSteps {
  const { run, step } = here;
  const all = step.measurements ?? [];
  const of = (verdict: Measurement['verdict']): readonly Measurement[] => all.filter((one) => one.verdict === verdict);
  const failures = of('failure');
  if (failures.length > settings.failureLimit) return only(ended(here, 'failed', `measured ${failures.map((one) => one.value).slice(-5).join(', ')}: more than ${settings.failureLimit} failed`));
  const unclear = of('inconclusive');
  if (unclear.length > 0) {
    if (run.phase === 'inconclusive') return nothing;
    return only({ kind: 'finish-workflow', run: run.run, phase: 'inconclusive', reason: `step '${step.step}' measured ${unclear[0]?.value}, which is neither success nor failure; decide it` });
  }
  if (of('success').length + failures.length >= settings.count) return only(ended(here, 'succeeded', `${of('success').length} of ${settings.count} measurements were good; the last is ${all.at(-1)?.value}`));
  const tired = tooManyErrors(here);
  if (tired !== undefined) return only(tired);
  return measured(here, all.at(-1), settings.intervalMs, settings.measure, settings);
}

function tooManyErrors(here: Here): Command | undefined {
  const newest = (here.step.measurements ?? []).slice(-consecutiveErrorsMax);
  if (newest.length < consecutiveErrorsMax || newest.some((one) => one.verdict !== 'error')) return undefined;
  return ended(here, 'errored', `${consecutiveErrorsMax} measurements without an answer, the last: ${newest.at(-1)?.detail ?? 'nothing was said'}`);
}

/** A look now, or the time of the next. */
function measured({ run, step, now }: Here, last: Measurement | undefined, intervalMs: number, query: Query, settings: StepSettings): NextSteps {
  const dueAt = last === undefined ? now : last.at + intervalMs;
  if (dueAt > now) return { ...nothing, nextCheckAt: dueAt };
  return { commands: [], measures: [{ ...query, run: run.run, step: step.step, attempt: step.attempt, settings }] };
}

function ended({ run, step }: Here, end: 'succeeded' | TryEnd, detail?: string): Command {
  return { kind: 'end-step', run: run.run, step: step.step, attempt: step.attempt, end, ...(detail === undefined ? {} : { detail }) };
}

function only(command: Command): NextSteps {
  return { commands: [command], measures: [] };
}
