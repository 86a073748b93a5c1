// What applying a pipeline would change, before anybody does it: the differences, the approvals and runs that would no longer
// count, what would newly hold or free what waits, and what automation would begin. It asks the same functions that would act.

import { automation } from '../automation/automation.ts';
import { settleRequests } from '../automation/approvals.ts';
import { settleRuns } from '../automation/workflows.ts';
import type { ApplyPipeline, BuildWish, EnvironmentWish } from '../commands/command-governance.ts';
import type { Refused } from '../commands/command.ts';
import { applyPipeline } from '../answers/pipeline.ts';
import { evolveAll } from '../evolve/evolve.ts';
import { evaluateGates } from '../gates/gates.ts';
import type { Blocker } from '../gates/blocker.ts';
import { edgesOf } from '../gates/place.ts';
import type { Pipeline } from '../model/pipeline.ts';
import type { Environment, State } from '../model/model.ts';
import { differences, type Change } from './diff.ts';
import type { Observed } from '../model/select.ts';

export interface PipelinePlan {
  readonly kind: 'create' | 'change' | 'none';
  readonly changes: readonly Change[];
  readonly approvals: readonly { readonly request: string; readonly becomes: string; readonly reason: string }[];
  readonly runs: readonly { readonly run: string; readonly reason: string }[];
  readonly promotions: readonly { readonly promotion: string; readonly environment: string; readonly holds: readonly Blocker[]; readonly frees: readonly Blocker[] }[];
  readonly forgets: readonly { readonly kind: 'hold' | 'switch'; readonly edge: string; readonly reason: string }[];
  readonly begins: readonly { readonly environment: string; readonly edge: string }[];
}

/** The state as it would be after `command`, or why it would be refused. */
export function applied(state: State, command: ApplyPipeline, now: number): State | Refused {
  const answer = applyPipeline(state, command);
  if (answer.kind === 'refused') return answer;
  return evolveAll(state, answer.events.map((event, index) => ({ seq: state.head + index + 1, at: now, actor: 'system', event })));
}

/** What `command` would do, or why it would be refused. */
export function planPipeline(state: State, observed: Observed, command: ApplyPipeline): PipelinePlan | Refused {
  const after = applied(state, command, observed.now);
  if ('kind' in after) return after;
  const before = configurationOf(state, command.pipeline);
  const changes = differences(before, configurationOf(after, command.pipeline));
  return {
    kind: state.pipelines.has(command.pipeline) ? (changes.length === 0 ? 'none' : 'change') : 'create',
    changes,
    approvals: approvalsLost(state, after, observed.now),
    runs: runsLost(state, after, observed.now),
    promotions: waitsChanged(state, after, observed, command.pipeline),
    forgets: forgotten(state, after),
    begins: begun(state, after, observed),
  };
}

/** What people write of a pipeline: its specification, and its environments as they are; undefined when there is none. */
export function configurationOf(state: State, name: string): object | undefined {
  const pipeline = state.pipelines.get(name);
  if (pipeline === undefined) return undefined;
  // By name: their order is that of the stages, which are compared themselves.
  const environments = environmentsOf(state, pipeline).map(wishOf).toSorted((a, b) => (a.environment < b.environment ? -1 : 1));
  const builds = buildsOf(state, pipeline).toSorted((a, b) => (a.app < b.app ? -1 : 1));
  return { project: pipeline.project, enabled: pipeline.enabled, ...pipeline.spec, environments, ...(builds.length === 0 ? {} : { builds }) };
}

/** The environments of a pipeline in its order. */
export function environmentsOf(state: State, { spec }: Pick<Pipeline, 'spec'>): readonly Environment[] {
  return spec.stages.flatMap((stage) => stage.environments.flatMap(({ environment }) => state.environments.get(environment) ?? []));
}

/** How the applications of a pipeline are built, of those of which it is said. */
export function buildsOf(state: State, { spec }: Pick<Pipeline, 'spec'>): readonly BuildWish[] {
  const apps = new Set(spec.edges.flatMap((edge) => edge.apps));
  return [...state.autoBuilds.values()].filter(({ app }) => apps.has(app)).map(({ app, settings }) => ({ app, settings }));
}

/** An environment as a pipeline's file describes it. */
export function wishOf({ environment, apps, selector, config }: Environment): EnvironmentWish {
  return { environment, apps, selector, config };
}

function approvalsLost(before: State, after: State, now: number): PipelinePlan['approvals'] {
  const anyway = new Set(settleRequests(before, now).flatMap((command) => (command.kind === 'settle-request' ? command.request : [])));
  return settleRequests(after, now).flatMap((command) =>
    command.kind === 'settle-request' && !anyway.has(command.request) ? [{ request: command.request, becomes: command.status, reason: command.reason ?? '' }] : [],
  );
}

function runsLost(before: State, after: State, now: number): PipelinePlan['runs'] {
  const anyway = new Set(settleRuns(before, now).flatMap((command) => (command.kind === 'finish-workflow' ? command.run : [])));
  return settleRuns(after, now).flatMap((command) => (command.kind === 'finish-workflow' && !anyway.has(command.run) ? [{ run: command.run, reason: command.reason ?? '' }] : []));
}

function waitsChanged(before: State, after: State, observed: Observed, pipeline: string): PipelinePlan['promotions'] {
  const names = new Set([before, after].flatMap((state) => state.pipelines.get(pipeline)?.spec.stages.flatMap((stage) => stage.environments.map(({ environment }) => environment)) ?? []));
  const waiting = [...names].flatMap((environment) => before.environments.get(environment)?.waiting ?? []);
  return waiting.flatMap((id) => {
    const promotion = before.promotions.get(id);
    if (promotion === undefined) return [];
    const [was, is] = [evaluateGates(before, promotion, observed).blockers, evaluateGates(after, promotion, observed).blockers];
    const [holds, frees] = [without(is, was), without(was, is)];
    return holds.length + frees.length === 0 ? [] : [{ promotion: id, environment: promotion.environment, holds, frees }];
  });
}

function without(blockers: readonly Blocker[], others: readonly Blocker[]): readonly Blocker[] {
  return blockers.filter((blocker) => !others.some((other) => other.type === blocker.type && other.ref === blocker.ref && other.reason === blocker.reason));
}

/** What holds on to an edge that is there no longer. */
function forgotten(before: State, after: State): PipelinePlan['forgets'] {
  const there = new Set([...after.pipelines.values()].flatMap(edgesOf).map((edge) => edge.id));
  const gone = [...before.pipelines.values()].flatMap(edgesOf).filter((edge) => !there.has(edge.id));
  return gone.flatMap(({ id }) => {
    const hold = before.holds.get(id);
    const off = before.switches.get(`edge-off:${id}`) ?? before.switches.get(`edge:${id}`);
    return [
      ...(hold === undefined ? [] : [{ kind: 'hold', edge: id, reason: hold.reason } as const]),
      ...(off === undefined ? [] : [{ kind: 'switch', edge: id, reason: off.reason } as const]),
    ];
  });
}

function begun(before: State, after: State, observed: Observed): PipelinePlan['begins'] {
  const starts = (state: State) => automation(state, observed).flatMap((command) => (command.kind === 'promote' && command.edge !== undefined ? [{ environment: command.environment, edge: command.edge }] : []));
  const anyway = new Set(starts(before).map(({ edge }) => edge));
  return starts(after).filter(({ edge }) => !anyway.has(edge));
}
