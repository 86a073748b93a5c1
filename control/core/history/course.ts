// How an application went in one environment: which number ran since when, what was tried and came to nothing, what is under
// way. Made of deployments alone, as they are on record; what a change waits for is prospects.ts.

import type { Deployment } from '../model/deployment.ts';
import type { State } from '../model/model.ts';
import { isFinished } from '../model/phases.ts';

/** From `at` on, until the next, revision `number` was what the environment ran. */
export interface Level {
  readonly at: number;
  readonly number: number;
}

/** One application in one environment. */
export interface Course {
  /** In the order of time. */
  readonly levels: readonly Level[];
  /** Deployments that ended without success, in the order of time. */
  readonly attempts: readonly Deployment[];
  /** The deployment under way, unless that only brings late targets to what runs. */
  readonly active?: Deployment;
  /** Newest level first: since then at least `floor` ran, without a gap until now. Floors only fall. */
  readonly stretch: readonly { readonly at: number; readonly floor: number }[];
}

const nowhere: Course = { levels: [], attempts: [], stretch: [] };

/** Courses by environment and application, with a space between. */
export function coursesOf(state: State): (environment: string, app: string) => Course {
  const found = new Map<string, { levels: Level[]; attempts: Deployment[]; active?: Deployment }>();
  for (const deployment of state.deployments.values()) {
    // The one brings late targets to what runs; the other only content near.
    if (deployment.type === 'catch-up' || deployment.type === 'prefetch') continue;
    const key = `${deployment.environment} ${deployment.app}`;
    const course = found.get(key) ?? { levels: [], attempts: [] };
    found.set(key, course);
    if (!isFinished(deployment.phase)) course.active = deployment;
    else if (deployment.phase !== 'succeeded') course.attempts.push(deployment);
    else course.levels.push({ at: deployment.finishedAt ?? deployment.startedAt, number: deployment.number });
  }
  const courses = new Map([...found].map(([key, course]) => [key, { ...course, stretch: stretchOf(course.levels) }]));
  return (environment, app) => courses.get(`${environment} ${app}`) ?? nowhere;
}

function stretchOf(levels: readonly Level[]): Course['stretch'] {
  let floor = Infinity;
  return levels.toReversed().map(({ at, number }) => {
    floor = Math.min(floor, number);
    return { at, floor };
  });
}

/** The number that runs; 0 before there was one. */
export function runningNumber({ levels }: Course): number {
  return levels.at(-1)?.number ?? 0;
}

/** Since when a change that came with revision `number` is there without a gap; undefined when it is not there now. */
export function thereSince({ stretch }: Course, number: number): number | undefined {
  let [from, to] = [0, stretch.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((stretch[middle]?.floor ?? 0) >= number) from = middle + 1;
    else to = middle;
  }
  return stretch[from - 1]?.at;
}

/** When something older came in place of a change that was there; undefined when it never was. Of changes that are not there now. */
export function leftAt({ levels }: Course, number: number): number | undefined {
  const last = levels.findLastIndex((level) => level.number >= number);
  return last < 0 ? undefined : levels[last + 1]?.at;
}

/** The newest deployment that would have brought a change and did not. */
export function lastAttempt({ attempts }: Course, number: number): Deployment | undefined {
  return attempts.findLast((attempt) => attempt.number >= number && attempt.type !== 'rollback');
}
