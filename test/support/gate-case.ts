// A question to the gates as plain data, in the words of control-plane.md and with numbers for revisions: what gate-oracle.ts
// judges from the text, and gate-state.ts turns into a state for control/core. Random ones are gate-cases.ts. Times are minutes
// since 1970, except where the name says milliseconds.

import type { ApprovalRule, ApprovalSpec, CompliancePolicy } from '../../proto/pipeline.ts';
import type { ApprovalStatus, RunPhase, Scope } from '../../proto/events-pipeline.ts';
import type { Share } from '../../proto/rollout-config.ts';
import type { TimeWindow } from '../../proto/window.ts';

/** Which number of each application. */
export type Numbers = Readonly<Record<string, number>>;

/** A window with the stretches in which its schedule alone makes it active, found minute by minute (window-oracle.ts). */
export interface KnownWindow {
  readonly window: TimeWindow;
  readonly stretches: readonly (readonly [number, number])[];
}

export interface CaseVote {
  readonly by: string;
  readonly groups: readonly string[];
  readonly decision: 'approve' | 'reject';
  readonly revoked: boolean;
}

/** Whether something is about what is asked for, or differs in one thing. */
export type About = 'this' | 'another-set' | 'another-destination' | 'another-source' | 'another-policy';

export interface CaseRequest {
  readonly about: About;
  readonly status: ApprovalStatus;
  readonly rules: readonly ApprovalRule[];
  readonly votes: readonly CaseVote[];
  readonly excluded: readonly string[];
  readonly expiresAt?: number;
}

export interface CaseEdge {
  readonly edge: string;
  /** An environment, or the repository of its first application. */
  readonly from: 'beta' | 'app';
  readonly apps: readonly string[];
  readonly auto: boolean;
  readonly disabled: boolean;
  readonly automationOff: boolean;
  readonly held: boolean;
  readonly after: readonly string[];
  readonly soakMinutes?: number;
  readonly windows: readonly string[];
  readonly approval?: ApprovalSpec;
  /** Oldest first. */
  readonly requests: readonly CaseRequest[];
}

export interface CaseOverride {
  readonly lifts: readonly string[];
  readonly about: 'this' | 'another-set' | 'another-destination';
  readonly status: ApprovalStatus;
  readonly rules: readonly ApprovalRule[];
  readonly votes: readonly CaseVote[];
  readonly settledAt: number;
  readonly countsForMinutes?: number;
}

export interface CasePolicy {
  readonly policy: CompliancePolicy;
  /** Oldest first. */
  readonly requests: readonly CaseRequest[];
}

export interface CaseTarget {
  /** Milliseconds since it was heard. */
  readonly silentMs: number;
  /** What it has committed; nothing while it has none. */
  readonly runs: Numbers;
  /** Whether it is told to change and has not answered. */
  readonly changing: boolean;
  /** Of `node-runtime`. */
  readonly platform?: string;
  /** Whether it is one of the environment's at all: by its labels, and not revoked. */
  readonly belongs: boolean;
}

export interface CaseConfig {
  readonly minHealthy: Share;
  readonly failureThreshold: { readonly count: number; readonly percent: number };
  readonly lostAfterMs: number;
  readonly unreachable?: { readonly tolerate: Share; readonly afterMs: number };
  readonly rollbackIgnoresWindows?: boolean;
}

export interface CaseRevision {
  readonly app: string;
  readonly number: number;
  readonly createdAt: number;
  readonly authors: readonly string[];
  readonly signedBy: readonly string[];
  /** Of `node-runtime`. */
  readonly needs?: string;
}

/** One question: may this promotion start in `prod`? */
export interface GateCase {
  readonly seed: number;
  readonly nowMs: number;
  readonly kind: 'auto' | 'manual' | 'hotfix' | 'rollback' | 'catch-up';
  /** What it brings. */
  readonly brings: Numbers;
  readonly by: string;
  readonly reason?: string;
  /** Who else asked for the same by hand, and waits. */
  readonly alsoAskedBy?: string;
  readonly apps: readonly string[];
  readonly revisions: readonly CaseRevision[];
  readonly current?: Numbers;
  readonly desired?: Numbers;
  /** Whether the environment is in a pipeline. */
  readonly placed: boolean;
  readonly pipelineEnabled: boolean;
  /** Automation that is off, beside that of edges: `pipeline`, `environment`, or an application's name. */
  readonly automationOff: readonly string[];
  readonly edges: readonly CaseEdge[];
  readonly vetoes: readonly { readonly app: string; readonly number: number; readonly environment?: string }[];
  readonly pin?: { readonly set: Numbers; readonly until?: number };
  readonly arrivals: readonly { readonly environment: string; readonly set: Numbers; readonly at: number; readonly undone: boolean }[];
  /** Whether `beta` has a workflow. */
  readonly workflow: boolean;
  /** Of `beta`, oldest first. */
  readonly runs: readonly { readonly set: Numbers; readonly asItIsNow: boolean; readonly phase: RunPhase }[];
  readonly windows: readonly KnownWindow[];
  /** Names of those that hold the environment itself. */
  readonly environmentWindows: readonly string[];
  readonly windowsHoldRollback: boolean;
  /** When deployments that count started here. */
  readonly starts: readonly number[];
  readonly freezes: readonly { readonly freeze: string; readonly scope: Scope; readonly until?: number }[];
  readonly locks: readonly { readonly lock: string; readonly scope: Scope; readonly includeRollback: boolean; readonly expiresAt?: number }[];
  readonly active?: 'running' | 'rolling-back';
  readonly targets: readonly CaseTarget[];
  readonly config: CaseConfig;
  readonly wantedCoverage?: { readonly coverage: number; readonly minCopiesPerZone: number };
  /** What the shell saw of it; what follows from reports alone where it saw nothing is control/core/swarm/coverage.ts's. */
  readonly seenCoverage: { readonly coverage: number; readonly copiesPerZoneMin: number };
  readonly policies: readonly CasePolicy[];
  readonly overrides: readonly CaseOverride[];
}
