// The swarm: carries the scheduler's effects out on a network, and tells it what comes of them. Every decision is in core/schedule.ts; reading and
// sending is in uploads.ts, manifests in manifests.ts, connections in dialler.ts.

import { hash } from 'node:crypto';
import { decodeBitmap } from '../../proto/bitmap.ts';
import { encodeMessage } from '../../proto/exchange-codec.ts';
import type { DataMessage, ExchangeMessage } from '../../proto/exchange.ts';
import { limits } from '../../proto/limits.ts';
import type { Certificate, Role, Roster } from '../../proto/statement.ts';
import type { Clock } from '../clock.ts';
import { dialsFirst, isOrigin, neighboursOf } from '../core/neighbours.ts';
import { createSchedule } from '../core/schedule.ts';
import type { Effect, PeerInfo, ScheduleEvent } from '../core/swarm-events.ts';
import type { Logger } from '../log.ts';
import { createDialler } from './dialler.ts';
import { createManifestExchange } from './manifests.ts';
import type { Neighbour, Network } from './network.ts';
import { aborted, createFetching, settle, type SharedTopic } from './sharing.ts';
import type { FetchOptions, Holdings, ManifestSource, Sharing, Swarm, SwarmMetrics, Topic } from './swarm.ts';
import { createUploads } from './uploads.ts';

export interface SwarmDeps {
  readonly network: Network;
  /** Our own roles: an origin hands out, an agent is sparing with origins. */
  readonly roles: readonly Role[];
  readonly manifests: ManifestSource;
  readonly metrics: SwarmMetrics;
  readonly clock: Clock;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly log: Logger;
}

/** How often certificates of present neighbours are looked at for expiry. */
const expiryCheckMs = 60_000;

/** Takes part from the first roster on. The network is the swarm's from now on: closing the swarm closes it. */
export function createSwarm(deps: SwarmDeps): Swarm {
  const { network, metrics, clock, log } = deps;
  const own: PeerInfo = { member: network.self, origin: isOrigin(deps), environments: [] };
  const schedule = createSchedule({ self: own, random: deps.random });
  const neighbours = new Map<string, Neighbour>();
  const topics = new Map<number, SharedTopic>();
  const stop = new AbortController();
  const dialler = createDialler({ network, clock, random: deps.random, metrics, log });
  const manifests = createManifestExchange({ neighbours, source: deps.manifests, metrics, clock, stop: stop.signal, log });
  const uploads = createUploads({ clock, metrics, log, served: (upload, absent) => tell({ kind: 'served', upload, absent }) });
  const waiting: ScheduleEvent[] = [];
  let draining = false;
  let lastTopic = 0;
  let epoch = -1;
  let timer: { readonly at: number; readonly abort: AbortController } | undefined;
  /** Bytes of the `data` message being handled: what a `store` effect of its event is about. */
  let arrived: Uint8Array | undefined;

  /** One event after the other, also when carrying out the effects of one brings about the next. */
  const tell = (event: ScheduleEvent): void => {
    waiting.push(event);
    if (draining) return;
    draining = true;
    try {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        for (const effect of schedule.step(next, clock.monotonic())) perform(effect);
      }
    } finally {
      draining = false;
    }
    metrics.requestsInFlight(schedule.requestsInFlight());
    setTimer();
  };
  const setTimer = (): void => {
    const at = schedule.wakeAt();
    if (stop.signal.aborted || at === undefined || (timer !== undefined && timer.at <= at)) return;
    timer?.abort.abort();
    const abort = new AbortController();
    timer = { at, abort };
    clock.wait(Math.max(0, at - clock.monotonic()), { signal: abort.signal }).then(
      () => {
        if (timer?.abort === abort) timer = undefined;
        if (!stop.signal.aborted) tell({ kind: 'tick' });
      },
      () => undefined,
    );
  };

  const perform = (effect: Effect): void => {
    switch (effect.kind) {
      case 'send':
        return neighbours.get(effect.member)?.send(encodeMessage(effect.message));
      case 'store':
        return store(effect.topic, effect.ordinal);
      case 'serve':
        return uploads.start(effect, neighbours.get(effect.member), topics.get(effect.topic)?.holdings);
      case 'stop-serving':
        return uploads.stop(effect.upload);
      case 'done':
        return end(topics.get(effect.topic), 'done');
      case 'received':
        metrics.receivedBytes(effect.source, effect.bytes);
        return count(effect.topic, effect.source === 'origin' ? 'originBytes' : 'peerBytes', effect.bytes);
      case 'wasted':
        metrics.wastedBytes(effect.reason, effect.bytes);
        return count(effect.topic, 'wastedBytes', effect.bytes);
      case 'strike':
        metrics.strike(effect.reason);
        if (effect.reason === 'corrupt-chunk') metrics.chunkVerifyFailed(effect.member);
        log.warn({ member: effect.member, name: neighbours.get(effect.member)?.certificate.name, reason: effect.reason, detail: effect.detail }, 'a neighbour misbehaves');
        return;
      case 'banned':
        metrics.ban(effect.member);
        log.warn({ member: effect.member, name: neighbours.get(effect.member)?.certificate.name, untilMs: effect.until }, 'a neighbour is banned');
        return;
      case 'close':
        neighbours.get(effect.member)?.close(effect.reason);
        return;
    }
    effect satisfies never;
  };
  const count = (topic: number | undefined, what: 'originBytes' | 'peerBytes' | 'wastedBytes', bytes: number): void => {
    const fetching = topic === undefined ? undefined : topics.get(topic)?.fetching;
    if (fetching !== undefined) fetching[what] += bytes;
  };
  const store = (id: number, ordinal: number): void => {
    const shared = topics.get(id);
    const fetching = shared?.fetching;
    const bytes = arrived;
    if (bytes === undefined) throw new Error('a store without bytes: the scheduler asks for one only in answer to a chunk');
    if (shared === undefined || fetching === undefined) return tell({ kind: 'stored', topic: id, ordinal, bytes: bytes.length, kept: false });
    fetching.writing += 1;
    const finish = (error?: { readonly error: unknown }): void => {
      fetching.writing -= 1;
      if (error === undefined) {
        fetching.haveBytes += bytes.length;
        fetching.options.onProgress?.({ haveBytes: fetching.haveBytes, totalBytes: fetching.totalBytes });
      } else end(shared, error);
      tell({ kind: 'stored', topic: id, ordinal, bytes: bytes.length, kept: error === undefined });
      settle(shared);
    };
    fetching.options.write(ordinal, bytes).then(
      () => finish(),
      (error: unknown) => finish({ error }),
    );
  };
  /** The first end counts; the caller hears of it when the last write is back. */
  const end = (shared: SharedTopic | undefined, how: 'done' | { readonly error: unknown }): void => {
    if (shared?.fetching === undefined || shared.fetching.end !== undefined) return;
    shared.fetching.end = how;
    if (how !== 'done') tell({ kind: 'unwant', topic: shared.id });
    settle(shared);
  };

  const onData = (member: string, message: DataMessage): void => {
    const { topic, request, ordinal, bytes } = message;
    const id = schedule.expected(member, topic, request, ordinal);
    const chunk = id === undefined ? undefined : topics.get(id)?.topic.chunk(ordinal);
    // Nothing is hashed that nobody asked for: a flood must cost its sender more than us.
    const good = chunk !== undefined && message.compression === 'none' && bytes.length === chunk.length && hash('sha256', bytes, 'hex') === chunk.id;
    arrived = bytes;
    tell({ kind: 'chunk', member, topic, request, ordinal, bytes: bytes.length, good });
    arrived = undefined;
  };
  const onMessage = (neighbour: Neighbour, message: ExchangeMessage): void => {
    if (message.kind === 'data') onData(neighbour.member, message);
    else if (message.kind === 'want-manifest') manifests.onWant(neighbour, message);
    else if (message.kind === 'manifest') manifests.onManifest(neighbour, message);
    else tell({ kind: 'message', member: neighbour.member, message });
  };
  network.onNeighbour((neighbour) => {
    const { member, certificate } = neighbour;
    neighbours.set(member, neighbour);
    dialler.connected(member);
    metrics.peers(neighbours.size);
    log.info({ member, name: certificate.name, roles: certificate.roles }, 'a neighbour was admitted');
    neighbour.onMessage((message) => onMessage(neighbour, message));
    neighbour.onClose((reason) => {
      if (neighbours.get(member) !== neighbour) return;
      neighbours.delete(member);
      metrics.peers(neighbours.size);
      log.info({ member, name: certificate.name, reason }, 'a neighbour left');
      tell({ kind: 'gone', member });
      manifests.onGone(member);
      if (reason !== 'replaced') dialler.lost(member);
    });
    if (neighbours.get(member) === neighbour) tell({ kind: 'joined', peer: peerOf(member, certificate) });
  });

  const fetch = async (shared: SharedTopic, options: FetchOptions) => {
    if (shared.fetching !== undefined) throw new Error(`the ${shared.topic.blob} of revision ${shared.topic.revision} is being fetched already`);
    if (options.signal.aborted || !topics.has(shared.id)) throw aborted(shared.topic, options.signal.reason);
    const fetching = createFetching(shared.topic, shared.holdings, options);
    shared.fetching = fetching;
    const onAbort = (): void => end(shared, { error: aborted(shared.topic, options.signal.reason) });
    options.signal.addEventListener('abort', onAbort, { once: true });
    tell({ kind: 'want', topic: shared.id, wanted: decodeBitmap(options.wanted.toBytes(), options.wanted.size) });
    try {
      return await fetching.settled.promise;
    } finally {
      options.signal.removeEventListener('abort', onAbort);
    }
  };
  const share = (topic: Topic, holdings: Holdings): Sharing => {
    for (const other of topics.values()) {
      if (other.topic.revision === topic.revision && other.topic.blob === topic.blob) throw new Error(`the ${topic.blob} of revision ${topic.revision} is shared already`);
    }
    lastTopic += 1;
    const shared: SharedTopic = { id: lastTopic, topic, holdings };
    topics.set(shared.id, shared);
    const { revision, blob, chunkCount, environments } = topic;
    const held = decodeBitmap(holdings.held.toBytes(), chunkCount);
    tell({ kind: 'share', topic: shared.id, info: { revision, blob, chunkCount, environments, lengthOf: (ordinal) => topic.chunk(ordinal).length }, held });
    const close = (): void => {
      if (!topics.has(shared.id)) return;
      end(shared, { error: aborted(topic, 'the topic was closed') });
      topics.delete(shared.id);
      tell({ kind: 'unshare', topic: shared.id });
    };
    return {
      gained: (ordinals) => tell({ kind: 'gained', topic: shared.id, ordinals: [...ordinals] }),
      fetch: async (options) => await fetch(shared, options),
      close,
      [Symbol.dispose]: close,
    };
  };
  const setRoster = (roster: Roster): void => {
    if (roster.epoch <= epoch) return;
    epoch = roster.epoch;
    network.setRoster(roster);
    const revoked = new Set(roster.revoked);
    const members = roster.members.filter(({ member }) => !revoked.has(member));
    const byId = new Map(members.map((member) => [member.member, peerOf(member.member, member)]));
    tell({ kind: 'roster', agents: [...byId.values()].filter(({ origin }) => !origin) });
    const targets = neighboursOf(roster, network.self).flatMap((member) => byId.get(member) ?? []);
    dialler.setTargets(targets.map((target) => ({ member: target.member, first: dialsFirst(own, target) })));
    for (const member of neighbours.keys()) dialler.connected(member);
  };
  const expire = async (): Promise<void> => {
    for (;;) {
      await clock.wait(expiryCheckMs, { signal: stop.signal });
      for (const { certificate, close } of neighbours.values()) {
        // It greets again with the certificate that it has by then.
        if (certificate.notAfter * 1000 + limits.clockSkewMs < clock.now()) close('revoked');
      }
    }
  };
  expire().catch(() => undefined);

  const close = async (): Promise<void> => {
    stop.abort();
    timer?.abort.abort();
    dialler.close();
    for (const shared of topics.values()) end(shared, { error: aborted(shared.topic, 'the swarm was closed') });
    await uploads.close();
    await network.close();
  };
  return {
    self: network.self,
    addresses: () => network.addresses(),
    setRoster,
    share,
    fetchManifest: async (revision, options) => await manifests.fetch(revision, options),
    neighbours: () => [...neighbours.values()].map(({ member, certificate }) => ({ member, name: certificate.name, origin: isOrigin(certificate) })).toSorted((a, b) => (a.member < b.member ? -1 : 1)),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function peerOf(member: string, { roles, environments }: Pick<Certificate, 'roles' | 'environments'>): PeerInfo {
  return { member, origin: isOrigin({ roles }), environments };
}
