// How a target of a deployment is put into the state: with the count of those of its batch that have not come to an end, which is kept, since to count a batch of ten
// thousand at each of their reports was most of what folding cost.

import type { Draft, Mutable } from './draft.ts';
import type { Batch, Deployment, TargetDeployment } from '../model/deployment.ts';
import { isDone } from '../model/phases.ts';

/** Puts a target as it is now. Says whether it has come to an end by this, or began again. */
export function putTarget(draft: Draft, deployment: Mutable<Deployment>, next: TargetDeployment): boolean {
  const targets = draft.targets(deployment.deployment);
  const before = targets.get(next.member);
  targets.set(next.member, next);
  const change = Number(!isDone(next)) - Number(before !== undefined && !isDone(before));
  const batch = deployment.batches[next.batch];
  if (change !== 0 && batch !== undefined) deployment.batches = deployment.batches.with(next.batch, { ...batch, open: batch.open + change });
  return change !== 0;
}

/** Takes a target out that is no member any more: shares and counts are of those that are left. */
export function takeTarget(draft: Draft, deployment: Mutable<Deployment>, target: TargetDeployment): void {
  const { member, batch: index } = target;
  draft.targets(deployment.deployment).delete(member);
  const batch = deployment.batches[index];
  if (batch !== undefined) deployment.batches = deployment.batches.with(index, { ...batch, targets: batch.targets.filter((one) => one !== member), open: batch.open - Number(!isDone(target)) });
  const { rollback } = deployment;
  if (rollback !== undefined) deployment.rollback = { ...rollback, targets: rollback.targets.filter((one) => one !== member) };
  deployment.revoked = [...(deployment.revoked ?? []), member];
}

/** A batch of these targets that has not begun. */
export function batchOf(members: readonly string[], targets: ReadonlyMap<string, TargetDeployment>): Batch {
  return { targets: members, phase: 'pending', open: members.filter((member) => isOpen(targets.get(member))).length };
}

function isOpen(target: TargetDeployment | undefined): boolean {
  return target !== undefined && !isDone(target);
}
