// How an order that a target refuses is kept: with its part in the deployment, until it answers that order or a later one (report.ts).

import type { Event } from '../../../proto/events.ts';
import type { Draft } from './draft.ts';
import { putTarget } from './target.ts';

/** Puts a refusal beside what is known of the target. */
export function foldRefusal(draft: Draft, { member, deployment: id, seq, code, detail }: Extract<Event, { readonly kind: 'order.refused' }>, at: number): void {
  const target = draft.deployments.get(id)?.targets.get(member);
  const deployment = target === undefined ? undefined : draft.deployments.edit(id);
  if (target !== undefined && deployment !== undefined) putTarget(draft, deployment, { ...target, refusal: { seq, code, detail, at } });
}
