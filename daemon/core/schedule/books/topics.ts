// Who has told whom of which topic: open, have, close and absent, ours and theirs. What is asked for is in requesting.ts, what is served in serving.ts.
//
// A member that wants something opens the topic towards everybody who may see it. One that only holds answers an `open` with its own, so that an origin
// with ten thousand revisions says nothing until asked. An `open` of a topic that we do not share yet is remembered by name only, and answered when we do:
// the asker then repeats its `open`, because ours is the first that it sees. An `open` with a number in use replaces what was held.

import { decodeBitmap, type Bitmap } from '../../../../proto/bitmap.ts';
import { ProtocolError } from '../../../../proto/errors.ts';
import type { HaveMessage, OpenMessage, OrdinalRange } from '../../../../proto/exchange.ts';
import { limits } from '../../../../proto/limits.ts';
import { rangesOf } from '../../../../proto/ordinal-ranges.ts';
import type { Fetch } from '../state/fetch-state.ts';
import { endFetch } from './fetching.ts';
import { dropView, setViewHeld, viewGains, viewOf } from './views.ts';
import { dropRequests, mayAsk, maySee, strikeProtocol } from './peers.ts';
import { swarmBounds } from '../state/swarm-bounds.ts';
import type { TopicInfo } from '../state/swarm-events.ts';
import { enliven, isBarred, topicKey, type Peer, type SwarmState, type TopicState, type View } from '../state/swarm-state.ts';

/** Takes part in a topic from now on. */
export function shareTopic(state: SwarmState, id: number, info: TopicInfo, held: Bitmap): void {
  const topic: TopicState = { id, info, held, log: [], traffic: 'rollout', views: new Map(), viewList: [], originViews: [], awake: [], isLively: false, flushAt: undefined, flushedPieces: 0, isPatient: false, unstoredChunks: 0, ...(state.self.origin ? { holders: new Int32Array(info.chunkCount) } : {}) };
  state.topics.set(id, topic);
  state.byKey.set(topicKey(info), topic);
  const key = topicKey(info);
  for (const peer of state.peers.values()) {
    if ([...peer.theirTopics.values()].includes(key)) openTopic(state, topic, peer);
  }
}

/** Takes part no longer. */
export function unshareTopic(state: SwarmState, topic: TopicState): void {
  for (const [member, view] of topic.views) {
    const peer = state.peers.get(member);
    if (peer !== undefined) dropRequests(state, peer, (request) => request.topic === topic.id, true);
    if (view.opened) state.effects.push({ kind: 'send', member, message: { kind: 'close', topic: topic.id } });
  }
  endFetch(topic);
  topic.flushAt = undefined;
  for (const { peer, theirTopic } of topic.viewList) if (theirTopic !== undefined) peer.theirViews.delete(theirTopic);
  state.topics.delete(topic.id);
  state.byKey.delete(topicKey(topic.info));
}

/** Tells a neighbour what we hold of a topic, if it may know. */
export function openTopic(state: SwarmState, topic: TopicState, peer: Peer): void {
  if (!maySee(peer.info, topic.info.environments)) return;
  const { member } = peer.info;
  if (topic.views.get(member)?.opened !== true && !makeRoom(state, member)) return;
  const view = viewOf(topic, peer);
  view.opened = true;
  view.told = topic.log.length;
  const held = topic.held.count === 0 ? new Uint8Array(0) : topic.held.toBytes();
  state.effects.push({ kind: 'send', member, message: { kind: 'open', topic: topic.id, blob: topic.info.blob, revision: topic.info.revision, held } });
}

/** At the bound of topics that a neighbour takes, closes one in which nothing is going on. Whether there is room now. */
function makeRoom(state: SwarmState, member: string): boolean {
  let opened = 0;
  let idle: TopicState | undefined;
  for (const topic of state.topics.values()) {
    const view = topic.views.get(member);
    if (view?.opened !== true) continue;
    opened += 1;
    if (idle === undefined && topic.fetch === undefined && (view.held === undefined || view.held.isFull)) idle = topic;
  }
  if (opened < limits.exchangeTopicsMax) return true;
  const view = idle?.views.get(member);
  if (idle === undefined || view === undefined) return false;
  view.opened = false;
  state.effects.push({ kind: 'send', member, message: { kind: 'close', topic: idle.id } });
  return true;
}

/** A neighbour tells of a topic and of what it holds. */
export function onOpen(state: SwarmState, peer: Peer, message: OpenMessage): void {
  const { member } = peer.info;
  const key = topicKey(message);
  const known = peer.theirTopics.get(message.topic);
  if (known !== undefined && known !== key) return strikeProtocol(state, member, `topic ${message.topic} was opened for two blobs`);
  if (known === undefined && peer.theirTopics.size >= limits.exchangeTopicsMax) {
    return strikeProtocol(state, member, `more than ${limits.exchangeTopicsMax} topics are open`);
  }
  peer.theirTopics.set(message.topic, key);
  const topic = state.byKey.get(key);
  if (topic === undefined || !maySee(peer.info, topic.info.environments)) return;
  let held: Bitmap;
  try {
    held = decodeBitmap(message.held, topic.info.chunkCount);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return strikeProtocol(state, member, error.message);
  }
  const view = viewOf(topic, peer);
  peer.theirViews.set(message.topic, view);
  const isFirst = view.theirTopic === undefined;
  view.theirTopic = message.topic;
  setViewHeld(state, topic, view, isBarred(state, member, topic.info.revision) ? undefined : held);
  if (isFirst) openTopic(state, topic, peer);
}

/** A neighbour takes part no longer. */
export function onClose(state: SwarmState, peer: Peer, theirTopic: number): void {
  const view = peer.theirViews.get(theirTopic);
  peer.theirTopics.delete(theirTopic);
  peer.theirViews.delete(theirTopic);
  if (view?.theirTopic !== theirTopic) return;
  const { topic } = view;
  dropRequests(state, peer, (request) => request.topic === topic.id, false);
  setViewHeld(state, topic, view, undefined);
  delete view.theirTopic;
}

/** A neighbour holds more than before. Of a topic that is none of ours it means nothing. */
export function onHave(state: SwarmState, peer: Peer, message: HaveMessage): void {
  const view = peer.theirViews.get(message.topic);
  if (view?.held === undefined) return;
  const { topic } = view;
  for (const { to } of message.ranges) {
    if (to > topic.info.chunkCount) return strikeProtocol(state, peer.info.member, `ordinal ${to - 1} of a blob of ${topic.info.chunkCount} chunks`);
  }
  const { fetch } = topic;
  // What one tells that may not be asked now is of use when it may: then there is another occasion.
  if (viewGains(state, topic, view, message.ranges) && fetch !== undefined && view.isAwake && mayAsk(state, topic, peer, fetch.table.pieceBytes)) state.isStirred = true;
}

/** Removes every trace of a neighbour that is gone, but for its record. */
export function forgetPeer(state: SwarmState, peer: Peer): void {
  dropRequests(state, peer, () => true, false);
  for (const topic of state.topics.values()) {
    const view = topic.views.get(peer.info.member);
    if (view === undefined) continue;
    setViewHeld(state, topic, view, undefined);
    dropView(topic, view);
  }
  state.peers.delete(peer.info.member);
  state.connections.delete(peer.connection);
}

/** Notes that ordinals are held now, and when to say so: in time for others, and not once for each chunk (swarm.md, section 2.6). */
export function gain(state: SwarmState, topic: TopicState, ordinals: Iterable<number>): void {
  for (const ordinal of ordinals) {
    if (topic.held.set(ordinal)) topic.log.push(ordinal);
  }
  topic.flushAt = Math.min(topic.flushAt ?? Number.POSITIVE_INFINITY, state.now + haveDelayMs(state, topic));
  enliven(state, topic);
}

function haveDelayMs(state: SwarmState, topic: TopicState): number {
  if (topic.fetch === undefined) return swarmBounds.haveMs;
  // At the beginning hardly anybody has anything to give: each message late is a line idle.
  if (topic.fetch.piecesDone < swarmBounds.earlyPieces) return swarmBounds.haveMsMin;
  if (topic.isPatient) return nextMoment(topic.fetch, state.now, swarmBounds.aheadMs) - state.now;
  return Math.min(swarmBounds.haveMs, Math.max(swarmBounds.haveMsMin, pieceMs(state, topic.fetch) / (topic.fetch.seesAll ? 4 : 2)));
}

/** How long a piece takes to come from all neighbours together. */
function pieceMs(state: SwarmState, { table }: Fetch): number {
  let rate = 0;
  for (const peer of state.peers.values()) rate += peer.rate;
  return rate === 0 ? 0 : table.pieceBytes / rate;
}

/** Announces what was gained since the last time, to all who follow the topic and are not known to hold it. */
export function flushHave(state: SwarmState, topic: TopicState): void {
  topic.flushAt = undefined;
  const { fetch } = topic;
  topic.flushedPieces = fetch?.piecesDone ?? 0;
  topic.isPatient = fetch !== undefined && fetch.piecesDone >= swarmBounds.earlyPieces;
  // Each neighbour has its turn, some at once: were all told of a piece together, all would ask for it together, of the one who can give it to one after the other.
  const turnMs = fetch?.seesAll !== true || !topic.isPatient ? 0 : swarmBounds.turnPieces * Math.min(swarmBounds.haveMs, pieceMs(state, fetch));
  for (const view of topic.viewList) {
    if (!view.opened || view.theirTopic === undefined || view.told === topic.log.length) continue;
    const mayWait = fetch !== undefined && canWait(topic, fetch, view);
    topic.isPatient &&= mayWait;
    const dueAt = mayWait ? nextMoment(fetch, view.toldAt, newsEveryMs(state, view.peer)) : turnMs === 0 ? 0 : view.toldAt + turnMs;
    if (dueAt > state.now) {
      topic.flushAt = Math.min(topic.flushAt ?? Number.POSITIVE_INFINITY, dueAt);
      continue;
    }
    tell(state, topic, view);
  }
}

/** Tells a neighbour what we gained since it was told the last time, unless it knows. */
export function tell(state: SwarmState, { id, log }: TopicState, view: View): void {
  if (!view.opened || view.theirTopic === undefined || view.told === log.length) return;
  const news: number[] = [];
  for (let index = view.told; index < log.length; index += 1) {
    const ordinal = log[index] ?? -1;
    // An origin holds it, and is to know who else does.
    if (view.peer.info.origin || view.held?.has(ordinal) !== true) news.push(ordinal);
  }
  view.told = log.length;
  view.toldAt = state.now;
  if (news.length === 0) return;
  for (const ranges of framesOf(coverOf(news))) state.effects.push({ kind: 'send', member: view.peer.info.member, message: { kind: 'have', topic: id, ranges } });
}

/** Whether a neighbour has enough to choose from without our news, or has them only once in a while. */
function canWait({ held }: TopicState, { piecesDone, missing, table }: Fetch, { peer, held: theirs }: View): boolean {
  if (peer.info.origin) return true;
  if (piecesDone < swarmBounds.earlyPieces) return false;
  return peer.isForeign || theirs === undefined || held.exceeds(theirs, Math.ceil((swarmBounds.aheadPieces * missing) / table.count));
}

/** How often one that can wait has our news: an origin hears them from all agents. */
function newsEveryMs({ agents }: SwarmState, { info, isForeign }: Peer): number {
  if (info.origin) return Math.max(swarmBounds.haveOriginMs, agents.length / swarmBounds.haveOriginPerMs);
  return isForeign ? swarmBounds.haveForeignMs : swarmBounds.aheadMs;
}

/** The first after `since` of the moments, `everyMs` apart and our own, at which all who can wait have our news. */
function nextMoment({ jitter }: Fetch, since: number, everyMs: number): number {
  return (Math.floor(since / everyMs + jitter) + 1 - jitter) * everyMs;
}

/** Ascending ranges that cover exactly these ordinals, in whichever order they come. */
export function coverOf(ordinals: readonly number[]): OrdinalRange[] {
  return rangesOf(ordinals.length < 2 ? ordinals : ordinals.toSorted((a, b) => a - b));
}

/** Cuts a list of ranges into what fits one frame each. */
export function framesOf(ranges: readonly OrdinalRange[]): readonly (readonly OrdinalRange[])[] {
  const frames: OrdinalRange[][] = [];
  for (let from = 0; from < ranges.length; from += limits.exchangeRangesMax) frames.push(ranges.slice(from, from + limits.exchangeRangesMax));
  return frames;
}
