// Who may join a fleet that is full, or that has replaced its machines faster than their certificates expire: what a roster cannot name must not come to be.

import { expect, test } from 'vitest';
import { handle } from '../../../control/core/answers/handle.ts';
import { evolveAll, initialState } from '../../../control/core/evolve/evolve.ts';
import type { State } from '../../../control/core/model/model.ts';
import { namedMs } from '../../../control/core/model/roster.ts';
import type { Event } from '../../../proto/events.ts';
import { limits } from '../../../proto/limits.ts';

const token: Event = { kind: 'token.created', token: 't', name: 'machines', use: 'join', secretDigest: '00', scopes: [], roles: ['agent'], environments: [], labels: {}, usesMax: 100_000, expiresAt: Number.MAX_SAFE_INTEGER };
const joined = (member: string): Event & { readonly kind: 'member.enrolled' } => ({ kind: 'member.enrolled', member, name: member, publicKey: '00', roles: ['agent'], environments: [], labels: {}, attributes: {}, serial: 1, token: 't' });
const barred = (member: string): Event => ({ kind: 'member.revoked', member, reason: 'replaced' });

function fleetOf(present: number, revoked: number): State {
  const names = Array.from({ length: present + revoked }, (_, index) => `m${index}`);
  const events = [token, ...names.map(joined), ...names.slice(present).map(barred)];
  return evolveAll(initialState(), events.map((event, index) => ({ seq: index + 1, at: 0, actor: 'test', event })));
}

function join(state: State, now: number): string {
  const answer = handle(state, { kind: 'enrol-member', token: 't', member: 'new', name: 'new', publicKey: '00', roles: ['agent'], attributes: {} }, now);
  return answer.kind === 'refused' ? answer.message : answer.kind;
}

test('nobody joins beyond what a roster can name', () => {
  expect(join(fleetOf(limits.rosterMembersMax - 1, 0), 0)).toBe('accepted');
  expect(join(fleetOf(limits.rosterMembersMax, 0), 0)).toMatch(/has 10240 members, as many as a roster can name/);
});

test('who was away until its certificate had expired holds no place in a full fleet: others may take it, and it has one again when there is one', () => {
  const full = fleetOf(limits.rosterMembersMax, 0);
  expect(join(full, namedMs - 1)).toMatch(/as many as a roster can name/);
  expect(join(full, namedMs)).toBe('accepted');
  const renew = (state: State, now: number): string => {
    const answer = handle(state, { kind: 'renew-member', member: 'm0' }, now);
    return answer.kind === 'refused' ? answer.message : answer.kind;
  };
  const replaced = evolveAll(full, Array.from({ length: limits.rosterMembersMax }, (_, index) => ({ seq: full.head + 1 + index, at: namedMs, actor: 'test', event: joined(`n${index}`) })));
  expect(renew(replaced, namedMs)).toMatch(/has 10240 members, as many as a roster can name; revoke those that are gone before 'm0' joins/);
  expect(renew(evolveAll(replaced, [{ seq: replaced.head + 1, at: namedMs, actor: 'test', event: barred('n0') }]), namedMs)).toBe('accepted');
  // Who is still named renews as ever.
  expect(renew(full, namedMs - 1)).toBe('accepted');
});

test('nobody joins when everybody, revoked at once, would be more than a roster can bar; until certificates of those revoked have expired', () => {
  const revoked = limits.rosterRevokedMax - 10;
  expect(join(fleetOf(9, revoked), 0)).toBe('accepted');
  const full = fleetOf(10, revoked);
  expect(join(full, namedMs - 1)).toMatch(/20470 members were revoked whose certificates have not expired yet, beside 10 .* 8 days after/);
  expect(join(full, namedMs)).toBe('accepted');
});

test('nobody joins under the name of a member, and that is said with its id; a name is free when who had it is revoked', () => {
  const named = (member: string): Event => ({ ...joined(member), name: 'new' });
  const after = (...events: readonly Event[]): State => evolveAll(initialState(), [token, ...events].map((event, index) => ({ seq: index + 1, at: 0, actor: 'test', event })));
  expect(join(after(named('m0')), 0)).toMatch(/there is a member named 'new' already; choose another name, or revoke m0 first/);
  expect(join(after(named('m0'), barred('m0')), 0)).toBe('accepted');
  expect(join(after(named('m0'), barred('m0'), named('m1')), 0)).toMatch(/revoke m1 first/);
});
