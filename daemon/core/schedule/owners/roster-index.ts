// A roster's agents, sorted out once: those who may see a topic, and those of them in a zone. Fleets of thousands divide work by places in these lists
// (ownership.ts, zones.ts), and every fetch asks for the same ones. What is done with them is not here.

import { maySee } from '../books/peers.ts';
import type { PeerInfo } from '../state/swarm-events.ts';

/** Some agents, ascending by member id, and where each stands. */
export interface Places {
  readonly members: readonly string[];
  /** -1 for one that is not among them. */
  placeOf(member: string): number;
}

export interface RosterIndex {
  readonly all: Places;
  /** Those in one of these zones, and those of whom no zone is known. */
  inZones(zones: readonly string[]): Places;
}

/** By the roster's list itself, so that it goes when the roster goes. Each has as many entries as there are sets of environments among topics. */
const indexes = new WeakMap<readonly PeerInfo[], Map<string, RosterIndex>>();

/** Agents of `agents` that may see a topic of these environments. The same lists give the same index; `zones` belongs to `agents`. */
export function rosterIndex(agents: readonly PeerInfo[], zones: ReadonlyMap<string, string>, environments: readonly string[]): RosterIndex {
  let ofRoster = indexes.get(agents);
  if (ofRoster === undefined) indexes.set(agents, (ofRoster = new Map()));
  const key = environments.toSorted().join(' ');
  let index = ofRoster.get(key);
  if (index === undefined) ofRoster.set(key, (index = createIndex(agents, zones, environments)));
  return index;
}

/** The zones of those in a roster that are no agents, once for each roster as well. */
const originZones = new WeakMap<readonly PeerInfo[], ReadonlySet<string>>();

/** `zones` belongs to `agents`, and the same list gives the same set. */
export function zonesOfOrigins(agents: readonly PeerInfo[], zones: ReadonlyMap<string, string>): ReadonlySet<string> {
  let found = originZones.get(agents);
  if (found === undefined) {
    const names = new Set(agents.map(({ member }) => member));
    originZones.set(agents, (found = new Set([...zones].flatMap(([member, zone]) => (names.has(member) ? [] : [zone])))));
  }
  return found;
}

function createIndex(agents: readonly PeerInfo[], zones: ReadonlyMap<string, string>, environments: readonly string[]): RosterIndex {
  const all = createPlaces(agents.filter((agent) => !agent.origin && maySee(agent, environments)).map(({ member }) => member));
  const byZones = new Map<string, Places>();
  return {
    all,
    inZones(wanted) {
      const key = wanted.toSorted().join(' ');
      let places = byZones.get(key);
      if (places === undefined) {
        places = createPlaces(all.members.filter((member) => wanted.includes(zones.get(member) ?? wanted[0] ?? '')));
        byZones.set(key, places);
      }
      return places;
    },
  };
}

function createPlaces(unsorted: readonly string[]): Places {
  const members = unsorted.toSorted();
  const places = new Map(members.map((member, place) => [member, place]));
  return { members, placeOf: (member) => places.get(member) ?? -1 };
}
