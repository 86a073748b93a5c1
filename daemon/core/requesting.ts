// What is asked of whom: rarest first, of the neighbour that would be done soonest, pieces of the origin only by its rule; and what happens to requests
// that overstay. The accounts are in peers.ts and fetching.ts.

import { limits } from '../../proto/limits.ts';
import type { Fetch } from './fetch-state.ts';
import { isMissing, lull, takeChunk, wake } from './fetching.ts';
import { blockOf, isOwn, refreshOwners, watchForSilence } from './ownership.ts';
import { closeRequest, dropRequests, expectedMs, graceMs, hasEnough, isReliable, isThrottled, isTrusted, letDawdle, makeLate, mayAsk, openRequest } from './peers.ts';
import { chunkState, type Piece } from './pieces.ts';
import { swarmBounds } from './swarm-bounds.ts';
import { type Peer, type Request, type SwarmState, type TopicState, type View } from './swarm-state.ts';
import { rangesOf } from './topics.ts';
import { hasForeignRoom, isAbroad, mayImport } from './zones.ts';

/** Why a request is made; `desperate` asks the origin for what another was to fetch, `duplicate` asks again for what is asked for. */
type Purpose = 'normal' | 'desperate' | 'duplicate';

/** Fills every window that has room, of every fetch. */
export function pump(state: SwarmState): void {
  for (const topic of state.lively) if (refreshOwners(state, topic)) state.isStirred = true;
  if (!state.isStirred) return;
  state.isStirred = false;
  for (const topic of urgentFirst(state)) {
    if (topic.fetch === undefined) continue;
    fill(state, topic, topic.fetch, 'normal');
    if (topic.fetch.hasStarved) fill(state, topic, topic.fetch, 'desperate');
  }
}

/** Only a cap makes them compete. */
function urgentFirst({ receive, lively }: SwarmState): readonly TopicState[] {
  if (receive === undefined || lively.length < 2) return lively;
  return lively.toSorted((a, b) => Number(a.traffic === 'background') - Number(b.traffic === 'background'));
}

/** Time in which we did not run is nobody else's fault. */
export function forgive(state: SwarmState, pausedMs: number): void {
  if (pausedMs < swarmBounds.pauseMs) return;
  for (const request of state.requests.values()) {
    request.deadline += pausedMs;
    request.issuedAt += pausedMs;
  }
}

/** Looks at the deadlines: requests that overstay, neighbours to be left alone, fetches without a holder, the last pieces. */
export function look(state: SwarmState): void {
  state.lookAt = Number.POSITIVE_INFINITY;
  state.isStirred = true;
  expire(state);
  for (const topic of state.lively) {
    if (topic.fetch === undefined) continue;
    topic.fetch.isCalm = !topic.fetch.seesAll && !topic.fetch.hasStarved && topic.fetch.expectedUntil === 0;
    // What an origin refused, or an importer was to bring, is asked for again by time alone.
    for (const view of topic.viewList) {
      if (view.peer.isForeign) topic.fetch.isCalm = false;
      if (view.peer.info.origin || view.peer.isForeign) wake(view);
    }
    if (topic.fetch.expectedUntil !== 0 && state.now >= topic.fetch.expectedUntil) {
      topic.fetch.expectedUntil = 0;
      topic.fetch.ownersStale = true;
    }
    if (!topic.fetch.hasCaught && topic.viewList.some(({ peer }) => !isTrusted(state, peer, topic.info.revision))) {
      topic.fetch.hasCaught = true;
      topic.fetch.ownersStale = true;
    }
    watchForSilence(state, topic, topic.fetch, tauMs(state, topic.fetch));
    watchForStarvation(state, topic, topic.fetch);
    finishOff(state, topic, topic.fetch);
    topic.fetch.isCalm &&= !topic.fetch.hasCaught;
  }
}

/** How long a fetch may go without being looked at: long while enough is under way, and nothing but an answer can change that. */
export function lookMs(state: SwarmState, fetch: Fetch): number {
  return fetch.isCalm && fetch.open > 0 && hasEnough(state, fetch.table.pieceBytes) ? swarmBounds.calmTickMs : swarmBounds.tickMs;
}

/** How long a fetch waits for holders to appear before it turns to the origin (tau). */
export function tauMs(state: SwarmState, fetch: Fetch): number {
  let rate = 0;
  for (const peer of state.peers.values()) rate = Math.max(rate, peer.rate);
  const pieces = rate === 0 ? 0 : (swarmBounds.starvedPieces * fetch.table.pieceBytes) / rate;
  const near = Math.min(swarmBounds.starvedMsMax, Math.max(swarmBounds.starvedMs, pieces));
  // What has to cross a border takes as long as what we had across it ourselves, and waits its turn.
  const far = state.foreignLatencyMs === undefined || !isAbroad(state) ? 0 : Math.min(swarmBounds.importMsMax, swarmBounds.importLatencies * state.foreignLatencyMs);
  // Of the last pieces all that can come soon has come.
  const left = fetch.table.pieces.length - fetch.piecesDone;
  const haste = far === 0 && left < swarmBounds.lastPieces && left * swarmBounds.lastPart < fetch.table.pieces.length ? swarmBounds.lastHaste : 1;
  return (Math.max(near, far) * (1 + fetch.jitter / 2)) / haste;
}

function fill(state: SwarmState, topic: TopicState, fetch: Fetch, purpose: 'normal' | 'desperate'): void {
  // What the rules leave to ask for is remembered between steps; what despair does is not, since it is rare.
  const spent = purpose === 'normal' ? undefined : new Set<View>();
  while (fetch.open > 0) {
    const next = soonest(state, topic, fetch, spent);
    if (next === undefined) return;
    if (askRarest(state, topic, fetch, next, purpose)) continue;
    if (spent === undefined) lull(next);
    else spent.add(next);
  }
}

/** The neighbour with room in its window that would be done with one more piece first; of origins only, without those that are `spent`, if that is given. */
function soonest(state: SwarmState, topic: TopicState, fetch: Fetch, spent: ReadonlySet<View> | undefined): View | undefined {
  const { pieceBytes } = fetch.table;
  let best: View | undefined;
  let bestMs = Number.POSITIVE_INFINITY;
  const isSated = hasEnough(state, pieceBytes);
  // What is ours to bring from the origin nobody else has: however much is under way and however long its line, it is asked for.
  for (const view of isSated || spent !== undefined ? topic.originViews : topic.awake) {
    const { origin } = view.peer.info;
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
  const attempt = (index: number): boolean => {
    const piece = fetch.table.pieces[index];
    if (piece === undefined) return false;
    const ordinals = askable(state, topic, fetch, piece, to, purpose);
    if (ordinals.length === 0) return false;
    ask(state, topic, fetch, to, ordinals, purpose);
    return true;
  };
  const mask = purpose === 'normal' && isSpared(state, to.peer) ? fetch.ownPieces : undefined;
  return fetch.table.rarestAmong(to.offers, mask, fetch.piecesDone < swarmBounds.randomPieces ? 'any' : 'rarest', state.random(), attempt);
}

/** Whether a neighbour is an origin, of which we ask by the rule only: origins among themselves are bound by none. */
function isSpared(state: SwarmState, peer: Peer): boolean {
  return peer.info.origin && !state.self.origin;
}

/** The chunks of a piece that this neighbour may be asked for now. */
function askable(state: SwarmState, topic: TopicState, fetch: Fetch, piece: Piece, view: View, purpose: Purpose): readonly number[] {
  const { peer } = view;
  const byRule = isSpared(state, peer);
  const spared = byRule && purpose === 'normal';
  if (byRule && state.now < (spared ? piece.turnAfter : piece.originAfter)) return [];
  const foreign = !state.self.origin && peer.isForeign;
  if (foreign && !hasForeignRoom(state, fetch.table.pieceBytes)) return [];
  const found: number[] = [];
  let ranges = 0;
  for (const ordinal of piece.ordinals) {
    if (fetch.table.state[ordinal] !== chunkState.missing || view.held?.has(ordinal) !== true || view.asked.has(ordinal)) continue;
    if (byRule && purpose === 'desperate' && !fetch.isStarving && peerHolds(state, topic, ordinal)) continue;
    if (spared && (!isOwn(topic, fetch, ordinal, state.now) || peerHolds(state, topic, ordinal))) continue;
    if (foreign && !mayImport(state, topic, fetch, ordinal, blockOf(topic, ordinal))) continue;
    if (found.at(-1) !== ordinal - 1) ranges += 1;
    if (ranges > limits.exchangeRangesMax) break;
    found.push(ordinal);
  }
  return found;
}

/** Whether a neighbour that is not an origin and can be relied on says that it holds the chunk. */
function peerHolds(state: SwarmState, topic: TopicState, ordinal: number): boolean {
  for (const view of topic.viewList) {
    if (!view.peer.info.origin && view.held?.has(ordinal) === true && isReliable(state, view.peer, topic)) return true;
  }
  return false;
}

function ask(state: SwarmState, topic: TopicState, fetch: Fetch, view: View, ordinals: readonly number[], purpose: Purpose): void {
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
  state.effects.push({ kind: 'send', member: peer.info.member, message: { kind: 'request', topic: view.theirTopic, request: id, ranges: rangesOf(ordinals) } });
}

/** Gives up on requests past their deadline, and on a neighbour that keeps letting them pass. */
function expire(state: SwarmState): void {
  const overstayed = new Set<Peer>();
  for (const request of state.requests.values()) {
    const { peer } = request;
    letDawdle(state, peer, request);
    if (state.now < request.deadline) continue;
    if (request.late) {
      closeRequest(state, peer, request);
      state.effects.push({ kind: 'send', member: peer.info.member, message: { kind: 'cancel', request: request.id } });
      continue;
    }
    makeLate(state, peer, request);
    request.deadline = state.now + swarmBounds.lateMs;
    overstayed.add(peer);
  }
  for (const peer of overstayed) blame(state, peer);
}

/** A neighbour let requests pass. */
function blame(state: SwarmState, peer: Peer): void {
  // One pause of a neighbour lets all of its requests overstay; that is once.
  if (state.now - peer.timeoutAt >= swarmBounds.timeoutMs) {
    peer.timeouts += 1;
    peer.timeoutAt = state.now;
  }
  if (peer.timeouts < swarmBounds.timeoutsMax) return;
  // Who has never delivered anything has one chance after that, not three.
  peer.timeouts = peer.rate === 0 ? swarmBounds.timeoutsMax - 1 : 0;
  // Nobody else has what an origin has, and its line is long when all begin: what waits in it stays there.
  if (peer.info.origin) return;
  peer.quarantinedUntil = state.now + swarmBounds.quarantineMs;
  dropRequests(state, peer, () => true, true);
  for (const topic of state.topics.values()) {
    if (topic.fetch !== undefined && topic.views.has(peer.info.member)) topic.fetch.ownersStale = true;
  }
  state.effects.push({ kind: 'strike', member: peer.info.member, reason: 'timeouts', detail: `${swarmBounds.timeoutsMax} requests in a row were not answered in time` });
}

/** Notices when nothing has been left to ask for a while by the rules: then the origin is asked for anything. */
function watchForStarvation(state: SwarmState, topic: TopicState, fetch: Fetch): void {
  // Who holds itself back does not starve.
  if (fetch.open === 0 || hasNormalRequest(state, topic) || isThrottled(state, topic, fetch.table.pieceBytes)) {
    fetch.idleSince = undefined;
    fetch.isStarving = false;
    return;
  }
  fetch.idleSince ??= state.now;
  const idleMs = state.now - fetch.idleSince;
  fetch.isStarving = idleMs >= tauMs(state, fetch);
  if (fetch.isStarving) fetch.hasStarved = true;
  // Near the end that stays so: what importers have not brought by then comes piece by piece, and each would be waited for anew.
  if (2 * fetch.left < fetch.missing) fetch.bordersOpen = Math.max(fetch.bordersOpen, Math.floor(idleMs / (swarmBounds.importMs * (1 + fetch.jitter))));
}

function hasNormalRequest(state: SwarmState, topic: TopicState): boolean {
  for (const request of state.requests.values()) {
    if (request.topic === topic.id && !request.late && !request.desperate && !request.dawdles) return true;
  }
  return false;
}

/** When everything is asked for and little is left: asks others too for what dawdles (endgame). */
function finishOff(state: SwarmState, topic: TopicState, fetch: Fetch): void {
  if (fetch.open > 0) return;
  const slow: Request[] = [];
  let unfinished = 0;
  for (const request of state.requests.values()) {
    if (request.topic !== topic.id || request.late) continue;
    unfinished += 1;
    if (!request.duplicate && state.now - request.issuedAt > Math.max(swarmBounds.endgameMs, 2 * request.expectedMs)) slow.push(request);
  }
  if (unfinished > swarmBounds.endgamePieces) return;
  for (const request of slow) duplicate(state, topic, fetch, request);
}

function duplicate(state: SwarmState, topic: TopicState, fetch: Fetch, request: Request): void {
  const free: View[] = [];
  for (const view of topic.viewList) {
    const { peer } = view;
    // The origin is no second holder: it answers when all others fail, by the deadline.
    if (peer.info.origin || peer.isForeign || peer === request.peer || !mayAsk(state, topic, peer, request.remainingBytes)) continue;
    free.push(view);
  }
  free.sort((a, b) => a.peer.owedRequests - b.peer.owedRequests || expectedMs(a.peer, 1) - expectedMs(b.peer, 1));
  for (const view of free) {
    const ordinals = [...request.remaining].filter(
      (ordinal) =>
        isMissing(fetch, ordinal) && view.held?.has(ordinal) === true && !view.asked.has(ordinal) && (fetch.claims[ordinal] ?? 0) < swarmBounds.endgameHoldersMax,
    );
    if (ordinals.length > 0) return ask(state, topic, fetch, view, ordinals.slice(0, limits.exchangeRangesMax), 'duplicate');
  }
}
