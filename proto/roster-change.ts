// What became of a roster since one that a member holds: so that one machine of ten thousand that moves costs the others a line, not a roster. Pure.
// The change itself is not signed: what it makes is, and counts only when that signature verifies.

import Type, { type Static } from 'typebox';
import { limits } from './limits.ts';
import { RosterMemberSchema, type Roster, type RosterMember } from './statement.ts';

const strict = { additionalProperties: false } as const;
const Member = Type.String({ minLength: 1, maxLength: 128 });

export const RosterChangeSchema = Type.Object(
  {
    /** Epoch of the roster that it starts from. */
    from: Type.Integer({ minimum: 0 }),
    /** Epoch of the roster that it makes. */
    epoch: Type.Integer({ minimum: 1 }),
    /** Who is new, or is not as before. */
    members: Type.Array(RosterMemberSchema, { maxItems: limits.rosterMembersMax }),
    /** Who was barred since. */
    revoked: Type.Array(Member, { maxItems: limits.rosterRevokedMax }),
    /** Who was named, as a member or as barred, and is no longer, since no certificate of theirs can count any more; some of them may not have been named at all. */
    forgotten: Type.Optional(Type.Array(Member, { maxItems: limits.rosterRevokedMax })),
    /** First and last part of the compact statement of the roster that it makes, whose middle part is that roster in canonical JSON. */
    header: Type.String({ maxLength: 512 }),
    signature: Type.String({ maxLength: 128 }),
  },
  strict,
);
export type RosterChange = Static<typeof RosterChangeSchema>;

/** What a change says of two rosters. */
export type RosterDifference = Pick<RosterChange, 'from' | 'epoch' | 'members' | 'revoked' | 'forgotten'>;

/** The roster that a change makes of the one it starts from. Members and those barred are in ascending order, as in every roster. */
export function changedRoster(roster: Roster, { epoch, members, revoked, forgotten = [] }: RosterDifference): Roster {
  const known = new Map(roster.members.map((member) => [member.member, member]));
  for (const member of members) known.set(member.member, member);
  for (const member of [...revoked, ...forgotten]) known.delete(member);
  const barred = new Set([...roster.revoked, ...revoked]);
  for (const { member } of members) barred.delete(member);
  for (const member of forgotten) barred.delete(member);
  return { epoch, members: [...known.values()].toSorted(byMember), revoked: [...barred].toSorted() };
}

function byMember(a: RosterMember, b: RosterMember): number {
  return a.member < b.member ? -1 : 1;
}
