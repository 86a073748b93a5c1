// The way back of one deployment, by itself: once, to the set that was stable when it started, of the targets that
// activated or tried, within the same `maxParallel` and `minHealthy`, without canary or bake (control-plane.md 1.7, R-5; way-back.ts).
// A rollback that a person asks for is a deployment of its own, and goes forward in rollout.ts.

import { allowed, balanceOf } from '../batches/arithmetic.ts';
import { rollsBackOn } from '../batches/batches.ts';
import type { Cause } from '../batches/batches.ts';
import type { Deployment, TargetDeployment } from '../model/deployment.ts';
import type { Environment, RevisionRecord, State } from '../model/model.ts';
import { isDone, isInFlight } from '../model/phases.ts';
import { revisionOf } from '../model/select.ts';
import type { Observed } from '../model/select.ts';
import { deadlineOf, finished, lostTargets, nothing, orderEffect, roleEffect } from './step.ts';
import type { Step } from './step.ts';
import { heardFirst, outOfTheWay } from './way-back.ts';

/** Where a deployment may go back to by itself: never from a rollback or a catch-up, never to the same set. */
export function rollbackTo(state: State, deployment: Deployment, cause: Cause | 'window'): RevisionRecord | undefined {
  const { config, type, from, to, app } = deployment;
  const wanted = cause === 'window' ? config.autoRollback !== false : rollsBackOn(config, cause);
  if (!wanted || type === 'rollback' || type === 'catch-up' || from === undefined || from === to) return undefined;
  return revisionOf(state, app, from);
}

/** Targets that were told to activate, and so may run the new set or have tried to; in the order of their batches. */
export function triedTargets(deployment: Deployment): readonly string[] {
  return deployment.batches.flatMap((batch) => batch.targets).filter((member) => deployment.targets.get(member)?.order?.action === 'activate');
}

/**
 * Who goes back: whoever was told to activate, or of them only those that did not come to run the new set, where targets failed and the
 * configuration leaves it at that. What an alarm, a workflow or a window says is said of all.
 */
export function goingBack(deployment: Deployment, cause: Cause | 'window'): { readonly targets: readonly string[]; readonly scope?: 'failed' } {
  const { autoRollback } = deployment.config;
  const tried = triedTargets(deployment);
  if (typeof autoRollback !== 'object' || autoRollback.scope !== 'failed' || (cause !== 'health' && cause !== 'error')) return { targets: tried };
  return { targets: tried.filter((member) => deployment.targets.get(member)?.phase !== 'committed'), scope: 'failed' };
}

/** The next step of a deployment that is rolling back. */
export function stepRollback(state: State, environment: Environment, deployment: Deployment, observed: Observed): Step {
  const back = deployment.rollback;
  if (back === undefined) return nothing;
  const role = roleEffect(environment, deployment.app, back.to);
  if (role !== undefined) return { events: [], effects: [role] };
  const farewell = orderEffect(state, environment, deployment, 'cancel', deployment.cancels);
  if (farewell !== undefined) return { events: [], effects: [farewell] };
  const affected = back.targets.flatMap((member) => deployment.targets.get(member) ?? []);
  const lost = lostTargets(deployment, affected.filter(isInFlight), observed);
  if (lost.events.length > 0) return lost;
  const open = affected.filter((target) => !isBack(state, deployment, target));
  const unordered = open.filter((target) => target.order?.action !== 'rollback');
  const unheard = unordered.filter((target) => target.phase === 'lost').map((target) => target.member);
  const candidates = unordered.filter((target) => target.phase !== 'lost').map((target) => target.member);
  const aside = outOfTheWay(state, deployment, candidates, observed);
  if (aside.events.length > 0) return aside;
  const next = allowed(deployment, balanceOf(state, deployment, observed.now), heardFirst(deployment, candidates, observed));
  // A lost target is named too, so that it learns the last word when it comes back; it is not waited for.
  const order = orderEffect(state, environment, deployment, 'rollback', [...next, ...unheard]);
  if (order !== undefined) return { ...lost, effects: [order] };
  const waiting = open.filter((target) => !isDone(target) || target.order?.action !== 'rollback');
  if (waiting.length === 0) return { events: ended(state, deployment, open), effects: [] };
  const deadline = deadlineOf(deployment);
  if (observed.now >= deadline) return { events: ended(state, deployment, open), effects: [] };
  return { ...nothing, nextCheckAt: Math.min(deadline, lost.nextCheckAt ?? Infinity, aside.nextCheckAt ?? Infinity) };
}

/** Whether the target is known to run the old set again, or is out of the game. */
function isBack(state: State, deployment: Deployment, target: TargetDeployment): boolean {
  if (target.phase === 'cancelled') return true;
  if (target.phase === 'lost' || target.phase === 'inconsistent' || !target.settled) return false;
  return state.members.get(target.member)?.running[deployment.app]?.revision === deployment.rollback?.to;
}

function ended(state: State, deployment: Deployment, open: readonly TargetDeployment[]) {
  const back = `rolled back to ${deployment.app}@${deployment.rollback?.number}`;
  if (deployment.rollback?.scope === 'failed') return endedInPart(state, deployment, open, back);
  if (open.length === 0) return finished(state, deployment, 'rolled-back', `${back}: ${deployment.reason}`);
  const reason = `${open.length} of ${deployment.rollback?.targets.length} targets are not known to be ${back} (${names(state, open)}), after: ${deployment.reason}`;
  return finished(state, deployment, 'rollback-failed', reason);
}

/**
 * The others keep what they run, so that it is what the environment wants still, and nobody brings them back by a catch-up: the deployment
 * failed, and people decide how it goes on.
 */
function endedInPart(state: State, deployment: Deployment, open: readonly TargetDeployment[], back: string) {
  const went = (deployment.rollback?.targets.length ?? 0) - open.length;
  const kept = [...deployment.targets.values()].filter((target) => target.phase === 'committed').length;
  const unknown = open.length === 0 ? '' : `, of ${open.length} that is not known (${names(state, open)})`;
  return finished(state, deployment, 'failed', `${went} of ${deployment.targets.size} targets ${back}${unknown}, ${kept} keep ${deployment.app}@${deployment.number}: ${deployment.reason}`);
}

function names(state: State, targets: readonly TargetDeployment[]): string {
  const first = targets.slice(0, 5).map((target) => `${state.members.get(target.member)?.name ?? target.member} ${target.phase}`);
  return `${first.join(', ')}${targets.length > first.length ? ', …' : ''}`;
}
