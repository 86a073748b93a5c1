// What decide asks the world to do, as data, and the facts that say it is done. Performed by control/run.

import type { Digest } from '../../proto/cid.ts';
import type { Event } from '../../proto/events.ts';
import type { Order } from '../../proto/statement.ts';

/** An order to be signed: all of it but its validity, which the signer's clock decides. */
export type UnsignedOrder = Omit<Order, 'notBefore' | 'notAfter'>;

/** One request to the world. It is asked again by every decision until its fact is in the journal. */
export type Effect =
  | {
      /** Let the environment's signed role name exactly these revisions; done when `role.published` is appended. */
      readonly kind: 'publish-role';
      readonly environment: string;
      /** By application; the manifests' lengths are in the revisions' records. */
      readonly revisions: Readonly<Record<string, Digest>>;
    }
  | {
      /** Sign this order; done when `order.issued` is appended. At most one of an environment is asked for at a time. */
      readonly kind: 'sign-order';
      readonly order: UnsignedOrder;
    };

/** Targets that one order names: 500 ids of 52 characters are 37 KiB in compact form, of the 64 KiB that a statement may have. */
export const orderTargetsMax = 500;

/** The fact that a role was published. */
export function rolePublished(environment: string, version: number, revisions: Readonly<Record<string, Digest>>): Event {
  return { kind: 'role.published', environment, version, revisions };
}

/** The fact that an order was signed; `digest` is the sha2-256 of `compact`. */
export function orderIssued(order: UnsignedOrder, compact: string, digest: Digest): Event {
  const { environment, app, seq, deployment, action, batch, targets } = order;
  return { kind: 'order.issued', environment, app, seq, deployment, action, batch, targets, digest, compact };
}
