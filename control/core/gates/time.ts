// Gates about when: environments that come first, soak, windows, freezes. Each says until when it holds.

import type { Blocker, Exemption, GateAnswer, GateContext } from './blocker.ts';
import { holds, passes, setText } from './blocker.ts';
import { hasSucceeded } from './approval.ts';
import { atSourceSince, carriedBy } from './carried.ts';
import { liftedBy } from './override.ts';
import { isWithin, scopeText, scopesOf, windowsOf } from './place.ts';
import { personOf } from '../model/people.ts';
import { evaluateWindows } from '../windows/evaluate.ts';
import type { WindowHold } from '../windows/evaluate.ts';

/** The same must have succeeded in other environments before (`after`). */
export function afterOthers({ state, edge, members, candidate }: GateContext): GateAnswer {
  if (edge === undefined) return passes;
  const carried = carriedBy(edge, members);
  const missing = edge.spec.after.filter((environment) => !hasSucceeded(state, environment, carried));
  const blockers = missing.map((environment): Blocker => {
    const reason = `${setText(state, carried)} has not succeeded in '${environment}', which comes first; promote it there`;
    return { type: 'after', reason, since: candidate.createdAt, ref: environment, actors: [`promote:env/${environment}`] };
  });
  return { blockers };
}

/** It must have run at its source for a while. */
export function soaked({ state, edge, members, candidate, observed }: GateContext): GateAnswer {
  const soakMs = edge?.spec.soakMs ?? 0;
  if (edge === undefined || soakMs === 0) return passes;
  const carried = carriedBy(edge, members);
  const since = atSourceSince(state, edge, carried);
  const source = edge.spec.from.kind === 'app' ? 'the repository' : `'${edge.spec.from.environment}'`;
  if (since === undefined) {
    return holds({ type: 'soak', reason: `${setText(state, carried)} does not run in ${source}, so that its soak has not begun; promote it there`, since: candidate.createdAt, ref: edge.id });
  }
  const until = since + soakMs;
  if (until <= observed.now) return passes;
  return holds({ type: 'soak', reason: `${setText(state, carried)} has to be in ${source} for ${minutes(soakMs)} first`, since, until, ref: edge.id });
}

/** Time windows of the environment and of the edge (T-1, T-2). */
export function windowsOpen(context: GateContext): GateAnswer {
  const { state, place, edge, environment, observed, candidate, kind } = context;
  if (place === undefined) return passes;
  const windows = windowsOf(place, edge);
  if (windows.length === 0) return passes;
  const all = state.sets.get(environment.environment)?.starts ?? [];
  // A promotion that has begun is the last of those that started.
  const starts = candidate.phase === 'deploying' ? all.slice(0, -1) : all;
  const lifted = liftedBy(context, 'window');
  const use = { environment: environment.environment, starts, lifted: new Set<string>() };
  const plain = evaluateWindows(windows, use, observed.now);
  const next = plain.changesAt === undefined ? {} : { nextCheckAt: plain.changesAt };
  if (plain.open) return { ...passes, ...next };
  if (isExempt(context)) return { blockers: [], exemptions: plain.holds.map(({ window }) => ({ gate: 'window', why: exemptWhy(kind), ref: window.window })), ...next };
  const verdict = evaluateWindows(windows, { ...use, lifted: new Set(lifted.keys()) }, observed.now);
  const used = plain.holds.filter(({ window }) => lifted.has(window.window));
  const exemptions = used.map(({ window }): Exemption => ({ gate: 'window', why: 'override', ref: lifted.get(window.window) ?? window.window }));
  const blockers = verdict.holds.map((hold): Blocker => {
    const { override, window } = hold.window;
    const until = hold.until ?? (verdict.holds.length === 1 ? verdict.changesAt : undefined);
    return {
      type: 'window',
      reason: windowReason(hold),
      since: Math.max(hold.since ?? 0, candidate.createdAt),
      ref: window,
      ...(until === undefined ? {} : { until }),
      ...(override === undefined ? {} : { actors: [`group:${override.group}`] }),
    };
  });
  // A window that is lifted may also open by itself, and let it through before the others do.
  const nextCheckAt = Math.min(verdict.changesAt ?? Infinity, plain.changesAt ?? Infinity);
  return { blockers, exemptions, ...(nextCheckAt === Infinity ? {} : { nextCheckAt }) };
}

/** Rollbacks and catch-ups pass closed windows, unless the environment says otherwise (control-plane.md, Decided). */
function isExempt({ kind, place, environment }: GateContext): boolean {
  if (kind === 'rollback' && environment.config.rollback?.ignoreWindows === false) return false;
  return (kind === 'rollback' || kind === 'catch-up') && place?.spec.windowsHoldRollback !== true;
}

function exemptWhy(kind: GateContext['kind']): Exemption['why'] {
  return kind === 'catch-up' ? 'catch-up' : 'rollback';
}

function windowReason({ window, why }: WindowHold): string {
  const name = `window '${window.window}'`;
  const lift = window.override === undefined ? '' : `, or ask ${window.override.count} of group '${window.override.group}' for an override`;
  switch (why) {
    case 'denied':
      return `${name} denies deployments now (${window.timeZone}); wait for its end${lift}`;
    case 'closed':
      return `${name} is not open now (${window.timeZone}); wait for it${lift}`;
    case 'jitter':
      return `${name} is open, and this environment's turn in it comes shortly`;
    case 'used-up':
      return `${window.maxDeploysPerOccurrence} deployments have started in ${name} this time, which is all that it allows; wait for its next opening${lift}`;
    default:
      return why satisfies never;
  }
}

/** A freeze of anything that the environment is in. */
export function notFrozen(context: GateContext): GateAnswer {
  const { state, environment, place, observed, kind } = context;
  const scopes = scopesOf(environment.environment, place);
  const lifted = liftedBy(context, 'freeze');
  const active = [...state.freezes.values()].filter((freeze) => isWithin(scopes, freeze.scope) && (freeze.until === undefined || freeze.until > observed.now));
  if (isExempt(context)) return { blockers: [], exemptions: active.map(({ freeze }) => ({ gate: 'freeze', why: exemptWhy(kind), ref: freeze })) };
  const used = active.filter(({ freeze }) => lifted.has(freeze));
  return {
    blockers: active.filter(({ freeze }) => !lifted.has(freeze)).map(({ freeze, scope, by, at, reason, until, breakGlass }): Blocker => ({
      type: 'freeze',
      reason: `${scopeText(scope)} is frozen by ${personOf(state, by)}: ${reason}; wait for its end${breakGlass === undefined ? '' : `, or ask ${breakGlass.count} of group '${breakGlass.group}' for an override`}`,
      since: at,
      ref: freeze,
      actors: [personOf(state, by), ...(breakGlass === undefined ? [] : [`group:${breakGlass.group}`])],
      ...(until === undefined ? {} : { until }),
    })),
    exemptions: used.map(({ freeze }): Exemption => ({ gate: 'freeze', why: 'override', ref: lifted.get(freeze) ?? freeze })),
  };
}

function minutes(ms: number): string {
  return ms >= 2 * 3_600_000 ? `${Math.round(ms / 360_000) / 10} h` : `${Math.round(ms / 60_000)} min`;
}
