// The scheduler of the swarm: one synchronous step from an event to effects, without clock, chance or I/O of its own, so that the same code runs in a
// daemon and in a simulation. This file only leads each event to the file that knows it. What the rules are, and which test shows each: ARCHITECTURE.md, "How bytes travel".
//
//   state/   what is told and asked for, all that is remembered, the numbers, pieces by rarity
//   books/   keeps that consistent: chunks of a fetch, what neighbours hold of it, accounts of them, who has told whom of what
//   owners/  whose turn it is to bring a chunk from the origin or across a border
//   fetch/   what is asked of whom, what answers mean, what is overdue
//   serve/   requests of neighbours, and whom an origin gives

import { expectedTopic, onAbsent, onBusy, onChunk, onElsewhere, onPlaced, onRoom, onStored } from './fetch/arriving.ts';
import { endFetch, startFetch } from './books/fetching.ts';
import type { FetchMoment } from './fetch/fetch-account.ts';
import { createPeer, dropRequests, isThrottled } from './books/peers.ts';
import { forgive, look, lookMs } from './fetch/overdue.ts';
import { pump } from './fetch/requesting.ts';
import { forgetUploads, onCancel, onRequest, onServed } from './serve/serving.ts';
import type { RateGate } from '../rate.ts';
import type { Effect, PeerInfo, ScheduledMessage, ScheduleEvent } from './state/swarm-events.ts';
import { createSwarmState, type Peer, type SwarmState, type TopicState } from './state/swarm-state.ts';
import { expectAgain, expectRequests, onSuggest, suggestDue } from './owners/suggesting.ts';
import { zonesOfOrigins } from './owners/roster-index.ts';
import { isForeign, whereIs } from './owners/zones.ts';
import { flushHave, forgetPeer, gain, onClose, onHave, onOpen, openTopic, shareTopic, unshareTopic } from './books/topics.ts';

export interface Schedule {
  /** What is to be done about an event, in order. `now` is in milliseconds and never goes back. */
  step(event: ScheduleEvent, now: number): readonly Effect[];
  /** The same for several events at once: what each of them brings about, and after the last of them what is to be asked for and announced. */
  take(event: ScheduleEvent, now: number): readonly Effect[];
  settle(now: number): readonly Effect[];
  /** When a `tick` is due at the latest; never when nothing waits. */
  wakeAt(): number | undefined;
  /** Our number of the topic that a `data` message answers, or nothing when it was not asked for. */
  expected(member: string, theirTopic: number, request: number, ordinal: number): number | undefined;
  /** Requests that are unanswered and not late. */
  requestsInFlight(): number;
  /** How the fetch of a topic stands, as far as the scheduler knows. */
  fetchMoment(topic: number): Omit<FetchMoment, 'unstoredBytes' | 'unstoredChunks'>;
}

export interface ScheduleOptions {
  readonly self: PeerInfo;
  /** From 0 up to 1. */
  readonly random: () => number;
  /** Our own cap on receiving. */
  readonly receive?: RateGate | undefined;
}

export function createSchedule({ self, random, receive }: ScheduleOptions): Schedule {
  const state = createSwarmState(self, random, receive);
  const begin = (now: number): void => {
    // A tick was due by then; the events that waited with it are late by the same pause.
    forgive(state, now - state.dueAt);
    state.dueAt = Number.POSITIVE_INFINITY;
    state.now = Math.max(now, state.now);
    state.effects = [];
  };
  const finish = (): readonly Effect[] => {
    if (state.now >= state.lookAt) look(state);
    flushDue(state);
    pump(state);
    state.dueAt = nextDue(state);
    return state.effects;
  };
  return {
    step(event, now) {
      begin(now);
      apply(state, event);
      return finish();
    },
    take(event, now) {
      begin(now);
      apply(state, event);
      return state.effects;
    },
    settle(now) {
      begin(now);
      return finish();
    },
    wakeAt: () => (state.dueAt === Number.POSITIVE_INFINITY ? undefined : state.dueAt),
    expected: (member, theirTopic, request, ordinal) => expectedTopic(state, member, theirTopic, request, ordinal),
    fetchMoment(id) {
      const topic = state.topics.get(id);
      let inFlight = 0;
      for (const request of state.requests.values()) if (request.topic === id && !request.late) inFlight += 1;
      return { inFlight, throttled: topic?.fetch !== undefined && isThrottled(state, topic, topic.fetch.table.pieceBytes) };
    },
    requestsInFlight() {
      let count = 0;
      for (const peer of state.peers.values()) count += peer.owedRequests;
      return count;
    },
  };
}

/** Events that say themselves whether they leave us something to ask for. */
const saysItself: ReadonlySet<ScheduleEvent['kind']> = new Set(['message', 'chunk', 'placed', 'room', 'stored', 'served', 'tick']);

function apply(state: SwarmState, event: ScheduleEvent): void {
  if (!saysItself.has(event.kind)) state.isStirred = true;
  switch (event.kind) {
    case 'joined':
      return joined(state, event.peer);
    case 'gone':
      return gone(state, event.member);
    case 'interrupted':
      // Asked again at once, of whoever would be soonest; what it has not sent yet it need not.
      return withPeer(state, event.member, (peer) => dropRequests(state, peer, () => true, true));
    case 'roster':
      state.agents = event.agents;
      state.zones = event.zones ?? new Map();
      state.originZones = zonesOfOrigins(event.agents, state.zones);
      for (const peer of state.peers.values()) peer.isForeign = isForeign(state, peer.info.member);
      return staleOwners(state);
    case 'share':
      return shareTopic(state, event.topic, event.info, event.held);
    case 'unshare':
      return withTopic(state, event.topic, (topic) => unshareTopic(state, topic));
    case 'want':
      return withTopic(state, event.topic, (topic) => {
        startFetch(state, topic, event.fetch, event.wanted);
        if (topic.fetch !== undefined) for (const peer of state.peers.values()) openTopic(state, topic, peer);
      });
    case 'unwant':
      return withTopic(state, event.topic, (topic) => {
        for (const peer of state.peers.values()) dropRequests(state, peer, (request) => request.topic === topic.id, true);
        endFetch(topic);
      });
    case 'traffic':
      return withTopic(state, event.topic, (topic) => {
        topic.traffic = event.traffic;
      });
    case 'gained':
      return withTopic(state, event.topic, (topic) => gain(state, topic, event.ordinals));
    case 'lost':
      return withTopic(state, event.topic, (topic) => {
        for (const ordinal of event.ordinals) topic.held.clear(ordinal);
      });
    case 'message':
      return withPeer(state, event.member, (peer) => onMessage(state, peer, event.message));
    case 'chunk':
      return withPeer(state, event.member, (peer) => onChunk(state, peer, event));
    case 'placed':
      return onPlaced(state, event.topic, event.ordinal);
    case 'room':
      return onRoom(state, event.topic, event.bytes);
    case 'stored':
      return onStored(state, event);
    case 'served':
      return onServed(state, event.upload, event.absent);
    case 'tick':
      // What is due is done after every event; this is one for want of others.
      return;
  }
  event satisfies never;
}

function onMessage(state: SwarmState, peer: Peer, message: ScheduledMessage): void {
  switch (message.kind) {
    case 'open':
      onOpen(state, peer, message);
      return expectRequests(state, peer, message);
    case 'close':
      return onClose(state, peer, message.topic);
    case 'have':
      return onHave(state, peer, message);
    case 'suggest':
      return onSuggest(state, peer, message);
    case 'request':
      return onRequest(state, peer, message);
    case 'busy':
      return onBusy(state, peer, message);
    case 'absent':
      return onAbsent(state, peer, message);
    case 'elsewhere':
      return onElsewhere(state, peer, message);
    case 'cancel':
      return onCancel(state, peer.info.member, message.request);
  }
  message satisfies never;
}

function joined(state: SwarmState, info: PeerInfo): void {
  const record = state.records.get(info.member);
  if (record !== undefined && state.now < record.bannedUntil) {
    state.effects.push({ kind: 'close', member: info.member, reason: 'banned' });
    return;
  }
  gone(state, info.member);
  state.lastConnection += 1;
  const peer = createPeer(info, state.lastConnection, state.now, whereIs(state, info));
  state.peers.set(info.member, peer);
  state.connections.set(peer.connection, info.member);
  for (const topic of state.topics.values()) {
    if (topic.fetch !== undefined) openTopic(state, topic, peer);
  }
}

function gone(state: SwarmState, member: string): void {
  withPeer(state, member, (peer) => {
    forgetUploads(state, member);
    expectAgain(state, member);
    forgetPeer(state, peer);
  });
}

function staleOwners(state: SwarmState): void {
  for (const { fetch } of state.lively) {
    if (fetch !== undefined) fetch.ownersStale = true;
  }
}

function flushDue(state: SwarmState): void {
  for (const topic of state.lively) {
    if (topic.flushAt !== undefined && topic.flushAt <= state.now) flushHave(state, topic);
    suggestDue(state, topic);
  }
}

/** When the next tick is due; lets those topics rest that wait for nothing. */
function nextDue(state: SwarmState): number {
  const { lively } = state;
  let flushAt = Number.POSITIVE_INFINITY;
  let isFetching = false;
  for (let index = lively.length - 1; index >= 0; index -= 1) {
    const topic = lively[index];
    if (topic === undefined) continue;
    const newsAt = Math.min(topic.flushAt ?? Number.POSITIVE_INFINITY, topic.unasked?.lookAt ?? Number.POSITIVE_INFINITY);
    flushAt = Math.min(flushAt, newsAt);
    if (topic.fetch !== undefined) {
      isFetching = true;
      state.lookAt = Math.min(state.lookAt, state.now + lookMs(state, topic.fetch));
    } else if (newsAt === Number.POSITIVE_INFINITY) {
      topic.isLively = false;
      lively.splice(index, 1);
    }
  }
  if (!isFetching) state.lookAt = Number.POSITIVE_INFINITY;
  return Math.min(flushAt, state.lookAt);
}

function withTopic(state: SwarmState, id: number, act: (topic: TopicState) => void): void {
  const topic = state.topics.get(id);
  if (topic !== undefined) act(topic);
}

function withPeer(state: SwarmState, member: string, act: (peer: Peer) => void): void {
  const peer = state.peers.get(member);
  if (peer !== undefined) act(peer);
}
