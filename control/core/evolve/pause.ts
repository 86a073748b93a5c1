// What pausing, resuming, leaving out a bake and what is measured meanwhile add to the state. Paused time counts for no deadline: it is given
// back when the deployment goes on, and neither pausing nor resuming is progress by itself.

import type { Event } from '../../../proto/events.ts';
import type { Draft } from './draft.ts';
import type { Batch } from '../model/deployment.ts';
import { isFinished } from '../model/phases.ts';

type PauseEvent = Extract<Event, { readonly kind: 'deployment.paused' | 'deployment.resumed' | 'bake.skipped' | 'deployment.measured' }>;

/** Folds one of these facts. */
export function foldPause(draft: Draft, event: PauseEvent, at: number): void {
  const known = draft.deployments.get(event.deployment);
  if (known === undefined || isFinished(known.phase)) return;
  const deployment = draft.deployments.edit(event.deployment);
  if (deployment === undefined) return;
  if (event.kind === 'deployment.measured') {
    const { measure, verdict, value, detail } = event;
    deployment.readings = { ...known.readings, [measure]: { verdict, at, ...(value === undefined ? {} : { value }), ...(detail === undefined ? {} : { detail }) } };
  } else if (event.kind === 'bake.skipped') {
    deployment.batches = known.batches.map((batch, index): Batch => (index === event.batch && batch.phase === 'baking' ? { ...batch, bakeSkipped: true } : batch));
  } else if (event.kind === 'deployment.paused') {
    // Somebody who pauses what a window holds takes it over, since when it stands still.
    deployment.paused = { reason: event.reason, since: known.paused?.since ?? at, ...(event.byHand === undefined ? {} : { byHand: event.byHand }) };
  } else if (known.paused !== undefined) {
    deployment.progressedAt = known.progressedAt + (at - Math.max(known.paused.since, known.progressedAt));
    deployment.resumedAt = at;
    delete deployment.paused;
  }
}
