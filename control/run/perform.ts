// Performs the effects of a decision: what core asks of the world as data is done here, and said in a fact.
// When they are asked for is decide.ts; the loop is reconcile.ts.

import { createHash } from 'node:crypto';
import type { Event } from '../../proto/events.ts';
import type { Effect } from '../core/effects.ts';
import { orderIssued, rolePublished } from '../core/effects.ts';
import type { State } from '../core/model.ts';
import { revisionOf } from '../core/select.ts';
import { ControlError } from '../errors.ts';
import type { RoleEntry, TrustRepository } from '../trust/repository.ts';

/**
 * How long a signed order may be acted upon. As long as the timestamp that an agent needs to call its metadata fresh:
 * a control plane that is away longer stops new activations either way.
 */
export const orderValidSeconds = 24 * 3600;

type SignOrder = Extract<Effect, { readonly kind: 'sign-order' }>;

/** Does what the effect says, and returns the fact. `now` is milliseconds since 1970. @throws {ControlError} SIGNING_FAILED, STORAGE_FAILED. */
export async function perform(effect: Effect, state: State, repository: TrustRepository, now: number): Promise<Event> {
  switch (effect.kind) {
    case 'publish-role': {
      const { version } = await repository.publish(effect.environment, roleEntries(effect, state));
      return rolePublished(effect, version);
    }
    case 'sign-order':
      return signed(effect, repository, now);
    default:
      return effect satisfies never;
  }
}

/** Signs an order, and returns the fact. `now` is milliseconds since 1970. @throws {ControlError} SIGNING_FAILED. */
export function signed({ order }: SignOrder, repository: TrustRepository, now: number): Event {
  const notBefore = Math.floor(now / 1000);
  const compact = repository.signOrder({ ...order, notBefore, notAfter: notBefore + orderValidSeconds });
  return orderIssued(order, compact, createHash('sha256').update(compact).digest('hex'));
}

/**
 * Whether an order may be issued as it was decided: nothing that it was decided from has changed meanwhile, neither its deployment
 * nor its environment nor a target of it. One report in between is enough that two targets would be down at once.
 */
export function stillWanted({ order }: SignOrder, decidedOver: State, now: State): boolean {
  const { environment, deployment, seq } = order;
  if (now.environments.get(environment)?.orderSeq !== seq - 1) return false;
  if (now.head === decidedOver.head) return true;
  if (now.environments.get(environment) !== decidedOver.environments.get(environment)) return false;
  const known = now.deployments.get(deployment);
  if (known === undefined || known !== decidedOver.deployments.get(deployment)) return false;
  return Object.keys(known.targets).every((member) => now.members.get(member) === decidedOver.members.get(member));
}

function roleEntries(effect: Extract<Effect, { readonly kind: 'publish-role' }>, state: State): Readonly<Record<string, RoleEntry>> {
  return Object.fromEntries(
    Object.entries(effect.revisions).map(([app, revision]) => {
      const record = revisionOf(state, app, revision);
      if (record === undefined) throw new ControlError('SIGNING_FAILED', `environment '${effect.environment}' is to run ${app} ${revision}, which is not on record`);
      return [app, { revision, bytes: record.manifestBytes, number: record.number }];
    }),
  );
}
