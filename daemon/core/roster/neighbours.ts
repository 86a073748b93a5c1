// Who connects to whom: a pure function of the roster (swarm.md, section 2.2), so that no message is spent on it and both ends agree.
// Dialling itself is in daemon/swarm/exchange/dialler.ts.

import type { Roster, RosterMember } from '../../../proto/statement.ts';
import { hash32 } from './hash.ts';

/** Up to this many agents of an environment all connect to one another: one hop, no graph. */
export const fullMeshMax = 17;
/** Cycles through the agents of one's own zone; each gives two links. */
const zoneCycles = 4;
/**
 * Cycles through all agents of an environment: the graph stays one piece whatever the zones, and whoever brings a chunk from another zone knows one there who has it. With six
 * and two, the last of a hundred agents in four zones was whole after 1.66 times the bound, with these after 1.26 times.
 */
const fleetCycles = 4;
/** Origins that an agent connects to: one to be fed by, the others for its failure. */
const originsMax = 3;

/** Whether a member hands out what it stores rather than running it. Its bytes count as the origin's. */
export function isOrigin(member: { readonly roles: readonly string[] }): boolean {
  return member.roles.includes('seed') || member.roles.includes('proxy');
}

/** Whether the two may have content in common: origins with everybody, agents by environment. */
export function shareEnvironment(a: readonly string[], b: readonly string[]): boolean {
  return a.some((environment) => b.includes(environment));
}

/**
 * The members to be connected to, ascending. For agents this is symmetric: if a names b, b names a. An origin names only other origins: the
 * agents come to it. Nobody is named who is revoked, and a member that the roster does not know has no neighbours.
 *
 * The cycles are ordered by the hash of (cycle, environment, member), not by the roster's epoch as swarm.md has it: an epoch passes with every
 * change of address, and would tear all links down; so a newcomer changes the links of its two new neighbours in each cycle only.
 */
export function neighboursOf(roster: Roster, self: string): readonly string[] {
  return createGraph(roster)(self);
}

/** {@link neighboursOf} for one member after another of one roster: what is the same for all of them is worked out once. */
export function createGraph(roster: Roster): (self: string) => readonly string[] {
  const revoked = new Set(roster.revoked);
  const members = new Map(roster.members.filter(({ member }) => !revoked.has(member)).map((member) => [member.member, member]));
  const origins = [...members.values()].filter(isOrigin);
  const agents = [...members.values()].filter((member) => !isOrigin(member));
  const pools = new Map<string, Pool>();
  const poolOf = (environment: string): Pool => {
    let pool = pools.get(environment);
    if (pool === undefined) {
      pool = createPool(agents.filter(({ environments }) => environments.includes(environment)), environment);
      pools.set(environment, pool);
    }
    return pool;
  };
  return (self) => {
    const own = members.get(self);
    if (own === undefined) return [];
    const chosen = new Set<string>();
    if (isOrigin(own)) for (const { member } of origins) chosen.add(member);
    else {
      for (const { member } of nearest(origins, own)) chosen.add(member);
      for (const environment of own.environments) for (const member of poolOf(environment)(own)) chosen.add(member);
    }
    chosen.delete(self);
    return [...chosen].toSorted();
  };
}

/** Which of two connected-to-be members dials first: agents call on origins, else the one with the lower id. The other one waits a while. */
export function dialsFirst(self: { readonly member: string; readonly origin: boolean }, other: { readonly member: string; readonly origin: boolean }): boolean {
  if (self.origin !== other.origin) return other.origin;
  return self.member < other.member;
}

/** Spreads the agents over the origins, those of their own zone first. */
function nearest(origins: readonly RosterMember[], { member, zone }: RosterMember): readonly RosterMember[] {
  return origins
    .map((origin) => ({ origin, isAbroad: Number(origin.zone !== zone), score: hash32(`${member} ${origin.member}`) }))
    .toSorted((a, b) => a.isAbroad - b.isAbroad || b.score - a.score || (a.origin.member < b.origin.member ? -1 : 1))
    .slice(0, originsMax)
    .map(({ origin }) => origin);
}

/** Whom an agent is linked to among those of one environment. */
type Pool = (own: RosterMember) => Iterable<string>;

function createPool(pool: readonly RosterMember[], environment: string): Pool {
  const all = pool.map(({ member }) => member);
  if (all.length <= fullMeshMax) return () => all;
  const zones = new Map<string, readonly string[]>();
  for (const { zone } of pool) if (!zones.has(zone)) zones.set(zone, pool.filter((member) => member.zone === zone).map(({ member }) => member));
  const cycles = new Map<string, Cycle>();
  const cycleOf = (members: readonly string[], name: string, zone?: string): Cycle => {
    const key = zone === undefined ? name : `${zone} ${name}`;
    let cycle = cycles.get(key);
    if (cycle === undefined) {
      cycle = createCycle(members, name);
      cycles.set(key, cycle);
    }
    return cycle;
  };
  return function* links(own) {
    for (let cycle = 0; cycle < zoneCycles; cycle += 1) yield* cycleOf(zones.get(own.zone) ?? [], `zone ${cycle} ${environment}`, own.zone)(own.member);
    for (let cycle = 0; cycle < fleetCycles; cycle += 1) yield* cycleOf(all, `fleet ${cycle} ${environment}`)(own.member);
  };
}

/** The two members beside one on a cycle. */
type Cycle = (self: string) => Iterable<string>;

/** The cycle through `pool` that `name` orders. */
function createCycle(pool: readonly string[], name: string): Cycle {
  const seed = hash32(name);
  const order = pool.map((member) => ({ member, at: hash32(member, seed) })).toSorted((a, b) => a.at - b.at || (a.member < b.member ? -1 : 1));
  const places = new Map(order.map(({ member }, place) => [member, place]));
  return function* beside(self) {
    const place = places.get(self) ?? 0;
    for (const link of [order.at(place - 1), order[(place + 1) % order.length]]) if (link !== undefined) yield link.member;
  };
}
