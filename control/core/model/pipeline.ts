// The part of the state that pipelines add: what is configured, what each environment has run as a set, what people know
// of revisions. What holds promotions back is restraints.ts; approvals and workflow runs are approval.ts.

import type { Digest } from '../../../proto/cid.ts';
import type { Description } from '../../../proto/events-pipeline.ts';
import type { PipelineSpec, SetMembers } from '../../../proto/pipeline.ts';
import type { ApprovalRequest, WorkflowRun } from './approval.ts';
import type { Freeze, Hold, Lock, Pin, Switch, Veto } from './restraints.ts';

export interface Pipeline {
  readonly pipeline: string;
  readonly project: string;
  readonly spec: PipelineSpec;
  /** +1 each time that it is applied. */
  readonly generation: number;
  readonly enabled: boolean;
  /** Since when it is as enabled or disabled as it is, and by whom. */
  readonly switchedAt: number;
  readonly switchedBy: string;
  readonly switchReason?: string;
}

/** A set that succeeded in an environment. */
export interface Arrival {
  readonly members: SetMembers;
  readonly at: number;
  readonly promotion: string;
  /** Whether a rollback has left it behind since. */
  readonly undone: boolean;
}

/** What an environment wants and runs, as sets. */
export interface EnvironmentSets {
  readonly environment: string;
  readonly desired?: SetMembers;
  readonly current?: SetMembers;
  /** Of each application that one was ever asked for here. */
  readonly arrivals: readonly Arrival[];
  /** Promotions ever created here: part of the ids of automatic ones. */
  readonly promotions: number;
  /** Deployments that count against `maxDeploysPerOccurrence`, by when they started; oldest first. */
  readonly starts: readonly number[];
}

/** What is known of one revision. */
export interface DescribedRevision extends Description {
  readonly app: string;
  readonly revision: Digest;
}

/** What pipelines add to the state. Maps are keyed by the id in the value, unless said otherwise. */
export interface Governance {
  readonly pipelines: ReadonlyMap<string, Pipeline>;
  /** Pipelines that were deleted, as they were last: whoever asks what was, and whom to tell, finds them. */
  readonly retired: ReadonlyMap<string, Pipeline>;
  readonly sets: ReadonlyMap<string, EnvironmentSets>;
  /** By {@link revisionKey}. */
  readonly descriptions: ReadonlyMap<string, DescribedRevision>;
  /** By `kind:id` of what they switch off; only those that are off. */
  readonly switches: ReadonlyMap<string, Switch>;
  readonly holds: ReadonlyMap<string, Hold>;
  readonly pins: ReadonlyMap<string, Pin>;
  /** By {@link vetoKey}. */
  readonly vetoes: ReadonlyMap<string, Veto>;
  readonly locks: ReadonlyMap<string, Lock>;
  readonly freezes: ReadonlyMap<string, Freeze>;
  readonly requests: ReadonlyMap<string, ApprovalRequest>;
  readonly runs: ReadonlyMap<string, WorkflowRun>;
}

/** Key of a revision's description. */
export function revisionKey(app: string, revision: Digest): string {
  return `${app}@${revision}`;
}

/** Key of a veto: of a revision everywhere, or in one environment. */
export function vetoKey(app: string, revision: Digest, environment?: string): string {
  return environment === undefined ? `${app}@${revision}` : `${app}@${revision} in ${environment}`;
}
