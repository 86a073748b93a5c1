// The answers to our requests: chunks good and corrupt, busy, absent, elsewhere; and what becomes of a chunk once it can be read, and once it is on disk.

import type { AbsentMessage, BusyMessage, ElsewhereMessage, OrdinalRange } from '../../../../proto/exchange.ts';
import { arriveChunk, endFetch, releaseChunk, storeChunk } from '../books/fetching.ts';
import { viewLoses } from '../books/views.ts';
import { closeRequest, countIncome, isFull, isReliable, learnLatency, learnRate, settleOrdinal, strikeCorrupt, strikeProtocol } from '../books/peers.ts';
import { tauMs } from './overdue.ts';
import { swarmBounds } from '../state/swarm-bounds.ts';
import type { ScheduleEvent } from '../state/swarm-events.ts';
import { isLarge, type Peer, type Request, type SwarmState, type TopicState } from '../state/swarm-state.ts';
import { flushHave, gain } from '../books/topics.ts';

type Chunk = Extract<ScheduleEvent, { kind: 'chunk' }>;
type Stored = Extract<ScheduleEvent, { kind: 'stored' }>;

/** The topic of ours that a `data` message answers, or nothing when nobody asked for it: only then is it worth hashing. */
export function expectedTopic(state: SwarmState, member: string, theirTopic: number, id: number, ordinal: number): number | undefined {
  const request = state.peers.get(member)?.requests.get(id);
  if (request?.remaining.has(ordinal) !== true) return undefined;
  return request.view.theirTopic === theirTopic ? request.topic : undefined;
}

/** A chunk has come, compared with its id. */
export function onChunk(state: SwarmState, peer: Peer, event: Chunk): void {
  const { member } = peer.info;
  const request = peer.requests.get(event.request);
  const topicId = expectedTopic(state, member, event.topic, event.request, event.ordinal);
  const topic = topicId === undefined ? undefined : state.topics.get(topicId);
  // Whatever it is, it came over the line.
  countIncome(state, event.bytes);
  state.receive?.take(topic?.traffic ?? 'rollout', event.bytes, state.now);
  if (request === undefined || topic === undefined) {
    // A request that was cancelled or dropped may still be answered; one that was never made may not.
    const made = event.request > 0 && event.request <= state.lastRequest;
    const key = peer.theirTopics.get(event.topic);
    state.effects.push({ kind: 'wasted', topic: key === undefined ? undefined : state.byKey.get(key)?.id, reason: made ? 'duplicate' : 'unexpected', bytes: event.bytes });
    if (!made) strikeProtocol(state, member, `data for request ${event.request}, which was never made`);
    return;
  }
  if (!request.answered) {
    request.answered = true;
    learnLatency(state, peer, state.now - request.issuedAt);
  }
  settleOrdinal(state, peer, request, event.ordinal, topic.info.lengthOf(event.ordinal));
  if (event.good) takeIn(state, peer, topic, event);
  else {
    state.effects.push({ kind: 'wasted', topic: topic.id, reason: 'corrupt', bytes: event.bytes });
    giveBack(topic, request, event.ordinal);
    strikeCorrupt(state, peer, topic.info.revision, `chunk ${event.ordinal} of the ${topic.info.blob} of revision ${topic.info.revision}`);
    if (topic.fetch !== undefined) topic.fetch.ownersStale = true;
  }
  if (event.good) peer.busyTimes = 0;
  if (request.remaining.size === 0) {
    if (event.good) learnRate(state, peer, request.bytes);
    closeRequest(state, peer, request);
  }
}

function giveBack(topic: TopicState, request: Request, ordinal: number): void {
  if (topic.fetch !== undefined && !request.late) releaseChunk(topic, topic.fetch, ordinal);
}

function takeIn(state: SwarmState, peer: Peer, topic: TopicState, event: Chunk): void {
  const { fetch } = topic;
  const bytes = event.bytes;
  const claims = fetch?.claims[event.ordinal] ?? 0;
  if (fetch === undefined || !arriveChunk(topic, fetch, event.ordinal)) {
    state.effects.push({ kind: 'wasted', topic: topic.id, reason: 'duplicate', bytes });
    return;
  }
  state.unstoredBytes += bytes;
  topic.unstoredChunks += 1;
  state.effects.push({ kind: 'store', topic: topic.id, fetch: fetch.id, ordinal: event.ordinal }, { kind: 'received', topic: topic.id, source: peer.info.origin ? 'origin' : 'peer', member: peer.info.member, bytes });
  if (claims !== 1) unask(state, topic, event.ordinal);
}

/** Nobody else needs to send it; a request of which nothing is left is cancelled. */
function unask(state: SwarmState, topic: TopicState, ordinal: number): void {
  for (const { asked, peer } of topic.viewList) {
    if (!asked.has(ordinal)) continue;
    for (const request of peer.requests.values()) {
      if (request.topic !== topic.id || !request.remaining.has(ordinal)) continue;
      settleOrdinal(state, peer, request, ordinal, topic.info.lengthOf(ordinal));
      if (request.remaining.size > 0) continue;
      closeRequest(state, peer, request);
      state.effects.push({ kind: 'send', member: peer.info.member, message: { kind: 'cancel', request: request.id } });
    }
  }
}

/** A chunk can be read, and waits for nothing. */
export function onStored(state: SwarmState, { topic, ordinal, bytes }: Stored): void {
  onRoom(state, topic, bytes);
  onPlaced(state, topic, ordinal);
}

/** A chunk waits for the disk no longer. */
export function onRoom(state: SwarmState, id: number, bytes: number): void {
  const topic = state.topics.get(id);
  // What waits for the disk keeps us from asking only where it is much.
  if (topic === undefined || isFull(state, topic, swarmBounds.pieceBytesMax)) state.isStirred = true;
  state.unstoredBytes -= bytes;
  if (topic !== undefined) topic.unstoredChunks -= 1;
}

/** A chunk can be read: whoever lacks it need not wait until our disk has it for good. */
export function onPlaced(state: SwarmState, id: number, ordinal: number): void {
  const topic = state.topics.get(id);
  if (topic === undefined) return;
  gain(state, topic, [ordinal]);
  const { fetch } = topic;
  if (fetch === undefined) return;
  storeChunk(fetch, ordinal);
  if (fetch.left === 0) {
    endFetch(topic);
    flushHave(state, topic);
    state.effects.push({ kind: 'done', topic: topic.id, fetch: fetch.id });
  } else if (fetch.piecesDone - topic.flushedPieces >= swarmBounds.havePieces) flushHave(state, topic);
}

/** The neighbour has too much to do: all of the request is free again, and it is left in peace for a while, longer each time until it sends something. */
export function onBusy(state: SwarmState, peer: Peer, message: BusyMessage): void {
  const request = peer.requests.get(message.request);
  if (request === undefined) return;
  closeRequest(state, peer, request);
  // Requests that were made together are refused together: that is once.
  if (state.now >= peer.busyUntil) peer.busyTimes += 1;
  // Where there are many to ask, lines are short and whoever waits too long falls behind the rest; but not of one whose line never moves.
  const inVain = peer.busyTimes - (isLarge(state) ? swarmBounds.busyLargeTimes : 1);
  const factor = 2 ** Math.max(0, Math.min(inVain, swarmBounds.busyDoublings));
  // No honest one says less than the least: who says "at once" would be asked without end.
  const ms = Math.max(message.retryAfterMs, swarmBounds.busyMs) * factor;
  peer.busyUntil = Math.max(peer.busyUntil, state.now + Math.min(ms, swarmBounds.busyMsMax));
}

/** The neighbour does not hold some of it after all. */
export function onAbsent(state: SwarmState, peer: Peer, message: AbsentMessage): void {
  const request = peer.requests.get(message.request);
  const topic = request === undefined ? undefined : state.topics.get(request.topic);
  if (request === undefined || topic === undefined) return;
  const within = (ordinal: number, ranges: readonly OrdinalRange[]): boolean => ranges.some(({ from, to }) => ordinal >= from && ordinal < to);
  let again = 0;
  for (const ordinal of request.remaining) {
    if (!within(ordinal, message.ranges)) continue;
    settleOrdinal(state, peer, request, ordinal, topic.info.lengthOf(ordinal));
    giveBack(topic, request, ordinal);
    again += Number(viewLoses(topic, request.view, ordinal));
  }
  if (request.remaining.size === 0) closeRequest(state, peer, request);
  // It would be asked again at once, and so on without end, while all others count on it.
  if (again > 0 && !peer.info.origin) strikeProtocol(state, peer.info.member, `it has said twice that it holds what it does not (${again} chunks)`);
}

/**
 * The origin spares itself: others hold what is left of the request, or will soon. It is not asked for these pieces again before tau, unless all whom
 * it names are known to be no help.
 */
export function onElsewhere(state: SwarmState, peer: Peer, message: ElsewhereMessage): void {
  // It would be asked again at once, and so on without end, while all others count on it.
  if (!peer.info.origin) return strikeProtocol(state, peer.info.member, `it sends elsewhere for request ${message.request}, which only an origin does`);
  const request = peer.requests.get(message.request);
  if (request === undefined) return;
  const topic = state.topics.get(request.topic);
  const fetch = topic?.fetch;
  if (topic !== undefined && fetch !== undefined) {
    const inVain = message.holders.every((member) => {
      const holder = state.peers.get(member);
      return holder !== undefined && !isReliable(state, holder, topic);
    });
    // Those that we do not see we cannot ask: what they hold has had its time to come to us, or soon has, if we wait already, or are among many that do not give what they say they hold.
    const isNear = message.holders.some((member) => state.peers.has(member));
    const isAmongBad = topic.viewList.filter(({ peer: other }) => !isReliable(state, other, topic)).length >= swarmBounds.badNeighbours;
    const tau = inVain ? 0 : tauMs(state, fetch);
    for (const ordinal of request.remaining) {
      const piece = fetch.table.pieceOf(ordinal);
      if (piece === -1) continue;
      fetch.table.turnAfter[piece] = state.now + tau / (isNear || !isAmongBad ? 1 : swarmBounds.unseenPart);
      if (request.desperate) fetch.table.originAfter[piece] = state.now + tau / (isNear ? 1 : swarmBounds.unseenPart);
    }
  }
  closeRequest(state, peer, request);
}
