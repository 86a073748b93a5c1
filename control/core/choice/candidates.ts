// What an edge could bring to its destination now, and which of it the policy would choose. Asked by automation, by a
// promotion by hand (is this the candidate?) and by explain; all get the same answer.

import type { SetMembers } from '../../../proto/pipeline.ts';
import { approved, verified } from '../gates/approval.ts';
import { numberOf } from '../gates/blocker.ts';
import type { Candidate } from '../gates/blocker.ts';
import { carriedBy, isHeldBy, wholeWith } from '../gates/carried.ts';
import type { EdgePlace } from '../gates/place.ts';
import { contextOf } from '../gates/gates.ts';
import type { Environment, State } from '../model/model.ts';
import { isWithdrawn, type Observed } from '../model/select.ts';
import { choose } from './selection.ts';
import type { Chosen, Option } from './selection.ts';
import { pick, setIdOf } from '../model/sets.ts';

/** Revisions of an application that are looked at, newest first: an edge that has fallen behind further takes a newer one. */
const revisionsMax = 200;

/** What the gates are asked about when an option is to go on by automation. */
export function candidateOf(environment: Environment, edge: EdgePlace, option: Option, state: State, now: number): Candidate {
  const app = environment.apps.find((one) => option.carried[one] !== undefined) ?? '';
  const revision = option.carried[app] ?? '';
  const number = numberOf(state, app, revision) ?? 0;
  return { environment: environment.environment, app, revision, number, trigger: 'manual', cause: 'auto', edge: edge.id, members: option.carried, createdAt: now };
}

/** Options that are newer than what the destination wants in no application older, not vetoed, not expired; whatever people think of them. */
export function newerOptions(state: State, environment: Environment, edge: EdgePlace): readonly Option[] {
  return optionsOf(state, edge).filter(({ carried }) => {
    const entries = Object.entries(carried);
    if (entries.length === 0 || entries.some(([app, revision]) => isWithdrawn(state, environment.environment, app, revision))) return false;
    const steps = entries.map(([app, revision]) => (numberOf(state, app, revision) ?? 0) - wantedNumber(state, environment, app));
    return steps.every((step) => step >= 0) && steps.some((step) => step > 0);
  });
}

/**
 * The highest number of an application that the set wants, or that was wanted last: a set that another edge began says nothing of what failed here
 * before, and automation would bring that again and again.
 */
function wantedNumber(state: State, environment: Environment, app: string): number {
  const wanted = [state.sets.get(environment.environment)?.desired?.[app], environment.slots[app]?.desired];
  return Math.max(0, ...wanted.map((revision) => numberOf(state, app, revision ?? '') ?? 0));
}

/** What the policy chooses among the options that were verified and approved: what a rollback by itself holds does not stand in the way of what may go. */
export function chosenFor(state: State, environment: Environment, edge: EdgePlace, observed: Observed): Chosen {
  return chooseAmong(state, environment, edge, freeOptions(state, environment, edge).filter((option) => isVerified(state, environment, edge, option, observed) && isApproved(state, environment, edge, option, observed)));
}

/** Newer options without those that a rollback by itself holds; all of them when no other is there, so that what holds them can be said. */
export function freeOptions(state: State, environment: Environment, edge: EdgePlace): readonly Option[] {
  const options = newerOptions(state, environment, edge);
  const hold = state.holds.get(edge.id);
  const free = hold?.sets === undefined ? options : options.filter(({ carried }) => !isHeldBy(state, hold, wholeWith(state, environment.environment, carried)));
  return free.length > 0 ? free : options;
}

/** What the policy chooses among these. */
export function chooseAmong(state: State, environment: Environment, edge: EdgePlace, options: readonly Option[]): Chosen {
  const { from } = edge.spec;
  const upstream = from.kind === 'environment' ? state.sets.get(from.environment)?.current : undefined;
  const destination = state.sets.get(environment.environment)?.desired ?? {};
  return choose(state, { select: edge.spec.select, options, destination, mode: edge.pipeline.spec.executionMode, ...(upstream === undefined ? {} : { upstream }) });
}

/** Whether the source's workflow says yes. */
export function isVerified(state: State, environment: Environment, edge: EdgePlace, option: Option, observed: Observed): boolean {
  return verified(contextOf(state, environment, candidateOf(environment, edge, option, state, observed.now), observed)).blockers.length === 0;
}

function isApproved(state: State, environment: Environment, edge: EdgePlace, option: Option, observed: Observed): boolean {
  return approved(contextOf(state, environment, candidateOf(environment, edge, option, state, observed.now), observed)).blockers.length === 0;
}

/** All that is at the edge's source and was not rolled back there, each once. */
function optionsOf(state: State, edge: EdgePlace): readonly Option[] {
  const { from } = edge.spec;
  const options: Option[] =
    from.kind === 'app'
      ? (state.apps.get(from.app)?.revisions ?? []).slice(-revisionsMax).map(({ revision }) => ({ carried: { [from.app]: revision } }))
      : (state.sets.get(from.environment)?.arrivals ?? []).filter((arrival) => !arrival.undone).map(({ members }) => ({ carried: carriedBy(edge, members), source: members }));
  return [...new Map(options.map((option) => [setIdOf(option.carried), option])).values()];
}

/** Whether two sets are the same in what both name of these applications. */
export function carriesSame(members: SetMembers | undefined, carried: SetMembers): boolean {
  return members !== undefined && setIdOf(pick(members, Object.keys(carried))) === setIdOf(carried);
}
