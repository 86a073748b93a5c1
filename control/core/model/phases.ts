// What the phases of targets and deployments mean to a decision: which are final, which count as failures.
// How phases follow from facts is evolve/evolve.ts; what is done about them is decide.ts.

import type { DeploymentPhase, PromotionPhase } from '../../../proto/events.ts';
import type { TargetPhase } from '../../../proto/fleet.ts';
import type { Deployment, TargetDeployment } from './deployment.ts';
import type { Member } from './model.ts';

const finalPhases: ReadonlySet<TargetPhase> = new Set([
  'committed', 'rolled-back', 'inconsistent', 'rejected', 'failed', 'lost', 'cancelled', 'already-current',
]);
/** `rejected` too: a target that refuses does not run the set, and a deployment that everybody refuses has not succeeded. */
const failurePhases: ReadonlySet<TargetPhase> = new Set(['failed', 'rolled-back', 'inconsistent', 'rejected', 'lost']);
const finishedPhases: ReadonlySet<DeploymentPhase> = new Set(['succeeded', 'failed', 'rolled-back', 'rollback-failed', 'aborted']);

/** Whether a target that reports `phase` has nothing more to do for the order that it answers. */
export function isFinal(phase: TargetPhase): boolean {
  return finalPhases.has(phase);
}

/** Whether `phase` counts towards the failure threshold. */
export function isFailure(phase: TargetPhase): boolean {
  return failurePhases.has(phase);
}

/** Whether a deployment in `phase` never changes again (P-2). */
export function isFinished(phase: DeploymentPhase): boolean {
  return finishedPhases.has(phase);
}

/** Whether a deployment goes back now: by itself, or because somebody asked for it. */
export function isWayBack({ type, rollback }: Pick<Deployment, 'type' | 'rollback'>): boolean {
  return type === 'rollback' || rollback !== undefined;
}

/** Whether a promotion in `phase` may still lead to a deployment or is in one. */
export function isOpen(phase: PromotionPhase): boolean {
  return phase === 'waiting' || phase === 'deploying' || phase === 'verifying';
}

/** Whether the target may be changing what runs at this moment: it was ordered to, has not answered, and is not lost. */
export function isInFlight(target: TargetDeployment): boolean {
  const action = target.order?.action;
  return (action === 'activate' || action === 'rollback') && !target.settled && target.phase !== 'lost' && target.phase !== 'cancelled';
}

/**
 * Whether the target has come to an end in its deployment, as far as ordered. A prefetch that failed ends nothing: content
 * that could not be had early may be had when its turn comes, and only then does it count.
 */
export function isDone(target: TargetDeployment): boolean {
  if (target.phase === 'lost' || target.phase === 'cancelled') return true;
  if (target.order?.action === 'prefetch' && isFailure(target.phase)) return false;
  return isFinal(target.phase) && (target.order === undefined || target.settled);
}

/** Whether the target failed, so that the threshold counts it. */
export function hasFailed(target: TargetDeployment): boolean {
  return isFailure(target.phase) && isDone(target);
}

/** Whether the member serves a committed release of `app` and is not being changed (control-plane.md 1.7). */
export function isServing(member: Member, app: string): boolean {
  const work = member.work[app];
  return member.running[app] !== undefined && (work === undefined || work.settled) && !member.revoked;
}
