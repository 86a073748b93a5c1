// What holds on the way back alone, by itself (rollback.ts) or as somebody asked (rollout.ts). It exists to restore service: nobody who can be heard waits for one
// who cannot. What counts against `minHealthy` is arithmetic.ts.

import type { Event } from '../../../proto/events.ts';
import { isInherited } from '../batches/arithmetic.ts';
import { quietAfterOf } from '../batches/batches.ts';
import type { Deployment, TargetDeployment } from '../model/deployment.ts';
import type { State } from '../model/model.ts';
import { isDone, isFailure, isInFlight, isWayBack } from '../model/phases.ts';
import { heardAt, isSilent } from '../model/select.ts';
import type { Observed } from '../model/select.ts';
import { valuesOf } from '../model/shared-map.ts';
import { nothing } from './step.ts';
import type { Step } from './step.ts';

/** Who of these may be told now: whoever cannot be heard comes last, since it may come back at any moment and would then be down beside the others. */
export function heardFirst(deployment: Deployment, members: readonly string[], observed: Observed): readonly string[] {
  if (!isWayBack(deployment)) return members;
  const heard = members.filter((member) => !isSilent(observed, member, quietAfterOf(deployment.config)));
  return heard.length > 0 ? heard : members;
}

/**
 * Facts about targets that change, as far as is on record, and cannot be heard, while others who can wait for their turn: they are given up, so that those need not
 * wait. One that was heard since it was told to go back is at that, and may be starting anew: it has its whole time.
 */
export function outOfTheWay(state: State, deployment: Deployment, waiting: readonly string[], observed: Observed): Step {
  if (!isWayBack(deployment)) return nothing;
  const quietMs = quietAfterOf(deployment.config);
  if (!waiting.some((member) => !isChanging(state, deployment, member) && !isSilent(observed, member, quietMs))) return nothing;
  const events: Event[] = [];
  let nextCheckAt = Infinity;
  for (const target of valuesOf(deployment.targets)) {
    if (!isChanging(state, deployment, target.member)) continue;
    const told = isToldBack(deployment, target);
    const heard = heardAt(observed, target.member);
    if (told && heard >= (target.order?.at ?? 0)) continue;
    if (observed.now < heard + quietMs) nextCheckAt = Math.min(nextCheckAt, heard + quietMs);
    else events.push({ kind: 'target.lost', member: target.member, deployment: deployment.deployment, ...(told ? { unheard: true } : {}) });
  }
  return { events, effects: [], ...(nextCheckAt === Infinity ? {} : { nextCheckAt }) };
}

/**
 * Facts about the last targets of a rollback that somebody asked for, when none of them was heard since it was told and at least one other is back: they are given up soon,
 * as they come along when they are heard again, and until it ends nothing that mends what is wrong can begin. Where nobody is back yet, it may be we who hear nothing.
 */
export function lastUnheard({ deployment, type, config, targets }: Deployment, open: readonly TargetDeployment[], observed: Observed): Step {
  const isSomeBack = type === 'rollback' && open.length > 0 && valuesOf(targets).some((target) => isDone(target) && !isFailure(target.phase));
  const orders = open.map(({ member, order }) => ({ member, order, heard: heardAt(observed, member) }));
  if (!isSomeBack || orders.some(({ order, heard }) => order?.action !== 'activate' || heard >= order.at)) return nothing;
  const givenUpAt = Math.max(observed.since, ...orders.map(({ order }) => order?.at ?? 0)) + quietAfterOf(config);
  if (observed.now < givenUpAt) return { ...nothing, nextCheckAt: givenUpAt };
  return { ...nothing, events: orders.map(({ member }) => ({ kind: 'target.lost', member, deployment, unheard: true })) };
}

/** Whether it takes one of the places of those who may change at once. */
function isChanging(state: State, deployment: Deployment, id: string): boolean {
  const target = deployment.targets.get(id);
  const member = state.members.get(id);
  return target !== undefined && member !== undefined && (isInFlight(target) || isInherited(target, member, deployment));
}

/** Whether the newest order of a target in a deployment on its way back is to go back. */
export function isToldBack({ rollback }: Deployment, { order }: TargetDeployment): boolean {
  return order?.action === (rollback === undefined ? 'activate' : 'rollback');
}
