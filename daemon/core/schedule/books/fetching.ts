// The books of a fetch: which chunks are missing, taken, arrived. Which neighbour holds which of them is in views.ts,
// whom to ask for what in requesting.ts; what a message means in topics.ts and arriving.ts.

import type { Bitmap } from '../../../../proto/bitmap.ts';
import type { Fetch } from '../state/fetch-state.ts';
import { chunkState, createPieceSet, createPieceTable, hasPiece, isMissing, noPieces, putPiece } from '../state/pieces.ts';
import { swarmBounds } from '../state/swarm-bounds.ts';
import { enliven, type SwarmState, type TopicState } from '../state/swarm-state.ts';
import { countView, wake } from './views.ts';

/** Begins to want what is in `wanted` and not held. Reports `done` at once when that is nothing. */
export function startFetch(state: SwarmState, topic: TopicState, id: number, wanted: Bitmap): void {
  const missing: number[] = [];
  for (const { from, to } of wanted.ranges()) {
    for (let ordinal = from; ordinal < to; ordinal += 1) {
      if (!topic.held.has(ordinal)) missing.push(ordinal);
    }
  }
  if (missing.length === 0) {
    state.effects.push({ kind: 'done', topic: topic.id, fetch: id });
    return;
  }
  const table = createPieceTable(topic.info.chunkCount, missing, (ordinal) => topic.info.lengthOf(ordinal));
  topic.fetch = {
    id,
    table,
    missing: missing.length,
    left: missing.length,
    open: missing.length,
    claims: new Uint8Array(topic.info.chunkCount),
    piecesDone: 0,
    hasParts: false,
    idleSince: undefined,
    isStarving: false,
    hasStarved: false,
    jitter: state.random(),
    isCalm: false,
    startedAt: state.now,
    hasCaught: false,
    expectedUntil: state.now + swarmBounds.expectedMs,
    ownBlocks: new Uint8Array(0),
    suggested: new Set(),
    isOwner: false,
    helps: false,
    ownPieces: createPieceSet(table.count),
    ownersStale: true,
    importers: [],
    bordersOpen: 0,
    hasWaited: false,
    seesAll: false,
  };
  enliven(state, topic);
  for (const view of topic.viewList) countView(topic, view);
}

/** Forgets the fetch; requests must have been dropped before. */
export function endFetch(topic: TopicState): void {
  delete topic.fetch;
  topic.isPatient = false;
  topic.awake.length = 0;
  for (const view of topic.viewList) {
    view.offers = noPieces;
    view.isAwake = false;
  }
}

/** Marks a missing chunk as asked for, once more. */
export function takeChunk(fetch: Fetch, ordinal: number): void {
  fetch.claims[ordinal] = (fetch.claims[ordinal] ?? 0) + 1;
  if (fetch.table.state[ordinal] !== chunkState.missing) return;
  fetch.table.state[ordinal] = chunkState.taken;
  changeOpen(fetch, ordinal, -1);
}

/** One request less claims it; without any it is free again. */
export function releaseChunk(topic: TopicState, fetch: Fetch, ordinal: number): void {
  const claims = fetch.claims[ordinal] ?? 0;
  if (claims === 0) return;
  fetch.claims[ordinal] = claims - 1;
  if (claims > 1 || fetch.table.state[ordinal] !== chunkState.taken) return;
  fetch.table.state[ordinal] = chunkState.missing;
  changeOpen(fetch, ordinal, 1);
  const piece = fetch.table.pieceOf(ordinal);
  for (const view of topic.viewList) if (!view.isAwake && hasPiece(view.offers, piece)) wake(view);
}

/** Whether a chunk that just came is wanted; it then counts as arrived, and nobody needs to be asked for it. */
export function arriveChunk(topic: TopicState, fetch: Fetch, ordinal: number): boolean {
  if (!isMissing(fetch.table, ordinal)) return false;
  if (fetch.table.state[ordinal] === chunkState.missing) changeOpen(fetch, ordinal, -1);
  fetch.table.state[ordinal] = chunkState.arrived;
  fetch.claims[ordinal] = 0;
  return true;
}

/** A chunk can be read. Returns whether its piece is whole now. */
export function storeChunk(fetch: Fetch, ordinal: number): boolean {
  if (fetch.table.state[ordinal] !== chunkState.arrived) return false;
  fetch.table.state[ordinal] = chunkState.held;
  fetch.left -= 1;
  const { table } = fetch;
  const piece = table.pieceOf(ordinal);
  const left = (table.leftChunks[piece] ?? 0) - 1;
  table.leftChunks[piece] = left;
  if (left > 0) return false;
  fetch.piecesDone += 1;
  return true;
}

function changeOpen(fetch: Fetch, ordinal: number, change: 1 | -1): void {
  fetch.open += change;
  const { table } = fetch;
  const piece = table.pieceOf(ordinal);
  const chunks = (table.openChunks[piece] ?? 0) + change;
  table.openChunks[piece] = chunks;
  if (chunks === (change === 1 ? 1 : 0)) putPiece(table.open, piece, change === 1);
}
