// What needs a look first: how a pipeline, an environment and a promotion are doing, in one word each, and the order that follows. Pure, and
// nothing is decided here: it is read off what the control plane says.

import type { DeploymentSummary } from '../../proto/api/deployments.ts';
import type { Graph, PipelineSummary } from '../../proto/api/pipelines.ts';
import type { Status } from '../../proto/api/status.ts';
import { blockerName } from './words.ts';

/** From what cannot wait to what is well. */
export const tones = ['bad', 'blocked', 'waiting', 'busy', 'well', 'off'] as const;
export type Tone = (typeof tones)[number];

export type EnvironmentNode = Graph['stages'][number]['environments'][number];
export type EdgeNode = Graph['edges'][number];

/** A state for people: never its colour alone. */
export interface Standing {
  readonly tone: Tone;
  readonly text: string;
}

/** Blockers that end by themselves or are work that goes on: nobody need do anything. */
const patient = new Set(['soak', 'window', 'active-deployment', 'workflow', 'coverage', 'after', 'same-set', 'downgrade']);

/** How a promotion stands. */
export function edgeStanding({ enabled, held, candidate, blockers, auto, automation }: EdgeNode): Standing {
  if (!enabled) return { tone: 'off', text: 'switched off' };
  if (held !== undefined) return { tone: 'blocked', text: 'on hold' };
  const first = blockers.find(({ type }) => !patient.has(type)) ?? blockers[0];
  if (first !== undefined) return { tone: patient.has(first.type) ? 'waiting' : 'blocked', text: blockerName(first) };
  if (candidate !== undefined) return auto && automation ? { tone: 'busy', text: 'going' } : { tone: 'waiting', text: 'ready' };
  if (auto && !automation) return { tone: 'off', text: 'automation off' };
  return { tone: 'well', text: auto ? 'automatic' : 'by hand' };
}

/** How an environment stands; `deployment` is its newest, where that is known. */
export function environmentStanding({ activeDeployment, current, pinned, locks, run }: EnvironmentNode, deployment: DeploymentSummary | undefined): Standing {
  if (deployment?.phase === 'rollback-failed' || deployment?.phase === 'failed') return { tone: 'bad', text: deployment.phase.replace('-', ' ') };
  if (deployment?.paused !== undefined && activeDeployment !== undefined) return { tone: 'blocked', text: 'paused' };
  if (activeDeployment !== undefined) return { tone: 'busy', text: (deployment?.phase ?? 'deploying').replace('-', ' ') };
  if (deployment?.phase === 'rolled-back') return { tone: 'bad', text: 'rolled back' };
  if (run?.phase === 'failed') return { tone: 'bad', text: `${run.workflow} failed` };
  if (run?.phase === 'running') return { tone: 'busy', text: `${run.workflow} runs` };
  if (locks.length > 0) return { tone: 'blocked', text: 'locked' };
  if (pinned) return { tone: 'blocked', text: 'pinned' };
  if (current.length === 0) return { tone: 'off', text: 'empty' };
  return { tone: 'well', text: 'in place' };
}

/** How a pipeline stands as a whole. */
export function pipelineStanding(graph: Pick<Graph, 'enabled' | 'stages' | 'edges'>, deployments: ReadonlyMap<string, DeploymentSummary>): Standing {
  if (!graph.enabled) return { tone: 'off', text: 'disabled' };
  const environments = graph.stages.flatMap((stage) => stage.environments);
  const parts = [
    // Of two that are alike, what waits to go is more pressing than what nobody wants to change.
    ...graph.edges.map((edge) => ({ of: edge.to, ...edgeStanding(edge) })),
    ...environments.map((node) => ({ of: node.environment, ...environmentStanding(node, deployments.get(node.environment)) })),
  ].filter(({ tone }) => tone !== 'off');
  const first = parts.toSorted((a, b) => tones.indexOf(a.tone) - tones.indexOf(b.tone))[0];
  return first === undefined || first.tone === 'well' ? { tone: 'well', text: 'all in place' } : { tone: first.tone, text: `${first.of}: ${first.text}` };
}

/** Blocked first, then by name: a list that people learn by heart must not shuffle among equals. */
export function byAttention<Item extends { readonly name: string; readonly standing: Standing | undefined }>(items: readonly Item[]): readonly Item[] {
  const rank = ({ standing }: Item): number => (standing === undefined ? tones.length : tones.indexOf(standing.tone));
  return items.toSorted((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
}

const deploymentTones: Readonly<Record<DeploymentSummary['phase'], Tone>> = {
  distributing: 'busy', running: 'busy', baking: 'waiting', 'rolling-back': 'bad', succeeded: 'well', failed: 'bad', 'rolled-back': 'bad', 'rollback-failed': 'bad', aborted: 'off',
};

/** How a deployment stands. */
export function deploymentStanding({ phase, paused }: Pick<DeploymentSummary, 'phase' | 'paused'>): Standing {
  return paused === undefined ? { tone: deploymentTones[phase], text: phase.replaceAll('-', ' ') } : { tone: 'blocked', text: 'paused' };
}

/** The newest deployment of each environment that has one. */
export function newestDeployments(status: Pick<Status, 'environments'> | undefined): ReadonlyMap<string, DeploymentSummary> {
  return new Map((status?.environments ?? []).flatMap(({ environment, deployment }) => (deployment === undefined ? [] : [[environment, deployment] as const])));
}

/** Environments that no pipeline has, by name. */
export function alone<Item extends { readonly environment: string }>(environments: readonly Item[], pipelines: readonly Pick<PipelineSummary, 'stages'>[]): readonly Item[] {
  const placed = new Set(pipelines.flatMap(({ stages }) => stages.flatMap((stage) => stage.environments)));
  return environments.filter(({ environment }) => !placed.has(environment)).toSorted((a, b) => (a.environment < b.environment ? -1 : 1));
}
