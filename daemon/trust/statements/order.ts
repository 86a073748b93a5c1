// Whether an order may be carried out: it is for this member, and the environment's role authorises what it wants.
// An order alone can bring in nothing (trust.md, "two layers of order"). Pure; its signature and time were checked before.

import type { Order } from '../../../proto/statement.ts';
import { DaemonError } from '../../errors.ts';
import type { Audience, Authorised } from '../trust.ts';

/**
 * @throws {DaemonError} ORDER_REFUSED; METADATA_EXPIRED or CLOCK_SUSPECT when what the role says is too old to install by.
 * Cancelling needs no role, and going back to what is there needs no fresh one.
 */
export function checkOrder(order: Order, audience: Audience, authorised: Authorised | undefined): void {
  const what = `order ${order.seq} (${order.action} ${order.app} in ${order.environment})`;
  if (!audience.environments.includes(order.environment)) throw refused(`${what} is for an environment that this member is not in`);
  if (!order.targets.includes(audience.member)) throw refused(`${what} does not name this member`);
  if (order.action === 'cancel') return;
  if (authorised === undefined) throw refused(`${what} has no role of its environment to be checked against yet`);
  if (authorised.version < order.roleVersion) throw refused(`${what} is by version ${order.roleVersion} of the role, held is version ${authorised.version}`);
  const entry = authorised.revisions.get(order.app);
  if (entry === undefined || entry.revision !== order.revision) {
    throw refused(`${what} wants revision ${order.revision}, the role authorises ${entry?.revision ?? 'none'} (version ${authorised.version})`);
  }
  if (entry.number !== order.revisionNumber) throw refused(`${what} calls the revision number ${order.revisionNumber}, the role ${entry.number}`);
  if (order.action !== 'rollback') checkFresh(what, authorised);
}

function checkFresh(what: string, { freshness }: Authorised): void {
  if (freshness === 'CLOCK_SUSPECT') {
    throw new DaemonError('CLOCK_SUSPECT', `${what} is not carried out: this machine's clock is behind a time that has certainly been; set it`);
  }
  if (freshness === 'STALE') {
    throw new DaemonError('METADATA_EXPIRED', `${what} is not carried out: the signed metadata has expired; nothing new is installed until newer comes from the control plane`);
  }
}

function refused(message: string): DaemonError {
  return new DaemonError('ORDER_REFUSED', message);
}
