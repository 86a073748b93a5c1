// What an environment wants, runs, and knows to be good of each application, as it follows from how deployments ended and from
// what was found about them. A set that is to be verified runs, and is `current`; `stable` it becomes with the verdict.

import type { Event } from '../../../proto/events.ts';
import type { Draft, Mutable } from './draft.ts';
import type { Deployment } from '../model/deployment.ts';
import type { Environment, Promotion, Slot } from '../model/model.ts';
import { membersOf } from '../model/select.ts';
import { mayBecome, promotionTransitions } from '../model/transitions.ts';

/** Sets kept for `rollback --to previous`; older ones are still in the journal. */
const goodSetsMax = 50;

/** Changes what an environment wants and runs of one application. */
export function setSlot(environment: Mutable<Environment>, app: string, change: Partial<Slot>): void {
  environment.slots = { ...environment.slots, [app]: { ...(environment.slots[app] ?? { good: [] }), ...change } };
}

/** Which set the environment runs now: only success makes one `current`; a rollback goes back to what is known to be good. */
export function foldOutcome(environment: Mutable<Environment>, deployment: Deployment, unverified: boolean): void {
  const { app, to, rollback, promotion } = deployment;
  const slot = environment.slots[app];
  if (deployment.phase === 'rolled-back' || deployment.phase === 'rollback-failed') {
    if (rollback !== undefined) setSlot(environment, app, { desired: rollback.to });
    if (rollback !== undefined && slot?.stable === rollback.to && slot.current !== slot.stable) backToStable(environment, app, slot);
  }
  if (deployment.phase === 'failed' && deployment.type === 'rollback') return leave(environment, deployment);
  if (deployment.phase !== 'succeeded') return;
  if (deployment.type === 'catch-up') return setSlot(environment, app, { desired: to });
  if (unverified) {
    const stablePromotion = slot?.stable !== undefined && slot.current === slot.stable ? slot.currentPromotion : slot?.stablePromotion;
    return setSlot(environment, app, { desired: to, current: to, currentPromotion: promotion, ...(stablePromotion === undefined ? {} : { stablePromotion }) });
  }
  becomeStable(environment, app, to, promotion, deployment.type === 'rollback' ? goodBefore(slot, to) : (slot?.good ?? []));
}

/** What was good before `to` was; all that was good when that never was. */
function goodBefore(slot: Slot | undefined, to: string): Slot['good'] {
  const good = slot?.good ?? [];
  const known = good.lastIndexOf(to);
  return known < 0 ? good : good.slice(0, known);
}

/** Somebody took back what runs, and not all came along: it runs still, but is no longer what anything goes back to, nor what late joiners are brought to (adrift.ts). */
function leave(environment: Mutable<Environment>, { app, to, promotion }: Deployment): void {
  const slot = environment.slots[app];
  if (slot?.current === to) return;
  const kept = slot?.stable === to && slot.stablePromotion !== undefined ? slot.stablePromotion : promotion;
  setSlot(environment, app, { desired: to, stable: to, stablePromotion: kept, good: [...goodBefore(slot, to).filter((digest) => digest !== to), to] });
}

/** What ran, and was never found good, is not what late joiners are to be brought to: those that still run it are brought back too. */
function backToStable(environment: Mutable<Environment>, app: string, { stable, stablePromotion, currentPromotion }: Slot): void {
  const promotion = stablePromotion ?? currentPromotion;
  if (stable === undefined || promotion === undefined) return;
  setSlot(environment, app, { current: stable, currentPromotion: promotion });
}

function becomeStable(environment: Mutable<Environment>, app: string, to: string, promotion: string, before: Slot['good']): void {
  const { stablePromotion: _before, ...kept } = environment.slots[app] ?? { good: [] };
  const good = [...before.filter((digest) => digest !== to), to].slice(-goodSetsMax);
  environment.slots = { ...environment.slots, [app]: { ...kept, desired: to, current: to, stable: to, currentPromotion: promotion, good } };
}

/** Folds that a promotion's set is to be verified. */
export function foldVerifying(draft: Draft, { promotion: id }: Extract<Event, { readonly kind: 'promotion.verifying' }>): void {
  const promotion = draft.promotions.edit(id);
  if (promotion === undefined || !mayBecome(promotionTransitions, promotion.phase, 'verifying')) return;
  promotion.phase = 'verifying';
  const environment = draft.environments.edit(promotion.environment);
  if (environment !== undefined) environment.verifying = id;
}

/** Folds the verdict about the set that is verified: what runs of it is good from now on, or stays what it is. `promotion`: as it was before. */
export function foldVerdict(environment: Mutable<Environment>, promotion: Promotion, succeeded: boolean): void {
  if (environment.verifying !== promotion.promotion) return;
  delete environment.verifying;
  if (!succeeded) return;
  for (const [app, revision] of Object.entries(membersOf(promotion))) {
    const slot = environment.slots[app];
    if (slot?.current === revision) becomeStable(environment, app, revision, promotion.promotion, slot.good);
  }
}
