// The books of a fetch: which chunks are missing, taken, arrived, and which neighbour holds which of them.
// Whom to ask for what is decided in requesting.ts; what a message means in topics.ts and arriving.ts.

import type { Bitmap } from '../../proto/bitmap.ts';
import { chunkState, createPieceSet, createPieceTable, putPiece } from './pieces.ts';
import { swarmBounds } from './swarm-bounds.ts';
import { type Fetch, type Peer, type SwarmState, type TopicState, type View } from './swarm-state.ts';

const none = new Int32Array(0);
const noPieces = createPieceSet(0);

/** A view of a neighbour that has said nothing yet. */
function createView(peer: Peer, topic: TopicState): View {
  return { peer, topic, opened: false, told: 0, toldAt: 0, newsAt: 0, isSilent: false, counts: none, offers: noPieces, dry: false, asked: new Set(), given: 0, redirectedAt: Number.NEGATIVE_INFINITY };
}

/** The view of a neighbour on a topic, made when needed. */
export function viewOf(topic: TopicState, peer: Peer): View {
  const { member, origin } = peer.info;
  let view = topic.views.get(member);
  if (view !== undefined) return view;
  view = createView(peer, topic);
  topic.views.set(member, view);
  topic.viewList.push(view);
  if (origin) topic.originViews.push(view);
  return view;
}

/** Forgets it. */
export function dropView(topic: TopicState, view: View): void {
  topic.views.delete(view.peer.info.member);
  topic.viewList.splice(topic.viewList.indexOf(view), 1);
  if (view.peer.info.origin) topic.originViews.splice(topic.originViews.indexOf(view), 1);
}

/** Begins to want what is in `wanted` and not held. Reports `done` at once when that is nothing. */
export function startFetch(state: SwarmState, topic: TopicState, wanted: Bitmap): void {
  const missing: number[] = [];
  for (const { from, to } of wanted.ranges()) {
    for (let ordinal = from; ordinal < to; ordinal += 1) {
      if (!topic.held.has(ordinal)) missing.push(ordinal);
    }
  }
  if (missing.length === 0) {
    state.effects.push({ kind: 'done', topic: topic.id });
    return;
  }
  const table = createPieceTable(topic.info.chunkCount, missing, (ordinal) => topic.info.lengthOf(ordinal));
  topic.fetch = {
    table,
    missing: missing.length,
    left: missing.length,
    open: missing.length,
    claims: new Uint8Array(topic.info.chunkCount),
    piecesDone: 0,
    idleSince: undefined,
    isStarving: false,
    hasStarved: false,
    jitter: state.random(),
    startedAt: state.now,
    hasCaught: false,
    expectedUntil: state.now + swarmBounds.expectedMs,
    ownBlocks: new Uint8Array(0),
    ownPieces: createPieceSet(table.pieces.length),
    ownersStale: true,
    importers: [],
    bordersOpen: 0,
    seesAll: false,
  };
  for (const view of topic.viewList) countView(topic, view);
}

/** Forgets the fetch; requests must have been dropped before. */
export function endFetch(topic: TopicState): void {
  delete topic.fetch;
  for (const view of topic.viewList) {
    view.counts = none;
    view.offers = noPieces;
    view.dry = false;
  }
}

/** Takes what a neighbour says that it holds now in place of what it said before. */
export function setViewHeld(state: SwarmState, topic: TopicState, view: View, held: Bitmap | undefined): void {
  view.newsAt = state.now;
  uncountView(topic, view);
  countHolder(topic, view, -1);
  if (held === undefined) delete view.held;
  else view.held = held;
  countHolder(topic, view, 1);
  countView(topic, view);
  // In a large fleet the roster decides who owns what, and which origins are here.
  if (topic.fetch !== undefined && (topic.fetch.seesAll || view.peer.info.origin)) topic.fetch.ownersStale = true;
}

/** One more ordinal that a neighbour holds. */
export function viewGains(state: SwarmState, topic: TopicState, view: View, ordinal: number): void {
  if (view.held === undefined || !view.held.set(ordinal)) return;
  if (isMissing(topic.fetch, ordinal)) countChange(topic, view, ordinal, 1);
  view.newsAt = state.now;
  view.dry = false;
  if (topic.holders !== undefined && !view.peer.info.origin) topic.holders[ordinal] = (topic.holders[ordinal] ?? 0) + 1;
}

/** At an origin: counts an agent among the holders of all that it holds, or no longer. */
function countHolder({ holders }: TopicState, { held, peer }: View, change: 1 | -1): void {
  if (holders === undefined || held === undefined || peer.info.origin) return;
  for (const { from, to } of held.ranges()) for (let ordinal = from; ordinal < to; ordinal += 1) holders[ordinal] = (holders[ordinal] ?? 0) + change;
}

/** An ordinal that a neighbour turned out not to hold. */
export function viewLoses(topic: TopicState, view: View, ordinal: number): void {
  if (view.held === undefined || !view.held.clear(ordinal)) return;
  if (topic.holders !== undefined && !view.peer.info.origin) topic.holders[ordinal] = (topic.holders[ordinal] ?? 0) - 1;
  if (isMissing(topic.fetch, ordinal)) countChange(topic, view, ordinal, -1);
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
  for (const view of topic.viewList) view.dry = false;
}

/** Whether a chunk that just came is wanted; it then counts as arrived, and nobody needs to be asked for it. */
export function arriveChunk(topic: TopicState, fetch: Fetch, ordinal: number): boolean {
  if (!isMissing(fetch, ordinal)) return false;
  if (fetch.table.state[ordinal] === chunkState.missing) changeOpen(fetch, ordinal, -1);
  for (const view of topic.viewList) {
    if (view.held?.has(ordinal) === true) countChange(topic, view, ordinal, -1);
  }
  fetch.table.state[ordinal] = chunkState.arrived;
  fetch.claims[ordinal] = 0;
  return true;
}

/** A chunk is on disk. Returns whether its piece is whole now. */
export function storeChunk(fetch: Fetch, ordinal: number): boolean {
  if (fetch.table.state[ordinal] !== chunkState.arrived) return false;
  fetch.table.state[ordinal] = chunkState.held;
  fetch.left -= 1;
  const piece = fetch.table.pieces[fetch.table.pieceOf(ordinal)];
  if (piece === undefined) return false;
  piece.left -= 1;
  if (piece.left > 0) return false;
  fetch.piecesDone += 1;
  return true;
}

/** Whether a chunk has neither arrived nor been held before. */
export function isMissing(fetch: Fetch | undefined, ordinal: number): boolean {
  const found = fetch?.table.state[ordinal];
  return found === chunkState.missing || found === chunkState.taken;
}

function changeOpen(fetch: Fetch, ordinal: number, change: 1 | -1): void {
  fetch.open += change;
  const index = fetch.table.pieceOf(ordinal);
  const piece = fetch.table.pieces[index];
  if (piece === undefined) return;
  piece.open += change;
  if (piece.open === (change === 1 ? 1 : 0)) putPiece(fetch.table.open, index, change === 1);
}

function countChange(topic: TopicState, view: View, ordinal: number, change: 1 | -1): void {
  const index = topic.fetch?.table.pieceOf(ordinal) ?? -1;
  const piece = topic.fetch?.table.pieces[index];
  if (piece === undefined) return;
  const count = (view.counts[index] ?? 0) + change;
  view.counts[index] = count;
  if (count !== (change === 1 ? 1 : 0)) return;
  putPiece(view.offers, index, change === 1);
  if (!view.peer.info.origin) piece.holders += change;
}

function countView(topic: TopicState, view: View): void {
  const { fetch } = topic;
  if (fetch === undefined) return;
  view.counts = new Int32Array(fetch.table.pieces.length);
  view.offers = createPieceSet(fetch.table.pieces.length);
  view.dry = false;
  eachMissingHeld(fetch, view, (ordinal) => countChange(topic, view, ordinal, 1));
}

function uncountView(topic: TopicState, view: View): void {
  if (topic.fetch === undefined) return;
  eachMissingHeld(topic.fetch, view, (ordinal) => countChange(topic, view, ordinal, -1));
}

function eachMissingHeld(fetch: Fetch, view: View, visit: (ordinal: number) => void): void {
  if (view.held === undefined) return;
  for (const { ordinals } of fetch.table.pieces) {
    for (const ordinal of ordinals) {
      if (isMissing(fetch, ordinal) && view.held.has(ordinal)) visit(ordinal);
    }
  }
}
