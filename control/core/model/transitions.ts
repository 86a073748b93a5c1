// The state machines as tables: from each phase, where it may go (control-plane.md 1.2). A phase without a way out is
// terminal and absorbs (P-2). The folds ask these tables; a fact that would break one changes nothing.

import type { ApprovalStatus, RunPhase, StepPhase } from '../../../proto/events-pipeline.ts';
import type { DeploymentPhase, PromotionPhase } from '../../../proto/events.ts';

/** For each phase, the phases that may follow it. */
export type Transitions<Phase extends string> = Readonly<Record<Phase, readonly Phase[]>>;

export const promotionTransitions: Transitions<PromotionPhase> = {
  waiting: ['deploying', 'aborted', 'superseded', 'rejected', 'failed'],
  deploying: ['verifying', 'succeeded', 'failed', 'errored', 'aborted'],
  verifying: ['succeeded', 'failed', 'errored', 'aborted'],
  succeeded: [],
  failed: [],
  errored: [],
  rejected: [],
  aborted: [],
  superseded: [],
};

export const deploymentTransitions: Transitions<DeploymentPhase> = {
  distributing: ['succeeded', 'aborted'],
  running: ['baking', 'rolling-back', 'succeeded', 'failed', 'aborted'],
  baking: ['running', 'rolling-back', 'succeeded', 'failed', 'aborted'],
  'rolling-back': ['rolled-back', 'rollback-failed', 'failed'],
  succeeded: [],
  failed: [],
  'rolled-back': [],
  'rollback-failed': [],
  aborted: [],
};

/** `inconclusive` waits for a person, who says whether it was a success; then the steps after it run. */
export const runTransitions: Transitions<RunPhase> = {
  running: ['successful', 'failed', 'error', 'inconclusive', 'timed-out', 'aborted', 'invalidated'],
  inconclusive: ['running', 'successful', 'failed', 'aborted', 'invalidated'],
  successful: ['invalidated'],
  failed: [],
  error: [],
  'timed-out': [],
  aborted: [],
  invalidated: [],
};

/** From `running` back to `pending` to be tried again. */
export const stepTransitions: Transitions<StepPhase> = {
  pending: ['running', 'skipped', 'aborted'],
  running: ['running', 'pending', 'waiting-for-approval', 'succeeded', 'failed', 'errored', 'timed-out', 'aborted'],
  'waiting-for-approval': ['succeeded', 'failed', 'timed-out', 'aborted'],
  succeeded: [],
  failed: [],
  errored: [],
  'timed-out': [],
  skipped: [],
  aborted: [],
};

export const approvalTransitions: Transitions<ApprovalStatus> = {
  open: ['approved', 'rejected', 'expired', 'invalidated', 'cancelled'],
  approved: ['revoked', 'invalidated'],
  rejected: [],
  expired: [],
  invalidated: [],
  cancelled: [],
  revoked: [],
};

/** Whether `to` may follow `from`. */
export function mayBecome<Phase extends string>(table: Transitions<Phase>, from: Phase, to: Phase): boolean {
  return table[from].includes(to);
}
