// The facts of pipelines: what is configured, what people and workflows hold back, and what was approved. Part of Event
// (events.ts); folded by control/core/evolve/pipeline.ts and evolve/approval.ts.

import type { Digest } from './cid.ts';
import type { ApprovalRule, PipelineSpec, SetMembers } from './pipeline.ts';

/** What a restraint is about. They nest: everything, a project, a pipeline, a stage (`pipeline/stage`), an environment (L-5). */
export type Scope =
  | { readonly kind: 'all' }
  | { readonly kind: 'project' | 'pipeline' | 'stage' | 'environment'; readonly id: string };

/** What an automation switch turns off: a pipeline, an edge (`pipeline/edge`), an environment's own deployments, or an application. */
export interface AutomationScope {
  readonly kind: 'pipeline' | 'edge' | 'environment' | 'app';
  readonly id: string;
}

export interface ChangeRecord {
  readonly commit: string;
  readonly author: string;
  readonly message: string;
  /** When it came to the branch; milliseconds since 1970. */
  readonly checkedInAt: number;
}

/** One thing that a revision was built of. `digest`: of what was fetched, as its registry writes it. */
export interface Dependency {
  readonly name: string;
  readonly version: string;
  readonly digest?: string;
}

/** What is known of a revision beside its content; each part replaces what was known before. */
export interface Description {
  readonly changes?: readonly ChangeRecord[];
  readonly priority?: number;
  readonly tests?: TestFigures;
  /** Revisions that share a label were built to run together. */
  readonly compat?: readonly string[];
  /** Platform software that targets must have, such as `{ node: 'node-runtime', version: '>=22.3 <23' }`. */
  readonly requires?: readonly { readonly node: string; readonly version: string }[];
  /** Everything that was built into it, down to the last dependency; several versions of one are several. */
  readonly closure?: readonly Dependency[];
  /** Names of the keys whose signatures over it were verified. */
  readonly signedBy?: readonly string[];
  /** Whether it is too old to be chosen. */
  readonly expired?: boolean;
}

/** What an approval is asked for: a promotion, a step of a workflow, a compliance policy, or to lift a window, a freeze or a policy. */
export type ApprovalPurpose = 'promotion' | 'step' | 'compliance' | 'override';
export type ApprovalStatus = 'open' | 'approved' | 'rejected' | 'expired' | 'invalidated' | 'cancelled' | 'revoked';
export type RunPhase = 'running' | 'successful' | 'failed' | 'error' | 'inconclusive' | 'timed-out' | 'aborted' | 'invalidated';
/** How an attempt at a step ended that may be followed by another; `errored` is of the machinery, not of what was tested. */
export type TryEnd = 'failed' | 'errored' | 'timed-out';
export type Verdict = 'success' | 'failure' | 'inconclusive' | 'error';
export interface TestFigures {
  readonly passed: number;
  readonly total: number;
  readonly score?: number;
  /** Of a step: those that were left out, which are not in the total, and names of some that failed. */
  readonly skipped?: number;
  readonly failed?: readonly string[];
}
export type StepPhase = 'pending' | 'running' | 'waiting-for-approval' | 'succeeded' | 'failed' | 'errored' | 'timed-out' | 'skipped' | 'aborted';

/** The subject of a request for approval. An approval counts for the identical subject only. */
export interface ApprovalSubject {
  readonly purpose: ApprovalPurpose;
  /** Where the set is that is approved: an environment, or `app:<name>`; of overrides, the destination. */
  readonly source: string;
  readonly members: SetMembers;
  /** Absent: it counts for every destination. */
  readonly destination?: string;
  /** Canonical text of what is asked: rules, policy, workflow. Changed text is another subject. */
  readonly policy: string;
}

export type PipelineEvent =
  | { readonly kind: 'pipeline.applied'; readonly pipeline: string; readonly project: string; readonly spec: PipelineSpec }
  | { readonly kind: 'pipeline.enabled' | 'pipeline.disabled' | 'pipeline.deleted'; readonly pipeline: string; readonly reason?: string }
  | { readonly kind: 'edge.enabled' | 'edge.disabled'; readonly edge: string; readonly reason?: string }
  | { readonly kind: 'automation.changed'; readonly scope: AutomationScope; readonly on: boolean; readonly reason?: string }
  | { readonly kind: 'revision.described'; readonly app: string; readonly revision: Digest; readonly description: Description }
  /** `set`: it is about this one alone, which was taken back; absent: about whatever comes. */
  | { readonly kind: 'hold.placed'; readonly edge: string; readonly reason: string; readonly promotion?: string; readonly set?: SetMembers }
  | { readonly kind: 'hold.released'; readonly edge: string; readonly reason?: string }
  | { readonly kind: 'pin.placed'; readonly environment: string; readonly members: SetMembers; readonly reason: string; readonly until?: number }
  | { readonly kind: 'pin.removed'; readonly environment: string; readonly reason?: string }
  | { readonly kind: 'veto.placed'; readonly app: string; readonly revision: Digest; readonly environment?: string; readonly reason: string }
  | { readonly kind: 'veto.removed'; readonly app: string; readonly revision: Digest; readonly environment?: string; readonly reason?: string }
  | {
      readonly kind: 'lock.acquired';
      readonly lock: string;
      readonly scope: Scope;
      readonly mode: 'manual' | 'workflow';
      /** A person, or a workflow's run. */
      readonly holder: string;
      readonly reason: string;
      /** Whether it holds rollbacks too. */
      readonly includeRollback: boolean;
      readonly expiresAt?: number;
    }
  /** `holder`: a release by anyone but the holder frees nothing (L-4), unless `broken` by a person with a reason (O-2). */
  | { readonly kind: 'lock.released'; readonly lock: string; readonly holder: string; readonly broken: boolean; readonly reason?: string }
  | { readonly kind: 'freeze.started'; readonly freeze: string; readonly scope: Scope; readonly reason: string; readonly until?: number; readonly breakGlass?: ApprovalRule }
  | { readonly kind: 'freeze.ended'; readonly freeze: string; readonly reason?: string }
  | {
      readonly kind: 'approval.requested';
      readonly request: string;
      readonly subject: ApprovalSubject;
      readonly rules: readonly ApprovalRule[];
      /** People who are not counted: authors, submitter. */
      readonly excluded: readonly string[];
      readonly expiresAt?: number;
      readonly run?: string;
      readonly step?: string;
      readonly reason?: string;
      /** Of overrides: what is lifted, as `window:<name>`, `freeze:<id>` or `policy:<name>`. */
      readonly lifts?: readonly string[];
      /** Of overrides: for how long it counts once approved. */
      readonly countsForMs?: number;
      /** Of overrides: whether their use is to be reviewed. */
      readonly review?: true;
    }
  /** Somebody who had no part in it looked at how an override was used. */
  | { readonly kind: 'approval.reviewed'; readonly request: string; readonly by: string; readonly comment: string }
  | {
      readonly kind: 'approval.voted';
      readonly request: string;
      readonly decision: 'approve' | 'reject';
      readonly by: string;
      /** Of the voter, at that time, as verified. */
      readonly groups: readonly string[];
      readonly comment?: string;
    }
  | { readonly kind: 'approval.vote-revoked'; readonly request: string; readonly by: string; readonly reason: string }
  | { readonly kind: 'approval.settled'; readonly request: string; readonly status: Exclude<ApprovalStatus, 'open'>; readonly reason?: string }
  | {
      readonly kind: 'workflow.started';
      readonly run: string;
      readonly workflow: string;
      /** Canonical text of the workflow as it was. */
      readonly definition: string;
      readonly environment: string;
      readonly members: SetMembers;
      readonly steps: readonly string[];
      readonly lock?: string;
      /** When it times out. */
      readonly deadline: number;
      /** Of a run that looks at one batch of a deployment, before the next goes. */
      readonly batch?: { readonly deployment: string; readonly index: number };
    }
  | {
      readonly kind: 'workflow.step';
      readonly run: string;
      readonly step: string;
      readonly phase: StepPhase;
      readonly attempt: number;
      readonly detail?: string;
      /** Of `pending`: how the attempt ended after which it is tried again. */
      readonly after?: TryEnd;
      /** Of `running`: the lease under which a worker carries it out, and who. */
      readonly lease?: string;
      readonly worker?: string;
      readonly tests?: TestFigures;
    }
  /** One look at what a step watches: `error` when there was no answer. */
  | { readonly kind: 'workflow.measured'; readonly run: string; readonly step: string; readonly attempt: number; readonly verdict: Verdict; readonly value?: string; readonly detail?: string }
  /** A person decided what was inconclusive, and the run goes on. */
  | { readonly kind: 'workflow.resumed'; readonly run: string; readonly deadline: number; readonly lock?: string }
  | { readonly kind: 'workflow.notified'; readonly run: string; readonly step: string; readonly to: string; readonly message: string }
  | { readonly kind: 'workflow.finished'; readonly run: string; readonly phase: Exclude<RunPhase, 'running'>; readonly reason?: string };

const kinds: Readonly<Record<PipelineEvent['kind'], true>> = {
  'pipeline.applied': true,
  'pipeline.enabled': true,
  'pipeline.disabled': true,
  'pipeline.deleted': true,
  'edge.enabled': true,
  'edge.disabled': true,
  'automation.changed': true,
  'revision.described': true,
  'hold.placed': true,
  'hold.released': true,
  'pin.placed': true,
  'pin.removed': true,
  'veto.placed': true,
  'veto.removed': true,
  'lock.acquired': true,
  'lock.released': true,
  'freeze.started': true,
  'freeze.ended': true,
  'approval.requested': true,
  'approval.voted': true,
  'approval.vote-revoked': true,
  'approval.settled': true,
  'approval.reviewed': true,
  'workflow.started': true,
  'workflow.step': true,
  'workflow.measured': true,
  'workflow.resumed': true,
  'workflow.notified': true,
  'workflow.finished': true,
};

/** Whether a fact is one of these. */
export function isPipelineEvent(event: { readonly kind: string }): event is PipelineEvent {
  return Object.hasOwn(kinds, event.kind);
}
