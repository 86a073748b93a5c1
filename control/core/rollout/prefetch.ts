// Content that travels before the gates are open (control-plane.md 1.2: distributing may start before they are, running may
// not): once only time, locks and people hold a promotion, its targets fetch what it brings, so that what follows does not
// depend on its size. The role names the revision early; that authorises nothing without an order to activate.

import type { Event } from '../../../proto/events.ts';
import { lostAfterOf } from '../batches/batches.ts';
import { isEnough, spreading } from '../swarm/coverage.ts';
import type { Blocker, BlockerType } from '../gates/blocker.ts';
import { placeOf } from '../gates/place.ts';
import type { Deployment, TargetDeployment } from '../model/deployment.ts';
import type { Environment, Promotion, State } from '../model/model.ts';
import { isFailure, isFinished } from '../model/phases.ts';
import { isSilent, membersOf, revisionOf, deployableTargets } from '../model/select.ts';
import type { Observed } from '../model/select.ts';
import { nothing, orderEffect, roleEffect } from './step.ts';
import type { Step } from './step.ts';
import { isHolding } from '../swarm/swarm.ts';

/** After a target could not fetch, it is asked again: often enough for a night, seldom enough for the journal. */
const retryAfterMs = 600_000;
/** An order that was not answered is given anew before it runs out (24 h, control/run/perform.ts). */
const renewAfterMs = 12 * 3_600_000;

/** Blockers that end by time or by people: what waits for nothing else will most likely go. */
const bearable: ReadonlySet<BlockerType> = new Set(['soak', 'window', 'freeze', 'lock', 'approval', 'compliance', 'coverage']);
const ofWindows: ReadonlySet<BlockerType> = new Set(['window', 'freeze']);

/** Whether a promotion held by these should have its content on its way. */
export function isWorthFetching(state: State, environment: Environment, promotion: Promotion, blockers: readonly Blocker[]): boolean {
  if (promotion.trigger === 'rollback' || promotion.phase !== 'waiting') return false;
  const { prefetch } = environment.config;
  if (!(prefetch?.enabled ?? placeOf(state, environment.environment)?.spec.coverage !== undefined)) return false;
  if (prefetch?.ignoreWindows === false && blockers.some(({ type }) => ofWindows.has(type))) return false;
  return blockers.length > 0 && blockers.every(({ type }) => bearable.has(type));
}

/** The prefetch under way in an environment. */
export function prefetchOf(state: State, environment: Environment): Deployment | undefined {
  const newest = state.deployments.get(environment.newestPrefetch ?? '');
  return newest === undefined || isFinished(newest.phase) ? undefined : newest;
}

/** The facts that end a prefetch, when `started` begins or nothing wants it any more: handed over to its own promotion, else called off. */
export function prefetchEnded(state: State, environment: Environment, started: Promotion | undefined): readonly Event[] {
  const open = prefetchOf(state, environment);
  if (open === undefined) return [];
  if (open.promotion === started?.promotion) return [{ kind: 'deployment.finished', deployment: open.deployment, phase: 'succeeded' }];
  const why = started === undefined ? `promotion ${open.promotion} waits no longer for time or people alone` : `promotion ${started.promotion} came first`;
  return [{ kind: 'deployment.finished', deployment: open.deployment, phase: 'aborted', reason: why }];
}

/** The next step of the prefetch that `promotion` should have; without one, whatever is under way is called off. */
export function stepPrefetch(state: State, environment: Environment, promotion: Promotion | undefined, observed: Observed): Step {
  const open = prefetchOf(state, environment);
  const app = promotion === undefined ? undefined : appToFetch(state, environment, promotion, open);
  const stays = open !== undefined && open.promotion === promotion?.promotion && (app === undefined || open.app === app);
  if (open !== undefined && !stays) {
    const next = open.promotion === promotion?.promotion ? promotion : undefined;
    return { events: prefetchEnded(state, environment, next), effects: [] };
  }
  if (promotion === undefined || (app === undefined && open === undefined)) return nothing;
  const targets = deployableTargets(state, environment);
  const missing = targets.filter(({ member }) => open?.targets.get(member) === undefined).map(({ member }) => member);
  if (open === undefined || missing.length > 0) return { events: begun(state, environment, promotion, open?.app ?? app ?? promotion.app, missing), effects: [] };
  return ordered(state, environment, open, observed);
}

function begun(state: State, environment: Environment, promotion: Promotion, app: string, targets: readonly string[]): readonly Event[] {
  const to = membersOf(promotion)[app] ?? promotion.revision;
  const open = prefetchOf(state, environment);
  const deployment = open?.deployment ?? `${environment.environment}-p${(environment.prefetches ?? 0) + 1}`;
  const number = revisionOf(state, app, to)?.number ?? promotion.number;
  return targets.length === 0 ? [] : [{ kind: 'prefetch.started', deployment, promotion: promotion.promotion, environment: environment.environment, app, to, number, targets }];
}

/** The application whose turn it is: the first that has not spread as far as it should. */
function appToFetch(state: State, environment: Environment, promotion: Promotion, open: Deployment | undefined): string | undefined {
  const members = membersOf(promotion);
  const wanted = placeOf(state, environment.environment)?.spec.coverage;
  return environment.apps.find((app) => {
    const to = members[app];
    if (to === undefined || environment.slots[app]?.current === to) return false;
    // Where there is no next application, all who can go on; and ten thousand targets need not be counted at every word of one.
    if (open?.app === app && open.to === to && onlyThisOne(environment, members)) return true;
    const seen = spreading(state, environment.environment, { [app]: to });
    // What is enough for the gate is enough to let the next application have its turn.
    return wanted === undefined ? seen.coverage < 1 : !isEnough(seen, wanted);
  });
}

function onlyThisOne({ apps }: Environment, members: Readonly<Record<string, string>>): boolean {
  return apps.filter((app) => members[app] !== undefined).length < 2;
}

/** Orders for those that can be heard and do not hold the content: once, again when it failed, and again before an order runs out. */
function ordered(state: State, environment: Environment, open: Deployment, observed: Observed): Step {
  const role = roleEffect(environment, open.app, open.to);
  if (role !== undefined) return { events: [], effects: [role] };
  const due: string[] = [];
  let nextCheckAt = Infinity;
  for (const { member } of deployableTargets(state, environment)) {
    const target = open.targets.get(member);
    if (target === undefined || isHolding(target.phase)) continue;
    const at = dueAt(target);
    if (at > observed.now) nextCheckAt = Math.min(nextCheckAt, at);
    else if (!isSilent(observed, member, lostAfterOf(environment.config))) due.push(member);
  }
  const order = orderEffect(state, environment, open, 'prefetch', due);
  return { events: [], effects: order === undefined ? [] : [order], ...(nextCheckAt === Infinity ? {} : { nextCheckAt }) };
}

function dueAt({ order, phase }: TargetDeployment): number {
  if (order === undefined) return 0;
  return order.at + (isFailure(phase) || phase === 'cancelled' ? retryAfterMs : renewAfterMs);
}
