// What the facts of pipelines add to the state: configuration, switches, and what holds promotions back. Approvals and
// workflow runs are approval.ts; sets, which follow from deployments, are sets.ts.

import type { PipelineEvent } from '../../../proto/events-pipeline.ts';
import type { Draft } from './draft.ts';
import { foldApproval } from './approval.ts';
import { revisionKey, vetoKey } from '../model/pipeline.ts';
import type { Deed } from '../model/restraints.ts';

/** Sets that a hold is about; each was tried and taken back, one after the other, with none that succeeded between. */
const heldSetsMax = 200;

/** Folds one fact of pipelines. */
export function foldPipeline(draft: Draft, event: PipelineEvent, at: number, actor: string): void {
  switch (event.kind) {
    case 'pipeline.applied':
    case 'pipeline.enabled':
    case 'pipeline.disabled':
    case 'pipeline.deleted':
      return foldConfiguration(draft, event, at, actor);
    case 'edge.enabled':
    case 'edge.disabled':
      return setSwitch(draft, `edge-off:${event.edge}`, event.kind === 'edge.enabled', deed(event, at, actor));
    case 'automation.changed':
      return setSwitch(draft, `${event.scope.kind}:${event.scope.id}`, event.on, deed(event, at, actor));
    case 'revision.described': {
      const key = revisionKey(event.app, event.revision);
      draft.descriptions.set(key, { ...draft.descriptions.get(key), ...event.description, app: event.app, revision: event.revision });
      return;
    }
    case 'hold.placed':
    case 'hold.released':
    case 'pin.placed':
    case 'pin.removed':
    case 'veto.placed':
    case 'veto.removed':
    case 'lock.acquired':
    case 'lock.released':
    case 'freeze.started':
    case 'freeze.ended':
      return foldRestraint(draft, event, at, actor);
    case 'approval.requested':
    case 'approval.voted':
    case 'approval.reviewed':
    case 'approval.vote-revoked':
    case 'approval.settled':
    case 'workflow.started':
    case 'workflow.step':
    case 'workflow.measured':
    case 'workflow.resumed':
    case 'workflow.notified':
    case 'workflow.finished':
      return foldApproval(draft, event, at, actor);
    default:
      event satisfies never;
  }
}

type Of<K extends PipelineEvent['kind']> = Extract<PipelineEvent, { readonly kind: K }>;

function deed(event: { readonly reason?: string }, at: number, actor: string): Deed {
  return { by: actor, at, reason: event.reason ?? '' };
}

function foldConfiguration(draft: Draft, event: Of<'pipeline.applied'> | Of<'pipeline.enabled' | 'pipeline.disabled' | 'pipeline.deleted'>, at: number, actor: string): void {
  const { pipeline: id } = event;
  if (event.kind === 'pipeline.applied') {
    const known = draft.pipelines.get(id);
    const { project, spec } = event;
    draft.retired.delete(id);
    draft.pipelines.set(id, {
      ...(known ?? { enabled: true, switchedAt: at, switchedBy: actor }),
      pipeline: id,
      project,
      spec,
      generation: (known?.generation ?? 0) + 1,
    });
    return;
  }
  if (event.kind === 'pipeline.deleted') {
    const last = draft.pipelines.get(id);
    if (last !== undefined) draft.retired.set(id, last);
    return draft.pipelines.delete(id);
  }
  const pipeline = draft.pipelines.edit(id);
  if (pipeline === undefined) return;
  pipeline.enabled = event.kind === 'pipeline.enabled';
  pipeline.switchedAt = at;
  pipeline.switchedBy = actor;
  if (event.reason === undefined) delete pipeline.switchReason;
  else pipeline.switchReason = event.reason;
}

function setSwitch(draft: Draft, key: string, on: boolean, how: Deed): void {
  if (on) draft.switches.delete(key);
  else draft.switches.set(key, { key, ...how });
}

type Restraint = Of<
  'hold.placed' | 'hold.released' | 'pin.placed' | 'pin.removed' | 'veto.placed' | 'veto.removed' | 'lock.acquired' | 'lock.released' | 'freeze.started' | 'freeze.ended'
>;

function foldRestraint(draft: Draft, event: Restraint, at: number, actor: string): void {
  const how = deed(event, at, actor);
  switch (event.kind) {
    case 'hold.placed': {
      const { kind: _kind, set, ...hold } = event;
      const known = draft.holds.get(event.edge)?.sets ?? [];
      draft.holds.set(event.edge, { ...hold, ...how, ...(set === undefined ? {} : { sets: [...known, set].slice(-heldSetsMax) }) });
      return;
    }
    case 'hold.released':
      return draft.holds.delete(event.edge);
    case 'pin.placed': {
      const { kind: _kind, ...pin } = event;
      draft.pins.set(event.environment, { ...pin, ...how });
      return;
    }
    case 'pin.removed':
      return draft.pins.delete(event.environment);
    case 'veto.placed': {
      const { kind: _kind, ...veto } = event;
      draft.vetoes.set(vetoKey(event.app, event.revision, event.environment), { ...veto, ...how });
      return;
    }
    case 'veto.removed':
      return draft.vetoes.delete(vetoKey(event.app, event.revision, event.environment));
    case 'lock.acquired': {
      const { kind: _kind, ...lock } = event;
      draft.locks.set(event.lock, { ...lock, ...how });
      return;
    }
    case 'lock.released':
      // One that released late finds the lock of somebody else, and leaves it (L-4).
      if (event.broken || draft.locks.get(event.lock)?.holder === event.holder) draft.locks.delete(event.lock);
      return;
    case 'freeze.started': {
      const { kind: _kind, ...freeze } = event;
      draft.freezes.set(event.freeze, { ...freeze, ...how });
      return;
    }
    case 'freeze.ended':
      return draft.freezes.delete(event.freeze);
    default:
      event satisfies never;
  }
}
