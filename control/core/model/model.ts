// The control plane's state: what the journal's facts add up to. Read-only to everybody; made by evolve/evolve.ts alone.
// Nothing volatile is here: who is online right now is an observation, handed to decide beside the state.

import type { Cid, Digest } from '../../../proto/cid.ts';
import type { DeploymentConfig, Labels, PromotionCause, PromotionPhase } from '../../../proto/events.ts';
import type { TargetPhase } from '../../../proto/fleet.ts';
import type { SetMembers } from '../../../proto/pipeline.ts';
import type { Role } from '../../../proto/statement.ts';
import type { Building } from './build.ts';
import type { Deployment, IssuedOrder } from './deployment.ts';
import type { Governance } from './pipeline.ts';

export interface App {
  readonly app: string;
  readonly project: string;
  readonly createdAt: number;
  /** By number - 1. */
  readonly revisions: readonly RevisionRecord[];
}

export interface RevisionRecord {
  readonly app: string;
  readonly number: number;
  readonly revision: Digest;
  readonly cid: Cid;
  readonly alias?: string;
  readonly manifest: string;
  readonly manifestBytes: number;
  readonly entries: number;
  readonly bytes: number;
  readonly chunks: number;
  readonly uploadedBytes: number;
  readonly createdAt: number;
  readonly createdBy: string;
}

/** What an environment wants and runs of one application. */
export interface Slot {
  readonly desired?: Digest;
  readonly current?: Digest;
  /** Last known good: written when a deployment succeeded and the environment's workflow, where it has one, found nothing wrong. */
  readonly stable?: Digest;
  /** The promotion that brought `stable`, while `current` is another that is not known to be good. */
  readonly stablePromotion?: string;
  /** The promotion that brought `current`. */
  readonly currentPromotion?: string;
  /** Revisions that succeeded here, oldest first, ending in `stable`; a rollback cuts off what it left behind. */
  readonly good: readonly Digest[];
}

export interface Environment {
  readonly environment: string;
  /** Its applications, in the order in which they are deployed; at least one. */
  readonly apps: readonly string[];
  readonly selector: Labels;
  readonly config: DeploymentConfig;
  readonly createdAt: number;
  /** Fencing number of the newest deployment. */
  readonly seq: number;
  /** Highest order number issued, and the digest of that order. */
  readonly orderSeq: number;
  readonly orderDigest?: Digest;
  /** By application; what was never asked for has none. */
  readonly slots: Readonly<Record<string, Slot>>;
  readonly activeDeployment?: string;
  /** The deployment started last, finished or not. */
  readonly newestDeployment?: string;
  /** The prefetch begun last, finished or not, and how many there were. */
  readonly newestPrefetch?: string;
  readonly prefetches?: number;
  /** Deployments and prefetches that have their targets still, oldest first (evolve/archive.ts). */
  readonly whole?: readonly string[];
  /** The promotion that is being deployed and has applications to go, between two of its deployments too. */
  readonly continuing?: string;
  /** The promotion whose set runs here and is being verified. */
  readonly verifying?: string;
  /** Promotions that wait for this environment's gates, oldest first. */
  readonly waiting: readonly string[];
  /** What the environment's role says now; absent before the first. */
  readonly role?: { readonly version: number; readonly revisions: Readonly<Record<string, Digest>> };
}

export interface Token {
  readonly token: string;
  readonly use: 'api' | 'join';
  readonly name: string;
  readonly secretDigest: Digest;
  readonly scopes: readonly string[];
  readonly groups?: readonly string[];
  readonly roles: readonly Role[];
  readonly environments: readonly string[];
  readonly labels: Labels;
  readonly usesMax: number;
  readonly uses: number;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly revoked: boolean;
}

export interface Member {
  readonly member: string;
  readonly name: string;
  readonly publicKey: string;
  readonly roles: readonly Role[];
  readonly environments: readonly string[];
  readonly labels: Labels;
  readonly attributes: Readonly<Record<string, string>>;
  readonly serial: number;
  /** The join token that it came with. */
  readonly token: string;
  readonly enrolledAt: number;
  readonly renewedAt: number;
  readonly addresses: readonly string[];
  readonly uploadUrl?: string;
  readonly revoked: boolean;
  /** No deployment begins with it; what is under way goes on. */
  readonly cordoned?: { readonly reason: string; readonly at: number };
  /** Epoch of the first roster that has it as it is now. */
  readonly rosterEpoch: number;
  /** What it last reported to have committed, by application. */
  readonly running: Readonly<Record<string, RunningRelease>>;
  /** The newest order, by application, whose answer told us what it runs: an answer to an older one says nothing new. */
  readonly answered: Readonly<Record<string, number>>;
  /** The newest change it was ordered to make, by application. */
  readonly work: Readonly<Record<string, Work>>;
}

/** A roster, and when it came to be, in milliseconds since 1970. */
export interface RosterDay {
  readonly epoch: number;
  readonly at: number;
}

/** A committed release on a member. */
export interface RunningRelease {
  readonly revision: Digest;
  readonly number: number;
  readonly since: number;
}

/** A change that a member was ordered to make, and how far it says it came. */
export interface Work {
  readonly environment: string;
  readonly deployment: string;
  /** Of the newest order to activate or roll back. */
  readonly seq: number;
  readonly revision: Digest;
  readonly phase: TargetPhase;
  /** Whether it answered that very order with a final phase; until then it counts as changing. */
  readonly settled: boolean;
}

export interface Promotion {
  readonly promotion: string;
  readonly environment: string;
  readonly app: string;
  readonly revision: Digest;
  readonly number: number;
  readonly trigger: 'manual' | 'rollback';
  /** Of those that are not plainly asked for by a person: automation, or past the usual order of things. */
  readonly cause?: PromotionCause;
  /** The promotion configuration that it follows, as `pipeline/edge`. */
  readonly edge?: string;
  /** The whole set that it brings, where the environment has several applications. */
  readonly members?: SetMembers;
  /** The deployment that it tries again, and how often that is by now. */
  readonly retryOf?: string;
  readonly attempt?: number;
  readonly reason?: string;
  readonly phase: PromotionPhase;
  readonly by: string;
  readonly createdAt: number;
  readonly finishedAt?: number;
  /** Why it ended as it did, where there is something to say. */
  readonly outcome?: string;
  /** Its newest deployment: it has one for each application that it changes. */
  readonly deployment?: string;
  /** Applications that are deployed after the newest deployment's. */
  readonly next?: readonly string[];
}

/** Everything. Maps are keyed by the id in the value. */
export interface State extends Governance, Building {
  /** Sequence number of the last entry folded in. */
  readonly head: number;
  readonly apps: ReadonlyMap<string, App>;
  readonly environments: ReadonlyMap<string, Environment>;
  readonly tokens: ReadonlyMap<string, Token>;
  readonly members: ReadonlyMap<string, Member>;
  /** By name, the id of the member that is called so and not revoked: whoever joins asks whether there is one. */
  readonly names: ReadonlyMap<string, string>;
  /** Ids of the agents that are certified for an environment and not revoked, by name: who may be a target there. */
  readonly agents: ReadonlyMap<string, readonly string[]>;
  /** Those of them that an environment selects, by name; an environment without targets has no entry. */
  readonly targets: ReadonlyMap<string, readonly Member[]>;
  /** Ids of the targets that lack what their environment runs, in ascending order; none while a deployment is under way there. */
  readonly adrift: ReadonlyMap<string, readonly string[]>;
  readonly promotions: ReadonlyMap<string, Promotion>;
  readonly deployments: ReadonlyMap<string, Deployment>;
  /** Orders still worth delivering, by environment, oldest first: those of unfinished deployments, and the newest that names each target. */
  readonly orders: ReadonlyMap<string, readonly IssuedOrder[]>;
  /** Epoch of the roster: +1 with every change of membership or location. */
  readonly rosterEpoch: number;
  /** When that change was, in milliseconds since 1970. */
  readonly rosterAt: number;
  /** The first roster of each of the last days in which there was one, oldest first (roster.ts). */
  readonly rosterDays: readonly RosterDay[];
}
