// Where an environment is: its pipeline, its stage, and the edges that lead to it. Nothing is decided here.

import type { Scope } from '../../../proto/events-pipeline.ts';
import type { EdgeSpec, PipelineEnvironment, StageSpec } from '../../../proto/pipeline.ts';
import type { TimeWindow } from '../../../proto/window.ts';
import type { Pipeline } from '../model/pipeline.ts';
import type { State } from '../model/model.ts';

/** An environment in its stage and pipeline. */
export interface Place {
  readonly pipeline: Pipeline;
  readonly stage: StageSpec;
  readonly spec: PipelineEnvironment;
}

/** A promotion configuration in its pipeline. */
export interface EdgePlace {
  /** `pipeline/edge`. */
  readonly id: string;
  readonly spec: EdgeSpec;
  readonly pipeline: Pipeline;
}

/** Where `environment` is; undefined when it is in no pipeline. */
export function placeOf(state: State, environment: string): Place | undefined {
  for (const pipeline of state.pipelines.values()) {
    for (const stage of pipeline.spec.stages) {
      const spec = stage.environments.find((one) => one.environment === environment);
      if (spec !== undefined) return { pipeline, stage, spec };
    }
  }
  return undefined;
}

/** Every edge of a pipeline. */
export function edgesOf(pipeline: Pipeline): readonly EdgePlace[] {
  return pipeline.spec.edges.map((spec) => placed(pipeline, spec));
}

function placed(pipeline: Pipeline, spec: EdgeSpec): EdgePlace {
  return { id: `${pipeline.pipeline}/${spec.edge}`, spec, pipeline };
}

/** Every edge that leads to `environment`. */
export function edgesInto(state: State, environment: string): readonly EdgePlace[] {
  const pipeline = placeOf(state, environment)?.pipeline;
  // Of the few that do: with fifty environments, each asks for its own several times at every decision.
  return pipeline === undefined ? [] : pipeline.spec.edges.filter((spec) => spec.to === environment).map((spec) => placed(pipeline, spec));
}

/** The one edge that brings `app` to `environment`. */
export function edgeOf(state: State, environment: string, app: string): EdgePlace | undefined {
  return edgesInto(state, environment).find((edge) => edge.spec.apps.includes(app));
}

/** What the source of an edge is called in requests for approval. */
export function sourceOf(edge: EdgePlace): string {
  return edge.spec.from.kind === 'app' ? `app:${edge.spec.from.app}` : edge.spec.from.environment;
}

/** The windows that hold an edge and its destination. */
export function windowsOf(place: Place, edge: EdgePlace | undefined): readonly TimeWindow[] {
  const names = new Set([...place.spec.windows, ...(edge?.spec.windows ?? [])]);
  return place.pipeline.spec.windows.filter((window) => names.has(window.window));
}

/** The scopes that an environment is in, from the widest to itself (L-5). */
export function scopesOf(environment: string, place: Place | undefined): readonly Scope[] {
  const own: Scope = { kind: 'environment', id: environment };
  if (place === undefined) return [{ kind: 'all' }, own];
  const { pipeline, project } = place.pipeline;
  return [
    { kind: 'all' },
    { kind: 'project', id: project },
    { kind: 'pipeline', id: pipeline },
    { kind: 'stage', id: `${pipeline}/${place.stage.stage}` },
    own,
  ];
}

/** A scope as text: `stage shop/prod`. */
export function scopeText(scope: Scope): string {
  return scope.kind === 'all' ? 'everything' : `${scope.kind} ${scope.id}`;
}

/** Whether `scope` is one of these. */
export function isWithin(scopes: readonly Scope[], scope: Scope): boolean {
  return scopes.some((one) => scopeText(one) === scopeText(scope));
}
