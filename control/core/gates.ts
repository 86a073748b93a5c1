// The gates: all that can hold a promotion, answered by one pure function for the API, the command line's `explain`
// and the decision that starts a deployment (control-plane.md 1.4). A gate is a question about the state; it changes nothing.

import type { DeploymentConfig } from '../../proto/events.ts';
import { failuresToStop, minHealthyOf } from './arithmetic.ts';
import type { Environment, Member, Promotion, State } from './model.ts';
import { isServing } from './phases.ts';
import { heardAt, isSilent, revisionOf, targetsOf } from './select.ts';
import type { Observed } from './select.ts';

/** What holds a promotion. Closed: a new gate is a new type. */
export type BlockerType = 'unknown-environment' | 'unknown-revision' | 'no-targets' | 'active-deployment' | 'targets-offline' | 'min-healthy';

/** One reason why a promotion waits. */
export interface Blocker {
  readonly type: BlockerType;
  /** A sentence for people: what holds it, and what to do. */
  readonly reason: string;
  /** Milliseconds since 1970: since when it holds, as far as known. */
  readonly since: number;
  /** When it ends by itself, where that is known. */
  readonly until?: number;
  /** What it is about: an environment, a deployment, a revision. */
  readonly ref?: string;
}

export interface GateResult {
  /** In the order of control-plane.md 1.4; empty when nothing holds it. */
  readonly blockers: readonly Blocker[];
  /** When to ask again though nothing was appended: a blocker may end by time alone. */
  readonly nextCheckAt?: number;
}

/** What a promotion asks for: a promotion on record, or one that somebody thinks of. */
export type Candidate = Pick<Promotion, 'environment' | 'app' | 'revision' | 'number' | 'trigger' | 'createdAt'>;

/** Everything that holds `candidate` now. */
export function evaluateGates(state: State, candidate: Candidate, observed: Observed): GateResult {
  const environment = state.environments.get(candidate.environment);
  if (environment === undefined) {
    const reason = `there is no environment '${candidate.environment}'; create it first`;
    return { blockers: [{ type: 'unknown-environment', reason, since: candidate.createdAt, ref: candidate.environment }] };
  }
  const blockers: Blocker[] = [];
  if (revisionOf(state, environment.app, candidate.revision) === undefined) {
    const reason = `application '${environment.app}' has no revision ${candidate.revision.slice(0, 12)}; push it first`;
    blockers.push({ type: 'unknown-revision', reason, since: candidate.createdAt, ref: candidate.revision });
  }
  blockers.push(...activeDeployment(state, environment, candidate));
  const targets = targetsOf(state, environment);
  const held = [...quorum(environment, candidate, targets, observed), ...minHealthy(environment, candidate, targets)];
  return { blockers: [...blockers, ...held] };
}

/** One deployment at a time (L-1). A rollback replaces what is under way, unless that goes back by itself already. */
function activeDeployment(state: State, environment: Environment, candidate: Candidate): readonly Blocker[] {
  const active = environment.activeDeployment === undefined ? undefined : state.deployments.get(environment.activeDeployment);
  if (active === undefined) return [];
  if (candidate.trigger === 'rollback' && active.phase !== 'rolling-back') return [];
  const doing = active.phase === 'rolling-back' ? 'is rolling back' : `is deploying ${active.app}@${active.number}`;
  const what = active.type === 'catch-up' ? `is bringing late targets to ${active.app}@${active.number}` : doing;
  const reason = `deployment ${active.deployment} ${what} in '${environment.environment}'; this one starts when it has ended`;
  return [{ type: 'active-deployment', reason, since: active.startedAt, ref: active.deployment }];
}

/** A roll-out that must fail because too many targets are away is not begun. A rollback is: what is left must be saved. */
function quorum(environment: Environment, candidate: Candidate, targets: readonly Member[], observed: Observed): readonly Blocker[] {
  if (targets.length === 0) {
    const selector = Object.entries(environment.selector).map(([key, value]) => `${key}=${value}`).join(',');
    const reason = `environment '${environment.environment}' has no targets; let a machine join it whose labels match '${selector}'`;
    return [{ type: 'no-targets', reason, since: candidate.createdAt, ref: environment.environment }];
  }
  if (candidate.trigger === 'rollback') return [];
  const { lostAfterMs } = environment.config;
  const silent = targets.filter((member) => isSilent(observed, member.member, lostAfterMs));
  const stop = failuresToStop(environment.config, targets.length);
  if (silent.length < stop) return [];
  const names = silent.slice(0, 5).map((member) => member.name).join(', ') + (silent.length > 5 ? ', …' : '');
  const seconds = Math.round(lostAfterMs / 1000);
  const reason = `${silent.length} of ${targets.length} targets have not been heard for ${seconds} s (${names}), and ${stop} failed would stop the deployment; bring them back, revoke them, or raise failureThreshold`;
  const since = Math.max(...silent.map((member) => heardAt(observed, member.member) + lostAfterMs));
  return [{ type: 'targets-offline', reason, since, ref: environment.environment }];
}

/** With every target to be kept healthy, none that serves may be touched: it would wait until its deadline. */
function minHealthy(environment: Environment, candidate: Candidate, targets: readonly Member[]): readonly Blocker[] {
  const changing = targets.some((member) => isServing(member, environment.app) && member.running[environment.app]?.revision !== candidate.revision);
  if (!changing || !leavesNone(environment.config, targets.length)) return [];
  const reason = `minHealthy ${environment.config.minHealthy} of ${targets.length} targets of '${environment.environment}' is all of them, so that none could be changed; lower it, or let more targets join`;
  return [{ type: 'min-healthy', reason, since: candidate.createdAt, ref: environment.environment }];
}

/** Whether `minHealthy` of `total` targets is all of them. */
export function leavesNone(config: DeploymentConfig, total: number): boolean {
  return total > 0 && minHealthyOf(config, total) >= total;
}
