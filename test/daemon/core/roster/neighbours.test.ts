// The graph of connections that a roster gives: the same for everybody, both ways, in one piece, and stable when members come and go.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Role, Roster, RosterMember } from '../../../../proto/statement.ts';
import { dialsFirst, fullMeshMax, neighboursOf } from '../../../../daemon/core/roster/neighbours.ts';
import { evenOwners, hash32 } from '../../../../daemon/core/roster/hash.ts';

const member = (name: string, roles: Role[] = ['agent'], environments = ['prod'], zone = 'a'): RosterMember => ({ member: name, addresses: [], roles, environments, zone });
const roster = (members: readonly RosterMember[], revoked: readonly string[] = []): Roster => ({ epoch: 1, members: [...members], revoked: [...revoked] });
const agents = (count: number, zones = 1): RosterMember[] => Array.from({ length: count }, (_, index) => member(`agent-${index}`, ['agent'], ['prod'], `zone-${index % zones}`));

/** Members that can be reached from the first over any number of links. */
function reached(all: Roster): number {
  const seen = new Set<string>();
  const queue = [all.members[0]?.member ?? ''];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    queue.push(...neighboursOf(all, next));
  }
  return seen.size;
}

describe('neighboursOf()', () => {
  test('joins all agents of a small environment, and every agent with the seeds', () => {
    const all = roster([...agents(fullMeshMax), member('seed', ['seed'])]);
    expect(neighboursOf(all, 'agent-3')).toHaveLength(fullMeshMax);
    expect(neighboursOf(all, 'agent-3')).toContain('seed');
  });

  test('gives an agent of a large fleet about sixteen agents and three of many seeds, in one piece', () => {
    const all = roster([...agents(600, 4), ...Array.from({ length: 8 }, (_, index) => member(`seed-${index}`, ['seed']))]);
    const degrees = all.members.filter(({ roles }) => roles.includes('agent')).map(({ member: name }) => neighboursOf(all, name).length);
    expect(Math.max(...degrees)).toBeLessThanOrEqual(19);
    expect(Math.min(...degrees)).toBeGreaterThanOrEqual(13);
    expect(reached(roster(agents(600, 4)))).toBe(600);
  });

  test('gives an agent the seeds of its own zone before all others', () => {
    const seeds = Array.from({ length: 12 }, (_, index) => member(`seed-${index}`, ['seed'], [], `zone-${index % 6}`));
    const all = roster([...agents(60, 6), ...seeds]);
    for (const { member: name, zone } of agents(60, 6)) expect(neighboursOf(all, name)).toEqual(expect.arrayContaining(seeds.filter((seed) => seed.zone === zone).map((seed) => seed.member)));
  });

  test('gives an agent neighbours in other zones, so that it can bring from there what is its to bring, and more in its own', () => {
    const all = roster(agents(100, 4));
    const zoneOf = new Map(all.members.map(({ member: name, zone }) => [name, zone]));
    const abroad = all.members.map(({ member: name, zone }) => neighboursOf(all, name).filter((neighbour) => zoneOf.get(neighbour) !== zone).length);
    expect(Math.min(...abroad)).toBeGreaterThanOrEqual(3);
    expect(Math.max(...abroad)).toBeLessThanOrEqual(8);
  });

  test('is symmetric between agents, names nobody revoked and nobody without an environment in common', () => {
    const anyMember = fc.record({ environments: fc.subarray(['dev', 'test', 'prod']), zone: fc.constantFrom('a', 'b'), revoked: fc.boolean() });
    fc.assert(
      fc.property(fc.array(anyMember, { minLength: 1, maxLength: 60 }), (drawn) => {
        const members = drawn.map(({ environments, zone }, index) => member(`m${index}`, ['agent'], environments, zone));
        const revoked = drawn.flatMap((each, index) => (each.revoked && index % 3 === 0 ? [`m${index}`] : []));
        const all = roster(members, revoked);
        for (const { member: name, environments } of members) {
          for (const neighbour of neighboursOf(all, name)) {
            expect(neighboursOf(all, neighbour)).toContain(name);
            expect(revoked).not.toContain(neighbour);
            expect(neighbour).not.toBe(name);
            expect(members.find((each) => each.member === neighbour)?.environments.some((environment) => environments.includes(environment))).toBe(true);
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  test('changes few links when a member joins a large fleet', () => {
    const before = roster(agents(200));
    const after = roster([...agents(200), member('agent-new')]);
    const changed = before.members.filter(({ member: name }) => neighboursOf(before, name).join() !== neighboursOf(after, name).join());
    expect(changed.length).toBeLessThanOrEqual(2 * 16);
  });

  test('names only origins to an origin, and nobody to a stranger', () => {
    const all = roster([...agents(3), member('seed', ['seed']), member('proxy', ['proxy'])]);
    expect(neighboursOf(all, 'seed')).toEqual(['proxy']);
    expect(neighboursOf(all, 'somebody')).toEqual([]);
    expect(neighboursOf(roster(all.members, ['agent-1']), 'agent-1')).toEqual([]);
  });
});

describe('dialsFirst()', () => {
  test('is true for exactly one of two', () => {
    const a = { member: 'a', origin: false };
    const b = { member: 'b', origin: false };
    const seed = { member: '0', origin: true };
    expect([dialsFirst(a, b), dialsFirst(b, a), dialsFirst(a, seed), dialsFirst(seed, a)]).toEqual([true, false, true, false]);
  });
});

describe('evenOwners()', () => {
  const hashes = ['a', 'b', 'c', 'd', 'e'].map((name) => hash32(name));

  test('gives nobody more than an even share, and moves few keys of others when one leaves', () => {
    const [before, after] = [evenOwners(7, hashes, 1_001), evenOwners(7, hashes.slice(0, 4), 1_001)];
    for (const count of shares(before, 5)) expect([197, 198, 199, 200, 201]).toContain(count);
    for (const count of shares(after, 4)) expect([248, 249, 250, 251]).toContain(count);
    const moved = before.filter((owner, key) => owner !== 4 && after[key] !== owner).length;
    expect(moved).toBeLessThan(20);
  });

  test('spreads each owner over all the keys, and does without candidates', () => {
    for (const owner of hashes.keys()) {
      const keys = [...evenOwners(1, hashes, 1_000).entries()].flatMap(([key, other]) => (other === owner ? [key] : []));
      expect(keys.filter((key) => key < 500).length).toBeGreaterThan(70);
      expect(keys.filter((key) => key >= 500).length).toBeGreaterThan(70);
    }
    expect([...evenOwners(1, [], 2)]).toEqual([-1, -1]);
  });
});

function shares(owners: Int16Array, count: number): readonly number[] {
  return Array.from({ length: count }, (_, owner) => owners.filter((other) => other === owner).length);
}
