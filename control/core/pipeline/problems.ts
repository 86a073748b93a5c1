// What a pipeline must satisfy before it is recorded: names that resolve, one source for each environment and application,
// no circles, windows that open, rules that can be met. Told all together.

import { brokenPathRule } from '../../../proto/path.ts';
import type { DeploySpecPlace, EdgeSpec, PipelineSpec, WorkflowSpec } from '../../../proto/pipeline.ts';
import { batchSpecs } from '../batches/batches.ts';
import { labelProblems } from './config.ts';
import type { Pipeline } from '../model/pipeline.ts';
import type { State } from '../model/model.ts';
import { isRange } from '../model/versions.ts';
import { windowProblems } from '../windows/problems.ts';
import { scheduleProblems } from '../windows/schedule.ts';
import { readStep } from '../work/settings.ts';

const namePattern = /^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$/;
/** Of each kind of thing in one pipeline. */
const itemsMax = 200;

/** Everything wrong with a pipeline; empty when nothing is. */
export function pipelineProblems(state: State, pipeline: string, spec: PipelineSpec, wishes: readonly { readonly environment: string }[] = []): readonly string[] {
  const environments = spec.stages.flatMap((stage) => stage.environments.map((one) => one.environment));
  const names: readonly (readonly [string, readonly string[]])[] = [
    ['stage', spec.stages.map((one) => one.stage)],
    ['environment', environments],
    ['promotion', spec.edges.map((one) => one.edge)],
    ['window', spec.windows.map((one) => one.window)],
    ['workflow', spec.workflows.map((one) => one.workflow)],
    ['policy', spec.policies.map((one) => one.policy)],
  ];
  return [
    ...names.flatMap(([what, all]) => nameProblems(what, all)),
    ...environments.flatMap((environment) => environmentProblems(state, pipeline, environment, wishes.some((wish) => wish.environment === environment))),
    ...referenceProblems(spec, environments),
    ...environments.flatMap((environment) => batchProblems(state, environment, spec.workflows)),
    ...spec.edges.flatMap((edge) => edgeProblems(state, edge, environments)),
    ...sourceProblems(spec.edges),
    ...circleProblems(spec.edges),
    ...spec.windows.flatMap(windowProblems),
    ...spec.workflows.flatMap(workflowProblems),
    ...labelProblems(spec.labels ?? {}),
    ...(spec.requirements ?? []).flatMap(({ app, requires }) => requires.filter(({ version }) => !isRange(version)).map(({ node, version }) => `application '${app}' requires ${node} '${version}', which is not a range of versions such as '>=22.3 <23'`)),
    ...(spec.deploySpecs ?? []).flatMap((place) => placeProblems(state, pipeline, place)),
    ...spec.policies.flatMap((policy) => policy.requires.flatMap((rule) => (rule.rule === 'ticket' && !isPattern(rule.pattern) ? [`policy '${policy.policy}': '${rule.pattern}' is not a regular expression`] : []))),
  ];
}

function nameProblems(what: string, names: readonly string[]): readonly string[] {
  const wrong = names.filter((name) => !namePattern.test(name)).map((name) => `'${name}' is not a name for a ${what}: lower-case letters, digits and inner hyphens`);
  const twice = names.filter((name, index) => names.indexOf(name) !== index).map((name) => `${what} '${name}' is there twice`);
  return [...wrong, ...twice, ...(names.length > itemsMax ? [`${names.length} of kind ${what}, at most ${itemsMax} may be`] : [])];
}

/** An application is pushed once for all of its pipelines. */
function placeProblems(state: State, pipeline: string, { app, path }: DeploySpecPlace): readonly string[] {
  const broken = brokenPathRule(path);
  if (broken !== undefined) return [`the deploy spec of application '${app}': path '${path}' ${broken}`];
  const known = deploySpecOf([...state.pipelines.values()].filter((one) => one.pipeline !== pipeline), app);
  return known === undefined || known.path === path ? [] : [`the deploy spec of application '${app}' is '${known.path}' in pipeline '${known.pipeline}', and '${path}' here; what is pushed has one`];
}

/** Where a pipeline says that an application's deploy spec is; undefined when none does. */
export function deploySpecOf(pipelines: Iterable<Pipeline>, app: string): { readonly pipeline: string; readonly path: string } | undefined {
  for (const { pipeline, spec } of pipelines) {
    const place = spec.deploySpecs?.find((one) => one.app === app);
    if (place !== undefined) return { pipeline, path: place.path };
  }
  return undefined;
}

function environmentProblems(state: State, pipeline: string, environment: string, wished: boolean): readonly string[] {
  if (!state.environments.has(environment)) return wished ? [] : [`there is no environment '${environment}'; create it first`];
  const other = [...state.pipelines.values()].find((one) => one.pipeline !== pipeline && one.spec.stages.some((stage) => stage.environments.some((spec) => spec.environment === environment)));
  return other === undefined ? [] : [`environment '${environment}' is in pipeline '${other.pipeline}' already`];
}

function referenceProblems(spec: PipelineSpec, environments: readonly string[]): readonly string[] {
  const windows = spec.windows.map((one) => one.window);
  const workflows = spec.workflows.map((one) => one.workflow);
  const inPlaces = spec.stages.flatMap((stage) => stage.environments).flatMap(({ environment, workflow, windows: used }) => [
    ...unknown(`environment '${environment}'`, 'window', used, windows),
    ...unknown(`environment '${environment}'`, 'workflow', workflow === undefined ? [] : [workflow], workflows),
  ]);
  const inEdges = spec.edges.flatMap((edge) => [
    ...unknown(`promotion '${edge.edge}'`, 'window', edge.windows, windows),
    ...unknown(`promotion '${edge.edge}'`, 'environment', [edge.to, ...edge.after, ...(edge.from.kind === 'environment' ? [edge.from.environment] : [])], environments),
  ]);
  const inPolicies = spec.policies.flatMap((policy) => unknown(`policy '${policy.policy}'`, 'environment', policy.environments, environments));
  return [...inPlaces, ...inEdges, ...inPolicies];
}

/** What is to look at a batch is a workflow of the pipeline. */
function batchProblems(state: State, environment: string, workflows: readonly WorkflowSpec[]): readonly string[] {
  const config = state.environments.get(environment)?.config;
  const named = config === undefined ? [] : batchSpecs(config).flatMap(({ verify }) => verify ?? []);
  return unknown(`a batch of environment '${environment}'`, 'workflow', [...new Set(named)], workflows.map(({ workflow }) => workflow));
}

function unknown(where: string, what: string, names: readonly string[], known: readonly string[]): readonly string[] {
  return names.filter((name) => !known.includes(name)).map((name) => `${where} names ${what} '${name}', which is not in this pipeline`);
}

/** What an edge carries runs at both its ends. */
function edgeProblems(state: State, edge: EdgeSpec, environments: readonly string[]): readonly string[] {
  const apps = state.environments.get(edge.to)?.apps;
  const problems: string[] = [];
  if (edge.apps.length === 0) problems.push(`promotion '${edge.edge}' carries no application`);
  const strange = edge.apps.filter((app) => apps !== undefined && environments.includes(edge.to) && !apps.includes(app));
  if (strange.length > 0) problems.push(`promotion '${edge.edge}' carries ${strange.join(', ')}, which '${edge.to}' does not run; it runs ${apps?.join(', ')}`);
  if (edge.from.kind === 'app' && !edge.apps.includes(edge.from.app)) problems.push(`promotion '${edge.edge}' comes from application '${edge.from.app}', which it does not carry`);
  if (edge.from.kind === 'environment') {
    const { environment } = edge.from;
    const theirs = state.environments.get(environment)?.apps;
    const lacking = edge.apps.filter((app) => theirs !== undefined && !theirs.includes(app));
    if (lacking.length > 0) problems.push(`promotion '${edge.edge}' comes from '${environment}', which runs ${theirs?.join(', ')} and not ${lacking.join(', ')}`);
  }
  if (edge.soakMs !== undefined && !(Number.isSafeInteger(edge.soakMs) && edge.soakMs >= 0)) problems.push(`promotion '${edge.edge}': soak ${edge.soakMs} ms is not a duration`);
  if (edge.after.includes(edge.to)) problems.push(`promotion '${edge.edge}' waits for its own destination '${edge.to}'`);
  for (const { group, count } of edge.approval?.rules ?? []) {
    if (!(Number.isSafeInteger(count) && count >= 1)) problems.push(`promotion '${edge.edge}': ${count} of group '${group}' is not a number of people from 1`);
  }
  return problems;
}

/** Each (environment, application) has one source (CDS-3). */
function sourceProblems(edges: readonly EdgeSpec[]): readonly string[] {
  const slots = edges.flatMap((edge) => edge.apps.map((app) => ({ edge: edge.edge, slot: `'${app}' in '${edge.to}'` })));
  return slots.flatMap(({ edge, slot }, index) => {
    const first = slots.findIndex((one) => one.slot === slot);
    return first === index ? [] : [`${slot} has two sources, '${slots[first]?.edge}' and '${edge}'`];
  });
}

/** Following promotions, and what they wait for, never comes back to where it began. */
function circleProblems(edges: readonly EdgeSpec[]): readonly string[] {
  const before = new Map<string, string[]>();
  for (const edge of edges) {
    const sources = [...edge.after, ...(edge.from.kind === 'environment' ? [edge.from.environment] : [])];
    before.set(edge.to, [...(before.get(edge.to) ?? []), ...sources]);
  }
  const settled = new Set<string>();
  let open = [...before.keys()];
  for (let rounds = open.length; rounds >= 0 && open.length > 0; rounds -= 1) {
    const free = open.filter((environment) => (before.get(environment) ?? []).every((source) => settled.has(source) || !before.has(source)));
    for (const environment of free) settled.add(environment);
    open = open.filter((environment) => !settled.has(environment));
  }
  return open.length === 0 ? [] : [`promotions go in a circle through ${open.toSorted().join(', ')}`];
}

function workflowProblems({ workflow, steps, timeoutMs, schedule }: WorkflowSpec): readonly string[] {
  const names = steps.map((step) => step.step);
  return [
    ...(steps.length === 0 ? [`workflow '${workflow}' has no steps`] : []),
    ...(Number.isSafeInteger(timeoutMs) && timeoutMs > 0 ? [] : [`workflow '${workflow}': timeout ${timeoutMs} ms is not a duration`]),
    ...nameProblems('step', names),
    ...steps.flatMap((step) => readStep(step).problems.map((problem) => `workflow '${workflow}': step '${step.step}': ${problem}`)),
    ...(schedule === undefined ? [] : scheduleProblems(schedule).map((problem) => `workflow '${workflow}': schedule: ${problem}`)),
    // What a step needs comes before it, so that there can be no circle.
    ...steps.flatMap((step, index) => step.needs.filter((need) => !names.slice(0, index).includes(need)).map((need) => `workflow '${workflow}': step '${step.step}' needs '${need}', which is not before it`)),
  ];
}

function isPattern(text: string): boolean {
  try {
    return text.length <= 200 && new RegExp(text) instanceof RegExp;
  } catch {
    return false;
  }
}
