// Which agent fetches which piece from the origin, so that each piece leaves the origin about once (swarm.md, section 2.3): the highest random
// weight among the agents that want it. Nobody is told; everybody works it out from what its neighbours have opened.

import { fullMeshMax } from './neighbours.ts';
import { hash32, rendezvous } from './hash.ts';
import { maySee } from './peers.ts';
import { isBarred, type SwarmState, type TopicState } from './swarm-state.ts';

/** Works out anew which pieces of a fetch are ours, when who takes part has changed. */
export function refreshOwners(state: SwarmState, topic: TopicState): void {
  const { fetch } = topic;
  if (fetch?.ownersStale !== true) return;
  fetch.ownersStale = false;
  const owners = candidates(state, topic);
  const own = owners.indexOf(state.self.member);
  const hashes = owners.map((member) => hash32(member));
  const seed = hash32(`${topic.info.revision} ${topic.info.blob}`);
  for (const piece of fetch.table.pieces) {
    // By its first ordinal: agents that lack the same chunks cut the same pieces, and others at least often begin at the same one.
    const key = (seed + (piece.ordinals[0] ?? 0)) >>> 0;
    piece.owned = own === -1 || rendezvous(key, hashes) === own;
  }
  for (const view of topic.views.values()) view.dry = false;
}

/**
 * The agents among whom the pieces are divided. In a full mesh those that have opened the topic and lack something, so that the dead and the idle own
 * nothing, and at the beginning those that may yet open it; in a larger fleet, of which we see a few neighbours only, all of the roster. Origins divide nothing: they fetch from anybody.
 */
function candidates(state: SwarmState, topic: TopicState): readonly string[] {
  if (state.self.origin) return [];
  const rostered = state.agents.filter((agent) => !agent.origin && maySee(agent, topic.info.environments));
  if (rostered.length > fullMeshMax) return rostered.map(({ member }) => member);
  const found = [state.self.member];
  for (const { member } of rostered) {
    const peer = state.peers.get(member);
    if (peer === undefined || state.now < peer.quarantinedUntil || isBarred(state, member, topic.info.revision)) continue;
    const held = topic.views.get(member)?.held;
    // Whoever begins first would otherwise own everything, and take it all from the origin before the others have begun.
    if (held === undefined ? state.now < (topic.fetch?.expectedUntil ?? 0) : !held.isFull) found.push(member);
  }
  return found.toSorted();
}
