// Who connects to whom: a pure function of the roster (swarm.md, section 2.2), so that no message is spent on it and both ends agree.
// Dialling itself is in daemon/swarm/dialler.ts.

import type { Roster, RosterMember } from '../../proto/statement.ts';
import { hash32 } from './hash.ts';

/** Up to this many agents of an environment all connect to one another: one hop, no graph. */
export const fullMeshMax = 17;
/** Cycles through the agents of one's own zone; each gives two links. */
const zoneCycles = 6;
/** Cycles through all agents of an environment: the graph stays one piece whatever the zones. */
const fleetCycles = 2;
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
  const revoked = new Set(roster.revoked);
  const members = roster.members.filter(({ member }) => !revoked.has(member));
  const own = members.find(({ member }) => member === self);
  if (own === undefined) return [];
  const chosen = new Set<string>();
  const origins = members.filter(isOrigin);
  if (isOrigin(own)) {
    for (const { member } of origins) chosen.add(member);
  } else {
    for (const { member } of nearest(origins, self)) chosen.add(member);
    const agents = members.filter((member) => !isOrigin(member));
    for (const environment of own.environments) {
      for (const member of links(agents, own, environment)) chosen.add(member);
    }
  }
  chosen.delete(self);
  return [...chosen].toSorted();
}

/** Which of two connected-to-be members dials first: agents call on origins, else the one with the lower id. The other one waits a while. */
export function dialsFirst(self: { readonly member: string; readonly origin: boolean }, other: { readonly member: string; readonly origin: boolean }): boolean {
  if (self.origin !== other.origin) return other.origin;
  return self.member < other.member;
}

/** Spreads the agents over the origins. */
function nearest(origins: readonly RosterMember[], self: string): readonly RosterMember[] {
  return origins
    .map((origin) => ({ origin, score: hash32(`${self} ${origin.member}`) }))
    .toSorted((a, b) => b.score - a.score || (a.origin.member < b.origin.member ? -1 : 1))
    .slice(0, originsMax)
    .map(({ origin }) => origin);
}

function links(agents: readonly RosterMember[], own: RosterMember, environment: string): readonly string[] {
  const pool = agents.filter(({ environments }) => environments.includes(environment));
  if (pool.length <= fullMeshMax) return pool.map(({ member }) => member);
  const chosen: string[] = [];
  const zone = pool.filter(({ zone: itsZone }) => itsZone === own.zone);
  for (let cycle = 0; cycle < zoneCycles; cycle += 1) {
    chosen.push(...beside(zone, own.member, `zone ${cycle} ${environment}`));
  }
  for (let cycle = 0; cycle < fleetCycles; cycle += 1) {
    chosen.push(...beside(pool, own.member, `fleet ${cycle} ${environment}`));
  }
  return chosen;
}

/** The two members beside `self` on the cycle that `name` orders. */
function beside(pool: readonly RosterMember[], self: string, name: string): readonly string[] {
  const seed = hash32(name);
  const cycle = pool
    .map(({ member }) => ({ member, at: hash32(member, seed) }))
    .toSorted((a, b) => a.at - b.at || (a.member < b.member ? -1 : 1));
  const position = cycle.findIndex(({ member }) => member === self);
  const before = cycle.at(position - 1);
  const after = cycle[(position + 1) % cycle.length];
  return [before, after].flatMap((link) => (link === undefined ? [] : [link.member]));
}
