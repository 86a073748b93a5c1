// What people approved and what workflows found: requests with their votes, runs with their steps. Every one of them is
// about a set, never about an environment or a branch. How they may change is transitions.ts.

import type { ApprovalStatus, ApprovalSubject, RunPhase, StepPhase, TestFigures, TryEnd, Verdict } from '../../../proto/events-pipeline.ts';
import type { ApprovalRule, SetMembers } from '../../../proto/pipeline.ts';

export interface Vote {
  readonly by: string;
  readonly decision: 'approve' | 'reject';
  readonly groups: readonly string[];
  readonly comment?: string;
  readonly at: number;
  readonly revokedAt?: number;
}

export interface ApprovalRequest {
  readonly request: string;
  readonly subject: ApprovalSubject;
  readonly rules: readonly ApprovalRule[];
  readonly excluded: readonly string[];
  readonly status: ApprovalStatus;
  /** One for each person: the newest counts. */
  readonly votes: readonly Vote[];
  readonly openedAt: number;
  readonly openedBy: string;
  readonly expiresAt?: number;
  readonly settledAt?: number;
  readonly outcome?: string;
  readonly run?: string;
  readonly step?: string;
  readonly reason?: string;
  readonly lifts?: readonly string[];
  readonly countsForMs?: number;
  /** Of overrides: whether their use is to be reviewed, the first deployment that used it, and the review. */
  readonly review?: true;
  readonly used?: { readonly deployment: string; readonly at: number };
  readonly reviewed?: { readonly by: string; readonly comment: string; readonly at: number };
}

export interface StepRun {
  readonly step: string;
  readonly phase: StepPhase;
  readonly attempt: number;
  readonly detail?: string;
  readonly at: number;
  /** When its present attempt began. */
  readonly startedAt?: number;
  /** Of a step that a worker carries out: the lease that it has, or had last. */
  readonly lease?: string;
  readonly worker?: string;
  readonly tests?: TestFigures;
  /** Attempts that were followed by another, oldest first. */
  readonly tries?: readonly StepTry[];
  /** Of its present attempt, oldest first. */
  readonly measurements?: readonly Measurement[];
}

export interface StepTry {
  readonly attempt: number;
  readonly end: TryEnd;
  readonly detail?: string;
  readonly at: number;
}

export interface Measurement {
  readonly verdict: Verdict;
  /** What was measured, as text. */
  readonly value?: string;
  readonly detail?: string;
  readonly at: number;
}

export interface WorkflowRun {
  readonly run: string;
  readonly workflow: string;
  readonly definition: string;
  readonly environment: string;
  readonly members: SetMembers;
  readonly phase: RunPhase;
  readonly steps: readonly StepRun[];
  readonly lock?: string;
  readonly startedAt: number;
  readonly deadline: number;
  /** Of a run that looks at one batch of a deployment: it speaks for no set as a whole. */
  readonly batch?: { readonly deployment: string; readonly index: number };
  /** The promotion that was being verified in the environment when it began. */
  readonly verifies?: string;
  readonly finishedAt?: number;
  readonly outcome?: string;
}
