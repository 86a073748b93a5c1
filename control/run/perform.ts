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

/** Does what the effect says, and returns the fact. `now` is milliseconds since 1970. @throws {ControlError} SIGNING_FAILED, STORAGE_FAILED. */
export async function perform(effect: Effect, state: State, repository: TrustRepository, now: number): Promise<Event> {
  switch (effect.kind) {
    case 'publish-role': {
      const { version } = await repository.publish(effect.environment, roleEntries(effect, state));
      return rolePublished(effect, version);
    }
    case 'sign-order': {
      const notBefore = Math.floor(now / 1000);
      const compact = repository.signOrder({ ...effect.order, notBefore, notAfter: notBefore + orderValidSeconds });
      return orderIssued(effect.order, compact, createHash('sha256').update(compact).digest('hex'));
    }
    default:
      return effect satisfies never;
  }
}

/**
 * Whether the fact of a performed effect may still be appended: an order that was asked for by a deployment that has moved on
 * meanwhile, or whose number is taken, must not be issued; nobody has seen it.
 */
export function stillWanted(effect: Effect, decidedOver: State, now: State): boolean {
  if (effect.kind === 'publish-role') return true;
  const { environment, deployment, seq } = effect.order;
  return now.environments.get(environment)?.orderSeq === seq - 1 && now.deployments.get(deployment)?.phase === decidedOver.deployments.get(deployment)?.phase;
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
