// The swarm: carries the scheduler's effects out on a network, and tells it what comes of them. Every decision is in core/schedule/schedule.ts; reading and
// sending is in uploads.ts, manifests and delta sets in questions.ts, connections in dialler.ts.

import { hash } from 'node:crypto';
import { decodeBitmap } from '../../../proto/bitmap.ts';
import { encodeMessage } from '../../../proto/exchange-codec.ts';
import type { DataMessage, ExchangeMessage } from '../../../proto/exchange.ts';
import type { Transfer } from '../../../proto/fleet.ts';
import type { Role, Roster } from '../../../proto/statement.ts';
import type { Clock } from '../../clock.ts';
import { dialsFirst, isOrigin, neighboursOf } from '../../core/roster/neighbours.ts';
import { createSchedule, type Schedule } from '../../core/schedule/schedule.ts';
import type { Effect, PeerInfo, ScheduleEvent } from '../../core/schedule/state/swarm-events.ts';
import type { Logger } from '../../log.ts';
import { createAccounts, type Accounts } from './accounts.ts';
import { createAlarm } from './alarm.ts';
import { blame } from './blame.ts';
import { createDialler, type Dialler } from './dialler.ts';
import { closeExpired } from './expiry.ts';
import type { Neighbour, Network } from '../network.ts';
import { createPacking, unpack, type Packing } from './packing.ts';
import { peerOf } from '../peer.ts';
import { createQuestions, type Questions } from './questions.ts';
import { aborted, createFetching, followUrgency, lengthsOf, settle, type Fetching, type SharedTopic } from './sharing.ts';
import type { DeltaAnswers, DeltaQuestion, DeltaSource, FetchOptions, Holdings, ManifestSource, Sharing, Swarm, SwarmMetrics, SwarmRates, Topic } from '../swarm.ts';
import { store, type StoreEffect } from './storing.ts';
import { createTurns, type Turns, type TurnsDeps } from './turns.ts';
import { createUnread } from './unread.ts';
import { createUploads, type Uploads } from './uploads.ts';

export interface SwarmDeps {
  readonly network: Network;
  /** Our own roles: an origin hands out, an agent is sparing with origins. */
  readonly roles: readonly Role[];
  readonly manifests: ManifestSource;
  readonly deltas?: DeltaSource;
  readonly metrics: SwarmMetrics;
  readonly clock: Clock;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly log: Logger;
  /** What travels compressed; on slow lines when it is left out. */
  readonly packing?: Packing;
  /** No caps when they are left out. */
  readonly rates?: SwarmRates;
  /** At the end of a turn of the event loop in a daemon. */
  readonly soon?: TurnsDeps['soon'];
}

/** Takes part from the first roster on. The network is the swarm's from now on: closing the swarm closes it. */
export function createSwarm(deps: SwarmDeps): Swarm {
  return new Exchange(deps);
}

class Exchange implements Swarm {
  readonly #deps: SwarmDeps;
  readonly #own: PeerInfo;
  readonly #schedule: Schedule;
  readonly #turns: Turns;
  readonly #dialler: Dialler;
  readonly #alarm: ReturnType<typeof createAlarm>;
  readonly #questions: Questions;
  readonly #uploads: Uploads;
  readonly #accounts: Accounts;
  readonly #neighbours = new Map<string, Neighbour>();
  readonly #topics = new Map<number, SharedTopic>();
  readonly #stop = new AbortController();
  #lastTopic = 0;
  #lastFetch = 0;
  #epoch = -1;

  constructor(deps: SwarmDeps) {
    const { network, metrics, clock, random, log, rates } = deps;
    this.#deps = deps;
    this.#alarm = createAlarm(clock, () => this.#tell({ kind: 'tick' }), this.#stop.signal);
    this.#own = { member: network.self, origin: isOrigin(deps), environments: [] };
    this.#schedule = createSchedule({ self: this.#own, random, receive: rates?.receive });
    this.#turns = createTurns({ schedule: this.#schedule, clock, soon: deps.soon, perform: (effect, bytes) => this.#perform(effect, bytes), onLooked: () => this.#looked() });
    this.#accounts = createAccounts({ self: network.self, topics: this.#topics, schedule: this.#schedule, clock });
    this.#dialler = createDialler({ network, clock, random, metrics, log });
    this.#questions = createQuestions({ neighbours: this.#neighbours, sources: deps, metrics, clock, stop: this.#stop.signal, log });
    const unread = createUnread({ clock, signal: this.#stop.signal, again: (topic, ordinals) => this.#tell({ kind: 'gained', topic, ordinals }) });
    this.#uploads = createUploads({ buffers: network.buffers, packing: deps.packing ?? createPacking(clock), clock, metrics, log, rates, served: (upload, absent) => this.#tell({ kind: 'served', upload, absent }), unread: (topic, ordinals) => unread.add(topic, ordinals) });
    network.onNeighbour((neighbour) => this.#welcome(neighbour));
    closeExpired({ clock, neighbours: this.#neighbours, signal: this.#stop.signal }).catch(() => undefined);
  }

  get self(): string {
    return this.#own.member;
  }

  addresses(): readonly string[] {
    return this.#deps.network.addresses();
  }

  neighbours(): ReturnType<Swarm['neighbours']> {
    return [...this.#neighbours.values()]
      .map(({ member, certificate }) => ({ member, name: certificate.name, origin: isOrigin(certificate) }))
      .toSorted((a, b) => (a.member < b.member ? -1 : 1));
  }

  setRoster(roster: Roster): void {
    if (roster.epoch <= this.#epoch) return;
    this.#epoch = roster.epoch;
    this.#deps.network.setRoster(roster);
    const revoked = new Set(roster.revoked);
    const members = roster.members.filter(({ member }) => !revoked.has(member));
    this.#accounts.setRoster(roster);
    const byId = new Map(members.map((member) => [member.member, peerOf(member.member, member)]));
    this.#tell({ kind: 'roster', agents: [...byId.values()].filter(({ origin }) => !origin), zones: new Map(members.map(({ member, zone }) => [member, zone])) });
    const targets = neighboursOf(roster, this.self).flatMap((member) => byId.get(member) ?? []);
    this.#dialler.setTargets(targets.map((target) => ({ member: target.member, first: dialsFirst(this.#own, target) })));
    for (const member of this.#neighbours.keys()) this.#dialler.connected(member);
  }

  share(topic: Topic, holdings: Holdings): Sharing {
    for (const { topic: other } of this.#topics.values()) {
      if (other.revision === topic.revision && other.blob === topic.blob) throw new Error(`the ${topic.blob} of revision ${topic.revision} is shared already`);
    }
    const shared: SharedTopic = { id: (this.#lastTopic += 1), topic, holdings };
    this.#topics.set(shared.id, shared);
    const { revision, blob, chunkCount, environments } = topic;
    const held = decodeBitmap(holdings.held.toBytes(), chunkCount);
    this.#tell({ kind: 'share', topic: shared.id, info: { revision, blob, chunkCount, environments, lengthOf: lengthsOf(topic) }, held });
    const close = (): void => this.#unshare(shared);
    return {
      gained: (ordinals) => this.#tell({ kind: 'gained', topic: shared.id, ordinals: [...ordinals] }),
      lost: (ordinals) => this.#tell({ kind: 'lost', topic: shared.id, ordinals: [...ordinals] }),
      fetch: async (options) => await this.#fetch(shared, options),
      close,
      [Symbol.dispose]: close,
    };
  }

  async fetchManifest(revision: string, options: { readonly signal: AbortSignal }): Promise<Uint8Array> {
    return await this.#questions.manifests.fetch(revision, options);
  }

  async askDelta(question: DeltaQuestion, options: { readonly signal: AbortSignal }): Promise<DeltaAnswers> {
    return await this.#questions.deltas.ask(question, options);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#dialler.close();
    for (const shared of this.#topics.values()) this.#end(shared, { error: aborted(shared.topic, 'the swarm was closed') });
    await this.#uploads.close();
    await this.#deps.network.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #unshare(shared: SharedTopic): void {
    if (!this.#topics.has(shared.id)) return;
    this.#end(shared, { error: aborted(shared.topic, 'the topic was closed') });
    this.#topics.delete(shared.id);
    this.#tell({ kind: 'unshare', topic: shared.id });
  }

  async #fetch(shared: SharedTopic, options: FetchOptions): Promise<Transfer> {
    if (shared.fetching !== undefined) throw new Error(`the ${shared.topic.blob} of revision ${shared.topic.revision} is being fetched already`);
    if (options.signal.aborted || this.#stop.signal.aborted || !this.#topics.has(shared.id)) throw aborted(shared.topic, options.signal.reason);
    const fetching = createFetching((this.#lastFetch += 1), shared, options, this.#deps);
    shared.fetching = fetching;
    const onAbort = (): void => this.#end(shared, { error: aborted(shared.topic, options.signal.reason) });
    options.signal.addEventListener('abort', onAbort, { once: true });
    using _urgency = followUrgency(options, (traffic) => this.#tell({ kind: 'traffic', topic: shared.id, traffic }));
    this.#tell({ kind: 'want', topic: shared.id, fetch: fetching.id, wanted: decodeBitmap(options.wanted.toBytes(), options.wanted.size) });
    try {
      return await fetching.settled.promise;
    } finally {
      options.signal.removeEventListener('abort', onAbort);
    }
  }

  #tell(event: ScheduleEvent, bytes?: Uint8Array): void {
    this.#turns.tell(event, bytes);
  }

  #looked(): void {
    const inFlight = this.#schedule.requestsInFlight();
    this.#deps.metrics.requestsInFlight(inFlight);
    if (inFlight === 0 && this.#uploads.idle) this.#deps.network.buffers.rest();
    this.#accounts.look();
    this.#alarm.set(this.#schedule.wakeAt());
  }

  /** `bytes` are those of the chunk whose event asked for the effect. */
  #perform(effect: Effect, bytes: Uint8Array | undefined): void {
    switch (effect.kind) {
      case 'send':
        return this.#neighbours.get(effect.member)?.send(encodeMessage(effect.message));
      case 'store':
        return this.#store(effect, bytes);
      case 'serve':
        return this.#uploads.start(effect, this.#neighbours.get(effect.member), this.#topics.get(effect.topic));
      case 'stop-serving':
        return this.#uploads.stop(effect.upload);
      case 'done':
        return this.#done(effect.topic, effect.fetch);
      case 'received':
        this.#deps.metrics.receivedBytes(effect.source, effect.bytes);
        return this.#accounts.received(effect);
      case 'wasted':
        this.#deps.metrics.wastedBytes(effect.reason, effect.bytes);
        return this.#accounts.wasted(effect.topic, effect.bytes);
      case 'strike':
      case 'banned':
        if (effect.kind === 'strike') this.#accounts.strike();
        return blame(this.#deps, this.#neighbours.get(effect.member)?.certificate.name, effect);
      case 'close':
        return this.#neighbours.get(effect.member)?.close(effect.reason);
    }
    effect satisfies never;
  }

  #store(effect: StoreEffect, bytes: Uint8Array | undefined): void {
    if (bytes === undefined) throw new Error('a store without bytes: the scheduler asks for one only in answer to a chunk');
    const { buffers } = this.#deps.network;
    store(effect, this.#topics.get(effect.topic), bytes, { tell: (event) => this.#tell(event), give: (buffer) => buffers.give(buffer), end: (shared, error) => this.#end(shared, { error }) });
  }

  /** What a fetch that was given up still brought about is not the end of the next one. */
  #done(id: number, fetch: number): void {
    const shared = this.#topics.get(id);
    if (shared?.fetching?.id === fetch) this.#end(shared, 'done');
  }

  /** The first end counts; the caller hears of it when the last write is back. */
  #end(shared: SharedTopic | undefined, how: NonNullable<Fetching['end']>): void {
    if (shared?.fetching === undefined || shared.fetching.end !== undefined) return;
    shared.fetching.end = how;
    if (how !== 'done') this.#tell({ kind: 'unwant', topic: shared.id });
    settle(shared);
  }

  #welcome(neighbour: Neighbour): void {
    const { metrics, log } = this.#deps;
    const { member, certificate } = neighbour;
    this.#neighbours.set(member, neighbour);
    this.#dialler.connected(member);
    metrics.peers(this.#neighbours.size);
    log.info({ member, neighbour: certificate.name, roles: certificate.roles }, 'a neighbour was admitted');
    this.#tell({ kind: 'joined', peer: peerOf(member, certificate) });
    neighbour.onClose((reason) => {
      if (this.#neighbours.get(member) !== neighbour) return;
      this.#neighbours.delete(member);
      metrics.peers(this.#neighbours.size);
      log.info({ member, neighbour: certificate.name, reason }, 'a neighbour left');
      this.#tell({ kind: 'gone', member });
      this.#questions.onGone(member);
      if (reason !== 'replaced') this.#dialler.lost(member);
    });
    neighbour.onInterrupted(() => this.#tell({ kind: 'interrupted', member }));
    neighbour.onMessage((message) => this.#onMessage(neighbour, message));
  }

  #onMessage(neighbour: Neighbour, message: ExchangeMessage): void {
    if (message.kind === 'data') return this.#onData(neighbour.member, message);
    const scheduled = this.#questions.take(neighbour, message);
    if (scheduled !== undefined) this.#tell({ kind: 'message', member: neighbour.member, message: scheduled });
  }

  #onData(member: string, message: DataMessage): void {
    const { topic, request, ordinal, bytes } = message;
    const id = this.#schedule.expected(member, topic, request, ordinal);
    const chunk = id === undefined ? undefined : this.#topics.get(id)?.topic.chunk(ordinal);
    // Nothing is hashed that nobody asked for: a flood must cost its sender more than us.
    const plain = chunk === undefined ? undefined : unpack(message, chunk.length);
    const good = chunk !== undefined && plain !== undefined && hash('sha256', plain, 'hex') === chunk.id;
    this.#tell({ kind: 'chunk', member, topic, request, ordinal, bytes: (plain ?? bytes).length, good }, plain ?? bytes);
    // What is good is somebody's from now on.
    if (!good || plain !== bytes) this.#deps.network.buffers.give(bytes);
  }
}
