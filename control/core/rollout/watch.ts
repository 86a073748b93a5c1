// What is measured while a deployment runs and bakes: its alarms, and how many samples a batch has seen. What is to be asked, and what
// the newest answers mean for the deployment. Who asks is control/work/guard.ts; a rollback is not watched, since alarms fire then.

import type { Verdict } from '../../../proto/events-pipeline.ts';
import type { AlarmSpec, SamplesSpec } from '../../../proto/rollout-config.ts';
import { autoRollbackOf, bakeMsOf, batchText, specOf } from '../batches/batches.ts';
import type { MeasureDeployment } from '../commands/command-deployment.ts';
import type { Deployment, Reading } from '../model/deployment.ts';
import type { State } from '../model/model.ts';
import { triedTargets } from './rollback.ts';
import { meets, readCondition } from '../work/condition.ts';

/** How often an alarm or a counter is asked for when nobody says. */
const intervalDefaultMs = 60_000;

/** Answered with one number: of a query its result, of a webhook how many alerts are active. */
export type Question = { readonly kind: 'query'; readonly prometheus: string; readonly query: string } | { readonly kind: 'alerts'; readonly url: string };

/** Something to be asked again and again, as long as it is wanted. */
export interface Watch {
  readonly deployment: string;
  /** `alarm:<name>`, or `samples:<batch>`. */
  readonly measure: string;
  readonly question: Question;
  readonly intervalMs: number;
}

/** Everything that is to be watched now, and when that changes by time alone. */
export function watchesOf(state: State, now: number): { readonly watches: readonly Watch[]; readonly nextCheckAt?: number } {
  const watches: Watch[] = [];
  let nextCheckAt = Infinity;
  for (const { activeDeployment } of state.environments.values()) {
    const deployment = activeDeployment === undefined ? undefined : state.deployments.get(activeDeployment);
    if (deployment === undefined || !isWatched(deployment)) continue;
    watches.push(...(deployment.config.alarms ?? []).map((alarm) => ({ deployment: deployment.deployment, measure: `alarm:${alarm.alarm}`, question: questionOf(alarm), intervalMs: alarm.intervalMs ?? intervalDefaultMs })));
    const index = deployment.batches.findIndex(({ phase }) => phase === 'baking');
    const samples = samplesOf(deployment, index);
    const since = deployment.batches[index]?.bakingSince;
    if (samples === undefined || since === undefined || enough(deployment, index)) continue;
    const from = since + bakeMsOf(deployment, index);
    if (from > now) nextCheckAt = Math.min(nextCheckAt, from);
    else watches.push({ deployment: deployment.deployment, measure: `samples:${index}`, question: { kind: 'query', prometheus: samples.prometheus, query: counting(samples.metric, now - since) }, intervalMs: samples.intervalMs ?? intervalDefaultMs });
  }
  return { watches, ...(nextCheckAt === Infinity ? {} : { nextCheckAt }) };
}

/** As many as came since the batch began to bake, unless the query itself says what is counted. */
export function counting(metric: string, sinceMs: number): string {
  return /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(metric) ? `sum(increase(${metric}[${Math.max(1, Math.ceil(sinceMs / 1000))}s]))` : metric;
}

function isWatched({ type, phase, config }: Deployment): boolean {
  return (type === 'promote' || type === 'redeploy') && (phase === 'running' || phase === 'baking') && (config.alarms !== undefined || config.batches.some((batch) => typeof batch === 'object' && batch.minSamples !== undefined));
}

function questionOf({ webhook, prometheus, query }: AlarmSpec): Question {
  return webhook === undefined ? { kind: 'query', prometheus: prometheus ?? '', query: query ?? '' } : { kind: 'alerts', url: webhook };
}

/** The samples that a batch must see; undefined where none are demanded, or somebody went on without them. */
function samplesOf(deployment: Deployment, index: number): SamplesSpec | undefined {
  const { type, batches } = deployment;
  return (type === 'promote' || type === 'redeploy') && batches[index]?.bakeSkipped !== true ? specOf(deployment, index).minSamples : undefined;
}

/** What a number means to what asked for it: an alarm that fires has failed. Undefined when the deployment asks for no such thing now. */
export function readingOf(deployment: Deployment, measure: string, result: number): Verdict | undefined {
  const [kind, name] = [measure.slice(0, measure.indexOf(':')), measure.slice(measure.indexOf(':') + 1)];
  if (kind === 'samples') {
    const samples = samplesOf(deployment, Number(name));
    return samples === undefined ? undefined : result >= samples.count ? 'success' : 'inconclusive';
  }
  const alarm = deployment.config.alarms?.find((one) => one.alarm === name);
  if (alarm === undefined) return undefined;
  const condition = alarm.condition === undefined ? undefined : readCondition(alarm.condition);
  return (condition === undefined ? result > 0 : meets(condition, result)) ? 'failure' : 'success';
}

/** Whether an answer says something that is not on record: only that is recorded, so that a long bake does not fill the journal. */
export function isNews(deployment: Deployment, { measure, verdict, value }: MeasureDeployment): boolean {
  const known = deployment.readings?.[measure];
  if (known === undefined || known.verdict !== verdict) return true;
  return measure.startsWith('samples:') && (known.value !== value || known.at < (deployment.batches[Number(measure.slice('samples:'.length))]?.bakingSince ?? 0));
}

/** What the samples of a batch that has baked say: undefined when there are enough, or none are demanded. */
export function missingSamples(deployment: Deployment, index: number): { readonly reason: string; readonly unanswered: boolean } | undefined {
  const samples = samplesOf(deployment, index);
  if (samples === undefined || enough(deployment, index)) return undefined;
  const reading = deployment.readings?.[`samples:${index}`];
  const unanswered = reading?.verdict === 'error' && counts(deployment, reading);
  const so = reading?.value === undefined ? 'nobody knows how many' : reading.value;
  return { unanswered, reason: unanswered ? `the samples of ${batchText(deployment, index)} cannot be counted: ${reading.detail ?? 'there is no answer'}` : `${batchText(deployment, index)} has baked, and has seen ${so} of ${samples.count} samples (${samples.metric})` };
}

function enough({ readings, batches }: Deployment, index: number): boolean {
  const reading = readings?.[`samples:${index}`];
  return reading?.verdict === 'success' && reading.at >= (batches[index]?.bakingSince ?? 0);
}

/** What was there when somebody let the deployment go on is known to whoever did: it counts again when it has gone and come back. */
function counts({ resumedAt }: Deployment, { at }: Reading): boolean {
  return at >= (resumedAt ?? 0);
}

export type AlarmVerdict =
  | { readonly kind: 'quiet' }
  /** Nothing is switched before each alarm was asked once: what fired before is not the release's fault. */
  | { readonly kind: 'unread'; readonly reason: string }
  | { readonly kind: 'pause' | 'rollback'; readonly reason: string };

/** What the alarms of a deployment say. Before anything was switched one that fires only holds it; one that cannot be asked says nothing of the release. */
export function alarmVerdict(deployment: Deployment): AlarmVerdict {
  const { config, readings = {} } = deployment;
  if (config.alarms === undefined || !isWatched(deployment)) return { kind: 'quiet' };
  const tried = triedTargets(deployment).length > 0;
  const bad = config.alarms.flatMap((alarm) => {
    const reading = readings[`alarm:${alarm.alarm}`];
    return reading === undefined || (reading.verdict !== 'failure' && reading.verdict !== 'error') || !counts(deployment, reading) ? [] : [{ alarm, reading }];
  });
  const fatal = bad.find(({ alarm, reading }) => tried && reading.verdict === 'failure' && actionOf(deployment, alarm) === 'rollback');
  if (fatal !== undefined) return { kind: 'rollback', reason: fires(fatal) };
  const [first] = bad;
  if (first !== undefined) return { kind: 'pause', reason: first.reading.verdict === 'error' ? `alarm '${first.alarm.alarm}' cannot be asked: ${first.reading.detail ?? 'there is no answer'}` : `${fires(first)}${tried ? '' : ', before anything was switched'}` };
  const unread = config.alarms.find(({ alarm }) => readings[`alarm:${alarm}`] === undefined);
  return unread === undefined || tried ? { kind: 'quiet' } : { kind: 'unread', reason: `alarm '${unread.alarm}' is being asked for the first time` };
}

function fires({ alarm, reading }: { readonly alarm: AlarmSpec; readonly reading: Reading }): string {
  return `alarm '${alarm.alarm}' fires: ${alarm.webhook === undefined ? `${alarm.query} is ${reading.value ?? '?'}` : (reading.value === '1' ? '1 alert is active' : `${reading.value ?? '?'} alerts are active`)}`;
}

function actionOf({ config }: Deployment, { action }: AlarmSpec): 'pause' | 'rollback' {
  const { onAlarm, onHealth } = autoRollbackOf(config.autoRollback);
  return action ?? ((onAlarm ?? onHealth) ? 'rollback' : 'pause');
}
