// Handlers of locks, holds, pins and freezes. Who does it is the person of the caller's token; why is always asked.

import type { Reach } from '../../../proto/api/restraints.ts';
import type { Scope } from '../../../proto/events-pipeline.ts';
import { findEdge, unknownEdge } from '../../core/answers/pipeline.ts';
import { isWithin, placeOf, scopesOf } from '../../core/gates/place.ts';
import type { State } from '../../core/model/model.ts';
import { setIdOf } from '../../core/model/sets.ts';
import { ControlError } from '../../errors.ts';
import { answered, etagOf, found, newId, unmatched, type ApiOptions, type Handlers } from './api.ts';
import { pageById, pageByKey } from '../paging.ts';
import { freezeView, holdView, lockView, pinView } from '../views/governance.ts';

/** The scope of a body. @throws {ControlError} INVALID_REQUEST. */
function scopeOf({ kind, id }: Reach): Scope {
  if (kind === 'all') return { kind };
  if (id === undefined) throw new ControlError('INVALID_REQUEST', `a scope of kind '${kind}' needs the id of the ${kind}${kind === 'stage' ? ', as pipeline/stage' : ''}`);
  return { kind, id };
}

/** Whether a scope holds an environment; true for everything when none is named. @throws {ControlError} NOT_FOUND. */
function holdingOf(state: State, environment: string | undefined): (scope: Scope) => boolean {
  if (environment === undefined) return () => true;
  found(state.environments.get(environment), 'environment', environment);
  const scopes = scopesOf(environment, placeOf(state, environment));
  return (scope) => isWithin(scopes, scope);
}

function edgeIn(state: State, pipeline: string, edge: string) {
  const id = `${pipeline}/${edge}`;
  const place = findEdge(state, id);
  if (place === undefined) throw new ControlError('NOT_FOUND', unknownEdge(state, id));
  return place;
}

export function lockHandlers({ facts, submit, clock }: ApiOptions): Handlers<'listLocks' | 'createLock' | 'getLock' | 'releaseLock' | 'breakLock'> {
  const lockOf = (state: State, id: string) => found(state.locks.get(id), 'lock', id);
  const view = (state: State, id: string) => ({ body: lockView(state, lockOf(state, id), clock.now()), headers: { etag: etagOf([id]), location: `/v1/locks/${id}` } });
  return {
    listLocks: async ({ query: { environment, expired, ...query } }) => {
      const state = facts.state();
      const holds = holdingOf(state, environment);
      const locks = [...state.locks.values()].filter((lock) => holds(lock.scope) && (expired === true || lock.expiresAt === undefined || lock.expiresAt > clock.now()));
      const page = pageByKey(locks.toSorted(newestFirst), keyOfLock, query);
      return { body: { ...page, items: page.items.map((lock) => lockView(state, lock, clock.now())) } };
    },
    createLock: async ({ body: { scope, reason, includeRollback = false, expiresAt }, caller, draw }) => {
      const lock = newId('lock', draw);
      if (facts.state().locks.has(lock)) return view(facts.state(), lock);
      const command = { kind: 'acquire-lock', lock, scope: scopeOf(scope), holder: caller.person, reason, includeRollback, ...(expiresAt === undefined ? {} : { expiresAt }) } as const;
      return answered(await submit(caller.actor, command), (state) => view(state, lock));
    },
    getLock: async ({ params: { lock } }) => view(facts.state(), lock),
    releaseLock: async ({ params: { lock }, caller, ifMatch }) => {
      lockOf(facts.state(), lock);
      const problem = unmatched(ifMatch, etagOf([lock]));
      if (problem !== undefined) return { problem };
      return answered(await submit(caller.actor, { kind: 'release-lock', lock, holder: caller.person }), () => ({ body: undefined }));
    },
    breakLock: async ({ params: { lock }, body: { reason }, caller }) => {
      const before = facts.state();
      const broken = lockView(before, lockOf(before, lock), clock.now());
      return answered(await submit(caller.actor, { kind: 'release-lock', lock, holder: caller.person, breakReason: reason }), () => ({ body: broken }));
    },
  };
}

export function holdHandlers({ facts, submit }: ApiOptions): Handlers<'listHolds' | 'releaseHold'> {
  return {
    listHolds: async ({ query: { environment, pipeline, ...query } }) => {
      const state = facts.state();
      const holds = [...state.holds.values()].flatMap((hold) => {
        const edge = findEdge(state, hold.edge);
        return edge === undefined ? [] : [holdView(state, hold, edge)];
      });
      const wanted = holds.filter((hold) => (environment === undefined || hold.environment === environment) && (pipeline === undefined || hold.pipeline === pipeline));
      const keyOf = (hold: { readonly pipeline: string; readonly edge: string }) => `${hold.pipeline}/${hold.edge}`;
      return { body: pageByKey(wanted.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)), keyOf, query) };
    },
    releaseHold: async ({ params: { pipeline, edge }, query: { reason }, caller, ifMatch }) => {
      const state = facts.state();
      const { id } = edgeIn(state, pipeline, edge);
      found(state.holds.get(id), 'hold on promotion', id);
      const problem = unmatched(ifMatch, holdVersion(state, id));
      if (problem !== undefined) return { problem };
      return answered(await submit(caller.actor, { kind: 'release-hold', edge: id, reason }), () => ({ body: undefined }));
    },
  };
}

/** The version of a promotion configuration's hold: what a GET of the configuration answers too. */
export function holdVersion(state: State, edge: string): string {
  const hold = state.holds.get(edge);
  return etagOf(hold === undefined ? [] : [hold.edge, hold.at]);
}

export function pinHandlers({ facts, submit, clock }: ApiOptions): Handlers<'getPin' | 'placePin' | 'removePin'> {
  const view = (state: State, environment: string) => {
    found(state.environments.get(environment), 'environment', environment);
    return { body: pinView(state, environment, clock.now()), headers: { etag: versionOf(state, environment) } };
  };
  return {
    getPin: async ({ params: { environment } }) => view(facts.state(), environment),
    placePin: async ({ params: { environment }, body: { revision, reason, until }, caller, ifMatch }) => {
      const state = facts.state();
      const known = found(state.environments.get(environment), 'environment', environment);
      const problem = unmatched(ifMatch, versionOf(state, environment));
      if (problem !== undefined) return { problem };
      const running = Object.entries(state.sets.get(environment)?.current ?? {}).filter(([app]) => known.apps.includes(app)).map(([app, digest]) => `${app}@${digest}`);
      const wanted = revision ?? running.join('+');
      if (wanted === '') throw new ControlError('CONFLICT', `nothing has succeeded in '${environment}' yet that it could be pinned to; name a revision`);
      if (until !== undefined && until <= clock.now()) throw new ControlError('INVALID_REQUEST', 'this pin would have ended already; choose a later time');
      const command = { kind: 'place-pin', environment, revision: wanted, reason, ...(until === undefined ? {} : { until }) } as const;
      return answered(await submit(caller.actor, command), (after) => view(after, environment));
    },
    removePin: async ({ params: { environment }, query: { reason }, caller, ifMatch }) => {
      const state = facts.state();
      found(state.environments.get(environment), 'environment', environment);
      const problem = unmatched(ifMatch, versionOf(state, environment));
      if (problem !== undefined) return { problem };
      return answered(await submit(caller.actor, { kind: 'remove-pin', environment, reason }), () => ({ body: undefined }));
    },
  };

  function versionOf(state: State, environment: string): string {
    const pin = state.pins.get(environment);
    return etagOf(pin === undefined ? [] : [setIdOf(pin.members), pin.at]);
  }
}

export function freezeHandlers({ facts, submit, clock }: ApiOptions): Handlers<'listFreezes' | 'startFreeze' | 'getFreeze' | 'endFreeze'> {
  const freezeOf = (state: State, id: string) => found(state.freezes.get(id), 'freeze', id);
  const view = (state: State, id: string) => ({ body: freezeView(state, freezeOf(state, id), clock.now()), headers: { location: `/v1/freezes/${id}` } });
  return {
    listFreezes: async ({ query: { environment, over, ...query } }) => {
      const state = facts.state();
      const holds = holdingOf(state, environment);
      const freezes = [...state.freezes.values()].toReversed();
      const page = pageById(freezes, ({ freeze }) => freeze, query, (one) => holds(one.scope) && (over === true || one.until === undefined || one.until > clock.now()));
      return { body: { ...page, items: page.items.map((freeze) => freezeView(state, freeze, clock.now())) } };
    },
    startFreeze: async ({ body: { scope, reason, until, breakGlass }, caller, draw }) => {
      const freeze = newId('freeze', draw);
      if (facts.state().freezes.has(freeze)) return view(facts.state(), freeze);
      const command = { kind: 'start-freeze', freeze, scope: scopeOf(scope), reason, ...(until === undefined ? {} : { until }), ...(breakGlass === undefined ? {} : { breakGlass }) } as const;
      return answered(await submit(caller.actor, command), (state) => view(state, freeze));
    },
    getFreeze: async ({ params: { freeze } }) => view(facts.state(), freeze),
    endFreeze: async ({ params: { freeze }, body: { reason }, caller }) => {
      const before = facts.state();
      const ended = freezeView(before, freezeOf(before, freeze), clock.now());
      return answered(await submit(caller.actor, { kind: 'end-freeze', freeze, reason }), () => ({ body: { ...ended, over: true } }));
    },
  };
}

/** Locks go away, so that a cursor names a place and not a lock: the newest first, by time counted down. */
function keyOfLock({ at, lock }: { readonly at: number; readonly lock: string }): string {
  return `${String(Number.MAX_SAFE_INTEGER - at).padStart(16, '0')} ${lock}`;
}

function newestFirst(a: { readonly at: number; readonly lock: string }, b: { readonly at: number; readonly lock: string }): number {
  return keyOfLock(a) < keyOfLock(b) ? -1 : 1;
}
