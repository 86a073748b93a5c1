// What environments want and run as sets, as it follows from the facts of promotions and deployments: so that a journal
// written before there were pipelines says it too. A deployment of one application leaves the others in the set as they are (S-5).

import type { Event } from '../../../proto/events.ts';
import type { SetMembers } from '../../../proto/pipeline.ts';
import type { Draft, Mutable } from './draft.ts';
import type { Arrival, EnvironmentSets } from '../model/pipeline.ts';
import { isSameSet } from '../model/sets.ts';

/** Arrivals and starts kept for each environment; older ones are in the journal. As many as sets kept for a rollback. */
export const arrivalsMax = 50;
const startsMax = 1000;

/** Folds what a fact of promotions or deployments says about sets. To be called before the fact itself is folded. */
export function foldSets(draft: Draft, event: Event, at: number): void {
  if (event.kind === 'promotion.created') setsOf(draft, event.environment).promotions += 1;
  else if (event.kind === 'deployment.started') foldStarted(draft, event, at);
  else if (event.kind === 'deployment.finished') foldFinished(draft, event, at);
}

/** The sets of an environment, to be changed in place. */
function setsOf(draft: Draft, environment: string): Mutable<EnvironmentSets> {
  return draft.sets.edit(environment) ?? draft.sets.set(environment, { environment, arrivals: [], promotions: 0, starts: [] });
}

function foldStarted(draft: Draft, event: Extract<Event, { readonly kind: 'deployment.started' }>, at: number): void {
  if (draft.deployments.get(event.deployment) !== undefined || event.type === 'catch-up') return;
  const sets = setsOf(draft, event.environment);
  const promotion = draft.promotions.get(event.promotion);
  sets.desired = { ...sets.current, ...promotion?.members, [event.app]: event.to };
  if (event.type === 'rollback') sets.arrivals = takenBack(sets, sets.desired);
  // Once for each promotion (T-6), however many applications it changes.
  if (event.type !== 'rollback' && promotion?.phase !== 'deploying') sets.starts = [...sets.starts, at].slice(-startsMax);
}

function foldFinished(draft: Draft, event: Extract<Event, { readonly kind: 'deployment.finished' }>, at: number): void {
  const deployment = draft.deployments.get(event.deployment);
  if (deployment === undefined || deployment.finishedAt !== undefined || deployment.type === 'catch-up' || deployment.type === 'prefetch') return;
  const sets = setsOf(draft, deployment.environment);
  if (event.phase === 'rolled-back' || event.phase === 'rollback-failed') {
    if (sets.current === undefined) return;
    const { app, rollback, environment } = deployment;
    const slot = draft.environments.get(environment)?.slots[app];
    // What ran and was never found good is left behind with what failed after it.
    if (rollback !== undefined && slot?.stable === rollback.to && slot.current !== slot.stable) {
      sets.current = { ...sets.current, [app]: rollback.to };
      if (sets.arrivals.some((arrival) => !arrival.undone && isSameSet(arrival.members, sets.current))) sets.arrivals = leftBehind(sets.arrivals, sets.current);
    }
    sets.desired = sets.current;
    return;
  }
  if (event.phase !== 'succeeded' || sets.desired === undefined) return;
  // A set has arrived when its last application has.
  if ((draft.promotions.get(deployment.promotion)?.next ?? []).length > 0) return;
  const members: SetMembers = sets.desired;
  const left = deployment.type === 'rollback' ? leftBehind(sets.arrivals, members) : sets.arrivals;
  sets.current = members;
  sets.arrivals = [...left, { members, at, promotion: deployment.promotion, undone: false }].slice(-arrivalsMax);
}

/** Nobody takes further what somebody takes back, from the moment at which that begins and whether all come along or not. */
function takenBack({ arrivals, current }: EnvironmentSets, members: SetMembers): readonly Arrival[] {
  const left = leftBehind(arrivals, members);
  if (left.some(({ undone }) => !undone)) return left;
  // It goes back to what never arrived as it is now: of the others nothing is known.
  return arrivals.map((arrival) => (isSameSet(arrival.members, current) ? { ...arrival, undone: true } : arrival));
}

/** A rollback leaves behind what came after the set that it goes back to. */
function leftBehind(arrivals: readonly Arrival[], members: SetMembers): readonly Arrival[] {
  const back = arrivals.findLastIndex((arrival) => !arrival.undone && isSameSet(arrival.members, members));
  return arrivals.map((arrival, index) => (index > back ? { ...arrival, undone: true } : arrival));
}
