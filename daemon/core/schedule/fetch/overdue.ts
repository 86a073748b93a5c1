// What time does to requests and fetches: requests that overstay and neighbours that let them, a fetch that finds no holder, the last pieces. What is asked of whom
// in the first place is in requesting.ts.

import { limits } from '../../../../proto/limits.ts';
import type { Fetch } from '../state/fetch-state.ts';
import { wake } from '../books/views.ts';
import { watchForSilence } from '../owners/ownership.ts';
import { closeRequest, dropRequests, expectedMs, hasEnough, isFull, isThrottled, isTrusted, letDawdle, makeLate, mayAsk, onlyRefuses } from '../books/peers.ts';
import { ask } from './requesting.ts';
import { isMissing } from '../state/pieces.ts';
import { swarmBounds } from '../state/swarm-bounds.ts';
import type { Peer, Request, SwarmState, TopicState, View } from '../state/swarm-state.ts';
import { isAbroad } from '../owners/zones.ts';

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
  const left = fetch.table.count - fetch.piecesDone;
  const haste = far === 0 && left < swarmBounds.lastPieces && left * swarmBounds.lastPart < fetch.table.count ? swarmBounds.lastHaste : 1;
  return (Math.max(near, far) * (1 + fetch.jitter / 2)) / haste;
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
  if (fetch.open === 0 || hasNormalRequest(state, topic) || isFull(state, topic, fetch.table.pieceBytes) || isThrottled(state, topic, fetch.table.pieceBytes)) {
    fetch.idleSince = undefined;
    fetch.isStarving = false;
    return;
  }
  fetch.idleSince ??= state.now;
  const idleMs = state.now - fetch.idleSince;
  fetch.isStarving = idleMs >= tauMs(state, fetch);
  if (fetch.isStarving) fetch.hasStarved = true;
  if (idleMs >= swarmBounds.importMsMax * (1 + fetch.jitter / 2)) fetch.hasWaited = true;
  // Near the end that stays so: what importers have not brought by then comes piece by piece, and each would be waited for anew.
  if (2 * fetch.left < fetch.missing) fetch.bordersOpen = Math.max(fetch.bordersOpen, Math.floor(idleMs / (swarmBounds.importMs * (1 + fetch.jitter))));
}

/** Whether something is on its way, as far as can be told; what is asked of one that has only ever refused is not. */
function hasNormalRequest(state: SwarmState, topic: TopicState): boolean {
  for (const request of state.requests.values()) {
    if (request.topic === topic.id && !request.late && !request.desperate && !request.dawdles && !onlyRefuses(request.peer)) return true;
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
        isMissing(fetch.table, ordinal) && view.held?.has(ordinal) === true && !view.asked.has(ordinal) && (fetch.claims[ordinal] ?? 0) < swarmBounds.endgameHoldersMax,
    );
    if (ordinals.length > 0) return ask(state, topic, fetch, view, ordinals.slice(0, limits.exchangeRangesMax), 'duplicate');
  }
}
