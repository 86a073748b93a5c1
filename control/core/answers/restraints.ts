// Commands that hold promotions back, or let them go again: holds, pins, vetoes, locks, freezes.

import type { Scope } from '../../../proto/events-pipeline.ts';
import { accepted, refused } from '../commands/answer.ts';
import type { AcquireLock, EndFreeze, PlacePin, PlaceVeto, ReleaseHold, ReleaseLock, RemovePin, RemoveVeto, StartFreeze } from '../commands/command-governance.ts';
import type { Answer, Refused } from '../commands/command.ts';
import { why } from './pipeline.ts';
import { scopeText } from '../gates/place.ts';
import { vetoKey } from '../model/pipeline.ts';
import type { State } from '../model/model.ts';
import { findRevision, findSet } from '../model/select.ts';

export function releaseHold(state: State, { edge, reason }: ReleaseHold): Answer {
  if (!state.holds.has(edge)) return refused('not-found', `there is no hold on promotion '${edge}'`);
  return accepted({ kind: 'hold.released', edge, ...why(reason) });
}

export function placePin(state: State, { environment, revision, reason, until }: PlacePin): Answer {
  const known = state.environments.get(environment);
  if (known === undefined) return refused('not-found', `there is no environment '${environment}'`);
  if (reason.trim() === '') return refused('invalid', `a pin of '${environment}' needs a reason`);
  const set = findSet(state, known, revision);
  if ('problem' in set) return refused('not-found', set.problem);
  const members = { ...state.sets.get(environment)?.current, ...set.members };
  return accepted({ kind: 'pin.placed', environment, members, reason, ...(until === undefined ? {} : { until }) });
}

export function removePin(state: State, { environment, reason }: RemovePin): Answer {
  if (!state.pins.has(environment)) return refused('not-found', `'${environment}' is not pinned`);
  return accepted({ kind: 'pin.removed', environment, ...why(reason) });
}

export function placeVeto(state: State, { app, revision, environment, reason }: PlaceVeto): Answer {
  const record = findRevision(state, app, revision);
  if (record === undefined) return refused('not-found', `application '${app}' has no revision '${revision}'`);
  if (environment !== undefined && !state.environments.has(environment)) return refused('not-found', `there is no environment '${environment}'`);
  if (reason.trim() === '') return refused('invalid', `a veto of ${app}@${record.number} needs a reason`);
  if (state.vetoes.has(vetoKey(app, record.revision, environment))) return accepted();
  return accepted({ kind: 'veto.placed', app, revision: record.revision, reason, ...(environment === undefined ? {} : { environment }) });
}

export function removeVeto(state: State, { app, revision, environment, reason }: RemoveVeto): Answer {
  if (!state.vetoes.has(vetoKey(app, revision, environment))) return refused('not-found', `${app}@${revision.slice(0, 12)} is not vetoed${environment === undefined ? '' : ` in '${environment}'`}`);
  return accepted({ kind: 'veto.removed', app, revision, ...(environment === undefined ? {} : { environment }), ...why(reason) });
}

interface Bar {
  readonly what: 'lock' | 'freeze';
  readonly id: string;
  readonly known: ReadonlyMap<string, unknown>;
  readonly scope: Scope;
  readonly reason: string;
  readonly end: number | undefined;
}

/** Why what holds back a scope cannot begin. */
function barRefusal(state: State, { what, id, known, scope, reason, end }: Bar, now: number): Refused | undefined {
  const unknown = scopeProblem(state, scope);
  if (unknown !== undefined) return refused('not-found', unknown);
  if (reason.trim() === '') return refused('invalid', `a ${what} of ${scopeText(scope)} needs a reason`);
  if (known.has(id)) return refused('conflict', `there is a ${what} '${id}' already`);
  if (end !== undefined && end <= now) return refused('invalid', `${what} '${id}' would have ended already; choose a later time`);
  return undefined;
}

export function acquireLock(state: State, { kind: _kind, ...command }: AcquireLock, now: number): Answer {
  const bar: Bar = { what: 'lock', id: command.lock, known: state.locks, scope: command.scope, reason: command.reason, end: command.expiresAt };
  return barRefusal(state, bar, now) ?? accepted({ kind: 'lock.acquired', mode: 'manual', ...command });
}

/** Its holder releases it; anybody else breaks it, and says why (O-2). */
export function releaseLock(state: State, { lock: id, holder, breakReason }: ReleaseLock): Answer {
  const lock = state.locks.get(id);
  if (lock === undefined) return refused('not-found', `there is no lock '${id}'`);
  if (breakReason !== undefined && breakReason.trim() !== '') return accepted({ kind: 'lock.released', lock: id, holder, broken: true, reason: breakReason });
  if (lock.holder !== holder) return refused('forbidden', `lock '${id}' is held by ${lock.holder}, not by ${holder}; break it with a reason`);
  return accepted({ kind: 'lock.released', lock: id, holder, broken: false });
}

export function startFreeze(state: State, { kind: _kind, ...command }: StartFreeze, now: number): Answer {
  const bar: Bar = { what: 'freeze', id: command.freeze, known: state.freezes, scope: command.scope, reason: command.reason, end: command.until };
  return barRefusal(state, bar, now) ?? accepted({ kind: 'freeze.started', ...command });
}

export function endFreeze(state: State, { freeze, reason }: EndFreeze): Answer {
  if (!state.freezes.has(freeze)) return refused('not-found', `there is no freeze '${freeze}'`);
  return accepted({ kind: 'freeze.ended', freeze, ...why(reason) });
}

function scopeProblem(state: State, scope: Scope): string | undefined {
  if (scope.kind === 'all') return undefined;
  const pipelines = [...state.pipelines.values()];
  const known = {
    project: pipelines.some((one) => one.project === scope.id) || [...state.apps.values()].some((app) => app.project === scope.id),
    pipeline: state.pipelines.has(scope.id),
    stage: pipelines.some((one) => one.spec.stages.some((stage) => `${one.pipeline}/${stage.stage}` === scope.id)),
    environment: state.environments.has(scope.id),
  };
  return known[scope.kind] ? undefined : `there is no ${scope.kind} '${scope.id}'`;
}
