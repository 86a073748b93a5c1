// Pipelines as resources: as they are configured, what an edit would change, and the graph with what goes on in it. Nothing is
// decided here: candidates, blockers and windows are what control/core says.

import type { Graph, Pipeline, PipelineSummary, Plan } from '../../../proto/api/pipelines.ts';
import type { PipelineSpec, SetMembers } from '../../../proto/pipeline.ts';
import { candidateOf, chooseAmong, freeOptions } from '../../core/choice/candidates.ts';
import { evaluateGates } from '../../core/gates/gates.ts';
import { locksOn } from '../../core/gates/lock.ts';
import { automationOn } from '../../core/gates/order.ts';
import { numberOf } from '../../core/gates/blocker.ts';
import { contextOf } from '../../core/gates/gates.ts';
import { edgesOf, placeOf, windowsOf, type EdgePlace } from '../../core/gates/place.ts';
import type * as pipelines from '../../core/model/pipeline.ts';
import type { Environment, State } from '../../core/model/model.ts';
import { buildsOf, environmentsOf, wishOf, type PipelinePlan } from '../../core/forecast/plan.ts';
import { membersOf, targetsOf, type Observed } from '../../core/model/select.ts';
import { isSameSet } from '../../core/model/sets.ts';
import { evaluateWindows } from '../../core/windows/evaluate.ts';
import { blockerView } from './governance.ts';
import { configView } from './views.ts';

function headView({ pipeline, project, enabled, generation, switchedAt, switchedBy, switchReason, spec: { labels } }: pipelines.Pipeline) {
  return { pipeline, project, enabled, generation, switchedAt, switchedBy, ...(switchReason === undefined ? {} : { switchReason }), ...(labels === undefined ? {} : { labels: { ...labels } }) };
}

export function pipelineSummary(state: State, pipeline: pipelines.Pipeline): PipelineSummary {
  const stages = pipeline.spec.stages.map(({ stage, environments }) => ({ stage, environments: environments.map(({ environment }) => environment) }));
  return { ...headView(pipeline), apps: appsOf(state, pipeline), stages };
}

export function pipelineView(state: State, pipeline: pipelines.Pipeline): Pipeline {
  const environments = environmentsOf(state, pipeline).map(wishOf).map(({ environment, apps, selector, config }) => ({ environment, apps: [...apps], selector: { ...selector }, config: configView(config) }));
  const builds = buildsOf(state, pipeline).map(({ app, settings }) => ({ app, settings: { ...settings, repo: { ...settings.repo, paths: [...settings.repo.paths] } } }));
  return { ...headView(pipeline), spec: pipeline.spec, apps: appsOf(state, pipeline), environments, builds };
}

/** Applications of a pipeline in the order in which its environments deploy them; where those differ, the first says. */
export function appsOf(state: State, pipeline: pipelines.Pipeline): string[] {
  const lists = environmentsOf(state, pipeline).map(({ apps }) => apps);
  const apps = [...new Set([...pipeline.spec.edges.flatMap((edge) => (edge.from.kind === 'app' ? [edge.from.app] : [])), ...lists.flat()])];
  const sorted: string[] = [];
  while (sorted.length < apps.length) {
    const open = apps.filter((app) => !sorted.includes(app));
    const isFirst = (app: string): boolean => lists.every((list) => !list.includes(app) || list.slice(0, list.indexOf(app)).every((before) => sorted.includes(before)));
    sorted.push(open.find(isFirst) ?? open[0] ?? '');
  }
  return sorted;
}

export function planView(state: State, pipeline: string, plan: PipelinePlan, warnings: readonly string[]): Plan {
  return {
    pipeline,
    kind: plan.kind,
    changes: plan.changes.map((change) => ({ ...change })),
    approvals: plan.approvals.flatMap(({ request, becomes, reason }) => {
      const found = state.requests.get(request);
      if (found === undefined) return [];
      const { subject, status } = found;
      return [{ approval: request, purpose: subject.purpose, status, source: subject.source, becomes, reason, ...(subject.destination === undefined ? {} : { environment: subject.destination }) }];
    }),
    runs: plan.runs.flatMap(({ run, reason }) => {
      const found = state.runs.get(run);
      return found === undefined ? [] : [{ run, workflow: found.workflow, environment: found.environment, reason }];
    }),
    promotions: plan.promotions.map(({ promotion, environment, holds, frees }) => ({ promotion, environment, holds: holds.map(blockerView), frees: frees.map(blockerView) })),
    forgets: plan.forgets.map((one) => ({ ...one })),
    warnings: [...warnings],
    begins: plan.begins.map((one) => ({ ...one })),
  };
}

/** Channels that a pipeline names and the settings lack: nobody would be told, and nobody would know. */
export function unknownChannels({ notifications = [], workflows }: PipelineSpec, channels: readonly string[]): readonly string[] {
  const steps = workflows.flatMap(({ steps: all }) => all.flatMap(({ kind, with: settings }) => (kind === 'notify' ? (settings?.['to'] ?? []) : [])));
  const named = new Set([...notifications.map(({ channel }) => channel), ...steps]);
  const known = channels.length === 0 ? 'there are none' : `there ${channels.length === 1 ? 'is' : 'are'} ${channels.toSorted().join(', ')}`;
  return [...named].filter((one) => !channels.includes(one)).map((one) => `the control plane's settings have no channel '${one}', so that nobody is told through it; ${known}: \`starling notify channels\``);
}

export function graphView(state: State, observed: Observed, pipeline: pipelines.Pipeline): Graph {
  const { pipeline: name, project, enabled, generation, spec } = pipeline;
  return {
    pipeline: name,
    project,
    enabled,
    generation,
    at: observed.now,
    apps: appsOf(state, pipeline).map((app) => {
      const revisions = state.apps.get(app)?.revisions ?? [];
      const latest = revisions.at(-1);
      return { app, revisions: revisions.length, ...(latest === undefined ? {} : { latest: { app, number: latest.number, revision: latest.revision } }) };
    }),
    stages: spec.stages.map(({ stage, environments }) => ({
      stage,
      environments: environments.flatMap(({ environment }) => {
        const found = state.environments.get(environment);
        return found === undefined ? [] : [environmentNode(state, observed, found)];
      }),
    })),
    edges: edgesOf(pipeline).map((edge) => edgeNode(state, observed, edge)),
  };
}

type EnvironmentNode = Graph['stages'][number]['environments'][number];

function environmentNode(state: State, observed: Observed, environment: Environment): EnvironmentNode {
  const { environment: name, apps, activeDeployment, newestDeployment, waiting } = environment;
  const sets = state.sets.get(name);
  const arrived = sets?.arrivals.findLast(({ members }) => isSameSet(members, sets.current));
  const run = [...state.runs.values()].findLast((one) => one.environment === name);
  const place = placeOf(state, name);
  const windows = place === undefined ? [] : windowsOf(place, undefined);
  const verdict = evaluateWindows(windows, { environment: name, starts: sets?.starts ?? [], lifted: new Set() }, observed.now);
  return {
    environment: name,
    apps: [...apps],
    current: references(state, sets?.current, apps),
    ...(arrived === undefined ? {} : { since: arrived.at }),
    desired: references(state, sets?.desired, apps),
    targets: targetsOf(state, environment).length,
    ...(activeDeployment === undefined ? {} : { activeDeployment }),
    ...(newestDeployment === undefined ? {} : { newestDeployment }),
    waiting: [...waiting],
    ...(run === undefined ? {} : { run: { run: run.run, workflow: run.workflow, phase: run.phase } }),
    locks: locksOn(state, name, observed.now).map(({ lock, reason, expiresAt }) => ({ lock, reason, ...(expiresAt === undefined ? {} : { until: expiresAt }) })),
    pinned: isPinned(state, name, observed.now),
    windows: { names: windows.map(({ window }) => window), open: verdict.open, ...(verdict.changesAt === undefined ? {} : { until: verdict.changesAt }) },
  };
}

function isPinned(state: State, environment: string, now: number): boolean {
  const pin = state.pins.get(environment);
  return pin !== undefined && (pin.until === undefined || pin.until > now);
}

/** An edge with what goes along it next: what waits already, or the newest that could. */
function edgeNode(state: State, observed: Observed, edge: EdgePlace): Graph['edges'][number] {
  const { from, to, apps, auto } = edge.spec;
  const environment = state.environments.get(to);
  const hold = state.holds.get(edge.id);
  const next = environment === undefined ? { blockers: [] } : nextAlong(state, observed, edge, environment);
  // One that is about what was taken back holds nothing else.
  const held = hold?.sets === undefined || next.blockers.some(({ type }) => type === 'hold') ? hold : undefined;
  return {
    edge: edge.id,
    from: from.kind === 'app' ? { app: from.app } : { environment: from.environment },
    to,
    apps: [...apps],
    auto,
    enabled: !state.switches.has(`edge-off:${edge.id}`),
    automation: auto && environment !== undefined && isAutomatic(state, observed, edge, environment),
    ...(held === undefined ? {} : { held: held.reason }),
    ...next,
  };
}

function isAutomatic(state: State, observed: Observed, edge: EdgePlace, environment: Environment): boolean {
  const thought = candidateOf(environment, edge, { carried: {} }, state, observed.now);
  return automationOn({ ...contextOf(state, environment, thought, observed), edge }).blockers.length === 0;
}

function nextAlong(state: State, observed: Observed, edge: EdgePlace, environment: Environment): Pick<Graph['edges'][number], 'candidate' | 'promotion' | 'blockers'> {
  const waiting = environment.waiting.flatMap((id) => state.promotions.get(id) ?? []).find((promotion) => edge.spec.apps.some((app) => membersOf(promotion)[app] !== undefined));
  if (waiting !== undefined) {
    return { candidate: references(state, membersOf(waiting), environment.apps), promotion: waiting.promotion, blockers: evaluateGates(state, waiting, observed).blockers.map(blockerView) };
  }
  const chosen = chooseAmong(state, environment, edge, freeOptions(state, environment, edge));
  if (chosen.kind !== 'chosen') return { blockers: [] };
  const { blockers } = evaluateGates(state, candidateOf(environment, edge, chosen.option, state, observed.now), observed);
  return { candidate: references(state, chosen.option.carried, environment.apps), blockers: blockers.map(blockerView) };
}

/** In the order in which an environment deploys its applications. */
function references(state: State, members: SetMembers | undefined, apps: readonly string[]) {
  return apps.flatMap((app) => {
    const revision = members?.[app];
    if (revision === undefined) return [];
    const number = numberOf(state, app, revision);
    return [{ app, revision, ...(number === undefined ? {} : { number }) }];
  });
}
