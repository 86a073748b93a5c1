// Break-glass: approved requests that lift a window, a freeze or a policy for one set in one environment, for a while.
// Who may, and how many must, comes from what is lifted; that it happened is recorded with the deployment.

import type { ApprovalRequest } from '../model/approval.ts';
import type { State } from '../model/model.ts';
import { isSameSet } from '../model/sets.ts';
import { isSatisfied } from './votes.ts';
import type { GateContext } from './blocker.ts';
import { demandsOf, liftPolicy } from './lift-rules.ts';

type Asked = Pick<GateContext, 'state' | 'environment' | 'members' | 'observed'>;

/** What overrides lift of one kind, by name, each with the request that lifts it. */
export function liftedBy(asked: Asked, kind: 'window' | 'freeze' | 'policy'): ReadonlyMap<string, string> {
  const lifted = new Map<string, string>();
  for (const { request } of counting(asked)) {
    for (const what of request.lifts ?? []) {
      if (what.startsWith(`${kind}:`)) lifted.set(what.slice(kind.length + 1), request.request);
    }
  }
  return lifted;
}

/** When the first override that counts now counts no longer, so that what it lifts holds again; `Infinity` when none ends. */
export function liftedUntil(asked: Asked): number {
  return Math.min(Infinity, ...counting(asked).map(({ until }) => until));
}

/** Whether what an override lifts still names the same people for it. */
export function isAskedAsNow(state: State, { subject, lifts = [] }: ApprovalRequest): boolean {
  return liftPolicy(lifts, demandsOf(state, subject.source, subject.members, lifts)) === subject.policy;
}

/** The overrides of this set in this environment that count now. */
function counting({ state, environment, members, observed }: Asked): readonly { readonly request: ApprovalRequest; readonly until: number }[] {
  return [...state.requests.values()].flatMap((request) => {
    const { subject } = request;
    if (subject.purpose !== 'override' || request.status !== 'approved' || subject.source !== environment.environment) return [];
    if (!isSameSet(subject.members, members) || !isSatisfied(request) || !isAskedAsNow(state, request)) return [];
    const until = request.countsForMs === undefined || request.settledAt === undefined ? Infinity : request.settledAt + request.countsForMs;
    return until <= observed.now ? [] : [{ request, until }];
  });
}
