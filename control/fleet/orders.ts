// What one member is sent of an environment's orders, and the manifests of what they name, so that it need not come again for those.

import { createHash } from 'node:crypto';
import type { SyncRequest } from '../../proto/fleet.ts';
import { limits } from '../../proto/limits.ts';
import type { IssuedOrder } from '../core/model/deployment.ts';
import type { Member, State } from '../core/model/model.ts';
import { revisionOf } from '../core/model/select.ts';
import { isHolding } from '../core/swarm/swarm.ts';
import type { RefuseOrder } from '../core/commands/command.ts';

/** Orders in one answer; the member comes again for the rest. */
const ordersMax = 64;

/** Which orders name whom, kept up as orders come: each of thousands asks whenever it is woken, and there are a hundred orders for ten thousand. */
export class OrdersByMember {
  readonly #known = new Map<string, { orders: readonly IssuedOrder[]; of: Map<string, IssuedOrder[]> }>();

  /** Orders above what the member has seen that name it, oldest first. */
  for(state: State, { member, environments }: Pick<Member, 'member' | 'environments'>, { seqSeen }: Pick<SyncRequest, 'seqSeen'>): readonly IssuedOrder[] {
    return environments
      .flatMap((environment) => {
        const seen = Object.hasOwn(seqSeen, environment) ? (seqSeen[environment] ?? 0) : 0;
        return this.#of(state, environment).get(member)?.filter(({ seq }) => seq > seen) ?? [];
      })
      .slice(0, ordersMax);
  }

  #of(state: State, environment: string): ReadonlyMap<string, readonly IssuedOrder[]> {
    const orders = state.orders.get(environment) ?? [];
    const known = this.#known.get(environment);
    if (known?.orders === orders) return known.of;
    // Mostly some have come behind those that are known; when any went away, it begins anew.
    const last = known === undefined ? -1 : known.orders.length - 1;
    const grown = known !== undefined && last >= 0 && orders[last] === known.orders[last] ? known : { orders: [], of: new Map<string, IssuedOrder[]>() };
    for (const order of orders.slice(grown.orders.length)) {
      for (const member of order.targets) {
        const named = grown.of.get(member);
        if (named === undefined) grown.of.set(member, [order]);
        else named.push(order);
      }
    }
    this.#known.set(environment, { orders, of: grown.of });
    return grown.of;
  }
}

/** Encoded manifests, in base64, of the revisions that these orders name and the member does not hold as far as it said; those that are short enough to come along. */
export function manifestsFor(state: State, { member }: Member, orders: readonly IssuedOrder[]): readonly string[] {
  const found = new Set<string>();
  for (const { action, app, deployment: id } of orders) {
    const deployment = state.deployments.get(id);
    const revision = action === 'rollback' ? deployment?.rollback?.to : deployment?.to;
    if (deployment === undefined || revision === undefined || action === 'cancel') continue;
    const isHeld = action === 'activate' && isHolding(deployment.targets.get(member)?.phase ?? 'assigned');
    const record = isHeld ? undefined : revisionOf(state, app, revision);
    if (record !== undefined && record.manifestBytes <= limits.syncManifestBytesMax && found.size < limits.syncManifestsMax) found.add(record.manifest);
  }
  return [...found];
}

/** Which orders a member refuses of those that it is sent: it names them by the digest of what it could not verify. */
export function refusedBy(orders: OrdersByMember, state: State, member: Member, { seqSeen, refused = [] }: Pick<SyncRequest, 'seqSeen' | 'refused'>): readonly RefuseOrder[] {
  if (refused.length === 0) return [];
  const sent = new Map(orders.for(state, member, { seqSeen }).map((order) => [createHash('sha256').update(order.compact).digest('hex'), order]));
  return refused.flatMap(({ order: digest, code, detail }) => {
    const order = sent.get(digest);
    return order === undefined ? [] : [{ kind: 'refuse-order', member: member.member, environment: order.environment, seq: order.seq, code, detail } as const];
  });
}
