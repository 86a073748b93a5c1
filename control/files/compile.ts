// One document of kind Pipeline as what the control plane records: the pipeline, its applications, its environments. All
// problems of a document are told together, each with its place.

import { brokenPathRule } from '../../proto/path.ts';
import type { PipelineSpec } from '../../proto/pipeline.ts';
import type { BuildWish, EnvironmentWish } from '../core/commands/command-governance.ts';
import { applyPipeline } from '../core/answers/pipeline.ts';
import { environmentNameMax, labelProblems } from '../core/pipeline/config.ts';
import { isRange } from '../core/model/versions.ts';
import { initialState } from '../core/evolve/evolve.ts';
import { buildOf } from './compile-builds.ts';
import { deploymentOf, plainDeployment, type CompiledDeployment } from './compile-deployments.ts';
import { environmentsOf, graphOf } from './compile-graph.ts';
import { policyOf } from './compile-policies.ts';
import { windowOf } from './compile-windows.ts';
import { workflowOf } from './compile-workflows.ts';
import type { Findings } from './findings.ts';
import type { EnvironmentText, PipelineText } from './schema.ts';
import type { Path, SourceDocument } from './source.ts';
import { labelsOf } from './units.ts';

/** A pipeline as a file says it is to be. */
export interface PipelineFile {
  readonly pipeline: string;
  readonly project: string;
  /** Absent: as it is, and enabled when it is new. */
  readonly enabled?: boolean;
  readonly spec: PipelineSpec;
  readonly apps: readonly string[];
  readonly environments: readonly EnvironmentWish[];
  /** Of applications that are not in it nothing is said. */
  readonly builds: readonly BuildWish[];
}

/** Reads a document that has the form of its schema; undefined when there are problems. */
export function compilePipeline(document: SourceDocument, { metadata, spec }: PipelineText, findings: Findings): PipelineFile | undefined {
  const list = ['apps', 'windows', 'workflows', 'deploymentConfigs', 'policies'] as const;
  const names = Object.fromEntries(list.map((key) => [key, (spec[key] ?? []).map(({ name }) => name)]));
  for (const [key, what] of [['apps', 'application'], ['windows', 'window'], ['workflows', 'workflow'], ['deploymentConfigs', 'deployment configuration'], ['policies', 'policy']] as const) {
    findings.unique(['spec', key], what, names[key] ?? []);
  }
  const places = environmentsOf(spec);
  const environments = places.map(({ environment }) => environment);
  nameProblems(spec, places, findings);
  const known = { apps: names['apps'] ?? [], windows: names['windows'] ?? [], environments };
  const windows = (spec.windows ?? []).flatMap((window, index) => windowOf(window, ['spec', 'windows', index], findings) ?? []);
  const workflows = (spec.workflows ?? []).map((workflow, index) => workflowOf(workflow, ['spec', 'workflows', index], findings, names['policies'] ?? []));
  const deployments = new Map((spec.deploymentConfigs ?? []).map((config, index) => [config.name, deploymentOf(config, ['spec', 'deploymentConfigs', index], findings, names['workflows'] ?? [])]));
  const policies = (spec.policies ?? []).map((policy, index) => policyOf(policy, ['spec', 'policies', index], findings, environments));
  const { edges, carried, sound } = graphOf(spec, known, findings);
  const wishes: EnvironmentWish[] = [];
  const stages = spec.stages.map((stage, nth) => ({
    stage: stage.name,
    environments: stage.environments.map((written, index) => {
      const path = ['spec', 'stages', nth, 'environments', index];
      const deployment = environmentProblems(written, path, { deployments, workflows: names['workflows'] ?? [], windows: known.windows }, findings);
      wishes.push({ environment: written.name, apps: appsIn(written, path, carried.get(written.name) ?? [], known.apps, findings), selector: labelsOf(written.targets).labels, config: deployment.config });
      return {
        environment: written.name,
        ...(written.workflow === undefined ? {} : { workflow: written.workflow }),
        windows: written.windows ?? [],
        windowsHoldRollback: written.windowsHoldRollback ?? false,
        ...(deployment.coverage === undefined ? {} : { coverage: deployment.coverage }),
      };
    }),
  }));
  spec.apps.forEach(({ name }, index) => {
    if (sound && !wishes.some((wish) => wish.apps.includes(name))) findings.problem(['spec', 'apps', index, 'name'], `application '${name}' goes nowhere; add a promotion such as {from: {app: ${name}}, to: ${environments[0] ?? 'NAME'}}`);
  });
  const more = moreOf({ metadata, spec }, findings);
  const { notifications = [] } = spec;
  const file: PipelineFile = {
    pipeline: metadata.name,
    project: metadata.project ?? metadata.name,
    ...(spec.enabled === undefined ? {} : { enabled: spec.enabled }),
    spec: { ...more, executionMode: spec.executionMode ?? 'superseded', stages, edges, windows, workflows, policies, ...(notifications.length === 0 ? {} : { notifications }) },
    apps: known.apps,
    environments: wishes,
    builds: spec.apps.flatMap((app, index) => buildOf(app, ['spec', 'apps', index], findings) ?? []),
  };
  if (findings.problems.length === 0) {
    // What the control plane would refuse in an empty world, it would refuse in every one.
    const answer = applyPipeline(initialState(), { kind: 'apply-pipeline', pipeline: file.pipeline, project: file.project, spec: file.spec, apps: file.apps, environments: file.environments, builds: file.builds });
    if (answer.kind === 'refused') findings.problem(['metadata', 'name'], answer.message);
  }
  return findings.problems.length > 0 ? undefined : file;
}

function nameProblems(spec: PipelineText['spec'], places: ReturnType<typeof environmentsOf>, findings: Findings): void {
  findings.unique(['spec', 'stages'], 'stage', spec.stages.map(({ name }) => name));
  places.forEach(({ environment, at }, index) => {
    if (places.findIndex((other) => other.environment === environment) !== index) findings.problem(at, `environment '${environment}' is there twice`);
    if (environment.length > environmentNameMax) findings.problem(at, `'${environment}' is too long for the name of an environment: at most ${environmentNameMax} characters`);
  });
}

interface Defined {
  readonly deployments: ReadonlyMap<string, CompiledDeployment>;
  readonly workflows: readonly string[];
  readonly windows: readonly string[];
}

function environmentProblems(written: EnvironmentText, path: Path, { deployments, workflows, windows }: Defined, findings: Findings): CompiledDeployment {
  const { labels, wrong } = labelsOf(written.targets);
  for (const part of wrong) findings.problem([...path, 'targets'], `'${part}' is not a label of the form key=value that is there once; several are separated by commas, such as "env=prod,region=na"`);
  if (wrong.length === 0 && Object.keys(labels).length === 0) findings.problem([...path, 'targets'], 'an environment needs a label that its targets have, such as "env=prod"');
  for (const problem of labelProblems(labels)) findings.problem([...path, 'targets'], problem);
  if (written.workflow !== undefined) findings.reference([...path, 'workflow'], 'workflow', written.workflow, workflows);
  findings.references([...path, 'windows'], 'window', written.windows ?? [], windows);
  if (written.deployment !== undefined) findings.reference([...path, 'deployment'], 'deployment configuration', written.deployment, [...deployments.keys()]);
  return deployments.get(written.deployment ?? '') ?? plainDeployment;
}

/** What runs in an environment, in the order in which it is deployed: what is promoted to it, unless the file says more or otherwise. */
function appsIn({ name, apps }: EnvironmentText, path: Path, carried: readonly string[], known: readonly string[], findings: Findings): readonly string[] {
  if (apps === undefined) return carried;
  if (!findings.references([...path, 'apps'], 'application', apps, known)) return apps;
  const missing = carried.filter((app) => !apps.includes(app));
  if (missing.length > 0) findings.problem([...path, 'apps'], `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} promoted to '${name}'; name ${missing.length === 1 ? 'it' : 'them'} here too, or leave 'apps' out`);
  apps.forEach((app, index) => {
    if (apps.indexOf(app) !== index) findings.problem([...path, 'apps', index], `application '${app}' is there twice`);
  });
  return apps;
}

/** What the applications need of their machines, and the pipeline's labels; what is left out says nothing. */
function moreOf({ metadata: { labels = {} }, spec }: Pick<PipelineText, 'metadata' | 'spec'>, findings: Findings): Pick<PipelineSpec, 'labels' | 'requirements' | 'deploySpecs'> {
  for (const problem of labelProblems(labels)) findings.problem(['metadata', 'labels'], problem);
  const requirements = spec.apps.flatMap(({ name, requires = [] }, index) => {
    requires.forEach(({ version }, nth) => {
      if (!isRange(version)) findings.problem(['spec', 'apps', index, 'requires', nth, 'version'], `'${version}' is not a range of versions such as ">=22.3 <23"`);
    });
    return requires.length === 0 ? [] : [{ app: name, requires }];
  });
  const deploySpecs = spec.apps.flatMap(({ name, deploySpec }) => (deploySpec === undefined || deploySpec === 'deploy.yaml' ? [] : [{ app: name, path: deploySpec }]));
  spec.apps.forEach(({ deploySpec }, index) => {
    const broken = deploySpec === undefined ? undefined : brokenPathRule(deploySpec);
    if (broken !== undefined) findings.problem(['spec', 'apps', index, 'deploySpec'], `'${deploySpec}' ${broken}; expected a path inside of what is pushed, such as deploy/prod.yaml`);
  });
  return { ...(Object.keys(labels).length === 0 ? {} : { labels }), ...(requirements.length === 0 ? {} : { requirements }), ...(deploySpecs.length === 0 ? {} : { deploySpecs }) };
}
