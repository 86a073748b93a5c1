// What must hold of a roll-out after every step (control-plane.md, section 6), as functions from the state before, the entry,
// and the state after to sentences about what is broken. They recompute from the design, not from the code under test.

import { createHash } from 'node:crypto';
import type { Deployment, TargetDeployment } from '../../control/core/model/deployment.ts';
import type { Environment, Member, State } from '../../control/core/model/model.ts';
import type { DeploymentConfig, Event, JournalEntry } from '../../proto/events.ts';
import type { UnsignedOrder } from '../../control/core/effects.ts';

/** One entry folded in. */
export interface Transition {
  readonly before: State;
  readonly entry: JournalEntry;
  readonly after: State;
}

export type Invariant = (transition: Transition) => readonly string[];

const finishedPhases = ['succeeded', 'failed', 'rolled-back', 'rollback-failed', 'aborted'];
const endedPhases = ['succeeded', 'failed', 'errored', 'rejected', 'aborted', 'superseded'];
const finalPhases = ['committed', 'rolled-back', 'inconsistent', 'rejected', 'failed', 'lost', 'cancelled', 'already-current'];
const failurePhases = ['rolled-back', 'inconsistent', 'rejected', 'failed', 'lost'];

/** Every invariant by its name in the design. */
export const rolloutInvariants: Readonly<Record<string, Invariant>> = {
  'P-1': atMostOneDeployment,
  'P-2': terminalAbsorbs,
  'P-6': ordersChain,
  'L-1': oneActiveDeployment,
  'R-1': enoughHealthy,
  'R-2': notTooManyAtOnce,
  'R-3': batchesInOrder,
  'R-3 open targets': openAreCounted,
  'R-4': nothingAfterThreshold,
  'R-5': rollbackOnce,
  'R-7': machineryIsNotContent,
  'R-8': theWayBackFetchesNothing,
  'R-9': everyTargetEnds,
  'R-10': prefetchSwitchesNothing,
  'R-11': pausedTimeEndsNothing,
  'R-12': lateJoinersGetCurrent,
  'V-1': revisionsNeverChange,
  'V-2': numbersAreDense,
  'V-4': deployedEqualsPromoted,
};

/** Everything broken by a transition, each with its invariant's name. */
export function violations(transition: Transition): readonly string[] {
  return Object.entries(rolloutInvariants).flatMap(([name, holds]) => holds(transition).map((what) => `${name}: ${what} (entry ${transition.entry.seq}, ${transition.entry.event.kind})`));
}

function atMostOneDeployment({ before, entry: { event } }: Transition): readonly string[] {
  if (event.kind !== 'deployment.started') return [];
  const broken: string[] = [];
  if (before.deployments.has(event.deployment)) broken.push(`deployment ${event.deployment} starts twice`);
  const earlier = [...before.deployments.values()].find((other) => other.promotion === event.promotion && other.type !== 'catch-up' && other.type !== 'prefetch');
  if (event.type !== 'catch-up' && earlier !== undefined) broken.push(`promotion ${event.promotion} is deployed twice`);
  return broken;
}

function terminalAbsorbs({ before, after }: Transition): readonly string[] {
  const promotions = [...before.promotions.values()].filter((old) => endedPhases.includes(old.phase) && after.promotions.get(old.promotion)?.phase !== old.phase);
  const deployments = [...before.deployments.values()].filter((old) => finishedPhases.includes(old.phase) && after.deployments.get(old.deployment)?.phase !== old.phase);
  return [...promotions.map((old) => `promotion ${old.promotion} left ${old.phase}`), ...deployments.map((old) => `deployment ${old.deployment} left ${old.phase}`)];
}

/** The count that is kept equals one made anew, whatever was folded. */
function openAreCounted({ after }: Transition): readonly string[] {
  return [...after.deployments.values()].flatMap(({ deployment, batches, targets }) =>
    batches.flatMap((batch, index) => {
      const open = batch.targets.filter((member) => isUnfinished(targets.get(member))).length;
      return open === batch.open ? [] : [`batch ${index + 1} of ${deployment} has ${open} open targets, and counts ${batch.open}`];
    }),
  );
}

function isUnfinished(target: TargetDeployment | undefined): boolean {
  if (target === undefined || target.phase === 'lost' || target.phase === 'cancelled') return false;
  if (target.order?.action === 'prefetch' && failurePhases.includes(target.phase)) return true;
  return !finalPhases.includes(target.phase) || (target.order !== undefined && !target.settled);
}

function orderOf(event: Extract<Event, { readonly kind: 'order.issued' }>): UnsignedOrder {
  const order: UnsignedOrder = JSON.parse(event.compact);
  return order;
}

function ordersChain({ before, entry: { event } }: Transition): readonly string[] {
  if (event.kind !== 'order.issued') return [];
  const environment = before.environments.get(event.environment);
  const order = orderOf(event);
  const broken: string[] = [];
  if (event.seq !== (environment?.orderSeq ?? 0) + 1) broken.push(`order ${event.seq} follows order ${environment?.orderSeq}`);
  if (order.previous !== environment?.orderDigest) broken.push(`order ${event.seq} does not name the one before it`);
  if (event.digest !== createHash('sha256').update(event.compact).digest('hex')) broken.push(`order ${event.seq} has another digest`);
  return broken;
}

function oneActiveDeployment({ after }: Transition): readonly string[] {
  return [...after.environments.values()].flatMap((environment) => {
    const active = [...after.deployments.values()].filter((one) => one.environment === environment.environment && one.type !== 'prefetch' && !finishedPhases.includes(one.phase));
    if (active.length > 1) return [`${active.length} deployments are active in ${environment.environment}`];
    return active[0]?.deployment === environment.activeDeployment ? [] : [`${environment.environment} says that ${environment.activeDeployment} is active`];
  });
}

/** A target that was told to change what runs, and has neither answered nor been given up. */
function changing(target: TargetDeployment): boolean {
  const action = target.order?.action;
  return (action === 'activate' || action === 'rollback') && !target.settled && target.phase !== 'lost' && target.phase !== 'cancelled';
}

function serves(member: Member | undefined, app: string): boolean {
  return member !== undefined && !member.revoked && member.running[app] !== undefined && member.work[app]?.settled !== false;
}

/** Whether it was told to change, here or by a deployment before, and has neither answered nor been given up. */
function isChanging(member: Member | undefined, target: TargetDeployment, app: string): boolean {
  return changing(target) || (member !== undefined && !member.revoked && target.phase !== 'lost' && member.work[app]?.settled === false);
}

function share(value: number | string, total: number, round: (value: number) => number): number {
  return typeof value === 'number' ? value : round((total * Number.parseFloat(value)) / 100);
}

/** Whom an order that switches releases names, and its deployment as it was before. */
function switching({ before, entry: { event } }: Transition): { readonly deployment: Deployment; readonly environment: Environment; readonly named: readonly string[]; readonly action: string } | undefined {
  if (event.kind !== 'order.issued' || (event.action !== 'activate' && event.action !== 'rollback')) return undefined;
  const deployment = before.deployments.get(event.deployment);
  const environment = before.environments.get(event.environment);
  return deployment === undefined || environment === undefined ? undefined : { deployment, environment, named: event.targets, action: event.action };
}

function enoughHealthy(transition: Transition): readonly string[] {
  const order = switching(transition);
  if (order === undefined) return [];
  const { before } = transition;
  const targets = [...order.deployment.targets.values()];
  const up = (target: TargetDeployment): boolean => target.order === undefined || target.order.action === 'prefetch' || transition.entry.at - target.reportedAt >= (order.deployment.config.minHealthyTimeMs ?? 0);
  const healthy = targets.filter((target) => target.phase !== 'lost' && up(target) && serves(before.members.get(target.member), order.deployment.app)).map((target) => target.member);
  const left = healthy.filter((member) => !order.named.includes(member)).length;
  const { minHealthy } = order.deployment.config;
  // A share of fewer than all leaves one that may change, however few there are.
  const least = typeof minHealthy === 'string' && minHealthy !== '100%' ? Math.min(targets.length - 1, share(minHealthy, targets.length, Math.ceil)) : share(minHealthy, targets.length, Math.ceil);
  if (left === healthy.length || left >= least) return [];
  // On the way back those count as down that change, or served until they were told to go back: who was down before cannot get worse by it.
  const { rollback, type, app } = order.deployment;
  if (rollback !== undefined || type === 'rollback') {
    const down = targets.filter((target) => !healthy.includes(target.member) && (target.order?.served === true || isChanging(before.members.get(target.member), target, app))).length;
    const up = healthy.length + down;
    const leastOfThem = typeof minHealthy === 'string' && minHealthy !== '100%' ? Math.min(up - 1, share(minHealthy, up, Math.ceil)) : share(minHealthy, up, Math.ceil);
    const most = Math.min(targets.length - least, Math.max(1, up - leastOfThem));
    return down + healthy.length - left <= most ? [] : [`${down + healthy.length - left} would be down by going back, at most ${most} may (${order.deployment.deployment})`];
  }
  return [`${left} of ${targets.length} would be left serving, at least ${least} must (${order.deployment.deployment})`];
}

function notTooManyAtOnce(transition: Transition): readonly string[] {
  const order = switching(transition);
  if (order === undefined) return [];
  const targets = [...(transition.after.deployments.get(order.deployment.deployment)?.targets.values() ?? [])];
  const busy = targets.filter(changing).length;
  // One that was given up as lost may have come back while another had its turn: that must not get worse.
  const busyBefore = [...order.deployment.targets.values()].filter(changing).length;
  const most = Math.max(1, share(order.deployment.config.maxParallel, targets.length, Math.floor));
  return busy > Math.max(most, busyBefore) ? [`${busy} targets change at once, at most ${most} may (${order.deployment.deployment})`] : [];
}

function batchesInOrder({ before, entry: { event, at } }: Transition): readonly string[] {
  const id = event.kind === 'batch.started' || event.kind === 'order.issued' ? event.deployment : '';
  const deployment = before.deployments.get(id);
  if (deployment === undefined || (event.kind !== 'batch.started' && event.kind !== 'order.issued')) return [];
  if (event.kind === 'order.issued') {
    if (event.action !== 'activate') return [];
    // One that was given up as lost in an earlier batch, and came back, may go with a later one.
    const early = event.targets.filter((member) => !['running', 'succeeded'].includes(deployment.batches[deployment.targets.get(member)?.batch ?? -1]?.phase ?? ''));
    return early.map((member) => `${member} is activated before its batch runs`);
  }
  return deployment.batches.slice(0, event.batch).flatMap((batch, index) => {
    // What a target that was given up as lost says after its batch has succeeded does not undo that.
    const ended = batch.finishedAt ?? at;
    const last = Math.max(0, ...batch.targets.map((member) => deployment.targets.get(member)?.reportedAt ?? 0).filter((reported) => reported < ended));
    const baked = batch.bakeSkipped === true || ended - last >= bakeOf(deployment, index) || batch.targets.every((member) => ['lost', 'cancelled', 'already-current'].includes(deployment.targets.get(member)?.phase ?? ''));
    return batch.phase === 'succeeded' && (baked || index < event.batch - 1) ? [] : [`batch ${event.batch} starts while batch ${index} is ${batch.phase}, ended ${ended - last} ms after its last report`];
  });
}

function bakeOf({ config, type }: Deployment, index: number): number {
  const spec = type === 'promote' || type === 'redeploy' ? config.batches[index] : undefined;
  const own = typeof spec === 'object' ? spec.bakeMs : undefined;
  return Math.max(config.minHealthyTimeMs ?? 0, type === 'rollback' ? 0 : (own ?? config.bakeMs));
}

function stopsAt(config: DeploymentConfig, total: number): number {
  return Math.max(1, Math.min(config.failureThreshold.count, Math.ceil((total * config.failureThreshold.percent) / 100)));
}

/** Failures that count: of targets that were only never heard again, some may be left out. */
function failuresOf({ config, targets, type }: Deployment): { readonly count: number; readonly limit: number } {
  const all = [...targets.values()];
  const failed = all.filter((target) => failurePhases.includes(target.phase) && (target.settled || target.phase === 'lost') && target.order?.action !== 'prefetch');
  const silent = failed.filter((target) => target.phase === 'lost' && target.code === undefined);
  // A rollback saves what is left: who was away or down before says nothing against it, unless that is everybody.
  const away = silent.filter(({ order }) => order?.served !== true).length;
  const tolerated = type === 'rollback' ? away % all.length : Math.min(silent.length, config.unreachable === undefined ? 0 : share(config.unreachable.tolerate, all.length, Math.floor));
  const canary = type === 'promote' || type === 'redeploy' ? failed.some((target) => isCanary(config.batches[target.batch])) : false;
  return { count: failed.length - tolerated, limit: canary && tolerated === 0 ? 1 : stopsAt(config, all.length) };
}

function isCanary(batch: DeploymentConfig['batches'][number] | undefined): boolean {
  return typeof batch === 'object' && batch.canary === true;
}

/** What goes back is on disk: nobody is told to fetch it, and it is what was stable. */
function theWayBackFetchesNothing({ before, entry: { event } }: Transition): readonly string[] {
  const deployment = event.kind === 'order.issued' ? before.deployments.get(event.deployment) : undefined;
  if (event.kind !== 'order.issued' || deployment?.phase !== 'rolling-back') return [];
  if (event.action !== 'rollback' && event.action !== 'cancel') return [`${event.deployment} orders to ${event.action} on its way back`];
  return event.action === 'cancel' || orderOf(event).revision === deployment.from ? [] : [`${event.deployment} goes back to what was not stable when it began`];
}

/** A person who pauses takes the clock away: no deadline ends what stands still. */
function pausedTimeEndsNothing({ before, entry: { event } }: Transition): readonly string[] {
  if (event.kind !== 'deployment.finished' && event.kind !== 'deployment.rolling-back') return [];
  const deployment = before.deployments.get(event.deployment);
  const late = (event.reason ?? '').includes('made no progress');
  return late && deployment?.paused !== undefined ? [`${event.deployment} ran out of time while it was paused`] : [];
}

/** Never a set that is still on its way elsewhere in the environment; and what runs, unless somebody took that back and it failed: then what it was to go back to. */
function lateJoinersGetCurrent({ before, entry: { event } }: Transition): readonly string[] {
  if (event.kind !== 'deployment.started' || event.type !== 'catch-up') return [];
  const environment = before.environments.get(event.environment);
  const busy = environment?.activeDeployment === undefined ? [] : [`${event.deployment} begins while ${environment.activeDeployment} is under way`];
  const last = [...before.deployments.values()].findLast(({ environment: where, app, type }) => where === event.environment && app === event.app && type !== 'catch-up' && type !== 'prefetch');
  const wanted = last?.type === 'rollback' && last.phase === 'failed' ? last.to : environment?.slots[event.app]?.current;
  return wanted === event.to ? busy : [...busy, `${event.deployment} brings late joiners something else than runs there`];
}

/** What fetches early is not switched early, and never while something else is deployed there. */
function prefetchSwitchesNothing({ before, entry: { event } }: Transition): readonly string[] {
  if (event.kind !== 'order.issued' && event.kind !== 'prefetch.started') return [];
  const busy = before.environments.get(event.environment)?.activeDeployment;
  if (event.kind === 'prefetch.started') return busy === undefined ? [] : [`${event.deployment} begins while ${busy} is under way`];
  if (before.deployments.get(event.deployment)?.type !== 'prefetch') return [];
  if (event.action === 'cancel') return [];
  return event.action === 'prefetch' && busy === undefined ? [] : [`${event.deployment} orders to ${event.action} while ${busy ?? 'nothing'} is under way`];
}

/** Nothing goes back because machines failed alone: what they were given may be good. */
function machineryIsNotContent({ before, entry: { event } }: Transition): readonly string[] {
  const deployment = event.kind === 'deployment.rolling-back' ? before.deployments.get(event.deployment) : undefined;
  if (deployment === undefined) return [];
  const { autoRollback } = deployment.config;
  const onError = typeof autoRollback === 'object' && autoRollback.onError;
  const said = [...deployment.targets.values()].some((target) => {
    const judged = target.code === undefined ? ['failed', 'rolled-back', 'inconsistent'].includes(target.phase) : ['HEALTH_FAILED', 'HOOK_FAILED', 'ACTIVATION_FAILED', 'HEALTHY_DEADLINE'].includes(target.code);
    return judged || ['activating', 'health-checking'].includes(target.phase);
  });
  return said || onError ? [] : [`${deployment.deployment} goes back though only machines failed`];
}

function nothingAfterThreshold(transition: Transition): readonly string[] {
  const order = switching(transition);
  if (order === undefined || order.action !== 'activate') return [];
  const { count, limit } = failuresOf(order.deployment);
  const broken = count >= limit ? [`an activation after ${count} of ${limit} failures`] : [];
  return order.deployment.phase === 'running' ? broken : [...broken, `an activation in a deployment that is ${order.deployment.phase}`];
}

function rollbackOnce({ before, entry: { event } }: Transition): readonly string[] {
  if (event.kind !== 'deployment.rolling-back') return [];
  const deployment = before.deployments.get(event.deployment);
  const stable = before.environments.get(deployment?.environment ?? '')?.slots[deployment?.app ?? '']?.stable;
  const broken: string[] = [];
  if (deployment === undefined || deployment.rollback !== undefined) broken.push(`${event.deployment} rolls back twice`);
  if (deployment?.type === 'rollback') broken.push(`the rollback ${event.deployment} rolls back`);
  if (event.to === deployment?.to) broken.push(`${event.deployment} rolls back to the same set`);
  // `stable` cannot have changed since the start: only this deployment could have changed it.
  if (event.to !== stable) broken.push(`${event.deployment} rolls back to another set than was stable`);
  return broken;
}

function everyTargetEnds({ after, entry: { event } }: Transition): readonly string[] {
  const finished = [...after.deployments.values()].filter((deployment) => finishedPhases.includes(deployment.phase));
  return finished.flatMap((deployment) => {
    const targets = [...deployment.targets.values()];
    // Nothing comes after having the content, where nothing is switched.
    const ends = deployment.type === 'prefetch' ? [...finalPhases, 'verified'] : finalPhases;
    const open = targets.filter((target) => !ends.includes(target.phase));
    const named = deployment.batches.flatMap((batch) => batch.targets);
    const broken = open.map((target) => `${target.member} is ${target.phase} in ${deployment.deployment}, which has ended`);
    if (new Set(named).size !== targets.length || named.length !== targets.length) broken.push(`${deployment.deployment} has ${named.length} places for ${targets.length} targets`);
    if (event.kind === 'deployment.finished' && event.deployment === deployment.deployment && event.phase === 'succeeded' && deployment.type !== 'prefetch') {
      const { count, limit } = failuresOf(deployment);
      if (count >= limit) broken.push(`${deployment.deployment} succeeded with ${count} failures`);
    }
    return broken;
  });
}

function revisionsNeverChange({ before, after }: Transition): readonly string[] {
  return [...before.apps.values()].flatMap((app) =>
    app.revisions.filter((revision, index) => after.apps.get(app.app)?.revisions[index] !== revision).map((revision) => `${app.app}@${revision.number} changed`),
  );
}

function numbersAreDense({ after }: Transition): readonly string[] {
  return [...after.apps.values()].flatMap((app) => app.revisions.filter((revision, index) => revision.number !== index + 1).map((revision) => `${app.app}@${revision.number} is out of order`));
}

function deployedEqualsPromoted({ before, entry: { event } }: Transition): readonly string[] {
  if (event.kind === 'deployment.started') {
    const promotion = before.promotions.get(event.promotion);
    const wanted = promotion?.members ?? { [promotion?.app ?? '']: promotion?.revision };
    return wanted[event.app] === event.to ? [] : [`${event.deployment} deploys another set than ${event.promotion} asks for`];
  }
  if (event.kind === 'role.published') {
    const { activeDeployment, newestPrefetch } = before.environments.get(event.environment) ?? {};
    const active = before.deployments.get(activeDeployment ?? newestPrefetch ?? '');
    const wanted = active?.rollback?.to ?? active?.to;
    const named = Object.entries(event.revisions);
    const known = before.environments.get(event.environment)?.role?.revisions ?? {};
    return named.every(([app, revision]) => (app === active?.app ? revision === wanted : revision === known[app])) && event.revisions[active?.app ?? ''] === wanted ? [] : [`the role of ${event.environment} names ${JSON.stringify(named)}`];
  }
  if (event.kind !== 'order.issued' || event.action === 'cancel') return [];
  const role = before.environments.get(event.environment)?.role;
  const order = orderOf(event);
  const deployment = before.deployments.get(event.deployment);
  const wanted = event.action === 'rollback' ? deployment?.rollback?.to : deployment?.to;
  return order.revision === wanted && role?.revisions[event.app] === wanted && role?.version === order.roleVersion ? [] : [`order ${event.seq} names another set than its deployment and its role`];
}
