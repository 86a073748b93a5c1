// The requests of neighbours: what they may have, in which order, how many at once.
// What the origin does not give, since others have it, is in sparing.ts. Reading and sending are the shell's.

import type { OrdinalRange, RequestMessage } from '../../../../proto/exchange.ts';
import { limits } from '../../../../proto/limits.ts';
import { isReliable, maySee, strikeProtocol } from '../books/peers.ts';
import { remember, restart, sparing, takeBack } from './sparing.ts';
import { swarmBounds } from '../state/swarm-bounds.ts';
import { isLarge, type Peer, type SwarmState, type TopicState, type Upload, type View } from '../state/swarm-state.ts';
import { coverOf, framesOf } from '../books/topics.ts';
import { isKeeper } from '../books/views.ts';

/** What one request may ask for: a piece, and its last chunk across the edge. */
const requestBytesMax = swarmBounds.pieceBytesMax + limits.chunkBytesMax;
const requestChunksMax = 2 * swarmBounds.pieceChunksMax;
/** Answer of `busy` to a neighbour that has more in line than a well-behaved one asks for. */
const busyManyMs = 1_000;

/** A neighbour asks. `topic` is our number for it. */
export function onRequest(state: SwarmState, peer: Peer, message: RequestMessage): void {
  const { member } = peer.info;
  let mine = 0;
  for (const upload of state.uploads) {
    if (upload.member !== member) continue;
    mine += 1;
    if (upload.request === message.request) return strikeProtocol(state, member, `request ${message.request} is made twice`);
  }
  if (mine >= limits.exchangeRequestsMax) return busy(state, member, message.request, busyManyMs);
  const topic = state.topics.get(message.topic);
  // What is absent and what is not for this neighbour must not be told apart (trust.md, section 8).
  if (topic === undefined || !maySee(peer.info, topic.info.environments)) return absent(state, member, message.request, message.ranges);
  const asked = ordinalsOf(topic, message.ranges);
  if (asked === undefined) return strikeProtocol(state, member, `request ${message.request} is longer than a piece or outside the blob`);
  const held = asked.filter((ordinal) => topic.held.has(ordinal));
  if (held.length < asked.length) absent(state, member, message.request, coverOf(asked.filter((ordinal) => !topic.held.has(ordinal))));
  // Who says that it holds a chunk and asks for it is not helped by it; it takes the line from those who lack it.
  const says = state.self.origin ? topic.views.get(member)?.held : undefined;
  if (says !== undefined && held.length > 0 && held.every((ordinal) => says.has(ordinal))) return busy(state, member, message.request, busyManyMs);
  const given = state.self.origin && !peer.info.origin ? sparing(state, topic, peer, held) : { ordinals: held, holders: [] };
  if (given.ordinals.length === 0) {
    if (held.length > 0) elsewhere(state, member, message.request, given.holders);
    return;
  }
  const most = queueMax(state, topic, bytesOf(topic, given.ordinals));
  const isHalfFull = 2 * state.uploads.length >= most;
  const isFull = state.uploads.length >= most || (isHalfFull && (mine >= swarmBounds.queueOfOneMax || !isHelpful(state, peer, topic)));
  if (isFull) return busy(state, member, message.request, comeAgainMs(state) * (1 + state.random()));
  remember(state, topic, peer, given.ordinals);
  state.lastUpload += 1;
  state.uploads.push({
    id: state.lastUpload,
    member,
    peer,
    view: topic.views.get(member),
    request: message.request,
    topic: topic.id,
    ordinals: given.ordinals,
    since: state.now,
    // It ends the request, so it follows the data.
    elsewhere: given.ordinals.length < held.length ? given.holders : undefined,
    active: false,
  });
  serveNext(state);
}

/** The neighbour no longer needs it. */
export function onCancel(state: SwarmState, member: string, request: number): void {
  const upload = state.uploads.find((candidate) => candidate.member === member && candidate.request === request);
  if (upload === undefined) return;
  drop(state, upload);
  serveNext(state);
}

/** The shell is done with a request: the next one's turn. */
export function onServed(state: SwarmState, id: number, missing: readonly number[]): void {
  const upload = state.uploads.find((candidate) => candidate.id === id);
  if (upload === undefined) return;
  remove(state, upload);
  measureServing(state);
  const topic = state.topics.get(upload.topic);
  for (const ordinal of missing) topic?.held.clear(ordinal);
  absent(state, upload.member, upload.request, coverOf(missing));
  if (upload.elsewhere !== undefined) elsewhere(state, upload.member, upload.request, upload.elsewhere);
  serveNext(state);
}

/** Forgets what a neighbour that is gone still wanted. */
export function forgetUploads(state: SwarmState, member: string): void {
  for (const upload of state.uploads.filter((candidate) => candidate.member === member)) drop(state, upload);
  serveNext(state);
}

function remove(state: SwarmState, upload: Upload): void {
  state.uploads.splice(state.uploads.indexOf(upload), 1);
  if (!upload.active) return;
  state.activeUploads -= 1;
  upload.peer.serving -= 1;
}

function drop(state: SwarmState, upload: Upload): void {
  remove(state, upload);
  if (upload.active) {
    state.effects.push({ kind: 'stop-serving', upload: upload.id });
    return;
  }
  const topic = state.topics.get(upload.topic);
  if (topic !== undefined) takeBack(topic, upload.peer, upload.ordinals);
}

/**
 * Serve to completion; one neighbour that reads slowly must not hold all places. Of those who wait the one that holds least comes first, so that all are whole
 * at about the same time: in the order of arrival, whoever has much asks for more, and gets further ahead.
 */
function serveNext(state: SwarmState): void {
  const max = state.self.origin ? swarmBounds.servingOriginMax : swarmBounds.servingMax;
  if (state.activeUploads === 0) state.serving.since = state.now;
  while (state.activeUploads < max) {
    const next = neediest(state);
    if (next === undefined || (state.activeUploads >= swarmBounds.servingMax && activeBytes(state) > swarmBounds.servingBytes)) return;
    start(state, next);
  }
}

function activeBytes({ uploads, topics }: SwarmState): number {
  let bytes = 0;
  for (const { active, topic: id, ordinals } of uploads) {
    const topic = topics.get(id);
    if (active && topic !== undefined) bytes += bytesOf(topic, ordinals);
  }
  return bytes;
}

/** Who waits and is served next; at an origin who was given least, so that nobody keeps it from the others. */
function neediest(state: SwarmState): Upload | undefined {
  if (state.activeUploads === state.uploads.length) return undefined;
  let best: Upload | undefined;
  let bestLead = Number.POSITIVE_INFINITY;
  for (const upload of state.uploads) {
    if (upload.active || upload.peer.serving >= swarmBounds.servingOfOneMax) continue;
    const lead = leadOf(state, upload);
    if (lead >= bestLead) continue;
    best = upload;
    bestLead = lead;
  }
  return best;
}

/** How far ahead the asker is: the share that it holds, less what it has waited for; at an origin what it was given. */
function leadOf(state: SwarmState, { view, since }: Upload): number {
  if (state.self.origin) return view === undefined ? 0 : isKeeper(view) ? Number.MAX_SAFE_INTEGER : view.given;
  const held = view?.held;
  const share = held === undefined ? 0 : held.count / Math.max(1, held.size);
  return share + handicapOf(state, view, share) - (state.now - since) / swarmBounds.leadMs;
}

/** What an asker is put back by in the line, as a share of what is fetched: one that is no help, and a little less one that has much and has never given us anything. */
function handicapOf(state: SwarmState, view: View | undefined, share: number): number {
  if (view === undefined) return 0;
  if (!isHelpful(state, view.peer, view.topic)) return 1;
  return view.peer.rate === 0 && share > swarmBounds.unprovenFrom ? swarmBounds.unprovenLead : 0;
}

/** Whether others will have from an agent what it gets: not from one that did not answer us or answered wrongly. It comes after all others, but it comes. */
function isHelpful(state: SwarmState, peer: Peer, topic: TopicState): boolean {
  if (!state.self.origin) return isReliable(state, peer, topic);
  const view = topic.views.get(peer.info.member);
  return view === undefined || !isKeeper(view);
}

function start(state: SwarmState, upload: Upload): void {
  upload.active = true;
  state.activeUploads += 1;
  upload.peer.serving += 1;
  if (upload.view !== undefined) upload.view.given += upload.ordinals.length;
  restart(state, upload);
  state.effects.push({ kind: 'serve', upload: upload.id, member: upload.member, topic: upload.topic, request: upload.request, ordinals: upload.ordinals });
}

/** When whoever is turned away finds room: then the line is half as long. Where lines are short another holder is sooner found than waited for. */
function comeAgainMs(state: SwarmState): number {
  if (isLarge(state)) return swarmBounds.busyMs;
  return Math.max(swarmBounds.busyMs, Math.min(swarmBounds.lineMsMax, (state.serving.msEach * state.uploads.length) / 2));
}

/** One more request was served. */
function measureServing({ serving, now }: SwarmState): void {
  const ms = now - serving.since;
  serving.msEach = serving.msEach === 0 ? ms : serving.msEach * 0.8 + ms * 0.2;
  serving.since = now;
}

/** How many may be in line and served when `bytes` are asked for. */
function queueMax(state: SwarmState, topic: TopicState, bytes: number): number {
  if (state.self.origin) return swarmBounds.servingOriginMax + Math.min(swarmBounds.queueOriginMax, Math.floor(swarmBounds.queueOriginMs / state.serving.msEach));
  if (isLarge(state) && topic.fetch !== undefined && topic.fetch.piecesDone < swarmBounds.earlyPieces) return swarmBounds.queueEarlyMax;
  const parts = Math.max(1, bytes / swarmBounds.queuePartBytes);
  const inTime = Math.floor((swarmBounds.queueMs * parts) / state.serving.msEach);
  return swarmBounds.servingMax + Math.min(isLarge(state) ? swarmBounds.queueLargeMax : swarmBounds.queueMax, inTime);
}

function bytesOf({ info }: TopicState, ordinals: readonly number[]): number {
  let bytes = 0;
  for (const ordinal of ordinals) bytes += info.lengthOf(ordinal);
  return bytes;
}

/** The ordinals of some ranges, ascending; nothing when there are more than a request may name. */
function ordinalsOf(topic: TopicState, ranges: readonly OrdinalRange[]): readonly number[] | undefined {
  const ordinals: number[] = [];
  let bytes = 0;
  let next = 0;
  for (const { from, to } of ranges) {
    if (from < next || to > topic.info.chunkCount || ordinals.length + (to - from) > requestChunksMax) return undefined;
    for (let ordinal = from; ordinal < to; ordinal += 1) {
      ordinals.push(ordinal);
      bytes += topic.info.lengthOf(ordinal);
    }
    next = to;
  }
  return bytes > requestBytesMax ? undefined : ordinals;
}

function busy(state: SwarmState, member: string, request: number, ms: number): void {
  state.effects.push({ kind: 'send', member, message: { kind: 'busy', request, retryAfterMs: Math.ceil(ms) } });
}

function absent(state: SwarmState, member: string, request: number, ranges: readonly OrdinalRange[]): void {
  for (const frame of framesOf(ranges)) state.effects.push({ kind: 'send', member, message: { kind: 'absent', request, ranges: frame } });
}

function elsewhere(state: SwarmState, member: string, request: number, holders: readonly string[]): void {
  state.effects.push({ kind: 'send', member, message: { kind: 'elsewhere', request, holders } });
}
