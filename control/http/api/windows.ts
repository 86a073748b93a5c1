// Handlers of time windows: what is configured, when each is active, and what that means for an environment.

import type { Window } from '../../../proto/api/windows.ts';
import type { TimeWindow } from '../../../proto/window.ts';
import { openingsAt, windowsAt } from '../../core/gates/openings.ts';
import type { Pipeline } from '../../core/model/pipeline.ts';
import type { State } from '../../core/model/model.ts';
import { occurrencesBetween } from '../../core/windows/occurrences.ts';
import { ControlError } from '../../errors.ts';
import { found, type ApiOptions, type Handlers } from './api.ts';
import { pageByKey } from '../paging.ts';

const dayMs = 86_400_000;
/** What is told of when nothing is asked for. */
const occurrencesForMs = 30 * dayMs;
/** The longest stretch of one question. */
const occurrencesForMsMax = 366 * dayMs;

export function windowHandlers({ facts, clock }: ApiOptions): Handlers<'listWindows' | 'listOccurrences' | 'getEnvironmentWindows'> {
  return {
    listWindows: async ({ query: { pipeline, environment, ...query } }) => {
      const state = facts.state();
      if (environment !== undefined) found(state.environments.get(environment), 'environment', environment);
      const pipelines = [...state.pipelines.values()].filter((one) => pipeline === undefined || one.pipeline === pipeline);
      const windows = pipelines.flatMap((one) => viewsOf(state, one)).filter(({ environments }) => environment === undefined || environments.includes(environment));
      const keyOf = (one: Window): string => `${one.pipeline}/${one.window}`;
      return { body: pageByKey(windows.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)), keyOf, query) };
    },
    listOccurrences: async ({ params: { pipeline, window: name }, query }) => {
      const known = found(facts.state().pipelines.get(pipeline), 'pipeline', pipeline);
      const window = found(known.spec.windows.find((one) => one.window === name), 'window', name);
      const from = query.from ?? clock.now();
      const to = query.to ?? from + occurrencesForMs;
      if (to < from || to - from > occurrencesForMsMax) throw new ControlError('INVALID_REQUEST', `from ${from} to ${to} is not a stretch of up to ${occurrencesForMsMax / dayMs} days`);
      const { occurrences, knownTo } = occurrencesBetween(window, from, to);
      return { body: { pipeline, window: name, items: occurrences.map((one) => ({ ...one })), knownTo } };
    },
    getEnvironmentWindows: async ({ params: { environment }, query: { at = clock.now(), until } }) => {
      const state = facts.state();
      found(state.environments.get(environment), 'environment', environment);
      const { open, holds, changesAt, openings, windows } = openingsAt(state, environment, at, until);
      return {
        body: {
          environment,
          at,
          open,
          holds: holds.map(({ window, why, since, until }) => ({ window: window.window, why, ...(since === undefined ? {} : { since }), ...(until === undefined ? {} : { until }) })),
          ...(changesAt === undefined ? {} : { changesAt }),
          openings: openings.map((one) => ({ ...one })),
          windows: windows.map(({ window }) => window),
        },
      };
    },
  };
}

function viewsOf(state: State, { pipeline, spec }: Pipeline): readonly Window[] {
  const environments = spec.stages.flatMap((stage) => stage.environments.map(({ environment }) => ({ environment, windows: windowsAt(state, environment) })));
  return spec.windows.map((window) => windowView(pipeline, window, environments.filter(({ windows }) => windows.some((one) => one.window === window.window)).map(({ environment }) => environment)));
}

function windowView(pipeline: string, { window, kind, timeZone, schedule, onClose, jitterMs, maxDeploysPerOccurrence, override }: TimeWindow, environments: string[]): Window {
  return {
    pipeline,
    window,
    kind,
    timeZone,
    schedule,
    onClose,
    ...(jitterMs === undefined ? {} : { jitterMs }),
    ...(maxDeploysPerOccurrence === undefined ? {} : { maxDeploysPerOccurrence }),
    ...(override === undefined ? {} : { override: { ...override } }),
    environments,
  };
}
