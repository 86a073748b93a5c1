// What must hold of every start and every phase in a pipeline (control-plane.md, section 6), recomputed from the design and
// from the journal alone. The pipelines that it knows are those of test/simulation/pipeline.test.ts: one window every day
// from 09:00 to 16:00 UTC on prod, which allows two starts, and an approval by two groups.

import type { State } from '../../control/core/model/model.ts';
import type { Event, JournalEntry } from '../../proto/events.ts';

const dayMs = 86_400_000;
const hourMs = 3_600_000;

interface Step {
  readonly before: State;
  readonly entry: JournalEntry;
  readonly after: State;
}

type Started = Extract<Event, { readonly kind: 'deployment.started' }>;

/** Everything broken by one more fact, each with its invariant's name. */
export function brokenBy(step: Step): readonly string[] {
  return [...goodBreaks(step), ...factBreaks(step)];
}

/** what counts as good in alpha, which has a workflow, was found good by it, or was good before. Rolled back to, or brought while there was no workflow, it needs none. */
function goodBreaks({ before, entry: { event }, after }: Step): readonly string[] {
  const [old, now] = [before, after].map((state) => state.environments.get('alpha')?.slots['web']);
  if (now?.stable === undefined || now.stable === old?.stable) return [];
  if (old?.good.includes(now.stable) === true || (event.kind === 'deployment.finished' && before.deployments.get(event.deployment)?.type === 'rollback')) return [];
  const found = [...before.runs.values()].some((run) => run.environment === 'alpha' && run.phase === 'successful' && run.members['web'] === now.stable);
  return found || before.pipelines.size === 0 ? [] : [`R-5: ${numberOf(after, now.stable)} counts as good in alpha, and no run says so (${event.kind})`];
}

function factBreaks(step: Step): readonly string[] {
  const { entry, before } = step;
  const { event } = entry;
  if (event.kind === 'deployment.started') return startBreaks(step, event);
  if (event.kind === 'promotion.created' && event.cause === 'auto') return wishBreaks(before, event);
  if (event.kind === 'workflow.started') return runBreaks(before, event);
  if (event.kind === 'order.issued' && event.action === 'activate') return activationBreaks(before, event, entry.at);
  return [];
}

function startBreaks({ before, entry }: Step, event: Started): readonly string[] {
  const broken: string[] = [];
  const at = entry.at;
  const promotion = before.promotions.get(event.promotion);
  const exempt = event.type === 'rollback' || event.type === 'catch-up';
  const say = (invariant: string, what: string): number => broken.push(`${invariant}: ${event.deployment} (${event.type} of ${event.number}): ${what}`);
  if (!exempt && event.environment === 'prod' && !isOpen(at)) say('T-1', 'the window is closed');
  if (exempt && event.environment === 'prod' && !isOpen(at) && !(event.exemptions ?? []).some((one) => one.gate === 'window')) say('T-1', 'no exemption is recorded');
  if (!exempt && [...before.freezes.values()].some((freeze) => freeze.until === undefined || freeze.until > at)) say('T-1', 'a freeze is on');
  if (event.environment === 'prod' && !exempt && startsToday(before, at) >= 2) say('T-6', 'two have started in this occurrence');
  if (before.vetoes.has(`web@${event.to}`)) say('V-3', 'the revision is vetoed');
  const pin = before.pins.get(event.environment);
  if (pin !== undefined && pin.members['web'] !== event.to) say('G-pin', 'the environment is pinned to another set');
  for (const lock of before.locks.values()) {
    if ((lock.expiresAt === undefined || lock.expiresAt > at) && covers(lock.scope, event.environment) && (event.type !== 'rollback' || lock.includeRollback)) say(lock.mode === 'workflow' ? 'L-2' : 'L-5', `lock ${lock.lock} holds it`);
  }
  const verifying = before.promotions.get(before.environments.get(event.environment)?.verifying ?? '');
  const undecided = [...before.runs.values()].findLast((run) => run.environment === event.environment)?.phase === 'inconclusive';
  if (verifying !== undefined && !exempt && promotion?.cause !== 'hotfix' && !undecided) say('S-4', `it displaces ${verifying.promotion}, which is being verified`);
  if (event.environment === 'prod' && !exempt && promotion?.cause !== 'hotfix' && !isApproved(before, event.to)) say('A-1', 'two groups have not approved this set for prod');
  if (event.environment === 'beta' && !exempt && promotion?.cause !== 'hotfix' && !isVerified(before, event.to)) say('A-6', 'the newest run over this set in alpha was not successful');
  return broken;
}

/** T-7, R-6 and S-2: what automation wishes for. */
function wishBreaks(before: State, event: Extract<Event, { readonly kind: 'promotion.created' }>): readonly string[] {
  const broken: string[] = [];
  const off = [...before.switches.keys()].find((key) => [`edge-off:${event.edge}`, 'pipeline:shop', `edge:${event.edge}`, `environment:${event.environment}`, 'app:web'].includes(key));
  if (before.pipelines.get('shop')?.enabled !== true || off !== undefined) broken.push(`T-7: ${event.promotion} though ${off ?? 'the pipeline'} is off`);
  const hold = before.holds.get(event.edge ?? '');
  // What was taken back by itself does not come again, nor what came before it; what comes after it may.
  if (hold !== undefined && (hold.sets === undefined || hold.sets.some((set) => numberOf(before, set['web']) >= event.number))) broken.push(`R-6: ${event.promotion} though ${event.edge} is on hold`);
  const desired = numberOf(before, before.sets.get(event.environment)?.desired?.['web']);
  if (event.number <= desired) broken.push(`S-2: ${event.promotion} brings ${event.number} where ${desired} is wanted`);
  return broken;
}

function runBreaks(before: State, event: Extract<Event, { readonly kind: 'workflow.started' }>): readonly string[] {
  const broken: string[] = [];
  const other = [...before.runs.values()].find((run) => run.environment === event.environment && run.phase === 'running');
  if (other !== undefined) broken.push(`L-3: ${event.run} starts beside ${other.run}`);
  if (before.environments.get(event.environment)?.activeDeployment !== undefined) broken.push(`L-2: ${event.run} starts during a deployment`);
  return broken;
}

/** T-5: nothing is activated after the close, unless it may. */
function activationBreaks(before: State, event: Extract<Event, { readonly kind: 'order.issued' }>, at: number): readonly string[] {
  const deployment = before.deployments.get(event.deployment);
  const exempt = deployment === undefined || deployment.type === 'rollback' || deployment.type === 'catch-up';
  return event.environment === 'prod' && !exempt && !isOpen(at) ? [`T-5: order ${event.seq} of ${event.deployment} activates in a closed window`] : [];
}

function isOpen(at: number): boolean {
  const hour = (at % dayMs) / hourMs;
  return hour >= 9 && hour < 16;
}

function startsToday(before: State, at: number): number {
  const day = Math.floor(at / dayMs);
  return [...before.deployments.values()].filter((one) => one.environment === 'prod' && one.type !== 'rollback' && one.type !== 'catch-up' && Math.floor(one.startedAt / dayMs) === day && isOpen(one.startedAt)).length;
}

function covers(scope: { readonly kind: string; readonly id?: string }, environment: string): boolean {
  if (scope.kind === 'all') return true;
  return [`project shop`, `pipeline shop`, `stage shop/${environment}`, `environment ${environment}`].includes(`${scope.kind} ${scope.id}`);
}

/** Distinct people, one of each group, none of whom wrote it or took it back. */
function isApproved(before: State, revision: string): boolean {
  return [...before.requests.values()].some((request) => {
    const { subject, votes, status, excluded } = request;
    if (status !== 'approved' || subject.purpose !== 'promotion' || subject.destination !== 'prod' || subject.members['web'] !== revision) return false;
    const counted = votes.filter((vote) => vote.decision === 'approve' && vote.revokedAt === undefined && !excluded.includes(vote.by));
    return counted.some((one) => one.groups.includes('qa') && counted.some((other) => other.by !== one.by && other.groups.includes('product')));
  });
}

function isVerified(before: State, revision: string): boolean {
  return [...before.runs.values()].findLast((run) => run.environment === 'alpha' && run.members['web'] === revision)?.phase === 'successful';
}

function numberOf(state: State, revision: string | undefined): number {
  return state.apps.get('web')?.revisions.find((record) => record.revision === revision)?.number ?? 0;
}
