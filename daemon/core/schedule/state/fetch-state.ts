// How one fetch stands: what is kept of it between steps. Changed in place by the files of the scheduler, as the rest of its state (swarm-state.ts).

import type { PieceSet, PieceTable } from './pieces.ts';

/** A topic that is being fetched. */
export interface Fetch {
  /** Its number. */
  readonly id: number;
  readonly table: PieceTable;
  readonly missing: number;
  /** Chunks that cannot be read yet. */
  left: number;
  /** Chunks free to be asked for. */
  open: number;
  /** How many unfinished requests claim a chunk. */
  readonly claims: Uint8Array;
  /** Pieces that can be read whole. */
  piecesDone: number;
  /** Whether a neighbour was not asked for what it has of a piece, since it has not all that is free of it. */
  hasParts: boolean;
  /** Since when nothing could be asked for by the rules. */
  idleSince: number | undefined;
  /** It has been so for tau. */
  isStarving: boolean;
  /** It once was: what nobody near holds is asked of the origin from then on, piece by piece, without a tau for each. */
  hasStarved: boolean;
  /** Part of tau that is ours alone, so that the starved do not ask together. */
  readonly jitter: number;
  /** Until when neighbours that have not opened the topic are expected to; 0 when that is over. */
  expectedUntil: number;
  /** Whether, when last looked at, time alone had nothing to bring: no border, no doubts, no hunger. */
  isCalm: boolean;
  /** When it began. */
  readonly startedAt: number;
  /** Whether a neighbour did not answer us, or answered wrongly. */
  hasCaught: boolean;
  /** For each block of ordinals: 1 when it is ours to fetch from the origin, more when it may become ours; see ownership.ts. */
  ownBlocks: Uint8Array;
  /** Blocks that an origin suggested: ours, whoever was to bring them. */
  readonly suggested: Set<number>;
  /** Whether any of them is ours. */
  isOwner: boolean;
  /** Whether we bring what is another's, too. */
  helps: boolean;
  /** The pieces that have something of ours, or something that we may stand in for. */
  ownPieces: PieceSet;
  /** Ownership must be worked out anew. */
  ownersStale: boolean;
  /** Members of our zone among whom the blocks are divided that come from other zones; see zones.ts. */
  importers: readonly string[];
  /** How many importers that we do not see are no longer waited for; see zones.ts. */
  bordersOpen: number;
  /** Whether importers were once waited for as long as a slow border may take: one that always has news, and never brings what is its to bring, is not waited for without end. */
  hasWaited: boolean;
  /** Whether everybody who takes part is a neighbour. */
  seesAll: boolean;
}
