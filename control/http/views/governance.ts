// What holds promotions back, as the API shows it. `by` is a person's name wherever it stands.

import type { Automation, Freeze, Hold, Lock, Members, Pin, PromotionConfig, Reach, Veto } from '../../../proto/api/restraints.ts';
import type { Blocker } from '../../../proto/api/schema.ts';
import type { Scope } from '../../../proto/events-pipeline.ts';
import type { SetMembers } from '../../../proto/pipeline.ts';
import type * as core from '../../core/gates/blocker.ts';
import type { EdgePlace } from '../../core/gates/place.ts';
import type * as restraints from '../../core/model/restraints.ts';
import type { State } from '../../core/model/model.ts';
import { personOf } from '../../core/model/people.ts';
import { revisionOf } from '../../core/model/select.ts';

export function blockerView({ actors, ...blocker }: core.Blocker): Blocker {
  return { ...blocker, ...(actors === undefined ? {} : { actors: [...actors] }) };
}

/** A set by application; revisions that are gone from the record have number 0. */
export function membersView(state: State, members: SetMembers): Members {
  return Object.entries(members)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([app, revision]) => {
      const record = revisionOf(state, app, revision);
      return { app, revision, number: record?.number ?? 0, ...(record?.alias === undefined ? {} : { alias: record.alias }) };
    });
}

function deedView(state: State, { by, at, reason }: restraints.Deed) {
  return { by: personOf(state, by), at, reason };
}

function reachView(scope: Scope): Reach {
  return scope.kind === 'all' ? { kind: 'all' } : { kind: scope.kind, id: scope.id };
}

export function lockView(state: State, lock: restraints.Lock, now: number): Lock {
  const { scope, mode, holder, includeRollback, expiresAt } = lock;
  return {
    lock: lock.lock,
    scope: reachView(scope),
    mode,
    holder,
    ...deedView(state, lock),
    includeRollback,
    ...(expiresAt === undefined ? {} : { expiresAt }),
    expired: expiresAt !== undefined && expiresAt <= now,
  };
}

export function holdView(state: State, hold: restraints.Hold, edge: EdgePlace): Hold {
  return { edge: edge.spec.edge, pipeline: edge.pipeline.pipeline, environment: edge.spec.to, ...deedView(state, hold), ...(hold.promotion === undefined ? {} : { promotion: hold.promotion }) };
}

export function pinView(state: State, environment: string, now: number): Pin {
  const pin = state.pins.get(environment);
  if (pin === undefined) return { environment, pinned: false };
  const { until } = pin;
  return { environment, pinned: until === undefined || until > now, members: membersView(state, pin.members), ...deedView(state, pin), ...(until === undefined ? {} : { until }) };
}

export function vetoView(state: State, veto: restraints.Veto): Veto {
  const { app, revision, environment } = veto;
  return { app, revision, number: revisionOf(state, app, revision)?.number ?? 0, ...(environment === undefined ? {} : { environment }), ...deedView(state, veto) };
}

export function freezeView(state: State, freeze: restraints.Freeze, now: number): Freeze {
  const { until, breakGlass, scope } = freeze;
  return {
    freeze: freeze.freeze,
    scope: reachView(scope),
    ...deedView(state, freeze),
    ...(until === undefined ? {} : { until }),
    over: until !== undefined && until <= now,
    ...(breakGlass === undefined ? {} : { breakGlass: { ...breakGlass } }),
  };
}

export function automationView(state: State, kind: Automation['kind'], id: string): Automation {
  const off = state.switches.get(`${kind}:${id}`);
  return off === undefined ? { kind, id, on: true } : { kind, id, on: false, ...deedView(state, off) };
}

export function promotionConfigView(state: State, { id, spec, pipeline }: EdgePlace): PromotionConfig {
  const scopes = [['pipeline', pipeline.pipeline], ['edge', id], ['environment', spec.to], ...spec.apps.map((app) => ['app', app] as const)] as const;
  const off = scopes.map(([kind, name]) => automationView(state, kind, name)).filter(({ on }) => !on);
  const hold = state.holds.get(id);
  const enabled = !state.switches.has(`edge-off:${id}`);
  return {
    pipeline: pipeline.pipeline,
    edge: spec.edge,
    from: spec.from.kind === 'app' ? { kind: 'app', id: spec.from.app } : { kind: 'environment', id: spec.from.environment },
    to: spec.to,
    apps: [...spec.apps],
    auto: spec.auto,
    automatic: spec.auto && enabled && pipeline.enabled && off.length === 0 && (hold === undefined || hold.sets !== undefined),
    enabled,
    ...(spec.soakMs === undefined ? {} : { soakMs: spec.soakMs }),
    after: [...spec.after],
    windows: [...spec.windows],
    off,
    ...(hold === undefined ? {} : { hold: holdView(state, hold, { id, spec, pipeline }) }),
  };
}
