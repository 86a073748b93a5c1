// Zones: a chunk should cross the border between two of them once for each zone, and reach everybody else from within (swarm.md, section 2.4). For each block
// of ordinals one member of a zone is its importer, another one the backup; nobody is told, everybody works it out from the roster.

import type { Fetch } from '../state/fetch-state.ts';
import { mix32 } from '../../roster/hash.ts';
import { isTrusted } from '../books/peers.ts';
import { swarmBounds } from '../state/swarm-bounds.ts';
import type { PeerInfo } from '../state/swarm-events.ts';
import type { Peer, SwarmState, TopicState } from '../state/swarm-state.ts';

/** Whether a member is known to be in another zone than we. */
export function isForeign(state: SwarmState, member: string): boolean {
  const ours = state.zones.get(state.self.member);
  const theirs = state.zones.get(member);
  return ours !== undefined && theirs !== undefined && ours !== theirs;
}

/** Where a member is that was just admitted, as seen from us. */
export function whereIs(state: SwarmState, { member, origin }: PeerInfo): Pick<Peer, 'isForeign' | 'isFedElsewhere'> {
  const foreign = isForeign(state, member);
  return { isForeign: foreign, isFedElsewhere: foreign && !origin && state.originZones.has(state.zones.get(member) ?? '') };
}

/** Whether all origins that are here are in other zones. */
export function isAbroad(state: SwarmState): boolean {
  let isOne = false;
  for (const peer of state.peers.values()) {
    if (!peer.info.origin) continue;
    if (!peer.isForeign) return false;
    isOne = true;
  }
  return isOne;
}

/** Those of `members` that are in our own zone. */
export function inOwnZone(state: SwarmState, members: readonly string[]): readonly string[] {
  return members.filter((member) => !isForeign(state, member));
}

/** The zones of the origins that are here. */
function originZones(state: SwarmState): readonly string[] {
  const zones = new Set<string>();
  for (const { info } of state.peers.values()) {
    const zone = info.origin ? state.zones.get(info.member) : undefined;
    if (zone !== undefined) zones.add(zone);
  }
  return [...zones];
}

/** The zones whose agents bring from origins what we shall have: our own if an origin is in it, so that nothing of it crosses a border; else all that have one. */
export function feedingZones(state: SwarmState): readonly string[] {
  const zones = originZones(state);
  const ours = state.zones.get(state.self.member);
  return ours !== undefined && zones.includes(ours) ? [ours] : zones;
}

/** Those of `members` that bring from origins what we shall have; all of them when no zone has an origin. */
export function besideOrigins(state: SwarmState, members: readonly string[]): readonly string[] {
  const zones = feedingZones(state);
  const near = members.filter((member) => zones.includes(state.zones.get(member) ?? ''));
  return near.length === 0 ? members : near;
}

/**
 * Whether we may ask a member of another zone for a chunk: nobody in our own holds it, and we are its importer, or the first after it of whom all before are
 * not at work. Everybody goes through the same members in the same order, so that two import a chunk only while they differ about who is at work.
 */
export function mayImport(state: SwarmState, topic: TopicState, fetch: Fetch, ordinal: number, block: number): boolean {
  for (const view of topic.viewList) {
    if (view.peer.isForeign || view.held?.has(ordinal) !== true) continue;
    // What the origin of our own zone holds comes from it: one of us has it or is about to.
    if (view.peer.info.origin ? !fetch.isStarving : isTrusted(state, view.peer, topic.info.revision)) return false;
  }
  const { importers } = fetch;
  // Of those that we do not see we know nothing: we wait for two of them.
  const ranks = fetch.seesAll ? importers.length : Math.min(2, importers.length);
  const first = mix32(block + 1) % Math.max(1, importers.length);
  for (let rank = 0; rank < ranks; rank += 1) {
    const importer = importers[(first + rank) % importers.length];
    if (importer === undefined || importer === state.self.member) return true;
    if (isAtWork(state, topic, fetch, importer, rank)) return false;
  }
  return true;
}

/** Whether what is asked for across the border takes hardly longer than what is asked for nearby. */
export function isBorderWide(state: SwarmState): boolean {
  return state.foreignLatencyMs !== undefined && state.foreignLatencyMs <= borderMs(state);
}

/** Longest that what is asked for across the border should take. */
function borderMs({ latencyMs }: SwarmState): number {
  return Math.max(swarmBounds.borderMs, swarmBounds.borderLatencies * (latencyMs ?? 0));
}

/**
 * Room for `bytes` more from other zones: a border is narrow, and who asks for all that is there at once only waits longer for each. All of a zone ask across the same one and
 * none knows what the others do; but all see how long it takes, and when that is twice as long as it should be, each asks for a quarter.
 */
export function hasForeignRoom(state: SwarmState, bytes: number): boolean {
  let owedBytes = 0;
  let owedRequests = 0;
  let window = 0;
  for (const peer of state.peers.values()) {
    if (!peer.isForeign) continue;
    owedBytes += peer.owedBytes;
    owedRequests += peer.owedRequests;
    window += 2 * peer.rate * (peer.roundTripMs + swarmBounds.windowSlackMs);
  }
  const crowded = Math.max(1, (state.foreignLatencyMs ?? 0) / borderMs(state));
  return owedRequests === 0 || owedBytes + bytes <= window / crowded ** 2;
}

/** Nobody is, once we have waited for them long enough. One that we do not see, in a fleet too large to know everybody, is believed to be, until we have had nothing left to ask for. */
function isAtWork(state: SwarmState, topic: TopicState, fetch: Fetch, member: string, rank: number): boolean {
  if (fetch.hasWaited) return false;
  const peer = state.peers.get(member);
  if (peer === undefined) return !fetch.seesAll && !fetch.isStarving && fetch.bordersOpen <= rank;
  const view = topic.views.get(member);
  if (view?.held === undefined) return state.now < fetch.expectedUntil;
  // At a narrow border an importer has long nothing to say.
  const patienceMs = Math.min(swarmBounds.importMsMax, swarmBounds.importLatencies * (state.foreignLatencyMs ?? 0));
  return (!view.isSilent || state.now - view.newsAt < patienceMs) && isTrusted(state, peer, topic.info.revision);
}
