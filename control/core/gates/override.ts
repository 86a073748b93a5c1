// Break-glass: approved requests that lift a window, a freeze or a policy for one set in one environment, for a while.
// Who may, and how many must, comes from what is lifted; that it happened is recorded with the deployment.

import { isSameSet } from '../sets.ts';
import { isSatisfied } from './votes.ts';
import type { GateContext } from './blocker.ts';

/** What overrides lift of one kind, by name, each with the request that lifts it. */
export function liftedBy({ state, environment, members, observed }: Pick<GateContext, 'state' | 'environment' | 'members' | 'observed'>, kind: 'window' | 'freeze' | 'policy'): ReadonlyMap<string, string> {
  const lifted = new Map<string, string>();
  for (const request of state.requests.values()) {
    const { subject } = request;
    if (subject.purpose !== 'override' || request.status !== 'approved' || subject.source !== environment.environment) continue;
    if (!isSameSet(subject.members, members) || !isSatisfied(request)) continue;
    const until = request.countsForMs === undefined || request.settledAt === undefined ? Infinity : request.settledAt + request.countsForMs;
    if (until <= observed.now) continue;
    for (const what of request.lifts ?? []) {
      if (what.startsWith(`${kind}:`)) lifted.set(what.slice(kind.length + 1), request.request);
    }
  }
  return lifted;
}
