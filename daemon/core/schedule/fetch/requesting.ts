// What is asked of whom: rarest first, of the neighbour that would be done soonest, pieces of the origin only by its rule. What becomes of requests that
// overstay is in overdue.ts; the accounts are in peers.ts and fetching.ts.

import { limits } from '../../../../proto/limits.ts';
import type { Fetch } from '../state/fetch-state.ts';
import { takeChunk } from '../books/fetching.ts';
import { lull, wake } from '../books/views.ts';
import { beginHelping, blockOf, isOwn, isSuggested, refreshOwners } from '../owners/ownership.ts';
import { canWaitForWhole, expectedMs, graceMs, hasEnough, isReliable, mayAsk, openRequest } from '../books/peers.ts';
import { chunkState, haveCommon } from '../state/pieces.ts';
import { swarmBounds } from '../state/swarm-bounds.ts';
import type { Peer, SwarmState, TopicState, View } from '../state/swarm-state.ts';
import { coverOf, tell } from '../books/topics.ts';
import { hasForeignRoom, isBorderWide, mayImport } from '../owners/zones.ts';

/** Why a request is made; `desperate` asks the origin for what another was to fetch, `duplicate` asks again for what is asked for. */
type Purpose = 'normal' | 'desperate' | 'duplicate';

/** Fills every window that has room, of every fetch. */
export function pump(state: SwarmState): void {
  for (const topic of state.lively) if (refreshOwners(state, topic)) state.isStirred = true;
  if (!state.isStirred) return;
  state.isStirred = false;
  for (const topic of urgentFirst(state)) {
    if (topic.fetch === undefined) continue;
    takeParts(state, topic, topic.fetch);
    beginHelping(topic, topic.fetch);
    fill(state, topic, topic.fetch, 'normal');
    if (topic.fetch.hasStarved) fill(state, topic, topic.fetch, 'desperate');
  }
}

/** Only a cap makes them compete. */
function urgentFirst({ receive, lively }: SwarmState): readonly TopicState[] {
  if (receive === undefined || lively.length < 2) return lively;
  return lively.toSorted((a, b) => Number(a.traffic === 'background') - Number(b.traffic === 'background'));
}

/** When too little is under way to wait for whole pieces, those are asked again that have parts. */
function takeParts(state: SwarmState, topic: TopicState, fetch: Fetch): void {
  if (!fetch.hasParts || canWaitForWhole(state, fetch.table.pieceBytes)) return;
  fetch.hasParts = false;
  for (const view of topic.viewList) if (haveCommon(view.offers, fetch.table.open)) wake(view);
}

function fill(state: SwarmState, topic: TopicState, fetch: Fetch, purpose: 'normal' | 'desperate'): void {
  // What the rules leave to ask for is remembered between steps; what despair does is not, since it is rare.
  const spent = purpose === 'normal' ? undefined : new Set<View>();
  while (fetch.open > 0) {
    const next = soonest(state, topic, fetch, spent);
    if (next === undefined) return;
    const isAsked = askRarest(state, topic, fetch, next, purpose);
    if (spent !== undefined && !isAsked) spent.add(next);
    if (spent === undefined && !(isAsked && haveCommon(next.offers, fetch.table.open))) lull(next);
  }
}

/** The neighbour with room in its window that would be done with one more piece first; of origins only, without those that are `spent`, if that is given. */
function soonest(state: SwarmState, topic: TopicState, fetch: Fetch, spent: ReadonlySet<View> | undefined): View | undefined {
  const { pieceBytes } = fetch.table;
  let best: View | undefined;
  let bestMs = Number.POSITIVE_INFINITY;
  const isSated = hasEnough(state, pieceBytes);
  // What is ours to bring from the origin nobody else has: however much is under way and however long its line, it is asked for. Across a border, too, where that takes no time of others.
  const isUrgentAbroad = isSated && !fetch.seesAll && isBorderWide(state);
  const onlyOrigins = spent !== undefined || (isSated && !isUrgentAbroad);
  for (const view of onlyOrigins ? topic.originViews : topic.awake) {
    const { origin } = view.peer.info;
    if (isSated && !origin && !view.peer.isForeign) continue;
    if (spent === undefined ? !view.isAwake : spent.has(view)) continue;
    if (view.held === undefined || view.theirTopic === undefined || !mayAsk(state, topic, view.peer, pieceBytes)) continue;
    const ms = origin && !fetch.seesAll ? -1 : expectedMs(view.peer, pieceBytes);
    if (ms >= bestMs) continue;
    best = view;
    bestMs = ms;
  }
  return best;
}

/** Asks for the rarest piece of which the neighbour has something free; at the beginning for any. Whether there was one. */
function askRarest(state: SwarmState, topic: TopicState, fetch: Fetch, to: View, purpose: Purpose): boolean {
  const isPatient = purpose === 'normal' && !to.peer.info.origin && !to.peer.isForeign && canWaitForWhole(state, fetch.table.pieceBytes);
  const attempt = (piece: number): boolean => {
    const ordinals = askable(state, topic, fetch, piece, to, purpose);
    if (ordinals.length === 0) return false;
    if (isPatient && ordinals.length < (fetch.table.openChunks[piece] ?? 0)) {
      fetch.hasParts = true;
      return false;
    }
    ask(state, topic, fetch, to, ordinals, purpose);
    return true;
  };
  const mask = purpose === 'normal' && isSpared(state, to.peer) && !fetch.helps ? fetch.ownPieces : undefined;
  return fetch.table.rarestAmong(to.offers, mask, fetch.piecesDone < swarmBounds.randomPieces ? 'any' : 'rarest', state.random(), attempt);
}

/** Whether a neighbour is an origin, of which we ask by the rule only: origins among themselves are bound by none. */
function isSpared(state: SwarmState, peer: Peer): boolean {
  return peer.info.origin && !state.self.origin;
}

/** The chunks of a piece that this neighbour may be asked for now. */
function askable(state: SwarmState, topic: TopicState, fetch: Fetch, piece: number, view: View, purpose: Purpose): readonly number[] {
  const { peer } = view;
  const byRule = isSpared(state, peer);
  const spared = byRule && purpose === 'normal';
  const { table } = fetch;
  if (byRule && state.now < ((spared ? table.turnAfter : table.originAfter)[piece] ?? 0)) return [];
  const foreign = !state.self.origin && peer.isForeign;
  if (foreign && !hasForeignRoom(state, table.pieceBytes)) return [];
  const found: number[] = [];
  let ranges = 0;
  const end = table.begins[piece + 1] ?? 0;
  for (let position = table.begins[piece] ?? 0; position < end; position += 1) {
    const ordinal = table.ordinals[position] ?? -1;
    if (table.state[ordinal] !== chunkState.missing || view.held?.has(ordinal) !== true || view.asked.has(ordinal)) continue;
    if (byRule && purpose === 'desperate' && !fetch.isStarving && isNearer(state, topic, ordinal, peer)) continue;
    if (spared && ((!fetch.helps && !isOwn(topic, fetch, ordinal, state.now)) || isNearer(state, topic, ordinal, peer))) continue;
    if (foreign && !isSuggested(topic, fetch, ordinal) && !mayImport(state, topic, fetch, ordinal, blockOf(topic.info.chunkCount, ordinal))) continue;
    if (found.at(-1) !== ordinal - 1) ranges += 1;
    if (ranges > limits.exchangeRangesMax) break;
    found.push(ordinal);
  }
  return found;
}

/** Whether a neighbour that is no farther than an origin, and can be relied on, says that it holds the chunk. */
function isNearer(state: SwarmState, topic: TopicState, ordinal: number, origin: Peer): boolean {
  for (const view of topic.viewList) {
    if (view.peer.isForeign && !origin.isForeign) continue;
    if (!view.peer.info.origin && view.held?.has(ordinal) === true && isReliable(state, view.peer, topic)) return true;
  }
  return false;
}

/** Asks a neighbour that has opened the topic for chunks of it. */
export function ask(state: SwarmState, topic: TopicState, fetch: Fetch, view: View, ordinals: readonly number[], purpose: Purpose): void {
  if (view.theirTopic === undefined) return;
  const { peer } = view;
  let bytes = 0;
  for (const ordinal of ordinals) {
    bytes += topic.info.lengthOf(ordinal);
    takeChunk(fetch, ordinal);
    view.asked.add(ordinal);
  }
  state.lastRequest += 1;
  const id = state.lastRequest;
  const expected = expectedMs(peer, bytes);
  openRequest(state, peer, {
    id,
    member: peer.info.member,
    peer,
    view,
    topic: topic.id,
    remaining: new Set(ordinals),
    bytes,
    remainingBytes: bytes,
    issuedAt: state.now,
    expectedMs: expected,
    answered: false,
    deadline: state.now + graceMs(state, peer) + 4 * expected,
    late: false,
    dawdles: false,
    desperate: purpose === 'desperate',
    duplicate: purpose === 'duplicate',
  });
  state.effects.push({ kind: 'send', member: peer.info.member, message: { kind: 'request', topic: view.theirTopic, request: id, ranges: coverOf(ordinals) } });
  // Our news travels along: it leaves in one write with the request.
  if (!peer.info.origin) tell(state, topic, view);
}
