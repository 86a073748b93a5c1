// Which agent fetches what from the origin, so that each chunk leaves the origin about once (swarm.md, section 2.3): the highest random weight
// among the agents that want it. Nobody is told; everybody works it out from what its neighbours have opened.
//
// What is owned is not a piece but a block of ordinals, the same for everybody: agents that lack different chunks pack them into different pieces.

import type { Fetch } from '../state/fetch-state.ts';
import { fullMeshMax } from '../../roster/neighbours.ts';
import { wake } from '../books/views.ts';
import { evenOwners, hash32, mix32 } from '../../roster/hash.ts';
import { haveCommon, putPiece } from '../state/pieces.ts';
import { rosterIndex, type RosterIndex } from './roster-index.ts';
import { swarmBounds } from '../state/swarm-bounds.ts';
import { besideOrigins, feedingZones, inOwnZone } from './zones.ts';
import { isBarred, type SwarmState, type TopicState } from '../state/swarm-state.ts';

/** Whether a chunk is ours to fetch from the origin by now. */
export function isOwn(topic: TopicState, fetch: Fetch, ordinal: number, now: number): boolean {
  const turn = fetch.ownBlocks[blockOf(topic.info.chunkCount, ordinal)] ?? 0;
  return mayBecomeOwn(fetch, turn) && (turn === 1 || now >= fetch.startedAt + swarmBounds.backupMs + (turn - 2) * swarmBounds.backupNextMs);
}

/**
 * From when on we may take what is another's to bring, since we have brought what is ours: lines differ, and what the slowest still has to bring would come last, to all.
 * The origin remembers whom it gave what, so that it leaves no second time.
 */
export function beginHelping(topic: TopicState, fetch: Fetch): void {
  const { seesAll, isOwner, helps, left, missing, ownPieces, table } = fetch;
  if (helps || !seesAll || !isOwner || left * swarmBounds.helpPart > missing || haveCommon(ownPieces, table.open)) return;
  fetch.helps = true;
  for (const view of topic.originViews) wake(view);
}

/** Whether an origin suggested that we ask for a chunk. */
export function isSuggested({ info }: TopicState, { suggested }: Fetch, ordinal: number): boolean {
  return suggested.size > 0 && suggested.has(blockOf(info.chunkCount, ordinal));
}

/** Where nobody has been caught, nobody has to stand in. */
function mayBecomeOwn({ hasCaught }: Fetch, turn: number): boolean {
  return turn === 1 || (turn > 1 && hasCaught);
}

/** Works out anew what of a fetch is ours, when who takes part has changed. Whether it had. */
export function refreshOwners(state: SwarmState, topic: TopicState): boolean {
  const { fetch } = topic;
  if (fetch?.ownersStale !== true) return false;
  fetch.ownersStale = false;
  const turnOf = divide(state, topic, fetch);
  const blocks = blockCount(topic);
  fetch.ownBlocks = Uint8Array.from({ length: blocks }, (_, block) => (fetch.suggested.has(block) ? 1 : turnOf(block)));
  fetch.isOwner = fetch.ownBlocks.includes(1);
  fetch.ownPieces.fill(0);
  const { table } = fetch;
  for (const ordinal of table.ordinals) if (mayBecomeOwn(fetch, fetch.ownBlocks[blockOf(topic.info.chunkCount, ordinal)] ?? 0)) putPiece(fetch.ownPieces, table.pieceOf(ordinal), true);
  for (const view of topic.viewList) wake(view);
  return true;
}

/** Our turn at a block among those who take part now: 1 when it is ours, 2 and more when we stand in for those before us, 0 when it never comes. */
function divide(state: SwarmState, topic: TopicState, fetch: Fetch): (block: number) => number {
  const seed = hash32(`${topic.info.revision} ${topic.info.blob}`);
  const { member } = state.self;
  fetch.seesAll = true;
  // An origin that fetches is bound by nothing.
  if (state.self.origin) return () => 1;
  const index = rosterIndex(state.agents, state.zones, topic.info.environments);
  if (index.all.members.length > fullMeshMax) {
    fetch.seesAll = false;
    const zone = state.zones.get(member);
    fetch.importers = (zone === undefined ? index.all : index.inZones([zone])).members;
    return largeFleetOwner(state, index, seed, blockCount(topic));
  }
  const members = candidates(state, topic, index.all.members);
  fetch.importers = inOwnZone(state, index.all.members);
  const owners = besideOrigins(state, members);
  const own = owners.indexOf(member);
  const ownerOf = evenOwners(seed, owners.map((owner) => hash32(owner)), blockCount(topic));
  return (block) => (own !== -1 && ownerOf[block] === own ? 1 : 0);
}

/**
 * In a fleet of which we see a few neighbours only, all of the roster divide the blocks: by even steps through the sorted members, so that nobody has much more
 * than another. What those were to bring that are dead, take no part or keep it to themselves, the next few bring after a while, and then the starved.
 */
function largeFleetOwner(state: SwarmState, index: RosterIndex, seed: number, blocks: number): (block: number) => number {
  const near = index.inZones(feedingZones(state));
  const owners = near.members.length === 0 ? index.all : near;
  const place = owners.placeOf(state.self.member);
  const { length } = owners.members;
  return (block) => {
    if (place === -1) return 0;
    const step = length > blocks ? Math.floor((block * length) / blocks) : block;
    // Their places are apart, so that the one who stands in for many is not one.
    for (let turn = 0; turn <= swarmBounds.backups; turn += 1) {
      const shift = turn === 0 ? 0 : mix32((block + 1) * 16 + turn);
      if ((place - step - seed - shift) % length === 0) return turn + 1;
    }
    return 0;
  };
}

/** Notices agents that have long gained nothing although they lack something: what is theirs falls to the others. */
export function watchForSilence(state: SwarmState, topic: TopicState, fetch: Fetch, afterMs: number): void {
  for (const view of topic.viewList) {
    const isSilent = view.held !== undefined && !view.held.isFull && state.now - view.newsAt >= afterMs;
    if (isSilent === view.isSilent) continue;
    view.isSilent = isSilent;
    if (fetch.seesAll) fetch.ownersStale = true;
  }
}

/** The block of an ordinal: of all chunks there are, whatever is missing, since all agents of a fleet, old and new, have to agree. */
export function blockOf(chunkCount: number, ordinal: number): number {
  return Math.floor(ordinal / blockChunks(chunkCount));
}

/** How many blocks a topic has. */
export function blockCount({ info: { chunkCount } }: TopicState): number {
  return Math.ceil(chunkCount / blockChunks(chunkCount));
}

/** How many chunks a block has; the last one may have fewer. */
export function blockChunks(chunkCount: number): number {
  return Math.ceil(chunkCount / swarmBounds.blocksAim);
}

/**
 * The agents among whom the blocks are divided in a full mesh: those that have opened the topic and lack something, so that the dead, the idle and the
 * stuck own nothing, and at the beginning those that may yet open it.
 */
function candidates(state: SwarmState, topic: TopicState, rostered: readonly string[]): readonly string[] {
  const found = [state.self.member];
  for (const member of rostered) {
    const peer = state.peers.get(member);
    if (peer === undefined || state.now < peer.quarantinedUntil || isBarred(state, member, topic.info.revision)) continue;
    const view = topic.views.get(member);
    // Whoever begins first would otherwise own everything, and take it all from the origin before the others have begun.
    const takesPart = view?.held === undefined ? state.now < (topic.fetch?.expectedUntil ?? 0) : !view.held.isFull && !view.isSilent;
    if (takesPart) found.push(member);
  }
  return found.toSorted();
}
