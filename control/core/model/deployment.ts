// The part of the state that deployments are: their batches, their targets, and the orders that were given. How they change is evolve/deployment.ts.

import type { Digest } from '../../../proto/cid.ts';
import type { DeploymentConfig, DeploymentKind, DeploymentPhase } from '../../../proto/events.ts';
import type { Verdict } from '../../../proto/events-pipeline.ts';
import type { TargetPhase, Transfer } from '../../../proto/fleet.ts';
import type { OrderAction } from '../../../proto/statement.ts';
import type { Archived } from './progress.ts';

export interface TargetDeployment {
  readonly member: string;
  readonly batch: number;
  readonly phase: TargetPhase;
  /** The newest order of this deployment that names it. `served`: it is one to go back, and the target served when it was told: while it does not, that is our doing. */
  readonly order?: { readonly action: OrderAction; readonly seq: number; readonly at: number; readonly served?: true };
  /** Whether the newest order was answered with a final phase. */
  readonly settled: boolean;
  /** Of the last report counted; a report that is not above it changes nothing. */
  readonly reportNo: number;
  readonly code?: string;
  readonly detail?: string;
  readonly output?: string;
  readonly transfer?: Transfer;
  /** When the report with {@link transfer} came: the end of its fetch by our own clock. */
  readonly fetchedAt?: number;
  readonly reportedAt: number;
  /** The order that it refused last, while it has answered neither that nor a later one. */
  readonly refusal?: Refusal;
}

/** What a target said of an order that it does not take. */
export interface Refusal {
  readonly seq: number;
  /** A code of the daemon. */
  readonly code: string;
  readonly detail: string;
  readonly at: number;
}

export interface Batch {
  readonly targets: readonly string[];
  /** How many there were, once they are no longer named. */
  readonly size?: number;
  readonly phase: BatchPhase;
  /** Targets that have not come to an end. */
  readonly open: number;
  readonly startedAt?: number;
  /** When its last target came to an end: what the bake counts from. */
  readonly bakingSince?: number;
  /** Somebody went on to the next batch before the bake had ended. */
  readonly bakeSkipped?: true;
  readonly finishedAt?: number;
}

export type BatchPhase = 'pending' | 'running' | 'baking' | 'succeeded' | 'failed' | 'skipped';

export interface Deployment {
  readonly deployment: string;
  readonly promotion: string;
  readonly environment: string;
  readonly app: string;
  readonly type: DeploymentKind;
  readonly seq: number;
  /** The environment's `stable` at the start: the only set that an automatic rollback may go to. */
  readonly from?: Digest;
  readonly to: Digest;
  readonly number: number;
  readonly config: DeploymentConfig;
  readonly batches: readonly Batch[];
  readonly targets: ReadonlyMap<string, TargetDeployment>;
  readonly phase: DeploymentPhase;
  readonly reason?: string;
  readonly startedAt: number;
  /** Of the newest fact about it: what deadlines count from. */
  readonly progressedAt: number;
  readonly finishedAt?: number;
  readonly rollbackOf?: string;
  /** Gates that would have held it, and why they did not (T-1). */
  readonly exemptions?: readonly { readonly gate: string; readonly why: string; readonly ref?: string }[];
  /** Set while closed windows or a person hold it: nothing new is activated, and no deadline runs. */
  readonly paused?: { readonly reason: string; readonly since: number; readonly byHand?: true };
  /** The newest word of each alarm and of each batch's samples, by what was measured. */
  readonly readings?: Readonly<Record<string, Reading>>;
  /** When it went on last after it had been held. */
  readonly resumedAt?: number;
  /** Set when it rolls back: where to, and which targets. */
  /** `scope`: the others keep what they run. */
  readonly rollback?: { readonly to: Digest; readonly number: number; readonly targets: readonly string[]; readonly scope?: 'failed' };
  /** Targets that still work on an order that no longer counts, and are to be told. */
  readonly cancels: readonly string[];
  /** Targets that were revoked while it was under way: they are in none of its counts, and were taken out of its batches. */
  readonly revoked?: readonly string[];
  /** Set once it is long over and its targets are no longer here. */
  readonly archived?: Archived;
}

/** What was measured last, and since when that is so. */
export interface Reading {
  readonly verdict: Verdict;
  readonly value?: string;
  readonly detail?: string;
  readonly at: number;
}

export interface IssuedOrder {
  readonly environment: string;
  readonly app: string;
  readonly seq: number;
  readonly deployment: string;
  readonly action: OrderAction;
  readonly batch: number;
  readonly targets: readonly string[];
  readonly compact: string;
}
