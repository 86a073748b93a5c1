// Approval workflows of a file as workflows of the model. What a step does goes into its `with` as strings, for whoever carries
// it out; which keys belong to which kind of step is the table here.

import type { ApprovalSpec, StepKind, StepSpec, WorkflowSpec } from '../../proto/pipeline.ts';
import { scheduleProblems } from '../core/windows/schedule.ts';
import { readStep } from '../core/work/settings.ts';
import type { Findings } from './findings.ts';
import type { StepText, WorkflowText } from './schema.ts';
import type { ApprovalText } from './schema-parts.ts';
import type { Path } from './source.ts';
import { durationMs, durationText } from './units.ts';

/** A request that nobody answered is rejected after this (CodePipeline's week). */
export const approvalExpiryText = '7d';

const common = ['name', 'kind', 'needs', 'timeout', 'retries', 'allowFailure'] as const;
const keysOfKind: Readonly<Record<StepKind, readonly (keyof StepText)[]>> = {
  test: ['run', 'runsOn'],
  command: ['run', 'runsOn'],
  analysis: ['provider', 'interval', 'count', 'successCondition', 'failureCondition', 'failureLimit'],
  bake: ['duration', 'minSamples', 'provider', 'interval'],
  approval: ['rules', 'preventSelfApproval', 'expiresAfter'],
  compliance: ['policy'],
  notify: ['to', 'message'],
};

export function workflowOf(written: WorkflowText, path: Path, findings: Findings, policies: readonly string[]): WorkflowSpec {
  const timeoutMs = durationMs(written.timeout) ?? 0;
  if (written.steps.length === 0) findings.problem([...path, 'steps'], 'a workflow needs a step');
  findings.unique([...path, 'steps'], 'step', written.steps.map((step) => step.name));
  // Most files name one server, at the first step that asks it.
  const server = written.steps.find((step) => step.provider !== undefined)?.provider?.prometheus.url;
  const steps = written.steps.map((step, index) => {
    const at = [...path, 'steps', index];
    const before = findings.problems.length;
    stepProblems(step, at, findings);
    const read = stepOf(step, timeoutMs, server);
    // What is missing altogether was told in the words of the file.
    if (findings.problems.length === before) settingProblems(read, step, at, findings);
    const earlier = written.steps.slice(0, index).map((one) => one.name);
    const all = written.steps.map((one) => one.name);
    step.needs?.forEach((need, nth) => {
      if (all.includes(need) && !earlier.includes(need)) findings.problem([...at, 'needs', nth], `step '${need}' is not before '${step.name}': write what a step needs above it`);
      else findings.reference([...at, 'needs', nth], 'step', need, all);
    });
    if (step.policy !== undefined) findings.reference([...at, 'policy'], 'policy', step.policy, policies);
    return read;
  });
  const { schedule } = written;
  for (const problem of schedule === undefined ? [] : scheduleProblems(schedule)) findings.problem([...path, 'schedule', problem.startsWith('there is no zone') ? 'timeZone' : 'cron'], problem);
  return { workflow: written.name, lock: written.lock ?? 'stage', timeoutMs, ...(schedule === undefined ? {} : { schedule }), steps };
}

/** The keys that a step of its kind cannot do without, and those that it has no use for. */
function stepProblems(step: StepText, path: Path, findings: Findings): void {
  const known: readonly string[] = [...common, ...keysOfKind[step.kind]];
  for (const key of Object.keys(step)) {
    if (!known.includes(key)) findings.atKey([...path, key], `'${key}' is not for steps of kind ${step.kind}; those have ${keysOfKind[step.kind].join(', ')}`);
  }
  const needs = (key: keyof StepText, example: string): void => {
    if (step[key] === undefined) findings.problem(path, `step '${step.name}' of kind ${step.kind} needs '${key}', such as ${example}`);
  };
  if (step.kind === 'analysis') {
    needs('provider', '{prometheus: {url: "http://prom:9090", query: "…"}}');
    if (step.provider !== undefined && step.provider.prometheus.query === undefined) findings.problem([...path, 'provider', 'prometheus'], "'query' is missing: what Prometheus is asked");
    if (step.successCondition === undefined && step.failureCondition === undefined) needs('successCondition', '"result < 0.01"');
  }
  if (step.kind === 'bake' && step.minSamples === undefined) needs('duration', '2h');
  if (step.kind === 'approval' && (step.rules?.length ?? 0) === 0) needs('rules', '[{group: qa, count: 1}]');
  if (step.kind === 'notify') needs('to', 'release-channel: a channel of the control plane\'s configuration');
}

/** Where files write what a step's `with` calls otherwise. */
const keyOfSetting: Readonly<Record<string, readonly string[]>> = {
  role: ['runsOn', 'role'],
  prometheus: ['provider', 'prometheus', 'url'],
  query: ['provider', 'prometheus', 'query'],
  success: ['successCondition'],
  failure: ['failureCondition'],
  minSamplesMetric: ['minSamples', 'metric'],
  minSamplesCount: ['minSamples', 'count'],
};

/** What control/core/work/settings.ts finds wrong with the values, where they are written. */
function settingProblems(step: StepSpec, written: StepText, path: Path, findings: Findings): void {
  for (const problem of readStep(step).problems) {
    const [name = ''] = /^\w+/.exec(problem) ?? [];
    const known = Object.hasOwn(keyOfSetting, name) || Object.hasOwn(written, name);
    const place = known ? (keyOfSetting[name] ?? [name]) : [];
    const said = known ? `${place.join('.')}${problem.slice(name.length)}` : problem;
    findings.problem([...path, ...place], said.replace(/ (\d+) ms\b/g, (_all, ms) => ` ${durationText(Number(ms))}`));
  }
}

function stepOf(step: StepText, workflowMs: number, server: string | undefined): StepSpec {
  const url = step.provider?.prometheus.url ?? (step.minSamples === undefined ? undefined : server);
  const settings: Readonly<Record<string, string | number | undefined>> = {
    run: step.run,
    role: step.runsOn?.role,
    prometheus: url,
    query: step.provider?.prometheus.query,
    interval: step.interval,
    count: step.count,
    success: step.successCondition,
    failure: step.failureCondition,
    failureLimit: step.failureLimit,
    duration: step.duration,
    minSamplesMetric: step.minSamples?.metric,
    minSamplesCount: step.minSamples?.count,
    policy: step.policy,
    to: step.to,
    message: step.message,
  };
  const given = Object.entries(settings).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)] as const]));
  return {
    step: step.name,
    kind: step.kind,
    needs: step.needs ?? [],
    timeoutMs: durationMs(step.timeout ?? '') ?? workflowMs,
    retries: step.retries ?? 0,
    allowFailure: step.allowFailure ?? false,
    ...(step.kind === 'approval' ? { approval: approvalOf(step) } : {}),
    ...(given.length === 0 ? {} : { with: Object.fromEntries(given) }),
  };
}

/** What people must say, with the defaults. */
export function approvalOf({ rules, preventSelfApproval, expiresAfter = approvalExpiryText }: ApprovalText): ApprovalSpec {
  const expiresAfterMs = durationMs(expiresAfter);
  return { rules: rules ?? [], preventSelfApproval: preventSelfApproval ?? true, ...(expiresAfterMs === undefined ? {} : { expiresAfterMs }) };
}
