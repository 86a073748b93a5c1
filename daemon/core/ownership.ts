// Which agent fetches what from the origin, so that each chunk leaves the origin about once (swarm.md, section 2.3): the highest random weight
// among the agents that want it. Nobody is told; everybody works it out from what its neighbours have opened.
//
// What is owned is not a piece but a block of ordinals, the same for everybody: agents that lack different chunks pack them into different pieces.

import { fullMeshMax } from './neighbours.ts';
import { hash32, rendezvous } from './hash.ts';
import { maySee } from './peers.ts';
import { swarmBounds } from './swarm-bounds.ts';
import { besideOrigins, inOwnZone } from './zones.ts';
import { isBarred, type Fetch, type SwarmState, type TopicState } from './swarm-state.ts';

/** Whether a chunk is ours to fetch from the origin. */
export function isOwn(topic: TopicState, fetch: Fetch, ordinal: number): boolean {
  return fetch.ownBlocks[blockOf(topic, ordinal)] === 1;
}

/** Works out anew what of a fetch is ours, when who takes part has changed. */
export function refreshOwners(state: SwarmState, topic: TopicState): void {
  const { fetch } = topic;
  if (fetch?.ownersStale !== true) return;
  fetch.ownersStale = false;
  const { members, seesAll } = candidates(state, topic);
  fetch.seesAll = seesAll;
  fetch.importers = inOwnZone(state, members);
  const owners = besideOrigins(state, members);
  const own = owners.indexOf(state.self.member);
  // An origin that fetches is bound by nothing.
  const isFree = !members.includes(state.self.member);
  const hashes = owners.map((member) => hash32(member));
  const seed = hash32(`${topic.info.revision} ${topic.info.blob}`);
  const blocks = Math.ceil(topic.info.chunkCount / blockChunks(topic));
  fetch.ownBlocks = Uint8Array.from({ length: blocks }, (_, block) => (isFree || (own !== -1 && rendezvous((seed + block) >>> 0, hashes) === own) ? 1 : 0));
  for (const view of topic.views.values()) view.dry = false;
}

/** Notices agents that have long gained nothing although they lack something: what is theirs falls to the others. */
export function watchForSilence(state: SwarmState, topic: TopicState, fetch: Fetch, afterMs: number): void {
  for (const view of topic.views.values()) {
    const isSilent = view.held !== undefined && !view.held.isFull && state.now - view.newsAt >= afterMs;
    if (isSilent === view.isSilent) continue;
    view.isSilent = isSilent;
    fetch.ownersStale = true;
  }
}

/** The block of an ordinal. */
export function blockOf(topic: TopicState, ordinal: number): number {
  return Math.floor(ordinal / blockChunks(topic));
}

function blockChunks(topic: TopicState): number {
  return Math.ceil(topic.info.chunkCount / swarmBounds.piecesAim);
}

/**
 * The agents among whom the blocks are divided. In a full mesh those that have opened the topic and lack something, so that the dead, the idle and the
 * stuck own nothing, and at the beginning those that may yet open it; in a larger fleet, of which we see a few neighbours only, all of the roster.
 * Origins divide nothing: they fetch from anybody.
 */
function candidates(state: SwarmState, topic: TopicState): { readonly members: readonly string[]; readonly seesAll: boolean } {
  if (state.self.origin) return { members: [], seesAll: true };
  const rostered = state.agents.filter((agent) => !agent.origin && maySee(agent, topic.info.environments));
  if (rostered.length > fullMeshMax) return { members: rostered.map(({ member }) => member), seesAll: false };
  const found = [state.self.member];
  for (const { member } of rostered) {
    const peer = state.peers.get(member);
    if (peer === undefined || state.now < peer.quarantinedUntil || isBarred(state, member, topic.info.revision)) continue;
    const view = topic.views.get(member);
    // Whoever begins first would otherwise own everything, and take it all from the origin before the others have begun.
    const takesPart = view?.held === undefined ? state.now < (topic.fetch?.expectedUntil ?? 0) : !view.held.isFull && !view.isSilent;
    if (takesPart) found.push(member);
  }
  return { members: found.toSorted(), seesAll: true };
}
