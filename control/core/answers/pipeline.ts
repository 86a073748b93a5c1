// Commands about configuration: pipelines as a whole, their edges, automation, and what is known of revisions.

import type { Event } from '../../../proto/events.ts';
import { accepted, refused } from '../commands/answer.ts';
import { changeEnvironment, createApp, createEnvironment } from './catalog.ts';
import { evolveAll } from '../evolve/evolve.ts';
import { answerBuild } from './build.ts';
import type { ApplyPipeline, BuildWish, DeletePipeline, DescribeRevision, EnvironmentWish, SetAutomation, SwitchEdge, SwitchPipeline } from '../commands/command-governance.ts';
import type { Answer } from '../commands/command.ts';
import { nameProblem } from '../pipeline/config.ts';
import { edgesOf } from '../gates/place.ts';
import type { EdgePlace } from '../gates/place.ts';
import type { State } from '../model/model.ts';
import { pipelineProblems } from '../pipeline/problems.ts';
import { findRevision } from '../model/select.ts';
import { canonicalText } from '../model/sets.ts';
import { isRange } from '../model/versions.ts';

/** Everything that a pipeline's file says, or nothing of it (G-1); what is so already is not said again. */
export function applyPipeline(state: State, { pipeline, project, spec, apps = [], environments = [], builds = [], enabled, generation }: ApplyPipeline): Answer {
  const problem = nameProblem('a pipeline', pipeline) ?? nameProblem('a project', project);
  if (problem !== undefined) return refused('invalid', problem);
  const known = state.pipelines.get(pipeline);
  if (generation !== undefined && generation !== (known?.generation ?? 0)) return refused('conflict', `somebody applied pipeline '${pipeline}' meanwhile; look at it again`);
  const makes = [
    ...apps.filter((app) => !state.apps.has(app)).map((app) => (before: State) => createApp(before, { kind: 'create-app', app, project })),
    ...environments.map((wish) => (before: State) => wishFor(before, wish)),
    ...builds.map((wish) => (before: State) => buildFor(before, wish)),
  ];
  const events: Event[] = [];
  const problems: string[] = [];
  let after = state;
  for (const make of makes) {
    const answer = make(after);
    if (answer.kind === 'refused') problems.push(answer.message);
    else {
      events.push(...answer.events);
      after = evolveAll(after, answer.events.map((event, index) => ({ seq: after.head + index + 1, at: 0, actor: 'system', event })));
    }
  }
  // Those that could not be made were told of already.
  problems.push(...pipelineProblems(after, pipeline, spec, environments));
  const [first, ...others] = problems;
  if (first !== undefined) return others.length === 0 ? refused('invalid', `pipeline '${pipeline}': ${first}`) : { ...refused('invalid', `pipeline '${pipeline}': ${problems.length} things are wrong`), problems };
  // Disabled in the same append, so that nothing starts in between.
  const switched: readonly Event[] = enabled === undefined || enabled === (known?.enabled ?? true) ? [] : [{ kind: enabled ? 'pipeline.enabled' : 'pipeline.disabled', pipeline }];
  if (known?.project === project && canonicalText(known.spec) === canonicalText(spec)) return accepted(...events, ...switched);
  return accepted(...events, { kind: 'pipeline.applied', pipeline, project, spec }, ...switched);
}

function wishFor(state: State, { environment, apps, selector, config }: EnvironmentWish): Answer {
  const known = state.environments.get(environment);
  if (known === undefined) return createEnvironment(state, { kind: 'create-environment', environment, app: apps[0] ?? '', apps, selector, config });
  const same = canonicalText([known.apps, known.selector, known.config]) === canonicalText([apps, selector, config]);
  return same ? accepted() : changeEnvironment(state, { kind: 'change-environment', environment, apps, selector, config });
}

function buildFor(state: State, { app, settings }: BuildWish): Answer {
  const known = state.autoBuilds.get(app);
  return canonicalText(known?.settings) === canonicalText(settings) ? accepted() : answerBuild(state, { kind: 'configure-build', app, settings });
}

export function switchPipeline(state: State, { pipeline, on, reason }: SwitchPipeline): Answer {
  const known = state.pipelines.get(pipeline);
  if (known === undefined) return refused('not-found', `there is no pipeline '${pipeline}'`);
  if (known.enabled === on) return accepted();
  return accepted({ kind: on ? 'pipeline.enabled' : 'pipeline.disabled', pipeline, ...why(reason) });
}

export function deletePipeline(state: State, { pipeline, reason }: DeletePipeline): Answer {
  if (!state.pipelines.has(pipeline)) return refused('not-found', `there is no pipeline '${pipeline}'`);
  return accepted({ kind: 'pipeline.deleted', pipeline, ...why(reason) });
}

export function switchEdge(state: State, { edge, on, reason }: SwitchEdge): Answer {
  if (findEdge(state, edge) === undefined) return refused('not-found', unknownEdge(state, edge));
  if (state.switches.has(`edge-off:${edge}`) !== on) return accepted();
  return accepted({ kind: on ? 'edge.enabled' : 'edge.disabled', edge, ...why(reason) });
}

export function setAutomation(state: State, { scope, on, reason }: SetAutomation): Answer {
  const known = { pipeline: state.pipelines.has(scope.id), edge: findEdge(state, scope.id) !== undefined, environment: state.environments.has(scope.id), app: state.apps.has(scope.id) };
  if (!known[scope.kind]) return refused('not-found', `there is no ${scope.kind} '${scope.id}'`);
  if (state.switches.has(`${scope.kind}:${scope.id}`) !== on) return accepted();
  return accepted({ kind: 'automation.changed', scope, on, ...why(reason) });
}

export function describeRevision(state: State, { app, revision, description }: DescribeRevision): Answer {
  const record = findRevision(state, app, revision);
  if (record === undefined) return refused('not-found', `application '${app}' has no revision '${revision}'; push it first`);
  const wrong = description.requires?.find((one) => !isRange(one.version));
  if (wrong !== undefined) return refused('invalid', `'${wrong.version}' is not a range of versions of ${wrong.node}, such as '>=22.3 <23'`);
  return accepted({ kind: 'revision.described', app, revision: record.revision, description });
}

/** The edge with this id, `pipeline/edge`. */
export function findEdge(state: State, id: string): EdgePlace | undefined {
  const pipeline = state.pipelines.get(id.split('/')[0] ?? '');
  return pipeline === undefined ? undefined : edgesOf(pipeline).find((edge) => edge.id === id);
}

/** What to say of an edge that is not there. */
export function unknownEdge(state: State, id: string): string {
  const known = [...state.pipelines.values()].flatMap(edgesOf).map((edge) => edge.id).toSorted();
  return `there is no promotion '${id}'; ${known.length === 0 ? 'there are none yet' : `there are ${known.slice(0, 10).join(', ')}`}`;
}

/** A reason, where there is one. */
export function why(reason: string | undefined): { readonly reason?: string } {
  return reason === undefined ? {} : { reason };
}
