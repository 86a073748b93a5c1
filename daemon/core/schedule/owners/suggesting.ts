// What nobody asks an origin for although its line is short: of those in the roster that were to bring it some are off, or take no part, and in a fleet too large
// to see nobody can tell. An origin can: all who lack something come to it. It says to each of them in turn what to ask for.

import type { OpenMessage, SuggestMessage } from '../../../../proto/exchange.ts';
import { fullMeshMax } from '../../roster/neighbours.ts';
import { strikeProtocol } from '../books/peers.ts';
import { coverOf, framesOf } from '../books/topics.ts';
import { counts, givenTo, isKeeper } from '../books/views.ts';
import { swarmBounds } from '../state/swarm-bounds.ts';
import { enliven, type Peer, type SwarmState, type TopicState, type Unasked, type View } from '../state/swarm-state.ts';
import { blockChunks, blockCount, blockOf } from './ownership.ts';
import { rosterIndex } from './roster-index.ts';

/** Somebody opens a topic and lacks something: unless all of it is asked for soon, an origin has something to say. */
export function expectRequests(state: SwarmState, peer: Peer, { topic: theirs }: OpenMessage): void {
  const { self, agents, zones } = state;
  const view = peer.theirViews.get(theirs);
  if (!self.origin || view === undefined || !lacks(view)) return;
  const { topic } = view;
  if (rosterIndex(agents, zones, topic.info.environments).all.members.length <= fullMeshMax) return;
  const blocks = blockCount(topic);
  topic.unasked ??= { blocks: allOf(blocks), times: new Uint8Array(blocks), suggestedAt: new Float64Array(blocks).fill(Number.NEGATIVE_INFINITY), lookAt: undefined };
  if (topic.unasked.blocks.length > 0) lookIn(state, topic, topic.unasked, swarmBounds.suggestAfterMs);
}

/** Somebody is gone: what only that one was given, or held, is asked for by nobody. */
export function expectAgain(state: SwarmState, member: string): void {
  if (!state.self.origin) return;
  for (const topic of state.topics.values()) {
    const { unasked } = topic;
    if (unasked === undefined || !topic.views.has(member)) continue;
    unasked.blocks = allOf(unasked.times.length);
    unasked.times.fill(0);
    lookIn(state, topic, unasked, swarmBounds.suggestEveryMs);
  }
}

/** Suggests what nobody has asked for, when it is time to look. */
export function suggestDue(state: SwarmState, topic: TopicState): void {
  const { unasked } = topic;
  if (unasked?.lookAt === undefined || unasked.lookAt > state.now) return;
  unasked.lookAt = undefined;
  const askers = askersOf(topic);
  if (askers.length === 0) return;
  const due = lookThrough(state, topic, unasked);
  if (unasked.blocks.length === 0) return;
  // What another origin is asked for we do not hear.
  const isOnly = isOnlyOrigin(state);
  unasked.lookAt = state.now + (isOnly ? swarmBounds.suggestEveryMs : swarmBounds.suggestAfterMs);
  if (isOnly) suggest(state, topic, unasked, due, askers);
}

/** An origin suggests what to ask it for: it is ours to bring from now on. */
export function onSuggest(state: SwarmState, peer: Peer, { topic: theirs, ranges }: SuggestMessage): void {
  if (!peer.info.origin) return strikeProtocol(state, peer.info.member, 'it suggests what to ask it for, which only an origin does');
  const topic = peer.theirViews.get(theirs)?.topic;
  const fetch = topic?.fetch;
  if (topic === undefined || fetch === undefined) return;
  const { chunkCount } = topic.info;
  let next = 0;
  for (const { from, to } of ranges) {
    if (from < next || to > chunkCount) return strikeProtocol(state, peer.info.member, `ordinals ${from} to ${to - 1} are suggested after ${next - 1}, of a blob of ${chunkCount} chunks`);
    next = to;
    for (let ordinal = from; ordinal < to; ordinal += 1) {
      fetch.suggested.add(blockOf(chunkCount, ordinal));
      // That it sent us elsewhere for it is past.
      const piece = fetch.table.pieceOf(ordinal);
      if (piece !== -1) fetch.table.turnAfter[piece] = 0;
    }
  }
  fetch.ownersStale = true;
}

function allOf(blocks: number): number[] {
  return Array.from({ length: blocks }, (_, block) => block);
}

function lookIn(state: SwarmState, topic: TopicState, unasked: Unasked, ms: number): void {
  unasked.lookAt ??= state.now + ms;
  enliven(state, topic);
}

/** Whether no other origin is here for those whom we feed. */
function isOnlyOrigin({ peers }: SwarmState): boolean {
  for (const { info, isForeign } of peers.values()) if (info.origin && !isForeign) return false;
  return true;
}

/** To each asker in turn a block; to the next one the next time. */
function suggest(state: SwarmState, topic: TopicState, unasked: Unasked, due: readonly number[], askers: readonly View[]): void {
  const suggested = new Map<View, number[]>();
  for (const block of due) {
    const times = (unasked.times[block] ?? 0) + 1;
    unasked.times[block] = times;
    unasked.suggestedAt[block] = state.now;
    const asker = askers[(block + times) % askers.length];
    if (asker === undefined) return;
    const ordinals = suggested.get(asker) ?? [];
    for (const ordinal of unaskedOf(state, topic, block)) ordinals.push(ordinal);
    suggested.set(asker, ordinals);
  }
  for (const [{ peer }, ordinals] of suggested) {
    for (const ranges of framesOf(coverOf(ordinals))) state.effects.push({ kind: 'send', member: peer.info.member, message: { kind: 'suggest', topic: topic.id, ranges } });
  }
}

/** Forgets blocks that were asked for, and what nobody wants; of the others those that are to be suggested now, no more than the line has room for. */
function lookThrough(state: SwarmState, topic: TopicState, unasked: Unasked): readonly number[] {
  const due: number[] = [];
  let underWay = state.uploads.length;
  unasked.blocks = unasked.blocks.filter((block) => {
    if (unaskedOf(state, topic, block).next().done === true) return false;
    if (state.now - (unasked.suggestedAt[block] ?? 0) < swarmBounds.suggestAgainMs) underWay += 1;
    else if ((unasked.times[block] ?? 0) >= swarmBounds.suggestTimes) return false;
    else due.push(block);
    return true;
  });
  return due.slice(0, Math.max(0, swarmBounds.suggestMax - underWay));
}

/** The chunks of a block that we could give, and that nobody has or was given who is here. */
function* unaskedOf(state: SwarmState, topic: TopicState, block: number): Generator<number, undefined> {
  const chunks = blockChunks(topic.info.chunkCount);
  const end = Math.min(topic.info.chunkCount, (block + 1) * chunks);
  for (let ordinal = block * chunks; ordinal < end; ordinal += 1) {
    if ((topic.holders?.[ordinal] ?? 0) === 0 && topic.held.has(ordinal) && givenTo(state, topic, ordinal) === undefined) yield ordinal;
  }
}

/** Who lacks something, has no nearer origin, and passes on what it gets; of our own zone, if there are any. */
function askersOf({ viewList }: TopicState): readonly View[] {
  const askers = viewList.filter((view) => lacks(view) && counts(view) && !isKeeper(view));
  const near = askers.filter(({ peer }) => !peer.isForeign);
  return near.length > 0 ? near : askers;
}

function lacks({ peer, held, theirTopic }: View): boolean {
  return theirTopic !== undefined && !peer.info.origin && held !== undefined && !held.isFull;
}
