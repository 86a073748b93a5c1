// The requests of neighbours: what they may have, in which order, how many at once; and the origin's memory of whom it gave what, so that it gives
// each chunk about once. Reading and sending are the shell's.

import type { OrdinalRange, RequestMessage } from '../../proto/exchange.ts';
import { createBitmap } from '../../proto/bitmap.ts';
import { exchangeHoldersMax } from '../../proto/exchange-frame.ts';
import { limits } from '../../proto/limits.ts';
import { isReliable, maySee, strikeProtocol } from './peers.ts';
import { swarmBounds } from './swarm-bounds.ts';
import { fromOrigin, isLarge, type Peer, type SwarmState, type TopicState, type Upload, type View } from './swarm-state.ts';
import { framesOf, rangesOf } from './topics.ts';

/** What one request may ask for: a piece, and its last chunk across the edge. */
const requestBytesMax = swarmBounds.pieceBytesMax + limits.chunkBytesMax;
const requestChunksMax = 2 * swarmBounds.pieceChunksMax;
/** Members named for one chunk that is to be had elsewhere. */
const holdersMax = 4;
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
  if (held.length < asked.length) absent(state, member, message.request, rangesOf(asked.filter((ordinal) => !topic.held.has(ordinal))));
  // Who says that it holds a chunk and asks for it is not helped by it; it takes the line from those who lack it.
  const says = state.self.origin ? topic.views.get(member)?.held : undefined;
  if (says !== undefined && held.length > 0 && held.every((ordinal) => says.has(ordinal))) return busy(state, member, message.request, busyManyMs);
  const given = state.self.origin && !peer.info.origin ? sparing(state, topic, peer, held) : { ordinals: held, holders: [] };
  if (given.ordinals.length === 0) {
    if (held.length > 0) elsewhere(state, member, message.request, given.holders);
    return;
  }
  const isHalfFull = 2 * state.uploads.length >= queueMax(state);
  const isFull = state.uploads.length >= queueMax(state) || (isHalfFull && (mine >= swarmBounds.queueOfOneMax || !isHelpful(state, peer, topic)));
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
  absent(state, upload.member, upload.request, rangesOf(missing));
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
  // It never got there: the next who asks must not be sent to it.
  const given = state.topics.get(upload.topic)?.given;
  if (given === undefined) return;
  for (const ordinal of upload.ordinals) given[ordinal] = 0;
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
    if (next === undefined) return;
    start(state, next);
  }
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
  if (state.self.origin) return view?.given ?? 0;
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
  return state.self.origin || isReliable(state, peer, topic.info.revision);
}

function start(state: SwarmState, upload: Upload): void {
  upload.active = true;
  state.activeUploads += 1;
  upload.peer.serving += 1;
  if (upload.view !== undefined) upload.view.given += upload.ordinals.length;
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

function queueMax(state: SwarmState): number {
  if (state.self.origin) return swarmBounds.queueOriginMax + swarmBounds.servingOriginMax;
  return (isLarge(state) ? swarmBounds.queueLargeMax : swarmBounds.queueMax) + swarmBounds.servingMax;
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

/**
 * Of what an agent asks the origin for, what it should give: not what another agent that is here has or was just given. Who comes a second time
 * for the same chunk has waited for the others in vain, and gets it; but not yet when the other may simply still be at it.
 */
function sparing(state: SwarmState, topic: TopicState, peer: Peer, held: readonly number[]): { ordinals: readonly number[]; holders: readonly string[] } {
  const view = topic.views.get(peer.info.member);
  if (view === undefined) return { ordinals: held, holders: [] };
  const isInVain = state.now - view.redirectedAt < swarmBounds.askedAgainMs;
  const ordinals: number[] = [];
  const holders = new Set<string>();
  for (const ordinal of held) {
    const wasRedirected = view.redirected?.has(ordinal) === true;
    const others = wasRedirected && isInVain ? [] : othersWith(state, topic, peer, ordinal, wasRedirected);
    if (others.length === 0) ordinals.push(ordinal);
    else {
      view.redirected ??= createBitmap(topic.info.chunkCount);
      view.redirected.set(ordinal);
      for (const other of others) holders.add(other);
    }
  }
  if (holders.size > 0) view.redirectedAt = state.now;
  return { ordinals, holders: [...holders].slice(0, exchangeHoldersMax) };
}

/** Members to send the asker to: who was given the chunk, and unless the asker has been sent to them before, those that have announced it. */
function othersWith(state: SwarmState, topic: TopicState, peer: Peer, ordinal: number, wasRedirected: boolean): readonly string[] {
  const { member } = peer.info;
  const found: string[] = [];
  const given = state.connections.get(topic.given?.[ordinal] ?? 0);
  const view = given === undefined ? undefined : topic.views.get(given);
  if (given !== undefined && given !== member && view !== undefined && mayMeet(peer, view.peer, topic)) {
    const givenAt = topic.givenAt?.[ordinal] ?? 0;
    // One that has announced something since is at work, and will come to this one.
    const patienceMs = view.newsAt > givenAt ? swarmBounds.givenMs : swarmBounds.givenSilentMs;
    const isUnderWay = view.held?.has(ordinal) !== true && state.now - givenAt < patienceMs;
    if (!wasRedirected || isUnderWay) found.push(given);
    // It has it, and nobody has it from there.
    if (state.now - givenAt >= swarmBounds.aloneMs && !isUnderWay && topic.holders?.[ordinal] === 1) return [];
  }
  if (wasRedirected) return found;
  // What ten thousand ask for at the beginning nobody has; those that announced something are many to go through.
  if (topic.holders?.[ordinal] === 0) return found;
  for (const [other, { held, peer: holder }] of topic.views) {
    if (found.length >= holdersMax) break;
    if (other !== member && held?.has(ordinal) === true && !fromOrigin(state, other) && !found.includes(other) && mayMeet(peer, holder, topic)) found.push(other);
  }
  return found;
}

/** Whether two agents can have a topic from one another: by an environment of both, and not of the topic alone; else the one would wait for the other in vain. */
function mayMeet({ info: a }: Peer, { info: b }: Peer, { info }: TopicState): boolean {
  return info.environments.some((environment) => a.environments.includes(environment) && b.environments.includes(environment));
}

function remember(state: SwarmState, topic: TopicState, peer: Peer, ordinals: readonly number[]): void {
  if (!state.self.origin || peer.info.origin) return;
  topic.given ??= new Int32Array(topic.info.chunkCount);
  topic.givenAt ??= new Float64Array(topic.info.chunkCount);
  for (const ordinal of ordinals) {
    topic.given[ordinal] = peer.connection;
    topic.givenAt[ordinal] = state.now;
  }
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
