// What is thought of each neighbour: how fast it is, how much it owes us, whether it may be asked. Whether it is right for a chunk is in requesting.ts.

import { swarmBounds } from '../state/swarm-bounds.ts';
import { isBarred, isLarge, recordOf, type Peer, type Request, type SwarmState, type TopicState } from '../state/swarm-state.ts';
import type { PeerInfo } from '../state/swarm-events.ts';
import { releaseChunk } from './fetching.ts';
import { wake } from './views.ts';

/** A neighbour that was just admitted, of which nothing is known. */
export function createPeer(info: PeerInfo, connection: number, now: number, where: Pick<Peer, 'isForeign' | 'isFedElsewhere'>): Peer {
  return {
    info,
    connection,
    requests: new Map(),
    owedBytes: 0,
    owedRequests: 0,
    rate: 0,
    roundTripMs: 0,
    busySince: now,
    timeouts: 0,
    timeoutAt: 0,
    quarantinedUntil: 0,
    busyUntil: 0,
    busyTimes: 0,
    dawdles: false,
    theirTopics: new Map(),
    theirViews: new Map(),
    ...where,
    serving: 0,
  };
}

/** Whether a neighbour may learn of a topic: origins may of all, agents of their environments' (trust.md, section 7: request). */
export function maySee(peer: PeerInfo, environments: readonly string[]): boolean {
  return peer.origin || environments.some((environment) => peer.environments.includes(environment));
}

/** Bytes a millisecond: measured, or assumed before anything came. */
export function rateOf(peer: Peer): number {
  return peer.rate > 0 ? peer.rate : swarmBounds.rateAssumed / 1000;
}

/**
 * Whether a neighbour's word about what it holds is worth waiting for: what it sent was right, it does not keep letting requests pass, and if it has never
 * delivered anything, it is not late with its first answer and does not always
 * refuse where another one has been caught. Who says that it holds everything and sends nothing would else keep all from the origin.
 */
export function isReliable(state: SwarmState, peer: Peer, { info, fetch }: TopicState): boolean {
  return !peer.dawdles && !(fetch?.hasCaught === true && isLarge(state) && onlyRefuses(peer)) && isTrusted(state, peer, info.revision);
}

/** Whether a neighbour has never given us anything but refusals: a line that does not move looks like a busy one. */
export function onlyRefuses(peer: Peer): boolean {
  return peer.rate === 0 && peer.busyTimes > swarmBounds.busyLargeTimes + swarmBounds.busyDoublings;
}

/** The same, late with its first answer or not: what a border or a long line holds up comes all the same. */
export function isTrusted(state: SwarmState, peer: Peer, revision: string): boolean {
  return !isDoubtful(peer) && state.now >= peer.quarantinedUntil && !isBarred(state, peer.info.member, revision);
}

/** One overstayed request is slowness in a neighbour that has delivered before; in one that never has, it is all that is known of it. */
function isDoubtful(peer: Peer): boolean {
  return peer.timeouts > 1 || (peer.timeouts === 1 && peer.rate === 0);
}

/** Whether our own cap forbids asking for `bytes` more of a topic now. */
export function isThrottled(state: SwarmState, topic: TopicState, bytes: number): boolean {
  return state.receive !== undefined && state.receive.waitMs(topic.traffic, bytes, state.owedBytes, state.now) > 0;
}

/** Whether the neighbour may be asked for `bytes` more of a topic now. */
export function mayAsk(state: SwarmState, topic: TopicState, peer: Peer, bytes: number): boolean {
  if (state.now < peer.quarantinedUntil || state.now < peer.busyUntil) return false;
  if (!hasRoom(state, peer, bytes) || isBarred(state, peer.info.member, topic.info.revision)) return false;
  return !isFull(state, topic, bytes) && !isThrottled(state, topic, bytes);
}

/**
 * Whether as much is under way or waits for our disk as may, so that nothing is asked for: in bytes of all topics together, and in chunks of each by itself, since a tree of
 * small files may wait for its syncs long, and others have nothing to do with that.
 */
export function isFull({ owedBytes, unstoredBytes }: SwarmState, { fetch, unstoredChunks }: TopicState, bytes: number): boolean {
  if (owedBytes + unstoredBytes > 0 && owedBytes + unstoredBytes + bytes > swarmBounds.totalBytesMax) return true;
  return fetch !== undefined && fetch.left - fetch.open + unstoredChunks >= swarmBounds.chunksMax;
}

/**
 * What may be under way from all neighbours together. More would only wait in their lines: what is asked for too early is chosen too early, and holds up those who
 * need it more.
 */
export function hasEnough({ awaitedBytes, income, roundTripMs }: SwarmState, pieceBytes: number): boolean {
  const ms = Math.max(swarmBounds.enoughMs, swarmBounds.enoughTrips * roundTripMs);
  return awaitedBytes + pieceBytes > Math.max(swarmBounds.enoughPieces * pieceBytes, ms * income.rate);
}

/**
 * Whether a neighbour that has a part of a piece can be left to get the rest of it: it mostly soon has, and each request takes a place in its line, however short. Not
 * for long: what two neighbours hold a half of each comes from both.
 */
export function canWaitForWhole(state: SwarmState, pieceBytes: number): boolean {
  return isLarge(state) && state.awaitedBytes >= Math.max(swarmBounds.wholePieces * pieceBytes, swarmBounds.wholeMs * state.income.rate);
}

/** Counts bytes that came in. */
export function countIncome({ income, now }: SwarmState, bytes: number): void {
  income.bytes += bytes;
  const elapsed = now - income.since;
  if (elapsed < swarmBounds.incomeMs) return;
  // After a rest nothing is known.
  const measured = income.bytes / elapsed;
  income.rate = income.rate === 0 ? measured : income.rate * 0.5 + measured * 0.5;
  income.bytes = 0;
  income.since = now;
}

/** A request takes much longer than it should: others may be asked for other things meanwhile. */
export function letDawdle(state: SwarmState, peer: Peer, request: Request): void {
  if (request.dawdles || request.late || state.now - request.issuedAt < Math.max(swarmBounds.dawdleMs, 2 * request.expectedMs)) return;
  request.dawdles = true;
  if (peer.rate === 0) peer.dawdles = true;
  if (!peer.info.origin) state.awaitedBytes -= request.remainingBytes;
}

function hasRoom(state: SwarmState, peer: Peer, bytes: number): boolean {
  if (peer.owedRequests >= swarmBounds.windowRequestsMax) return false;
  // One request at a time shows whether it has come to itself.
  if (isDoubtful(peer)) return peer.owedRequests === 0;
  // Where there are many to choose from, one that has shown nothing yet is not given much.
  if (peer.rate === 0 && !peer.info.origin && isLarge(state)) return peer.owedRequests === 0;
  if (peer.owedRequests < swarmBounds.windowRequestsMin) return true;
  const window = 2 * rateOf(peer) * (peer.roundTripMs + swarmBounds.windowSlackMs);
  return peer.owedBytes + bytes <= Math.min(window, swarmBounds.windowBytesMax);
}

/** When the neighbour would be done with `bytes` more, in milliseconds from now: the shortest is asked first. */
export function expectedMs(peer: Peer, bytes: number): number {
  return (peer.owedBytes + bytes) / rateOf(peer);
}

/** Takes a new request into the neighbour's account. */
export function openRequest(state: SwarmState, peer: Peer, request: Request): void {
  if (peer.owedRequests === 0) peer.busySince = state.now;
  peer.requests.set(request.id, request);
  state.requests.set(request.id, request);
  peer.owedBytes += request.remainingBytes;
  peer.owedRequests += 1;
  state.owedBytes += request.remainingBytes;
  if (!peer.info.origin) state.awaitedBytes += request.remainingBytes;
}

/** Takes one answered ordinal off a request. */
export function settleOrdinal(state: SwarmState, peer: Peer, request: Request, ordinal: number, bytes: number): void {
  if (!request.remaining.delete(ordinal)) return;
  state.isStirred = true;
  request.view.asked.delete(ordinal);
  request.remainingBytes -= bytes;
  if (request.late) return;
  peer.owedBytes -= bytes;
  state.owedBytes -= bytes;
  if (!request.dawdles && !peer.info.origin) state.awaitedBytes -= bytes;
}

/** Ends a request, however it went; what is unanswered of it is free again. */
export function closeRequest(state: SwarmState, peer: Peer, request: Request): void {
  if (!peer.requests.delete(request.id)) return;
  state.isStirred = true;
  state.requests.delete(request.id);
  if (!request.late) forgiveRequest(state, peer, request);
  for (const ordinal of request.remaining) request.view.asked.delete(ordinal);
  // What it leaves is free again.
  if (request.remaining.size > 0) wake(request.view);
  if (!peer.isForeign) return;
  // Across a border there is room for one more, whoever is asked for it.
  for (const view of request.view.topic.viewList) if (view.peer.isForeign) wake(view);
}

/** A request overstayed: its chunks are free for others, its bytes no longer count; data that still comes is welcome. */
export function makeLate(state: SwarmState, peer: Peer, request: Request): void {
  if (request.late) return;
  forgiveRequest(state, peer, request);
  request.late = true;
}

function forgiveRequest(state: SwarmState, peer: Peer, request: Request): void {
  peer.owedBytes -= request.remainingBytes;
  state.owedBytes -= request.remainingBytes;
  if (!request.dawdles && !peer.info.origin) state.awaitedBytes -= request.remainingBytes;
  peer.owedRequests -= 1;
  const topic = state.topics.get(request.topic);
  if (topic?.fetch === undefined) return;
  for (const ordinal of request.remaining) releaseChunk(topic, topic.fetch, ordinal);
}

/** Ends all requests of a neighbour that `which` names; tells it so when it is still to hear of it. */
export function dropRequests(state: SwarmState, peer: Peer, which: (request: Request) => boolean, tell: boolean): void {
  for (const request of peer.requests.values()) {
    if (!which(request)) continue;
    closeRequest(state, peer, request);
    if (tell) state.effects.push({ kind: 'send', member: peer.info.member, message: { kind: 'cancel', request: request.id } });
  }
}

/** Learns how long the first answer took. Of all neighbours together: when everything is slow, nobody is to blame. */
export function learnLatency(state: SwarmState, peer: Peer, ms: number): void {
  peer.roundTripMs = peer.roundTripMs === 0 ? ms : Math.min(peer.roundTripMs, ms);
  state.roundTripMs = smoothed(state.roundTripMs || undefined, peer.roundTripMs);
  if (peer.isForeign) state.foreignLatencyMs = smoothed(state.foreignLatencyMs, ms);
  else state.latencyMs = smoothed(state.latencyMs, ms);
}

function smoothed(known: number | undefined, ms: number): number {
  return known === undefined ? ms : known * 0.8 + ms * 0.2;
}

/** How long a request may take on top of what its bytes need, in the manner of TCP's retransmission timer. */
export function graceMs(state: SwarmState, peer: Peer): number {
  const latencyMs = peer.isForeign ? state.foreignLatencyMs : state.latencyMs;
  if (latencyMs === undefined) return swarmBounds.timeoutUnknownMs;
  return Math.min(swarmBounds.timeoutMsMax, Math.max(swarmBounds.timeoutMs, 4 * latencyMs));
}

/** Learns from a request that was answered in full. */
export function learnRate(state: SwarmState, peer: Peer, bytes: number): void {
  const measured = bytes / Math.max(1, state.now - peer.busySince);
  peer.rate = peer.rate === 0 ? measured : peer.rate * 0.7 + measured * 0.3;
  peer.busySince = state.now;
  peer.timeouts = 0;
  peer.dawdles = false;
}

/** A chunk with other bytes than its id: never this member again for this revision, and after three revisions not at all for an hour. */
export function strikeCorrupt(state: SwarmState, peer: Peer, revision: string, detail: string): void {
  const { member } = peer.info;
  const record = recordOf(state, member);
  record.barred.add(revision);
  record.corrupt += 1;
  state.effects.push({ kind: 'strike', member, reason: 'corrupt-chunk', detail });
  dropRequests(state, peer, (request) => state.topics.get(request.topic)?.info.revision === revision, true);
  if (record.corrupt < swarmBounds.corruptMax) return;
  record.corrupt = 0;
  record.bannedUntil = state.now + swarmBounds.banMs;
  state.effects.push({ kind: 'banned', member, until: record.bannedUntil }, { kind: 'close', member, reason: 'banned' });
}

/** The neighbour broke the protocol: nothing more it says can be trusted to mean what it seems to. */
export function strikeProtocol(state: SwarmState, member: string, detail: string): void {
  state.effects.push({ kind: 'strike', member, reason: 'protocol', detail }, { kind: 'close', member, reason: 'protocol' });
}
