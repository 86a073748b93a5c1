// "Why is it not moving?" The answer for one environment or one promotion, from the same functions that decide.
// Blockers are what holds a promotion that waits; `waits` is what a deployment under way is waiting for.

import type { DeploymentPhase, PromotionPhase } from '../../../proto/events.ts';
import { limits } from '../../../proto/limits.ts';
import { batchVerdict } from '../rollout/batch-verification.ts';
import { batchText, bakeMsOf } from '../batches/batches.ts';
import { closingFor } from '../rollout/closing.ts';
import { cannotBeHeard, heldBack } from './held-back.ts';
import { explainNext } from './next.ts';
import { evaluateGates } from '../gates/gates.ts';
import type { Blocker } from '../gates/gates.ts';
import { setText } from '../gates/blocker.ts';
import type { WorkflowRun } from '../model/approval.ts';
import type { Deployment } from '../model/deployment.ts';
import type { Environment, Promotion, State } from '../model/model.ts';
import { isInFlight } from '../model/phases.ts';
import { prefetchOf } from '../rollout/prefetch.ts';
import { deploymentProgress, fleet, heardAt, isSilent, membersOf, targetsOf } from '../model/select.ts';
import type { DeploymentProgress } from '../model/progress.ts';
import type { Observed } from '../model/select.ts';
import { deadlineOf, roleEffect } from '../rollout/step.ts';
import { isHolding } from '../swarm/swarm.ts';
import { runFor, verifyingIn } from '../automation/verification.ts';
import { alarmVerdict, missingSamples } from '../rollout/watch.ts';
import { refusalText } from './refusal.ts';

/** Targets named one by one. */
const namedMax = 10;

/** One thing that a deployment under way waits for. */
export interface Wait {
  readonly reason: string;
  /** When it ends by itself, or when the deployment gives up on it; milliseconds since 1970. */
  readonly until?: number;
}

export interface Explanation {
  readonly subject: { readonly kind: 'environment' | 'promotion'; readonly id: string };
  /** One sentence. */
  readonly summary: string;
  /** What holds the promotion that waits; empty when nothing waits. Exit code 6 when there are any. */
  readonly blockers: readonly Blocker[];
  readonly waits: readonly Wait[];
  /** When something may change by time alone. */
  readonly nextCheckAt?: number;
  readonly promotion?: { readonly promotion: string; readonly phase: PromotionPhase };
  readonly deployment?: { readonly deployment: string; readonly phase: DeploymentPhase; readonly reason?: string; readonly progress: DeploymentProgress };
}

/** Explains the promotion or the environment with this id; undefined when there is neither. Ids of promotions come first. */
export function explain(state: State, observed: Observed, id: string): Explanation | undefined {
  const promotion = state.promotions.get(id);
  if (promotion !== undefined) return explainPromotion(state, observed, promotion);
  const environment = state.environments.get(id);
  return environment === undefined ? undefined : explainEnvironment(state, observed, environment);
}

function explainEnvironment(state: State, observed: Observed, environment: Environment): Explanation {
  const subject = { kind: 'environment', id: environment.environment } as const;
  const waiting = state.promotions.get(environment.waiting[0] ?? '');
  if (waiting !== undefined) return { ...explainPromotion(state, observed, waiting), subject };
  const verifying = environment.activeDeployment === undefined ? verifyingIn(state, environment) : undefined;
  if (verifying !== undefined) return { ...explainPromotion(state, observed, verifying), subject };
  const next = environment.activeDeployment === undefined ? explainNext(state, observed, environment) : undefined;
  if (next !== undefined) return { subject, waits: [], ...next };
  const newest = state.deployments.get(environment.newestDeployment ?? '');
  if (newest === undefined) return { subject, summary: `nothing was ever promoted to '${environment.environment}'; ${firstStep(state, environment)}`, blockers: [], waits: [] };
  const promotion = state.promotions.get(newest.promotion);
  const about = promotion === undefined || newest.type === 'catch-up' ? {} : { promotion: { promotion: promotion.promotion, phase: promotion.phase } };
  return { subject, ...about, ...explainDeployment(state, observed, environment, newest) };
}

/** What is to be done before anything can run in an environment. */
function firstStep(state: State, environment: Environment): string {
  const { environment: name, apps, selector } = environment;
  const selected = Object.entries(selector).map(([key, value]) => `${key}=${value}`).join(',');
  const labels = selected === '' ? '' : ` --labels ${selected}`;
  if (targetsOf(state, environment).length === 0) return `no machine is a target of it: \`starling token create --join --environments ${name}${labels}\` lets one join`;
  const pushed = apps.find((app) => (state.apps.get(app)?.revisions.length ?? 0) > 0);
  return pushed === undefined ? `nothing was pushed either: \`starling push DIRECTORY --app ${apps[0]}\` begins` : `\`starling promote --to ${name}\` brings what is there`;
}

function explainPromotion(state: State, observed: Observed, promotion: Promotion): Explanation {
  const subject = { kind: 'promotion', id: promotion.promotion } as const;
  const about = { promotion: { promotion: promotion.promotion, phase: promotion.phase } };
  const what = setText(state, membersOf(promotion));
  const environment = state.environments.get(promotion.environment);
  if (promotion.phase === 'waiting') {
    const { blockers, nextCheckAt } = evaluateGates(state, promotion, observed);
    const summary = blockers.length === 0 ? `${what} starts in '${promotion.environment}' now` : `${what} waits for '${promotion.environment}': ${blockers[0]?.type}`;
    return { subject, summary, blockers, waits: [...fetchingWaits(state, environment, promotion), ...waitsBefore(state, observed, environment)], ...about, ...(nextCheckAt === undefined ? {} : { nextCheckAt }) };
  }
  if (environment !== undefined && promotion.phase === 'verifying') return { subject, ...about, ...explainVerification(state, environment, what) };
  const deployment = state.deployments.get(promotion.deployment ?? '');
  if (environment !== undefined && deployment !== undefined) return { subject, ...about, ...explainDeployment(state, observed, environment, deployment) };
  const why = promotion.outcome === undefined ? '' : `: ${promotion.outcome}`;
  return { subject, summary: `${what} was ${promotion.phase}${why}`, blockers: [], waits: [], ...about };
}

function explainVerification(state: State, environment: Environment, what: string): About {
  const run = runFor(state, environment);
  const summary = `${what} runs in '${environment.environment}' and is being verified`;
  if (run === undefined) return { summary, blockers: [], waits: [{ reason: 'its workflow has not begun yet' }] };
  if (run.phase === 'inconclusive') return { summary, blockers: [undecided(run, what)], waits: [] };
  return { summary, blockers: [], waits: [runningWait(run)], nextCheckAt: run.deadline };
}

/** What only a person can say. */
function undecided(run: WorkflowRun, what: string): Blocker {
  const reason = `workflow '${run.workflow}' was inconclusive for ${what}; somebody must say how it ended (${run.run})`;
  return { type: 'needs-decision', reason, since: run.steps.reduce((latest, step) => Math.max(latest, step.at), run.startedAt), ref: run.run, actors: [`promote:env/${run.environment}`] };
}

function runningWait(run: WorkflowRun): Wait {
  const busy = run.steps.filter(({ phase }) => phase === 'running' || phase === 'waiting-for-approval').map(({ step, phase }) => `${step} is ${phase}`);
  return { reason: `workflow '${run.workflow}' is ${run.phase} (${run.run})${busy.length === 0 ? '' : `: ${busy.join(', ')}`}`, until: run.deadline };
}

/** What the deployment waits for that has to end first: who asks about the environment asks about that. */
function waitsBefore(state: State, observed: Observed, environment: Environment | undefined): readonly Wait[] {
  const active = state.deployments.get(environment?.activeDeployment ?? '');
  if (environment === undefined || active === undefined || active.type === 'prefetch') return [];
  return waitsOf(state, observed, environment, active).map(({ reason, ...wait }) => ({ ...wait, reason: `in ${active.deployment}, ${reason}` }));
}

/** What is known of a prefetch while its promotion waits. */
function fetchingWaits(state: State, environment: Environment | undefined, { promotion }: Promotion): readonly Wait[] {
  const open = environment === undefined ? undefined : prefetchOf(state, environment);
  if (open === undefined || open.promotion !== promotion) return [];
  const targets = [...open.targets.values()];
  const holding = targets.filter(({ phase }) => isHolding(phase)).length;
  return [{ reason: `meanwhile ${holding} of ${targets.length} targets hold ${open.app}@${open.number} (${open.deployment})` }, ...refusalWaits(state, open)];
}

/** The first targets that refuse what they were ordered, and how many do besides. */
function refusalWaits(state: State, { targets }: Deployment, until?: number): readonly Wait[] {
  const refusing = [...targets.values()].flatMap(({ member, refusal }) => (refusal === undefined ? [] : [{ reason: refusalText(nameOf(state, member), refusal) }]));
  const more = refusing.length > namedMax ? [{ reason: `${refusing.length - namedMax} more targets refuse their orders` }] : [];
  return [...refusing.slice(0, namedMax), ...more].map((wait) => ({ ...wait, ...(until === undefined ? {} : { until }) }));
}

/** A deployment's phase as the rest of a sentence about it. */
const standing: Readonly<Record<DeploymentPhase, string>> = {
  distributing: 'is bringing content to its targets',
  running: 'is under way',
  baking: 'is baking',
  'rolling-back': 'is going back',
  succeeded: 'succeeded',
  failed: 'failed',
  'rolled-back': 'went back',
  'rollback-failed': 'failed, and could not go back',
  aborted: 'was aborted',
};

type About = Pick<Explanation, 'summary' | 'blockers' | 'waits' | 'nextCheckAt' | 'deployment'>;

function explainDeployment(state: State, observed: Observed, environment: Environment, deployment: Deployment): About {
  const progress = deploymentProgress(deployment);
  const { deployment: id, phase, reason } = deployment;
  const waits = deployment.finishedAt === undefined ? waitsOf(state, observed, environment, deployment) : [];
  const baking = bakingBatch(deployment);
  const verifying = baking < 0 ? undefined : batchRunIn(state, deployment, baking, observed.now);
  const nextCheckAt = Math.min(Infinity, ...waits.flatMap((wait) => wait.until ?? []));
  const why = reason === undefined ? '' : `: ${reason}`;
  return {
    summary: `deployment ${id} of ${deployment.app}@${deployment.number} in '${deployment.environment}' ${standing[phase]}${why}`,
    blockers: verifying?.phase === 'inconclusive' ? [undecided(verifying, batchText(deployment, baking))] : [],
    waits,
    deployment: { deployment: id, phase, progress, ...(reason === undefined ? {} : { reason }) },
    ...(nextCheckAt === Infinity ? {} : { nextCheckAt }),
  };
}

function waitsOf(state: State, observed: Observed, environment: Environment, deployment: Deployment): readonly Wait[] {
  const wanted = deployment.rollback?.to ?? deployment.to;
  if (roleEffect(environment, deployment.app, wanted) !== undefined) return [{ reason: `the signed role of '${environment.environment}' does not name the revision yet` }];
  if (deployment.paused !== undefined) {
    const opensAt = closingFor(state, deployment, observed.now)?.opensAt;
    if (deployment.paused.byHand === true) return [{ reason: `it is paused: ${deployment.paused.reason}; \`starling deployment resume ${deployment.deployment}\` lets it go on` }];
    return [{ reason: `it is paused: ${deployment.paused.reason}`, ...(opensAt === undefined ? {} : { until: opensAt }) }];
  }
  const baking = bakingBatch(deployment);
  if (baking >= 0) {
    const until = (deployment.batches[baking]?.bakingSince ?? observed.now) + bakeMsOf(deployment, baking);
    const run = batchRunIn(state, deployment, baking, observed.now);
    const waits: Wait[] = [...(until > observed.now ? [{ reason: `${batchText(deployment, baking)} is baking`, until }] : []), ...(run?.phase === 'running' ? [runningWait(run)] : [])];
    const missing = until > observed.now ? undefined : missingSamples(deployment, baking);
    if (missing !== undefined) waits.push({ reason: missing.reason });
    if (waits.length > 0) return waits;
  }
  const alarms = alarmVerdict(deployment);
  if (alarms.kind === 'unread') return [{ reason: alarms.reason }];
  const until = deadlineOf(deployment);
  // Those that refuse wait for a person.
  const waits: Wait[] = [...refusalWaits(state, deployment, until)];
  const busy = [...deployment.targets.values()].filter((target) => isInFlight(target) && target.refusal === undefined);
  for (const target of busy.slice(0, namedMax)) {
    waits.push({ reason: `${nameOf(state, target.member)} is ${target.phase}${awayText(observed, target.member)}`, until });
  }
  if (busy.length > namedMax) waits.push({ reason: `${busy.length - namedMax} more targets are changing`, until });
  const lost = busy.every((target) => isHolding(target.phase)) ? undefined : silentSeeds(state, observed);
  if (lost !== undefined) waits.unshift({ reason: lost });
  const held = [heldBack(state, deployment, observed), cannotBeHeard(state, deployment, observed)];
  return [...waits, ...held.flatMap((reason) => (reason === undefined ? [] : [{ reason, until }]))];
}

/** What it means for those who still fetch that no seed is heard of; undefined while one is. */
function silentSeeds(state: State, observed: Observed): string | undefined {
  const seeds = fleet(state, { role: 'seed' });
  if (seeds.length === 0) return 'there is no seed, so that nothing can be fetched that no target holds: `starling token create --join --roles seed,proxy` lets one join';
  if (!seeds.every(({ member }) => isSilent(observed, member, limits.unheardMs))) return undefined;
  const names = seeds.slice(0, namedMax).map(({ name }) => name);
  const latest = Math.max(...seeds.map(({ member }) => heardAt(observed, member)));
  return `no seed was heard for ${Math.round((observed.now - latest) / 1000)} s (${names.join(', ')}${seeds.length > names.length ? ', …' : ''}), and what no target holds comes from there alone: see whether starlingd runs there`;
}

/** A target at work that says nothing for longer than any pause between two polls has lost its daemon, its network or its power. */
function awayText(observed: Observed, member: string): string {
  const misset = observed.misset?.get(member);
  if (misset !== undefined) return `, and is refused, as its clock is ${Math.round(Math.abs(misset.aheadMs) / 1000)} s ${misset.aheadMs < 0 ? 'behind' : 'ahead'}: set it by network time`;
  if (!isSilent(observed, member, limits.unheardMs)) return '';
  return `, and was not heard for ${Math.round((observed.now - heardAt(observed, member)) / 1000)} s: see whether starlingd runs there`;
}

/** The index of the batch that bakes; -1 when none does. */
function bakingBatch({ batches }: Deployment): number {
  return batches.findIndex((batch) => batch.phase === 'baking');
}

/** The run that looks at a batch. */
function batchRunIn(state: State, deployment: Deployment, index: number, now: number): WorkflowRun | undefined {
  const verdict = batchVerdict(state, deployment, index, now);
  return verdict.kind === 'waits' ? verdict.run : undefined;
}

function nameOf(state: State, member: string): string {
  return state.members.get(member)?.name ?? member;
}
