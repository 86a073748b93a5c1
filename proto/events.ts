// The facts of the journal: everything that the control plane ever decided or was told, in the past tense.
// State is their fold (control/core/evolve/evolve.ts); /v1/events streams them. A published kind never changes its meaning.

import type { Cid, Digest } from './cid.ts';
import type { BuildEvent } from './events-build.ts';
import type { PipelineEvent, Verdict } from './events-pipeline.ts';
import type { Report } from './fleet.ts';
import type { SetMembers } from './pipeline.ts';
import type { AutoRollback, BatchSpec, FineConfig, Share } from './rollout-config.ts';
import type { OrderAction, Role } from './statement.ts';

/** Labels by key, as operators set them. */
export type Labels = Readonly<Record<string, string>>;

/** How a deployment proceeds (control-plane.md, section 1.7). Percentages are of the targets in the snapshot. */
export interface DeploymentConfig extends FineConfig {
  /** Sizes in order; a number of targets or a share of all; the last batch takes the rest. */
  readonly batches: readonly (Share | BatchSpec)[];
  /** Activations under way at once; a share rounds down, at least 1. */
  readonly maxParallel: Share;
  /** Targets that must serve a committed release at every instant; a share rounds up, but below 100 % never to all of them. */
  readonly minHealthy: Share;
  /** Distinct targets that may fail before the deployment stops; reaching it stops. */
  readonly failureThreshold: { readonly count: number; readonly percent: number };
  /** A target that has not answered for this long counts as lost. */
  readonly lostAfterMs: number;
  /** A batch that makes no progress for this long fails the deployment. */
  readonly progressDeadlineMs: number;
  /** Between two batches. */
  readonly bakeMs: number;
  readonly autoRollback: boolean | AutoRollback;
}

/** `failed`: its content was judged bad; `errored`: the machinery failed, and nobody can tell about the content; `rejected`: people said no, or nothing in time. */
export type PromotionPhase = 'waiting' | 'deploying' | 'verifying' | 'succeeded' | 'failed' | 'errored' | 'rejected' | 'aborted' | 'superseded';
/** Why a promotion was made, where no person plainly asked for it. */
export type PromotionCause = 'auto' | 'hotfix';
/** `distributing` is of a prefetch alone. */
export type DeploymentPhase = 'distributing' | 'running' | 'baking' | 'rolling-back' | 'succeeded' | 'failed' | 'rolled-back' | 'rollback-failed' | 'aborted';
export type DeploymentKind = 'promote' | 'redeploy' | 'rollback' | 'catch-up' | 'prefetch';

/** What a decision saw that is on record nowhere else. */
export interface Seen {
  /** The last entry that it went by. */
  readonly head: number;
  /** Milliseconds since 1970 by the control plane's clock. */
  readonly at: number;
  /** Targets of the environment that had been silent for too long; absent: none. */
  readonly silent?: readonly string[];
}

export type Event =
  | PipelineEvent
  | BuildEvent
  | { readonly kind: 'app.created'; readonly app: string; readonly project: string }
  /** `apps`: all of its applications, in the order in which they are deployed; absent where there is one. */
  | { readonly kind: 'environment.created'; readonly environment: string; readonly app: string; readonly apps?: readonly string[]; readonly selector: Labels; readonly config: DeploymentConfig }
  | { readonly kind: 'environment.changed'; readonly environment: string; readonly apps?: readonly string[]; readonly selector: Labels; readonly config: DeploymentConfig }
  | {
      readonly kind: 'token.created';
      readonly token: string;
      readonly use: 'api' | 'join';
      readonly name: string;
      /** sha2-256 of the secret; the secret itself is shown once and kept nowhere. */
      readonly secretDigest: Digest;
      /** For `api`: what it may do, such as `promote:env/prod`, `upload:app/web`, `read:*`, `admin:*`. */
      readonly scopes: readonly string[];
      /** Groups of the person that `name` names; of `api`. */
      readonly groups?: readonly string[];
      /** For `join`: what the member becomes. */
      readonly roles: readonly Role[];
      readonly environments: readonly string[];
      readonly labels: Labels;
      readonly usesMax: number;
      readonly expiresAt: number;
    }
  | { readonly kind: 'token.revoked'; readonly token: string; readonly reason: string }
  | {
      readonly kind: 'member.enrolled';
      readonly member: string;
      readonly name: string;
      readonly publicKey: string;
      readonly roles: readonly Role[];
      readonly environments: readonly string[];
      readonly labels: Labels;
      readonly attributes: Readonly<Record<string, string>>;
      /** Of the certificate issued. */
      readonly serial: number;
      readonly token: string;
    }
  | { readonly kind: 'member.located'; readonly member: string; readonly addresses: readonly string[]; readonly uploadUrl?: string }
  | { readonly kind: 'member.renewed'; readonly member: string; readonly serial: number }
  | { readonly kind: 'member.revoked'; readonly member: string; readonly reason: string }
  /** All of its labels from now on, set by an operator. */
  | { readonly kind: 'member.labelled'; readonly member: string; readonly labels: Labels }
  /** Left out of what begins from now on. */
  | { readonly kind: 'member.cordoned'; readonly member: string; readonly reason: string }
  | { readonly kind: 'member.uncordoned'; readonly member: string }
  | {
      readonly kind: 'revision.created';
      readonly app: string;
      /** Dense and increasing in an application, from 1. */
      readonly number: number;
      readonly revision: Digest;
      readonly cid: Cid;
      readonly alias?: string;
      /** The encoded manifest in base64, and its length in bytes as the signed role will state it. */
      readonly manifest: string;
      readonly manifestBytes: number;
      readonly entries: number;
      readonly bytes: number;
      readonly chunks: number;
      readonly uploadedBytes: number;
      readonly proxy: string;
    }
  | {
      readonly kind: 'promotion.created';
      readonly promotion: string;
      readonly environment: string;
      readonly app: string;
      readonly revision: Digest;
      readonly number: number;
      readonly trigger: 'manual' | 'rollback';
      readonly cause?: PromotionCause;
      /** The promotion configuration that it follows, as `pipeline/edge`. */
      readonly edge?: string;
      /** The whole set, where the environment has several applications. */
      readonly members?: SetMembers;
      /** The deployment that it tries again, and how often that is by now. */
      readonly retryOf?: string;
      readonly attempt?: number;
      readonly reason?: string;
    }
  | { readonly kind: 'promotion.finished'; readonly promotion: string; readonly phase: Exclude<PromotionPhase, 'waiting' | 'deploying' | 'verifying'>; readonly reason?: string }
  /** All that it brings runs; it succeeds when the environment's workflow says so. */
  | { readonly kind: 'promotion.verifying'; readonly promotion: string }
  | {
      readonly kind: 'deployment.started';
      readonly deployment: string;
      readonly promotion: string;
      readonly environment: string;
      readonly app: string;
      readonly type: DeploymentKind;
      /** Fencing number of the environment, +1 for each deployment. */
      readonly seq: number;
      readonly from?: Digest;
      readonly to: Digest;
      readonly number: number;
      readonly config: DeploymentConfig;
      /** The snapshot of targets, cut into batches in the order in which they go. */
      readonly batches: readonly (readonly string[])[];
      /** Applications of the promotion's set that are deployed after this one, each by a deployment of its own. Absent: none. */
      readonly next?: readonly string[];
      readonly rollbackOf?: string;
      /** Gates that would have held it, and why they did not (T-1). */
      readonly exemptions?: readonly { readonly gate: string; readonly why: string; readonly ref?: string }[];
      /** So that the decision can be made again; absent in entries from before it was recorded. */
      readonly seen?: Seen;
    }
  /** Content travels before the gates are open; again with the same id: to these targets too. Ends as a deployment does, and switches nothing. */
  | {
      readonly kind: 'prefetch.started';
      readonly deployment: string;
      readonly promotion: string;
      readonly environment: string;
      readonly app: string;
      readonly to: Digest;
      readonly number: number;
      readonly targets: readonly string[];
    }
  | { readonly kind: 'batch.started'; readonly deployment: string; readonly batch: number }
  | { readonly kind: 'batch.finished'; readonly deployment: string; readonly batch: number; readonly phase: 'succeeded' | 'failed' }
  /** Nothing new is activated until it is resumed; what is in flight comes to its end. */
  | { readonly kind: 'deployment.paused'; readonly deployment: string; readonly reason: string; /** Until somebody resumes it; absent: until windows open. */ readonly byHand?: true }
  | { readonly kind: 'deployment.resumed'; readonly deployment: string; readonly reason?: string }
  /** What an alarm (`alarm:<name>`, where `failure` is that it fires) or the samples of a batch (`samples:<index>`) came to; only what is new. */
  | { readonly kind: 'deployment.measured'; readonly deployment: string; readonly measure: string; readonly verdict: Verdict; readonly value?: string; readonly detail?: string }
  /** The rest of a bake is left out. */
  | { readonly kind: 'bake.skipped'; readonly deployment: string; readonly batch: number; readonly reason?: string }
  | { readonly kind: 'deployment.rolling-back'; readonly deployment: string; readonly reason: string; readonly targets: readonly string[]; readonly to: Digest; readonly number: number; readonly scope?: 'failed' }
  /** `unverified`: what it brought runs, and is not known to be good before a workflow says so. */
  | { readonly kind: 'deployment.finished'; readonly deployment: string; readonly phase: Exclude<DeploymentPhase, 'distributing' | 'running' | 'baking' | 'rolling-back'>; readonly reason?: string ; readonly unverified?: true }
  | { readonly kind: 'target.reported'; readonly member: string; readonly report: Report }
  /** It does not take an order that names it, and is asked again: no report, since it carries out nothing. */
  | { readonly kind: 'order.refused'; readonly member: string; readonly deployment: string; readonly environment: string; readonly seq: number; readonly code: string; readonly detail: string }
  /** `code`: why, where it is not silence. `unheard`: it was not heard since it was told to go back, so that it cannot have begun to. */
  | { readonly kind: 'target.lost'; readonly member: string; readonly deployment: string; readonly unheard?: true; readonly code?: string; readonly detail?: string }
  | { readonly kind: 'role.published'; readonly environment: string; readonly version: number; readonly revisions: Readonly<Record<string, Digest>> }
  | {
      readonly kind: 'order.issued';
      readonly environment: string;
      readonly app: string;
      readonly seq: number;
      readonly deployment: string;
      readonly action: OrderAction;
      readonly batch: number;
      readonly targets: readonly string[];
      readonly digest: Digest;
      /** The signed order. */
      readonly compact: string;
    };

export type EventKind = Event['kind'];

/** One entry of the journal. */
export interface JournalEntry {
  /** 1, 2, 3, … without gaps. */
  readonly seq: number;
  /** Milliseconds since 1970 by the control plane's clock at the append. */
  readonly at: number;
  /** Who caused it: `token:<id>`, `member:<id>`, or `system`. */
  readonly actor: string;
  readonly event: Event;
  /** Hash of the entry before it, and its own (audit-chain.ts); absent in entries written before there was a chain. */
  readonly prevHash?: string;
  readonly hash?: string;
}
