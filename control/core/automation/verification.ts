// What follows from a deployment that succeeded where a workflow has the last word: the promotion is verified, and ends as the
// workflow does (control-plane.md 1.2). Only then is its set `stable`; found bad, it goes back by a promotion of its own.

import type { Event, PromotionPhase } from '../../../proto/events.ts';
import { autoRollbackOf } from '../batches/batches.ts';
import { definitionOf, newestRun, workflowIn } from '../gates/approval.ts';
import { setText } from '../gates/blocker.ts';
import type { WorkflowRun } from '../model/approval.ts';
import type { Environment, Promotion, State } from '../model/model.ts';
import { isWithdrawn, membersOf, revisionOf } from '../model/select.ts';
import { holdsAfterRollback, holdsPassed } from '../rollout/step.ts';

/** The promotion that is being verified in an environment. */
export function verifyingIn(state: State, environment: Environment): Promotion | undefined {
  return state.promotions.get(environment.verifying ?? '');
}

/**
 * The run that speaks for what runs in an environment; undefined while there is none. One that was successful speaks for the identical
 * set for ever; one that was not says nothing of a deployment that came after it.
 */
export function runFor(state: State, environment: Environment): WorkflowRun | undefined {
  const workflow = workflowIn(state, environment.environment);
  const current = state.sets.get(environment.environment)?.current;
  const run = workflow === undefined || current === undefined ? undefined : newestRun(state, environment.environment, current, definitionOf(workflow));
  // Not by instants: a clock that was set back would let runs without end begin, each of them before the deployment.
  const before = run !== undefined && environment.verifying !== undefined && run.verifies !== environment.verifying;
  return before && run.phase !== 'successful' && run.phase !== 'running' ? undefined : run;
}

const ends: Readonly<Record<Exclude<WorkflowRun['phase'], 'running' | 'inconclusive'>, Exclude<PromotionPhase, 'waiting' | 'deploying' | 'verifying'>>> = {
  successful: 'succeeded',
  failed: 'failed',
  'timed-out': 'failed',
  error: 'errored',
  aborted: 'aborted',
  invalidated: 'failed',
};

/** The facts that end the verification under way in an environment; none while it goes on, or a person is to decide. */
export function verdictIn(state: State, environment: Environment): readonly Event[] {
  const promotion = verifyingIn(state, environment);
  if (promotion === undefined) return [];
  const ended = (phase: (typeof ends)[keyof typeof ends], reason?: string): Event => ({ kind: 'promotion.finished', promotion: promotion.promotion, phase, ...(reason === undefined ? {} : { reason }) });
  if (workflowIn(state, environment.environment) === undefined) return [ended('succeeded', `'${environment.environment}' has no workflow any more`), ...holdsPassed(state, promotion)];
  const run = runFor(state, environment);
  if (run === undefined || run.phase === 'running' || run.phase === 'inconclusive') return [];
  if (run.phase === 'successful') return [ended('succeeded'), ...holdsPassed(state, promotion)];
  const reason = `workflow '${run.workflow}' ended ${run.phase}${run.outcome === undefined ? '' : `: ${run.outcome}`} (${run.run})`;
  return [ended(ends[run.phase], reason), ...takenBack(state, environment, promotion, run, reason)];
}

/** What goes before the verification has ended ends it: a rollback, a hotfix, or what comes while nobody decides. */
export function displaced({ verifying }: Environment, by: Promotion): readonly Event[] {
  if (verifying === undefined) return [];
  return [{ kind: 'promotion.finished', promotion: verifying, phase: 'aborted', reason: `replaced by ${by.trigger === 'rollback' ? 'rollback' : 'promotion'} ${by.promotion} before it was verified` }];
}

/** Back to what was good before, where that is configured: a promotion of its own, once, and never to what must not run (R-5, V-3). */
function takenBack(state: State, environment: Environment, promotion: Promotion, { phase }: WorkflowRun, why: string): readonly Event[] {
  const { config } = state.deployments.get(promotion.deployment ?? '') ?? environment;
  const wanted: readonly string[] = autoRollbackOf(config.autoRollback).onVerification;
  const id = `${promotion.promotion}-back`;
  if (!wanted.includes(phase) || state.promotions.has(id)) return [];
  const members = Object.fromEntries(
    Object.entries(membersOf(promotion)).flatMap(([app, revision]) => {
      const { stable, current } = environment.slots[app] ?? {};
      return stable === undefined || current !== revision || stable === revision ? [] : [[app, stable] as const];
    }),
  );
  const [first] = Object.entries(members);
  const record = first === undefined ? undefined : revisionOf(state, ...first);
  if (record === undefined || Object.entries(members).some(([app, revision]) => isWithdrawn(state, environment.environment, app, revision))) return [];
  const { app, revision, number } = record;
  const reason = `${setText(state, membersOf(promotion))} was not good: ${why}`;
  const back: Event = { kind: 'promotion.created', promotion: id, environment: environment.environment, app, revision, number, trigger: 'rollback', reason, ...(Object.keys(members).length > 1 ? { members } : {}) };
  return [back, ...holdsAfterRollback(state, environment, reason, id, membersOf(promotion))];
}
