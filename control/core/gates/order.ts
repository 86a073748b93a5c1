// Gates about whether anything may go this way at all, and whether this set may: switches, vetoes, pins, holds, and the
// direction. Stateless: they ask what is on record and what time it is, and start nothing.

import { setIdOf } from '../model/sets.ts';
import { vetoKey } from '../model/pipeline.ts';
import type { State } from '../model/model.ts';
import type { Switch } from '../model/restraints.ts';
import { personOf } from '../model/people.ts';
import { holds, numberOf, passes, setText } from './blocker.ts';
import type { Blocker, GateAnswer, GateContext } from './blocker.ts';
import { carriedBy, isHeldBy } from './carried.ts';

/** A pipeline that is disabled lets nothing through. */
export function pipelineEnabled({ place, state }: GateContext): GateAnswer {
  if (place === undefined || place.pipeline.enabled) return passes;
  const { pipeline, switchedAt, switchedBy, switchReason } = place.pipeline;
  const why = switchReason === undefined ? '' : `: ${switchReason}`;
  return holds({ type: 'pipeline-disabled', reason: `pipeline '${pipeline}' was disabled by ${personOf(state, switchedBy)}${why}; enable it`, since: switchedAt, ref: pipeline, actors: ['admin:*'] });
}

/** An edge that is disabled lets nothing through. */
export function edgeEnabled({ state, edge }: GateContext): GateAnswer {
  const off = edge === undefined ? undefined : state.switches.get(`edge-off:${edge.id}`);
  if (edge === undefined || off === undefined) return passes;
  return holds({ ...switched(state, 'edge-disabled', `promotion '${edge.id}' was disabled`, off), ref: edge.id, actors: ['admin:*'] });
}

/** Automation that is off, for the pipeline, the edge, the environment or an application, holds what no person asked for (CDS-7). */
export function automationOn({ state, edge, environment, place, kind, members }: GateContext): GateAnswer {
  const keys = [
    ...(place === undefined ? [] : [`pipeline:${place.pipeline.pipeline}`]),
    ...(edge === undefined ? [] : [`edge:${edge.id}`]),
    `environment:${environment.environment}`,
    ...(edge?.spec.apps ?? Object.keys(members)).map((app) => `app:${app}`),
  ];
  const off = keys.flatMap((key) => state.switches.get(key) ?? []);
  const blockers: Blocker[] = off.map((one) => ({
    ...switched(state, 'automation-off', `automation of ${one.key.replace(':', ' ')} was turned off`, one),
    ref: one.key,
    actors: [`promote:env/${environment.environment}`],
  }));
  if (kind === 'auto' && edge !== undefined && !edge.spec.auto) {
    blockers.push({ type: 'automation-off', reason: `promotion '${edge.id}' is by hand; promote it, or set auto`, since: 0, ref: edge.id, actors: [`promote:env/${environment.environment}`] });
  }
  return { blockers };
}

function switched(state: State, type: Blocker['type'], what: string, { by, at, reason }: Switch): Blocker {
  return { type, reason: `${what} by ${personOf(state, by)}${reason === '' ? '' : `: ${reason}`}; turn it on again`, since: at };
}

/** A vetoed revision goes nowhere, or not here, not even back (V-3). */
export function notVetoed({ state, environment, members }: GateContext): GateAnswer {
  const blockers = Object.entries(members).flatMap(([app, revision]): readonly Blocker[] => {
    const veto = state.vetoes.get(vetoKey(app, revision)) ?? state.vetoes.get(vetoKey(app, revision, environment.environment));
    if (veto === undefined) return [];
    const what = `${app}@${numberOf(state, app, revision) ?? revision.slice(0, 12)}`;
    const where = veto.environment === undefined ? '' : ` in '${veto.environment}'`;
    const reason = `${what} was vetoed${where} by ${personOf(state, veto.by)}: ${veto.reason}; choose another revision, or remove the veto`;
    return [{ type: 'veto', reason, since: veto.at, ref: `${app}@${revision}`, actors: [personOf(state, veto.by)] }];
  });
  return { blockers };
}

/** A pinned environment stays at its set; only that one may be brought, in whatever way. */
export function notPinned({ state, environment, members, observed }: GateContext): GateAnswer {
  const pin = state.pins.get(environment.environment);
  if (pin === undefined || (pin.until !== undefined && pin.until <= observed.now) || setIdOf(pin.members) === setIdOf(members)) return passes;
  const reason = `'${environment.environment}' is pinned to ${setText(state, pin.members)} by ${personOf(state, pin.by)}: ${pin.reason}; unpin it, or promote the pinned set`;
  return holds({ type: 'pin', reason, since: pin.at, ref: environment.environment, actors: [personOf(state, pin.by), `promote:env/${environment.environment}`], ...(pin.until === undefined ? {} : { until: pin.until }) });
}

/** After a rollback, or a promotion against the order, automation waits for a person (R-6); after a rollback by itself only with what was taken back. */
export function notHeld({ state, edge, environment, members }: GateContext): GateAnswer {
  const hold = edge === undefined ? undefined : state.holds.get(edge.id);
  if (edge === undefined || hold === undefined || !isHeldBy(state, hold, members)) return passes;
  const what = hold.sets === undefined ? '' : ` of ${setText(state, carriedBy(edge, members))}`;
  const reason = `automatic promotion${what} by '${edge.id}' was put on hold by ${personOf(state, hold.by)}: ${hold.reason}; promote ${hold.sets === undefined ? 'the candidate' : 'it if it is good after all'}, or release the hold`;
  return holds({ type: 'hold', reason, since: hold.at, ref: edge.id, actors: [`promote:env/${environment.environment}`] });
}

/** Automation does not bring again what is there or on its way. */
export function notThereAlready({ state, environment, members, candidate }: GateContext): GateAnswer {
  const sets = state.sets.get(environment.environment);
  if (sets?.desired === undefined || setIdOf(sets.desired) !== setIdOf(members)) return passes;
  return holds({ type: 'same-set', reason: `'${environment.environment}' has ${setText(state, members)} already, or is about to`, since: candidate.createdAt, ref: environment.environment });
}

/** Automation never lowers a number; going back is a rollback (S-2). */
export function notLower({ state, environment, members, candidate }: GateContext): GateAnswer {
  const desired = state.sets.get(environment.environment)?.desired ?? {};
  const blockers = Object.entries(members).flatMap(([app, revision]): readonly Blocker[] => {
    const [to, from] = [numberOf(state, app, revision), numberOf(state, app, desired[app] ?? '')];
    if (to === undefined || from === undefined || to >= from) return [];
    const reason = `'${environment.environment}' has ${app}@${from}, and automation does not go back to ${app}@${to}; roll back by hand if that is meant`;
    return [{ type: 'downgrade', reason, since: candidate.createdAt, ref: `${app}@${revision}`, actors: [`promote:env/${environment.environment}`] }];
  });
  return { blockers };
}
