// What an edge carries: the part of a set that is of its applications, where that came from, and when it arrived at its
// source. Approvals, soak and workflow results all hang on it.

import type { SetMembers } from '../../../proto/pipeline.ts';
import type { Arrival } from '../model/pipeline.ts';
import type { State } from '../model/model.ts';
import type { Hold } from '../model/restraints.ts';
import { revisionOf } from '../model/select.ts';
import { isSameSet, pick } from '../model/sets.ts';
import type { EdgePlace } from './place.ts';

/** The whole set that an environment would run with what a promotion brings: everything else stays as it is (S-5). */
export function wholeWith(state: State, environment: string, members: SetMembers): SetMembers {
  return { ...state.sets.get(environment)?.current, ...members };
}

/** The part of `members` that the edge carries. */
export function carriedBy(edge: EdgePlace, members: SetMembers): SetMembers {
  return pick(members, edge.spec.apps);
}

/** Whether a hold is about a set: about whatever comes, or about one that this does not come after. What was passed over on the way to what was bad may be known to be bad too. */
export function isHeldBy(state: State, { sets }: Hold, members: SetMembers): boolean {
  const number = (app: string, revision = ''): number => revisionOf(state, app, revision)?.number ?? 0;
  return sets === undefined || sets.some((set) => Object.entries(set).every(([app, revision]) => number(app, members[app]) <= number(app, revision)));
}

/** The times that what is carried arrived at an environment and stayed, oldest first. */
export function arrivalsOf(state: State, environment: string, carried: SetMembers): readonly Arrival[] {
  const apps = Object.keys(carried);
  return (state.sets.get(environment)?.arrivals ?? []).filter((arrival) => !arrival.undone && isSameSet(pick(arrival.members, apps), carried));
}

/** Since when what is carried is at the edge's source; undefined when it never came there, or was rolled back. */
export function atSourceSince(state: State, edge: EdgePlace, carried: SetMembers): number | undefined {
  const { from } = edge.spec;
  if (from.kind === 'environment') return arrivalsOf(state, from.environment, carried)[0]?.at;
  const digest = carried[from.app];
  return digest === undefined ? undefined : revisionOf(state, from.app, digest)?.createdAt;
}
