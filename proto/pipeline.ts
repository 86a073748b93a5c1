// A pipeline as data: stages with environments, and the promotions between them (control-plane.md 1.1, 2.1). This is what
// the journal keeps; the YAML that people write is read into it elsewhere, with names resolved and durations in milliseconds.

import type { Digest } from './cid.ts';
import type { NotificationRule } from './notification.ts';
import type { TimeWindow } from './window.ts';

/** Exactly which revision of each application runs together: an environment revision. */
export type SetMembers = Readonly<Record<string, Digest>>;

/** So many distinct people of a group; `*` is anybody who may approve. */
export interface ApprovalRule {
  readonly group: string;
  readonly count: number;
}

/** What people must say before something goes on. */
export interface ApprovalSpec {
  readonly rules: readonly ApprovalRule[];
  /** Whether authors of changes in the set, and who submitted it, are not counted. */
  readonly preventSelfApproval: boolean;
  /** After this long an open request is rejected; absent: never. */
  readonly expiresAfterMs?: number;
}

/** One way to prefer a candidate to another (control-plane.md 1.6). */
export type SelectKey =
  | { readonly by: 'latest' | 'number' | 'priority' | 'testsPassed' | 'matchUpstream' | 'matchDestination' }
  | { readonly by: 'author'; readonly authors: readonly string[] }
  | { readonly by: 'list'; readonly revisions: readonly Digest[] };

/** A promotion configuration: from one source to one destination. */
export interface EdgeSpec {
  /** Unique in its pipeline. */
  readonly edge: string;
  readonly from: { readonly kind: 'app'; readonly app: string } | { readonly kind: 'environment'; readonly environment: string };
  readonly to: string;
  /** Applications that it carries; each (environment, application) has one source. */
  readonly apps: readonly string[];
  readonly auto: boolean;
  /** The first decides; ties go on to the next, then to number and digest. */
  readonly select: readonly SelectKey[];
  /** People who must approve for this destination. Absent with a source that has no workflow either: one person must. */
  readonly approval?: ApprovalSpec;
  readonly soakMs?: number;
  /** Environments in which the same must have succeeded before. */
  readonly after: readonly string[];
  /** Names of windows that hold this edge beside those of its destination. */
  readonly windows: readonly string[];
}

/** Content that must be in place before anything switches: replication as a gate. */
export interface CoverageSpec {
  /** Share of targets that hold all of it, from 0 to 1. */
  readonly coverage: number;
  readonly minCopiesPerZone: number;
}

export interface PipelineEnvironment {
  readonly environment: string;
  /** Name of the workflow that each new set passes here. */
  readonly workflow?: string;
  readonly windows: readonly string[];
  /** Whether closed windows and freezes hold rollbacks and catch-ups too. */
  readonly windowsHoldRollback: boolean;
  readonly coverage?: CoverageSpec;
}

export interface StageSpec {
  readonly stage: string;
  readonly environments: readonly PipelineEnvironment[];
}

export type StepKind = 'test' | 'analysis' | 'bake' | 'approval' | 'compliance' | 'command' | 'notify';

/** One step of a workflow. What a step runs is in `with`, for whoever carries it out. */
export interface StepSpec {
  readonly step: string;
  readonly kind: StepKind;
  readonly needs: readonly string[];
  readonly timeoutMs: number;
  readonly retries: number;
  readonly allowFailure: boolean;
  readonly approval?: ApprovalSpec;
  readonly with?: Readonly<Record<string, string>>;
}

export interface WorkflowSpec {
  readonly workflow: string;
  /** What no deployment may start in while it runs. */
  readonly lock: 'stage' | 'environment' | 'none';
  readonly timeoutMs: number;
  /** When it runs again for the set that is there, beside once for each new one: five fields of cron. */
  readonly schedule?: { readonly cron: string; readonly timeZone: string };
  readonly steps: readonly StepSpec[];
}

/** One demand of a compliance policy. */
export type ComplianceRule =
  | { readonly rule: 'approvals'; readonly group: string; readonly count: number }
  | { readonly rule: 'separationOfDuties' }
  | { readonly rule: 'signedArtifacts'; readonly keys: readonly string[] }
  | { readonly rule: 'testedIn'; readonly environment: string }
  /** The whole of one word of the promotion's reason matches. */
  | { readonly rule: 'ticket'; readonly pattern: string };

export interface CompliancePolicy {
  readonly policy: string;
  readonly framework: 'SOX' | 'PCI' | 'HIPAA' | 'FISMA' | 'custom';
  readonly version: number;
  /** `observe` records and never holds. */
  readonly mode: 'enforce' | 'observe';
  readonly environments: readonly string[];
  readonly requires: readonly ComplianceRule[];
  /** Who may lift it for one promotion, and for how long that counts. Absent: nobody. */
  readonly breakGlass?: {
    readonly group: string;
    readonly count: number;
    readonly expiresMs: number;
    /** Each use is to be looked at afterwards by somebody who had no part in it. */
    readonly requireReview?: true;
  };
}

/** What every revision of an application needs of the machines that it runs on, beside what a revision says itself. */
export interface AppRequirements {
  readonly app: string;
  readonly requires: readonly { readonly node: string; readonly version: string }[];
}

/** Where an application's deploy spec is, inside of what is pushed; `deploy.yaml` where nothing is said. */
export interface DeploySpecPlace {
  readonly app: string;
  readonly path: string;
}

/** All of a pipeline. */
export interface PipelineSpec {
  /** For people and for lists; nothing is decided by them. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly requirements?: readonly AppRequirements[];
  readonly deploySpecs?: readonly DeploySpecPlace[];
  /** `superseded`: the newest approved goes on, and older ones that wait give way; `queued`: each goes on, in order. */
  readonly executionMode: 'superseded' | 'queued';
  readonly stages: readonly StageSpec[];
  readonly edges: readonly EdgeSpec[];
  readonly windows: readonly TimeWindow[];
  readonly workflows: readonly WorkflowSpec[];
  readonly policies: readonly CompliancePolicy[];
  readonly notifications?: readonly NotificationRule[];
}
