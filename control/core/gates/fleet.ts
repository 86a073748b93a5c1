// Gates about the machines: one deployment at a time, enough targets that answer, the platform software that the set
// needs, and its content in place before anything switches.

import type { DeploymentConfig } from '../../../proto/events.ts';
import { failuresToStop, minHealthyOf, toleratedOf } from '../batches/arithmetic.ts';
import { lostAfterOf } from '../batches/batches.ts';
import { isEnough, spreading } from '../swarm/coverage.ts';
import { revisionKey } from '../model/pipeline.ts';
import type { Environment, State } from '../model/model.ts';
import { isServing } from '../model/phases.ts';
import { heardAt, isSilent, membersOf, deployableTargets, targetsOf } from '../model/select.ts';
import { setIdOf } from '../model/sets.ts';
import { isInRange } from '../model/versions.ts';
import { holds, numberOf, passes, setText } from './blocker.ts';
import type { Blocker, GateAnswer, GateContext } from './blocker.ts';

/** One deployment at a time (L-1). A rollback replaces what is under way, unless that goes back by itself already. */
export function noActiveDeployment(context: GateContext): GateAnswer {
  const { state, environment, candidate } = context;
  const active = environment.activeDeployment === undefined ? undefined : state.deployments.get(environment.activeDeployment);
  if (active === undefined) return notBeingVerified(context);
  if (candidate.trigger === 'rollback' && active.phase !== 'rolling-back') return passes;
  const doing = active.phase === 'rolling-back' ? 'is rolling back' : `is deploying ${active.app}@${active.number}`;
  const what = active.type === 'catch-up' ? `is bringing late targets to ${active.app}@${active.number}` : doing;
  const reason = `deployment ${active.deployment} ${what} in '${environment.environment}'; this one starts when it has ended`;
  return holds({ type: 'active-deployment', reason, since: active.startedAt, ref: active.deployment, actors: [`promote:env/${environment.environment}`] });
}

/** What is being verified is not displaced by what can wait (S-4): not in the moment before its workflow locks the place, and not where that locks nothing. */
function notBeingVerified({ state, environment, kind }: GateContext): GateAnswer {
  const promotion = state.promotions.get(environment.verifying ?? '');
  if (promotion === undefined || (kind !== 'auto' && kind !== 'manual')) return passes;
  const run = [...state.runs.values()].findLast((one) => one.batch === undefined && one.environment === environment.environment && one.startedAt >= (state.deployments.get(promotion.deployment ?? '')?.startedAt ?? 0));
  // While nobody decides, something newer may go: it may be what mends it. A lock speaks for itself.
  if (run?.phase === 'inconclusive' || (run?.phase === 'running' && run.lock !== undefined)) return passes;
  const reason = `${setText(state, membersOf(promotion))} is being verified in '${environment.environment}'; this one starts when that has ended`;
  return holds({ type: 'active-deployment', reason, since: state.deployments.get(promotion.deployment ?? '')?.finishedAt ?? promotion.createdAt, ref: run?.run ?? promotion.promotion, actors: [`promote:env/${environment.environment}`] });
}

/** A roll-out that must fail because too many targets are away is not begun. A rollback is: what is left must be saved. */
export function enoughTargets({ state, environment, candidate, observed }: GateContext): GateAnswer {
  const targets = deployableTargets(state, environment);
  if (targets.length === 0) {
    const cordoned = targetsOf(state, environment).length;
    const reason = cordoned > 0
      ? `all ${cordoned} targets of '${environment.environment}' are cordoned; \`starling target uncordon NAME\` lets deployments begin with one again`
      : `environment '${environment.environment}' has no targets; ${howToHaveOne(state, environment)}`;
    return holds({ type: 'no-targets', reason, since: candidate.createdAt, ref: environment.environment, actors: ['admin:tokens'] });
  }
  if (candidate.trigger === 'rollback') return passes;
  const lostAfterMs = lostAfterOf(environment.config);
  // Until it has listened for so long, nobody is known to be silent.
  if (observed.now - observed.since < lostAfterMs) return passes;
  const silent = targets.filter((member) => isSilent(observed, member.member, lostAfterMs));
  const stop = failuresToStop(environment.config, targets.length) + toleratedOf(environment.config, targets.length);
  if (silent.length < stop) return passes;
  const names = silent.slice(0, 5).map((member) => member.name).join(', ') + (silent.length > 5 ? ', …' : '');
  const seconds = Math.round(lostAfterMs / 1000);
  const reason = `${silent.length} of ${targets.length} targets have not been heard for ${seconds} s (${names}), and ${stop} failed would stop the deployment; bring them back, revoke them, or raise failureThreshold`;
  const since = Math.max(...silent.map((member) => heardAt(observed, member.member) + lostAfterMs));
  return holds({ type: 'targets-offline', reason, since, ref: environment.environment, actors: [`admin:env/${environment.environment}`] });
}

/** Machines are named that joined for the environment, and lack but its labels. */
function howToHaveOne(state: State, { environment, selector }: Environment): string {
  const labels = Object.entries(selector).map(([key, value]) => `${key}=${value}`);
  const near = (state.agents.get(environment) ?? []).flatMap((id) => state.members.get(id) ?? []);
  const [first] = near;
  if (first === undefined) return `let a machine join it with \`starling token create --join --environments ${environment}${labels.length === 0 ? '' : ` --labels ${labels.join(',')}`}\``;
  const names = near.slice(0, 5).map(({ name }) => name).join(', ') + (near.length > 5 ? ', …' : '');
  return `${names} joined for it without the labels '${labels.join(',')}': \`starling target label ${first.name} ${labels.join(' ')}\` makes it one`;
}

/** With every target to be kept healthy, none that serves may be touched: it would wait until its deadline. */
export function someMayChange({ state, environment, members, candidate }: GateContext): GateAnswer {
  const targets = deployableTargets(state, environment);
  if (!leavesNone(environment.config, targets.length)) return passes;
  const changing = targets.some((member) => Object.entries(members).some(([app, revision]) => isServing(member, app) && member.running[app]?.revision !== revision));
  if (!changing) return passes;
  const reason = `minHealthy ${environment.config.minHealthy} of ${targets.length} targets of '${environment.environment}' is all of them, so that none could be changed; lower it, or let more targets join`;
  return holds({ type: 'min-healthy', reason, since: candidate.createdAt, ref: environment.environment, actors: [`admin:env/${environment.environment}`] });
}

type Requires = { readonly requires?: readonly { readonly node: string; readonly version: string }[] } | undefined;

/** What the revision says that it needs, and what its application always needs. */
function requirementsOf(revision: Requires, app: Requires) {
  return [...(revision?.requires ?? []), ...(app?.requires ?? [])];
}

/** Platform software that a revision needs must be on every target, in a version that fits (U-1). Targets say it as `platform.<node>`. */
export function platformReady({ state, environment, place, members, candidate }: GateContext): GateAnswer {
  const blockers = Object.entries(members).flatMap(([app, revision]): readonly Blocker[] =>
    requirementsOf(state.descriptions.get(revisionKey(app, revision)), place?.pipeline.spec.requirements?.find((one) => one.app === app)).flatMap(({ node, version }): readonly Blocker[] => {
      const targets = deployableTargets(state, environment);
      const lacking = targets.filter((member) => !isInRange(member.attributes[`platform.${node}`], version));
      if (lacking.length === 0) return [];
      const names = lacking.slice(0, 5).map((member) => member.name).join(', ') + (lacking.length > 5 ? ', …' : '');
      const reason = `${app}@${numberOf(state, app, revision)} needs ${node} ${version}, which ${lacking.length} of ${targets.length} targets lack (${names}); upgrade them first`;
      return [{ type: 'node-requirement', reason, since: candidate.createdAt, ref: node, actors: [`admin:env/${environment.environment}`] }];
    }),
  );
  return { blockers };
}

/** Replication as a gate: enough targets hold all of it, with enough copies in each zone. rollout/prefetch.ts brings it about while the gate holds. */
export function replicated({ state, environment, place, members, observed, candidate }: GateContext): GateAnswer {
  const wanted = place?.spec.coverage;
  if (wanted === undefined) return passes;
  const seen = observed.coverage?.get(`${environment.environment} ${setIdOf(members)}`) ?? spreading(state, environment.environment, members);
  if (isEnough(seen, wanted)) return passes;
  const off = environment.config.prefetch?.enabled === false ? '; prefetch is off here, so that nothing spreads: turn it on, or take the coverage out' : '';
  const so = `${Math.floor(seen.coverage * 100)} % of targets hold the content, with ${seen.copiesPerZoneMin} copies in the zone that has fewest${off}`;
  const reason = `${so}; ${Math.round(wanted.coverage * 100)} % and ${wanted.minCopiesPerZone} copies are wanted before anything switches`;
  return holds({ type: 'coverage', reason, since: candidate.createdAt, ref: environment.environment });
}

/** Whether `minHealthy` of `total` targets is all of them. */
export function leavesNone(config: DeploymentConfig, total: number): boolean {
  return total > 0 && minHealthyOf(config, total) >= total;
}
