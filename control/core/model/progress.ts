// How far a deployment is, in numbers; and what is left of one that is long over. Counting is select.ts, putting away is evolve/archive.ts.

import type { TargetPhase, Transfer } from '../../../proto/fleet.ts';

/** How far a deployment is. The counts by phase add up to `total`. */
export interface DeploymentProgress {
  readonly total: number;
  readonly done: number;
  readonly failed: number;
  readonly inFlight: number;
  /** Targets that were revoked on the way, which are not in `total`; absent: none. */
  readonly revoked?: number;
  readonly byPhase: Readonly<Partial<Record<TargetPhase, number>>>;
  /** Batch under way, from 0; the number of batches when all are over. */
  readonly batch: number;
  readonly batches: number;
  /** Sums over the targets that said so. */
  readonly transfer: Transfer;
}

/** The targets of a deployment that is long over, as numbers. Which they were, and what each said, is in the journal. */
export interface Archived {
  /** The newest entry with which they were all in the state. */
  readonly head: number;
  readonly progress: DeploymentProgress;
}
