// A journal of one environment that was deployed to many times, as facts: each deployment to the same targets, all of which say that it arrived.

import type { Digest } from '../../proto/cid.ts';
import type { Event, JournalEntry } from '../../proto/events.ts';
import { deploymentDefaults } from '../../proto/api/environments.ts';
import type { OrderAction } from '../../proto/statement.ts';

export const digestOf = (number: number): Digest => `sha256:${number.toString(16).padStart(64, '0')}`;

export interface Course {
  readonly deployments: number;
  readonly targets: readonly string[];
  /** Deployments that have an order of this kind for some targets, by number from 1. */
  readonly orders?: ReadonlyMap<number, { readonly action: OrderAction; readonly targets: readonly string[] }>;
}

/** Facts of deployments `prod-1`, `prod-2`, …, the last of which has not ended. */
export function manyDeployments({ deployments, targets, orders = new Map() }: Course): readonly JournalEntry[] {
  const events: Event[] = [{ kind: 'environment.created', environment: 'prod', app: 'web', selector: {}, config: deploymentDefaults }];
  for (let number = 1; number <= deployments; number += 1) events.push(...courseOf(number, targets, orders.get(number), number === deployments));
  return events.map((event, index) => ({ seq: index + 1, at: index, actor: 'system', event }));
}

function courseOf(number: number, targets: readonly string[], order: { readonly action: OrderAction; readonly targets: readonly string[] } | undefined, open: boolean): readonly Event[] {
  const deployment = `prod-${number}`;
  const common = { deployment, environment: 'prod', app: 'web' } as const;
  const started: Event = { kind: 'deployment.started', ...common, promotion: `pr-${number}`, type: 'promote', seq: number, to: digestOf(number), number, config: deploymentDefaults, batches: [targets] };
  const issued: readonly Event[] = order === undefined ? [] : [{ kind: 'order.issued', ...common, seq: number, batch: 0, digest: digestOf(number), compact: '', ...order }];
  const reported = targets.map((member): Event => ({ kind: 'target.reported', member, report: { ...common, seq: number, reportNo: 1, phase: 'committed', at: 1, transfer: { originBytes: 1, peerBytes: 2, reusedBytes: 3, wastedBytes: 0 } } }));
  return [started, ...issued, ...reported, ...(open ? [] : [{ kind: 'deployment.finished', deployment, phase: 'succeeded' } as const])];
}
