// What holds promotions back beside the clock: switches, holds, pins, vetoes, locks, freezes. Five different things with
// five different ends (control-plane.md 1.3); which promotions each of them stops is the table in gates/table.ts.

import type { Digest } from '../../../proto/cid.ts';
import type { Scope } from '../../../proto/events-pipeline.ts';
import type { ApprovalRule, SetMembers } from '../../../proto/pipeline.ts';

/** Who did it, when, and why. */
export interface Deed {
  readonly by: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly reason: string;
}

/** An automation or an edge that is off. */
export interface Switch extends Deed {
  readonly key: string;
}

/** Stops automatic promotion on one edge, until the candidate is promoted or somebody releases it. */
export interface Hold extends Deed {
  readonly edge: string;
  readonly promotion?: string;
  /** Where it is about sets that were taken back by themselves: those, oldest first. What comes after them goes past it. Absent: it is about whatever comes. */
  readonly sets?: readonly SetMembers[];
}

/** Stops any change of an environment's set but to the pinned one. */
export interface Pin extends Deed {
  readonly environment: string;
  readonly members: SetMembers;
  readonly until?: number;
}

/** Stops a revision from being chosen or deployed, everywhere or in one environment. */
export interface Veto extends Deed {
  readonly app: string;
  readonly revision: Digest;
  readonly environment?: string;
}

/** Stops new deployments from starting within its scope; what is under way goes on (L-7). */
export interface Lock extends Deed {
  readonly lock: string;
  readonly scope: Scope;
  readonly mode: 'manual' | 'workflow';
  readonly holder: string;
  readonly includeRollback: boolean;
  /** After this it holds nothing, and its holder may no longer write (L-4). */
  readonly expiresAt?: number;
}

/** An organisation's "not now": a deny window without a schedule. */
export interface Freeze extends Deed {
  readonly freeze: string;
  readonly scope: Scope;
  readonly until?: number;
  /** Who may lift it for one promotion; absent: nobody. */
  readonly breakGlass?: ApprovalRule;
}
