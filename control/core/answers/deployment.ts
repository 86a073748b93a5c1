// Commands about one deployment by hand: pause, resume, go on to the next batch, try again. Aborting is promotion.ts;
// what follows is rollout/rollout.ts.

import type { Event } from '../../../proto/events.ts';
import { accepted, refused } from '../commands/answer.ts';
import type { Answer } from '../commands/command.ts';
import type { DeploymentCommand, NextBatch, PauseDeployment, ResumeDeployment, RetryDeployment } from '../commands/command-deployment.ts';
import { promote, rollback } from './promotion.ts';
import type { Deployment } from '../model/deployment.ts';
import type { State } from '../model/model.ts';
import { isFinished } from '../model/phases.ts';
import { deploymentProgress, membersOf } from '../model/select.ts';
import { setIdOf } from '../model/sets.ts';
import { isNews } from '../rollout/watch.ts';

/** Answers one of these commands. */
export function conduct(state: State, command: DeploymentCommand, now: number): Answer {
  const deployment = state.deployments.get(command.deployment);
  if (deployment === undefined) return refused('not-found', `there is no deployment '${command.deployment}'`);
  if (deployment.type === 'prefetch') return refused('conflict', `'${deployment.deployment}' only brings content near, and switches nothing; it ends with promotion ${deployment.promotion}: abort that one`);
  if (command.kind === 'retry-deployment') return retry(state, deployment, command, now);
  if (isFinished(deployment.phase)) return refused('conflict', `deployment '${deployment.deployment}' has ended already: it ${deployment.phase}`);
  if (deployment.phase === 'rolling-back') {
    return refused('conflict', `deployment '${deployment.deployment}' is rolling back, which goes on to its end: targets must not stay on a set that failed`);
  }
  switch (command.kind) {
    case 'measure-deployment':
      return isNews(deployment, command) ? accepted({ ...command, kind: 'deployment.measured' }) : accepted();
    case 'pause-deployment':
      return pause(deployment, command);
    case 'resume-deployment':
      return resume(deployment, command);
    case 'next-batch':
      return nextBatch(deployment, command);
    default:
      return command satisfies never;
  }
}

/** Nothing more is activated; what is in flight comes to its end, and what was activated goes on baking. */
function pause({ deployment, paused }: Deployment, { reason }: PauseDeployment): Answer {
  if (paused?.byHand === true) return accepted();
  return accepted({ kind: 'deployment.paused', deployment, reason: reason ?? 'paused on request', byHand: true });
}

function resume({ deployment, paused }: Deployment, { reason }: ResumeDeployment): Answer {
  if (paused === undefined) return accepted();
  if (paused.byHand !== true) return refused('blocked', heldByWindow(deployment, paused.reason));
  return accepted({ kind: 'deployment.resumed', deployment, ...(reason === undefined ? {} : { reason }) });
}

function nextBatch({ deployment, paused, batches }: Deployment, { reason }: NextBatch): Answer {
  const index = batches.findIndex((batch) => batch.phase !== 'succeeded');
  const batch = batches[index];
  const baking = batch?.phase === 'baking';
  if (!baking && paused?.byHand !== true && paused !== undefined) return refused('blocked', heldByWindow(deployment, paused.reason));
  const between = paused?.byHand === true && batch?.phase === 'pending';
  if (!baking && !between) {
    const doing = batch === undefined ? 'has no batch to come' : `is in the middle of batch ${index + 1} of ${batches.length}`;
    const then = paused === undefined ? 'it goes on by itself when its targets have come to an end' : 'resume it';
    return refused('conflict', `deployment '${deployment}' ${doing}, and there is no bake to leave out; ${then}`);
  }
  const why = reason === undefined ? {} : { reason };
  const skipped: readonly Event[] = baking ? [{ kind: 'bake.skipped', deployment, batch: index, ...why }] : [];
  const resumed: readonly Event[] = paused?.byHand === true ? [{ kind: 'deployment.resumed', deployment, ...why }] : [];
  return accepted(...skipped, ...resumed);
}

function heldByWindow(deployment: string, reason: string): string {
  return `deployment '${deployment}' is held, not paused by hand: ${reason}; it goes on when that ends, and cannot be resumed before`;
}

/**
 * The same set once more for the targets that lack it, as a promotion of its own through all gates: what has ended never
 * changes (P-2). Targets that run it already are part of the snapshot, so that shares stay those of the environment, and are
 * not touched.
 */
function retry(state: State, deployment: Deployment, { promotion, reason }: RetryDeployment, now: number): Answer {
  const { deployment: id, environment, app, phase } = deployment;
  if (state.promotions.has(promotion)) return accepted();
  if (!isFinished(phase)) return refused('conflict', `deployment '${id}' is ${phase}; it can be tried again when it has ended`);
  const newer = [...state.deployments.values()].findLast((one) => one.environment === environment && one.app === app && one.type !== 'prefetch' && (one.type !== 'catch-up' || one.deployment === id));
  if (newer !== undefined && newer.deployment !== id) {
    return refused('conflict', `deployment '${newer.deployment}' of ${app}@${newer.number} came to '${environment}' after '${id}'; retry that one, or promote ${app}@${deployment.number}`);
  }
  if (phase === 'succeeded' && deploymentProgress(deployment).failed === 0) return refused('conflict', `deployment '${id}' succeeded on every target; there is nothing to try again (promote the revision to deploy it anew)`);
  const first = state.promotions.get(deployment.promotion);
  const own = phase === 'succeeded' || deployment.type === 'catch-up' || first === undefined;
  const set = setIdOf(own ? { [app]: deployment.to } : membersOf(first));
  const attempt = (deployment.type === 'catch-up' ? 1 : (first?.attempt ?? 1)) + 1;
  const common = { promotion, environment, reason: reason ?? `attempt ${attempt}, after deployment ${id}`, retryOf: id, attempt };
  if (deployment.type === 'rollback') return rollback(state, { kind: 'rollback', to: set, ...common });
  return promote(state, { kind: 'promote', revision: set, ...common }, now);
}
