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
      /**
       * Sign these orders of one environment; done when their `order.issued` are appended, all of them together. The first says what it comes after; each other
       * comes after the one before it, whose digest is known when that is signed ({@link issued}).
       */
      readonly kind: 'sign-orders';
      readonly environment: string;
      readonly orders: readonly UnsignedOrder[];
    };

/** Targets that one order names. Each of them is told all of it: 100 ids of 52 characters are 7.5 KiB in compact form, and one signature more costs less than to send 500 ids to 500. */
export const orderTargetsMax = 100;
/** Orders asked for at a time: a thousand targets take some 15 ms to decide, to sign and to fold, in which nobody else is answered. */
export const ordersTogetherMax = 10;

/** The fact that a role was published. */
export function rolePublished(environment: string, version: number, revisions: Readonly<Record<string, Digest>>): Event {
  return { kind: 'role.published', environment, version, revisions };
}

/** The facts that orders were signed, one after another; `sign` gives the compact form of one and the sha2-256 of that. */
export function issued(orders: readonly UnsignedOrder[], sign: (order: UnsignedOrder) => readonly [string, Digest]): readonly Event[] {
  let before: Digest | undefined;
  return orders.map((unsigned): Event => {
    const order = before === undefined ? unsigned : { ...unsigned, previous: before };
    const [compact, digest] = sign(order);
    before = digest;
    const { environment, app, seq, deployment, action, batch, targets } = order;
    return { kind: 'order.issued', environment, app, seq, deployment, action, batch, targets, digest, compact };
  });
}
