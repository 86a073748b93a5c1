// Who is in a simulated fleet: what each host is like and how it behaves, the roster that names them all, and the connections that follow from it.

import { createGraph } from '../../daemon/core/roster/neighbours.ts';
import type { Schedule } from '../../daemon/core/schedule/schedule.ts';
import type { Roster } from '../../proto/statement.ts';

/**
 * `corrupt` says that it holds everything and sends wrong bytes; `tainted` fetches like others and sends wrong bytes; `boastful` says that it holds everything
 * and answers `absent`; `silent` says so too and answers nothing; `dawdling` sends what it is asked for at a five-hundredth of its rate.
 */
export type Behaviour = 'honest' | 'corrupt' | 'tainted' | 'boastful' | 'silent' | 'dawdling';

export interface Host {
  readonly member: string;
  readonly origin: boolean;
  readonly zone: number;
  /** Bytes a millisecond. */
  readonly up: number;
  readonly down: number;
  readonly behaviour: Behaviour;
  readonly holds: 'all' | 'none' | readonly number[];
  /** It fetches all that it does not hold from then on; absent: it only serves. */
  readonly wantsAt?: number;
  /** It is gone from then on, and its neighbours notice at once. */
  readonly diesAt?: number;
  /** Nobody waits for it to finish. */
  readonly excused: boolean;
}

export interface FleetOptions {
  readonly seed: number;
  readonly hosts: readonly Host[];
  readonly chunkCount: number;
  readonly chunkBytes: number;
  readonly latencyMs: number;
  readonly crossMs: number;
  readonly border?: number;
  /** Share of `have` messages that are lost. */
  readonly lostHaves?: number;
  /** Origins die when each chunk has left one of them. */
  readonly originDiesAfterOne?: boolean;
  readonly limitMs: number;
}

/** A request that a host answers, chunk after chunk. */
export interface Upload {
  readonly id: number;
  readonly from: number;
  readonly to: number;
  readonly topic: number;
  readonly request: number;
  readonly ordinals: readonly number[];
  next: number;
  /** When the last bit of the one that crosses a border comes to the receiver. */
  lastAt?: number;
}

/** One host as the simulation keeps it. */
export interface Node {
  readonly index: number;
  readonly host: Host;
  readonly schedule: Schedule;
  readonly neighbours: readonly number[];
  /** Uploads that may send, the next one first. */
  readonly sending: Upload[];
  isSending: boolean;
  isAlive: boolean;
  tickAt: number;
  doneAt: number | undefined;
  messages: number;
  sentBytes: number;
  originBytes: number;
  crossBytes: number;
  wastedBytes: number;
  /** Chunks that were kept although their bytes were wrong. */
  badStored: number;
}

/** How the host at a place is called. */
export function memberAt(index: number): string {
  return index === 0 ? 'origin' : `agent-${index - 1}`;
}

/** The place of a member: read from its name, since a table of ten thousand costs more than the event that asks. */
export function indexOf(member: string): number {
  if (member === 'origin') return 0;
  let index = 0;
  for (let at = 'agent-'.length; at < member.length; at += 1) index = 10 * index + member.charCodeAt(at) - 48;
  return index + 1;
}

/** The roster of these hosts, each in its zone, all agents in one environment. */
export function rosterOf(hosts: readonly Host[]): Roster {
  const members = hosts.map(({ member, origin, zone }) => ({ member, addresses: [], roles: [origin ? ('seed' as const) : ('agent' as const)], environments: origin ? [] : ['prod'], zone: `zone-${zone}` }));
  return { epoch: 1, members: members.toSorted((a, b) => (a.member < b.member ? -1 : 1)), revoked: [] };
}

/** The connections that there are, both ways: an agent calls on origins, which name no agents. */
export function linksOf(hosts: readonly Host[], roster: Roster): readonly (readonly number[])[] {
  const graph = createGraph(roster);
  const links = hosts.map(() => new Set<number>());
  hosts.forEach(({ member }, index) => {
    for (const neighbour of graph(member)) {
      const other = indexOf(neighbour);
      links[index]?.add(other);
      links[other]?.add(index);
    }
  });
  return links.map((set) => [...set]);
}
