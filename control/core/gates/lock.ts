// Locks: nothing new starts within their scope (CDS-9). Scopes nest, so that a lock of a project holds every environment
// in it (L-5). A lock that has expired holds nothing, whoever believes to hold it (L-4).

import type { Lock } from '../model/restraints.ts';
import type { State } from '../model/model.ts';
import { personOf } from '../model/people.ts';
import type { Blocker, GateAnswer, GateContext } from './blocker.ts';
import { isWithin, placeOf, scopeText, scopesOf } from './place.ts';

/** Locks that hold an environment now. */
export function locksOn(state: State, environment: string, now: number): readonly Lock[] {
  const scopes = scopesOf(environment, placeOf(state, environment));
  return [...state.locks.values()].filter((lock) => isWithin(scopes, lock.scope) && (lock.expiresAt === undefined || lock.expiresAt > now));
}

/** No lock in any scope that the environment is in. A rollback passes, unless the lock says otherwise (control-plane.md 1.3). */
export function notLocked({ state, environment, kind, observed }: GateContext): GateAnswer {
  const locks = locksOn(state, environment.environment, observed.now).filter((lock) => kind !== 'rollback' || lock.includeRollback);
  const blockers = locks.map(({ lock, scope, mode, holder, by: actor, at, reason, expiresAt }): Blocker => {
    const by = personOf(state, actor);
    const who = mode === 'workflow' ? `workflow run ${holder}` : by;
    const what = mode === 'workflow' ? 'wait for its end' : 'wait for its release, or break it with a reason';
    return {
      type: 'lock',
      reason: `${scopeText(scope)} is locked by ${who}: ${reason}; ${what}`,
      since: at,
      ref: lock,
      actors: [mode === 'workflow' ? `run:${holder}` : by],
      ...(expiresAt === undefined ? {} : { until: expiresAt }),
    };
  });
  return { blockers };
}
