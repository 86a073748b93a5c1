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

/** Orders above what the member has seen that name it, oldest first. */
export function ordersFor(state: State, member: Member, { seqSeen }: Pick<SyncRequest, 'seqSeen'>): readonly IssuedOrder[] {
  return member.environments
    .flatMap((environment) => {
      const seen = Object.hasOwn(seqSeen, environment) ? (seqSeen[environment] ?? 0) : 0;
      return (state.orders.get(environment) ?? []).filter((order) => order.seq > seen && targetsOf(order).has(member.member));
    })
    .slice(0, ordersMax);
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
export function refusedBy(state: State, member: Member, { seqSeen, refused = [] }: Pick<SyncRequest, 'seqSeen' | 'refused'>): readonly RefuseOrder[] {
  if (refused.length === 0) return [];
  const sent = new Map(ordersFor(state, member, { seqSeen }).map((order) => [createHash('sha256').update(order.compact).digest('hex'), order]));
  return refused.flatMap(({ order: digest, code, detail }) => {
    const order = sent.get(digest);
    return order === undefined ? [] : [{ kind: 'refuse-order', member: member.member, environment: order.environment, seq: order.seq, code, detail } as const];
  });
}

/** Targets of an order, to look one up: each of hundreds of them asks for each of the environment's orders. */
const targetSets = new WeakMap<IssuedOrder, ReadonlySet<string>>();
function targetsOf(order: IssuedOrder): ReadonlySet<string> {
  const known = targetSets.get(order);
  if (known !== undefined) return known;
  const made = new Set(order.targets);
  targetSets.set(order, made);
  return made;
}
