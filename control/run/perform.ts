// Performs the effects of a decision: what core asks of the world as data is done here, and said in a fact.
// When they are asked for is decide.ts; the loop is reconcile.ts.

import { hash } from 'node:crypto';
import type { Event } from '../../proto/events.ts';
import { stepOf } from '../core/decide.ts';
import type { Effect } from '../core/effects.ts';
import { issued, rolePublished } from '../core/effects.ts';
import type { State } from '../core/model/model.ts';
import { revisionOf } from '../core/model/select.ts';
import type { Observed } from '../core/model/select.ts';
import { isSameSet } from '../core/model/sets.ts';
import { ControlError } from '../errors.ts';
import type { RoleEntry, TrustRepository } from '../trust/repository.ts';

/**
 * How long a signed order may be acted upon. As long as the timestamp that an agent needs to call its metadata fresh:
 * a control plane that is away longer stops new activations either way.
 */
export const orderValidSeconds = 24 * 3600;

type SignOrders = Extract<Effect, { readonly kind: 'sign-orders' }>;
type PublishRole = Extract<Effect, { readonly kind: 'publish-role' }>;

/**
 * Lets the environment's role name what the effect says; the fact of it is {@link rolesToSay}.
 * @throws {ControlError} SIGNING_FAILED, STORAGE_FAILED.
 */
export async function publish(effect: PublishRole, state: State, repository: TrustRepository): Promise<void> {
  await repository.publish(effect.environment, roleEntries(effect, state));
}

/**
 * The facts that the journal lacks of what the repository says: a process may end after it published and before it said so, or say so when another has
 * published since. What is published is said, whoever did it, before anything is decided from it (P-3).
 */
export function rolesToSay({ environments }: State, repository: TrustRepository): readonly Event[] {
  return [...environments.values()].flatMap(({ environment, role: said }) => {
    const role = repository.role(environment);
    if (role === undefined) return [];
    const revisions = Object.fromEntries(Object.entries(role.revisions).map(([app, { revision }]) => [app, revision]));
    return said?.version === role.version && isSameSet(said.revisions, revisions) ? [] : [rolePublished(environment, role.version, revisions)];
  });
}

/** Signs orders, and returns the facts. `now` is milliseconds since 1970. @throws {ControlError} SIGNING_FAILED. */
export function signed({ orders }: SignOrders, repository: TrustRepository, now: number): readonly Event[] {
  const notBefore = Math.floor(now / 1000);
  return issued(orders, (order) => {
    const compact = repository.signOrder({ ...order, notBefore, notAfter: notBefore + orderValidSeconds });
    return [compact, hash('sha256', compact)];
  });
}

/**
 * The orders that an environment is to have now, over this very state and at this very time, unless something is to be recorded first: the next round does
 * both. One report since they were decided is enough that two targets would be down at once, and a window may have closed (T-5).
 */
export function ordersWanted(state: State, observed: Observed, environment: string): SignOrders | undefined {
  const known = state.environments.get(environment);
  if (known === undefined) return undefined;
  const { events, effects } = stepOf(state, known, observed);
  return events.length > 0 ? undefined : effects.find((effect) => effect.kind === 'sign-orders');
}

function roleEntries(effect: PublishRole, state: State): Readonly<Record<string, RoleEntry>> {
  return Object.fromEntries(
    Object.entries(effect.revisions).map(([app, revision]) => {
      const record = revisionOf(state, app, revision);
      if (record === undefined) throw new ControlError('SIGNING_FAILED', `environment '${effect.environment}' is to run ${app} ${revision}, which is not on record`);
      return [app, { revision, bytes: record.manifestBytes, number: record.number }];
    }),
  );
}
