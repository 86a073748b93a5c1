// What a gate answers, and what it is asked about. A blocker says what holds, since when, until when, and who can act.

import type { Environment, Promotion, State } from '../model/model.ts';
import type { SetMembers } from '../../../proto/pipeline.ts';
import type { Observed } from '../model/select.ts';
import type { EdgePlace, Place } from './place.ts';

/** What holds a promotion. Closed: a new gate is a new type. In the order in which they are asked (control-plane.md 1.4). */
export type BlockerType =
  | 'unknown-environment'
  | 'unknown-revision'
  | 'pipeline-disabled'
  | 'edge-disabled'
  | 'automation-off'
  | 'veto'
  | 'pin'
  | 'hold'
  | 'same-set'
  | 'downgrade'
  | 'after'
  | 'soak'
  | 'window'
  | 'freeze'
  | 'lock'
  | 'active-deployment'
  | 'no-targets'
  | 'targets-offline'
  | 'min-healthy'
  | 'node-requirement'
  | 'coverage'
  | 'workflow'
  | 'approval'
  | 'compliance'
  /** Not of a promotion, but of an edge: nothing that is approved fits what the destination runs. */
  | 'no-compatible-revision'
  /** Not of what waits, but of what runs: its workflow was inconclusive, and somebody is to say how it ended. */
  | 'needs-decision';

/** One reason why a promotion waits. */
export interface Blocker {
  readonly type: BlockerType;
  /** A sentence for people: what holds it, and what to do. */
  readonly reason: string;
  /** Milliseconds since 1970: since when it holds, as far as known. */
  readonly since: number;
  /** When it ends by itself, where that is known. */
  readonly until?: number;
  /** What it is about: an environment, a deployment, a revision, a lock, a request. */
  readonly ref?: string;
  /** Who can end it: people by name, `group:<name>`, or whoever has a scope such as `promote:env/prod`. Absent: nobody need. */
  readonly actors?: readonly string[];
}

/** How a promotion came about: which gates it must pass depends on it. */
export type CandidateKind = 'auto' | 'manual' | 'hotfix' | 'rollback' | 'catch-up';

/** What a promotion asks for: a promotion on record, or one that somebody thinks of. */
export type Candidate = Pick<Promotion, 'environment' | 'app' | 'revision' | 'number' | 'trigger' | 'createdAt'> &
  Partial<Pick<Promotion, 'cause' | 'edge' | 'members' | 'by' | 'reason' | 'promotion' | 'phase'>> & { readonly catchUp?: boolean };

/** A gate that would have held, and why it does not: recorded with the deployment (T-1). */
export interface Exemption {
  readonly gate: BlockerType;
  readonly why: 'rollback' | 'catch-up' | 'hotfix' | 'override' | 'observe';
  readonly ref?: string;
}

/** What one gate says. */
export interface GateAnswer {
  readonly blockers: readonly Blocker[];
  readonly exemptions?: readonly Exemption[];
  /** When the answer may change by time alone, beside the blockers' own `until`. */
  readonly nextCheckAt?: number;
}

/** What a gate may look at. */
export interface GateContext {
  readonly state: State;
  readonly observed: Observed;
  readonly candidate: Candidate;
  readonly kind: CandidateKind;
  readonly environment: Environment;
  /** The whole set that the environment would run. */
  readonly members: SetMembers;
  /** Where the environment is in a pipeline; absent when it is in none. */
  readonly place?: Place;
  /** The promotion configuration that brings the application here. */
  readonly edge?: EdgePlace;
}

/** How a candidate came about. */
export function kindOf({ trigger, cause, catchUp }: Pick<Candidate, 'trigger' | 'cause' | 'catchUp'>): CandidateKind {
  if (catchUp === true) return 'catch-up';
  return trigger === 'rollback' ? 'rollback' : (cause ?? 'manual');
}

/** No blocker. */
export const passes: GateAnswer = { blockers: [] };

/** One blocker. */
export function holds(blocker: Blocker): GateAnswer {
  return { blockers: [blocker] };
}

/** `app@number` of each member, for people. */
export function setText(state: State, members: SetMembers): string {
  return Object.entries(members)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([app, digest]) => `${app}@${numberOf(state, app, digest) ?? digest.slice(0, 12)}`)
    .join(' + ');
}

/** The number of a revision in its application. */
export function numberOf(state: State, app: string, digest: string): number | undefined {
  return state.apps.get(app)?.revisions.find((record) => record.revision === digest)?.number;
}
