// Whether the votes of a request fill what it demands: each place by another person, nobody who is excluded, nothing
// revoked. A person in two groups fills one place, so that this is a matching and not a count.

import type { ApprovalRule } from '../../../proto/pipeline.ts';
import type { ApprovalRequest, Vote } from '../model/approval.ts';
import { isAmong } from '../model/people.ts';

/** The votes of a request that count for it. */
export function counted({ votes, excluded }: Pick<ApprovalRequest, 'votes' | 'excluded'>): readonly Vote[] {
  return votes.filter((vote) => vote.decision === 'approve' && vote.revokedAt === undefined && !isAmong(excluded, vote.by));
}

/** Whether the request's demands are met by the votes that count. */
export function isSatisfied(request: Pick<ApprovalRequest, 'votes' | 'excluded' | 'rules'>): boolean {
  return unfilled(request).length === 0;
}

/** A vote against, by somebody who counts and did not take it back. */
export function rejection({ votes, excluded }: Pick<ApprovalRequest, 'votes' | 'excluded'>): Vote | undefined {
  return votes.find((vote) => vote.decision === 'reject' && vote.revokedAt === undefined && !isAmong(excluded, vote.by));
}

/** The places that nobody fills: how many of each group are missing when people are assigned as well as can be. */
export function unfilled(request: Pick<ApprovalRequest, 'votes' | 'excluded' | 'rules'>): readonly ApprovalRule[] {
  const people = distinct(counted(request));
  const places = request.rules.flatMap(({ group, count }) => Array.from({ length: count }, () => group));
  /** Which person sits at each place. */
  const seated = new Map<number, number>();
  const missing = new Map<string, number>();
  places.forEach((group, place) => {
    if (!seat(place, places, people, seated, new Set())) missing.set(group, (missing.get(group) ?? 0) + 1);
  });
  return [...missing].map(([group, count]) => ({ group, count }));
}

/** Finds a person for a place, moving others where that helps (an augmenting path). */
function seat(place: number, places: readonly string[], people: readonly Vote[], seated: Map<number, number>, tried: Set<number>): boolean {
  const group = places[place] ?? '';
  for (const [index, { groups }] of people.entries()) {
    if (tried.has(index) || (group !== '*' && !groups.includes(group))) continue;
    tried.add(index);
    const other = [...seated].find(([, person]) => person === index)?.[0];
    if (other === undefined || seat(other, places, people, seated, tried)) {
      seated.set(place, index);
      return true;
    }
  }
  return false;
}

function distinct(votes: readonly Vote[]): readonly Vote[] {
  return [...new Map(votes.map((vote) => [vote.by, vote])).values()];
}
