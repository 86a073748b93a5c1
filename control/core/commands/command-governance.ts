// What people, workers and automation ask of pipelines, as data. Who answers which is answers/governance.ts.

import type { AutomationScope, Description, Scope, StepPhase, RunPhase, ApprovalStatus, ApprovalSubject, TestFigures, TryEnd, Verdict } from '../../../proto/events-pipeline.ts';
import type { Digest } from '../../../proto/cid.ts';
import type { BuildSettings } from '../../../proto/events-build.ts';
import type { DeploymentConfig, Labels } from '../../../proto/events.ts';
import type { ApprovalRule, PipelineSpec } from '../../../proto/pipeline.ts';

/** An environment as a pipeline's file describes it: made when there is none, changed when it differs. */
export interface EnvironmentWish {
  readonly environment: string;
  /** In the order in which they are deployed. */
  readonly apps: readonly string[];
  readonly selector: Labels;
  readonly config: DeploymentConfig;
}

/** How an application is built, as a pipeline's file says. */
export interface BuildWish {
  readonly app: string;
  readonly settings: BuildSettings;
}

/** `apps`, `environments` and `builds` are made or changed in the same append: all of it, or nothing (G-1). */
export type ApplyPipeline = {
  readonly kind: 'apply-pipeline';
  readonly pipeline: string;
  readonly project: string;
  readonly spec: PipelineSpec;
  readonly apps?: readonly string[];
  readonly environments?: readonly EnvironmentWish[];
  /** Of applications that are left out: as it is. */
  readonly builds?: readonly BuildWish[];
  /** Absent: as it is; a new one is enabled. */
  readonly enabled?: boolean;
  /** What its writer has seen: 0 for none. Refused when it is another by now. */
  readonly generation?: number;
};
export type SwitchPipeline = { readonly kind: 'switch-pipeline'; readonly pipeline: string; readonly on: boolean; readonly reason?: string };
export type DeletePipeline = { readonly kind: 'delete-pipeline'; readonly pipeline: string; readonly reason?: string };
/** `edge`: `pipeline/edge`. */
export type SwitchEdge = { readonly kind: 'switch-edge'; readonly edge: string; readonly on: boolean; readonly reason?: string };
export type SetAutomation = { readonly kind: 'set-automation'; readonly scope: AutomationScope; readonly on: boolean; readonly reason?: string };
export type DescribeRevision = { readonly kind: 'describe-revision'; readonly app: string; readonly revision: string; readonly description: Description };
export type ReleaseHold = { readonly kind: 'release-hold'; readonly edge: string; readonly reason?: string };
/** `revision`: whatever findRevision (model/select.ts) understands. */
export type PlacePin = { readonly kind: 'place-pin'; readonly environment: string; readonly revision: string; readonly reason: string; readonly until?: number };
export type RemovePin = { readonly kind: 'remove-pin'; readonly environment: string; readonly reason?: string };
export type PlaceVeto = { readonly kind: 'place-veto'; readonly app: string; readonly revision: string; readonly environment?: string; readonly reason: string };
export type RemoveVeto = { readonly kind: 'remove-veto'; readonly app: string; readonly revision: Digest; readonly environment?: string; readonly reason?: string };
/** A lock by hand; workflows take theirs when they start. */
export type AcquireLock = {
  readonly kind: 'acquire-lock';
  readonly lock: string;
  readonly scope: Scope;
  readonly holder: string;
  readonly reason: string;
  readonly includeRollback: boolean;
  readonly expiresAt?: number;
};
/** Without a reason by its holder; with one it is broken by anybody who may. */
export type ReleaseLock = { readonly kind: 'release-lock'; readonly lock: string; readonly holder: string; readonly breakReason?: string };
export type StartFreeze = { readonly kind: 'start-freeze'; readonly freeze: string; readonly scope: Scope; readonly reason: string; readonly until?: number; readonly breakGlass?: ApprovalRule };
export type EndFreeze = { readonly kind: 'end-freeze'; readonly freeze: string; readonly reason?: string };
export type RequestApproval = { readonly kind: 'request-approval'; readonly request: string; readonly subject: ApprovalSubject; readonly rules: readonly ApprovalRule[]; readonly excluded: readonly string[]; readonly expiresAt?: number; readonly reason?: string; readonly run?: string; readonly step?: string };
/** `lifts`: `window:<name>`, `freeze:<id>` or `policy:<name>`. */
export type RequestOverride = { readonly kind: 'request-override'; readonly request: string; readonly environment: string; readonly revision: string; readonly lifts: readonly string[]; readonly reason: string };
/** The shell has verified who votes and which groups they are in. */
export type VoteOn = { readonly kind: 'vote'; readonly request: string; readonly decision: 'approve' | 'reject'; readonly by: string; readonly groups: readonly string[]; readonly comment?: string };
/** Of an override that was used: what somebody else saw of it afterwards. */
export type ReviewOverride = { readonly kind: 'review-override'; readonly request: string; readonly by: string; readonly comment: string };
export type RevokeVote = { readonly kind: 'revoke-vote'; readonly request: string; readonly by: string; readonly reason: string };
export type SettleRequest = { readonly kind: 'settle-request'; readonly request: string; readonly status: Exclude<ApprovalStatus, 'open'>; readonly reason?: string };
export type StartWorkflow = { readonly kind: 'start-workflow'; readonly run: string; readonly environment: string };
export type ReportStep = { readonly kind: 'report-step'; readonly run: string; readonly step: string; readonly phase: StepPhase; readonly attempt: number; readonly detail?: string };
/** `lease` and `worker`: of a step that a worker carries out. */
export type BeginStep = { readonly kind: 'begin-step'; readonly run: string; readonly step: string; readonly lease?: string; readonly worker?: string };
export type EndStep = {
  readonly kind: 'end-step';
  readonly run: string;
  readonly step: string;
  readonly attempt: number;
  /** Said by the worker that has it: only then the end counts. */
  readonly lease?: string;
  readonly end: 'succeeded' | TryEnd;
  readonly detail?: string;
  readonly tests?: TestFigures;
};
export type MeasureStep = { readonly kind: 'measure-step'; readonly run: string; readonly step: string; readonly attempt: number; readonly verdict: Verdict; readonly value?: string; readonly detail?: string };
export type NotifyStep = { readonly kind: 'notify-step'; readonly run: string; readonly step: string; readonly attempt: number; readonly to: string; readonly message: string };
export type DecideStep = { readonly kind: 'decide-step'; readonly run: string; readonly step: string; readonly verdict: 'succeeded' | 'failed'; readonly reason: string };
export type FinishWorkflow = { readonly kind: 'finish-workflow'; readonly run: string; readonly phase: Exclude<RunPhase, 'running'>; readonly reason?: string };

export type GovernanceCommand =
  | ApplyPipeline
  | SwitchPipeline
  | DeletePipeline
  | SwitchEdge
  | SetAutomation
  | DescribeRevision
  | ReleaseHold
  | PlacePin
  | RemovePin
  | PlaceVeto
  | RemoveVeto
  | AcquireLock
  | ReleaseLock
  | StartFreeze
  | EndFreeze
  | RequestApproval
  | RequestOverride
  | VoteOn
  | RevokeVote
  | ReviewOverride
  | SettleRequest
  | StartWorkflow
  | ReportStep
  | BeginStep
  | EndStep
  | MeasureStep
  | NotifyStep
  | DecideStep
  | FinishWorkflow;

const kinds: Readonly<Record<GovernanceCommand['kind'], true>> = {
  'apply-pipeline': true,
  'switch-pipeline': true,
  'delete-pipeline': true,
  'switch-edge': true,
  'set-automation': true,
  'describe-revision': true,
  'release-hold': true,
  'place-pin': true,
  'remove-pin': true,
  'place-veto': true,
  'remove-veto': true,
  'acquire-lock': true,
  'release-lock': true,
  'start-freeze': true,
  'end-freeze': true,
  'request-approval': true,
  'request-override': true,
  vote: true,
  'revoke-vote': true,
  'review-override': true,
  'settle-request': true,
  'start-workflow': true,
  'report-step': true,
  'begin-step': true,
  'end-step': true,
  'measure-step': true,
  'notify-step': true,
  'decide-step': true,
  'finish-workflow': true,
};

/** Whether a command is one of these. */
export function isGovernanceCommand(command: { readonly kind: string }): command is GovernanceCommand {
  return Object.hasOwn(kinds, command.kind);
}
