// Deployment configurations of a file as configurations of the model, and the coverage that an environment asks for before
// anything switches.

import { deploymentDefaults } from '../../proto/api/environments.ts';
import type { DeploymentConfig } from '../../proto/events.ts';
import type { CoverageSpec } from '../../proto/pipeline.ts';
import type { AlarmSpec, BatchSpec, FineConfig, HealthCheckSpec } from '../../proto/rollout-config.ts';
import { configProblems } from '../core/pipeline/config.ts';
import type { Findings } from './findings.ts';
import type { DeploymentText } from './schema.ts';
import type { Path } from './source.ts';
import { durationMs, durationText, percentOf, shareOf } from './units.ts';

/** What a deployment configuration is to an environment. */
export interface CompiledDeployment {
  readonly config: DeploymentConfig;
  readonly coverage?: CoverageSpec;
}

/** What an environment has that names none. */
export const plainDeployment: CompiledDeployment = { config: deploymentDefaults };

/** How files call what the model calls otherwise. */
const keyOfField: Readonly<Record<string, Path>> = {
  'batches.bakeMs': ['bake'],
  lostAfterMs: ['unreachable', 'after'],
  progressDeadlineMs: ['progressDeadline'],
  bakeMs: ['bake'],
  minHealthyTimeMs: ['minHealthyTime'],
  healthyDeadlineMs: ['healthyDeadline'],
  'unreachable.afterMs': ['unreachable', 'after'],
  'batches.minSamples.prometheus': ['minSamples'],
  'batches.minSamples.intervalMs': ['minSamples', 'interval'],
  'alarms.webhook': ['webhook'],
  'alarms.prometheus': ['provider', 'prometheus', 'url'],
  'alarms.condition': ['failureCondition'],
  'alarms.intervalMs': ['interval'],
  'healthChecks.path': ['http', 'path'],
  'healthChecks.intervalMs': ['interval'],
  'healthChecks.timeoutMs': ['timeout'],
};

export function deploymentOf(written: DeploymentText, path: Path, findings: Findings, workflows: readonly string[]): CompiledDeployment {
  verifyProblems(written, path, findings, workflows);
  const { quorum, enabled } = written.prefetch ?? {};
  if (quorum !== undefined && enabled === false) findings.problem([...path, 'prefetch', 'quorum'], 'nothing fetches ahead, so that this would never be reached; leave it out, or write enabled: true');
  const config = configOf(written, workflows);
  for (const problem of configProblems(config, 0)) {
    // Such as `batches[1].bakeMs: …`.
    const [said = '', list = '', index, field = ''] = /^(\w+)(?:\[(\d+)\])?((?:\.\w+)*): /.exec(problem) ?? [];
    const key = `${list}${field}`;
    const place = index === undefined ? (keyOfField[key] ?? key.split('.').filter((part) => part !== '')) : [list, Number(index), ...(keyOfField[key] ?? (list === 'alarms' || list === 'healthChecks' ? ['name'] : ['size']))];
    findings.problem([...path, ...place], `${place.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`)).join('').slice(1)}: ${inWords(problem.slice(said.length))}`);
  }
  return {
    config,
    ...(quorum === undefined ? {} : { coverage: { coverage: quorum.coverage ?? 1, minCopiesPerZone: quorum.minCopiesPerZone ?? 1 } }),
  };
}

/** With the names and the durations that files use for what the model says otherwise. */
function inWords(text: string): string {
  const [, value, least, most] = /^(\d+) is not a whole number of milliseconds from (\d+) to (\d+)$/.exec(text) ?? [];
  if (value !== undefined) return `${durationText(Number(value))} is not from ${durationText(Number(least))} to ${durationText(Number(most))}`;
  return text
    .replace(/\b(minHealthyTime|progressDeadline|healthyDeadline)Ms\b/g, '$1')
    .replace(/^(\d+)(?= is not below )|(?<=\()(\d+)(?=\))/g, (digits) => durationText(Number(digits)));
}

function configOf(written: DeploymentText, workflows: readonly string[]): DeploymentConfig {
  const { batches, bake, maxParallel, minHealthy, failureThreshold, unreachable, progressDeadline } = written;
  const whole = deploymentDefaults;
  return {
    batches: batches?.map((batch) => batchOf(batch, { workflows, checks: (written.healthChecks ?? []).map(({ name }) => name), server: serverOf(written) })) ?? whole.batches,
    maxParallel: maxParallel === undefined ? whole.maxParallel : shareOf(maxParallel),
    minHealthy: minHealthy === undefined ? whole.minHealthy : shareOf(minHealthy),
    failureThreshold: {
      count: failureThreshold?.count ?? whole.failureThreshold.count,
      percent: failureThreshold?.percent === undefined ? whole.failureThreshold.percent : percentOf(failureThreshold.percent),
    },
    lostAfterMs: durationMs(unreachable?.after ?? '') ?? whole.lostAfterMs,
    progressDeadlineMs: durationMs(progressDeadline ?? '') ?? whole.progressDeadlineMs,
    bakeMs: durationMs(bake ?? '') ?? whole.bakeMs,
    autoRollback: autoRollbackOf(written.autoRollback),
    ...fineOf(written),
  };
}

type BatchText = NonNullable<DeploymentText['batches']>[number];

/** What verifies a batch is a workflow that looks at it, or a health check of the same configuration that its targets make. */
function verifyProblems({ batches = [], healthChecks = [] }: DeploymentText, path: Path, findings: Findings, workflows: readonly string[]): void {
  batches.forEach(({ verify }, index) => {
    if (verify === undefined) return;
    const at = [...path, 'batches', index, 'verify'];
    const checks = healthChecks.map(({ name }) => name);
    if (workflows.includes(verify) && checks.includes(verify)) findings.problem(at, `'${verify}' is a workflow and a health check; call one of them otherwise`);
    else findings.reference(at, 'workflow or health check', verify, [...workflows, ...checks]);
  });
}

interface Around {
  readonly workflows: readonly string[];
  readonly checks: readonly string[];
  /** Who is asked where a batch does not say. */
  readonly server: string | undefined;
}

/** A batch that says nothing but its size is that alone, however it is written. */
function batchOf({ size, name, canary, bake, pause, verify, minSamples, provider }: BatchText, { workflows, checks, server }: Around): DeploymentConfig['batches'][number] {
  const bakeMs = durationMs(bake ?? '');
  const more: Omit<BatchSpec, 'size'> = {
    ...(name === undefined ? {} : { name }),
    ...(canary === true ? { canary } : {}),
    ...(bakeMs === undefined ? {} : { bakeMs }),
    ...(pause === true ? { pause } : {}),
    ...(verify === undefined ? {} : workflows.includes(verify) ? { verify } : checks.includes(verify) ? { check: verify } : {}),
    ...(minSamples === undefined ? {} : { minSamples: { prometheus: provider?.prometheus.url ?? server ?? '', metric: minSamples.metric, count: minSamples.count, ...everyOf(minSamples.interval) } }),
  };
  return Object.keys(more).length === 0 ? shareOf(size) : { size: shareOf(size), ...more };
}

function autoRollbackOf(written: DeploymentText['autoRollback']): DeploymentConfig['autoRollback'] {
  if (written === undefined) return deploymentDefaults.autoRollback;
  if (typeof written === 'boolean') return written;
  const { onHealth = true, onError = false, onVerification = ['failed'], onAlarm = onHealth } = written;
  const ends = typeof onVerification === 'boolean' ? (onVerification ? (['failed'] as const) : []) : onVerification;
  const scope = written.scope === 'failed' ? { scope: written.scope } : {};
  if (written.scope !== 'failed' && !onError && onAlarm === onHealth && onHealth === (ends.length > 0) && (ends.length === 0 || ends.join() === 'failed')) return onHealth;
  return { onHealth, onError, ...(onAlarm === onHealth ? {} : { onAlarm }), onVerification: [...ends], ...scope };
}

/** What is left out where it says what is so anyway. */
function fineOf(written: DeploymentText): FineConfig {
  const { stripeBy, order = [], minHealthyTime, healthyDeadline, unreachable, rollback, prefetch, alarms, healthChecks = [] } = written;
  const [minHealthyTimeMs, healthyDeadlineMs] = [durationMs(minHealthyTime ?? ''), durationMs(healthyDeadline ?? '')];
  const kept = Object.fromEntries((['skipCanary', 'skipBake', 'ignoreWindows'] as const).flatMap((key) => (rollback?.[key] === false ? [[key, false]] : [])));
  return {
    ...(stripeBy === undefined || stripeBy === 'zone' ? {} : { stripeBy }),
    ...(order[0] === 'outdated' ? { order: ['outdated', 'unhealthy'] as const } : {}),
    ...(minHealthyTimeMs === undefined ? {} : { minHealthyTimeMs }),
    ...(healthyDeadlineMs === undefined ? {} : { healthyDeadlineMs }),
    ...(unreachable?.tolerate === undefined ? {} : { unreachable: { tolerate: shareOf(unreachable.tolerate) } }),
    ...(Object.keys(kept).length === 0 ? {} : { rollback: kept }),
    ...(isPlain(prefetch) ? {} : { prefetch: { enabled: true, ...(prefetch?.ignoreWindows === false ? { ignoreWindows: false } : {}) } }),
    ...(healthChecks.length === 0 ? {} : { healthChecks: healthChecks.map(checkOf) }),
    ...(alarms === undefined || alarms.length === 0 ? {} : { alarms: alarms.map((alarm) => alarmOf(alarm, serverOf(written))) }),
  };
}

function checkOf({ name, http: { path, port, status }, interval, successes, timeout }: NonNullable<DeploymentText['healthChecks']>[number]): HealthCheckSpec {
  const [intervalMs, timeoutMs] = [durationMs(interval ?? ''), durationMs(timeout ?? '')];
  return {
    name,
    path,
    ...(port === undefined ? {} : { port }),
    ...(status === undefined ? {} : { status }),
    ...(intervalMs === undefined ? {} : { intervalMs }),
    ...(successes === undefined ? {} : { successes }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
}

/** Most files name one server, at the first place that asks it. */
function serverOf({ provider, batches = [], alarms = [] }: DeploymentText): string | undefined {
  return [{ provider }, ...batches, ...alarms].find((one) => one.provider !== undefined)?.provider?.prometheus.url;
}

function everyOf(interval: string | undefined): { readonly intervalMs?: number } {
  const intervalMs = durationMs(interval ?? '');
  return intervalMs === undefined ? {} : { intervalMs };
}

function alarmOf({ name, webhook, provider, failureCondition, interval, action }: NonNullable<DeploymentText['alarms']>[number], server: string | undefined): AlarmSpec {
  const query = provider?.prometheus.query;
  const prometheus = provider?.prometheus.url ?? (webhook === undefined ? server : undefined);
  return {
    alarm: name,
    ...(webhook === undefined ? {} : { webhook }),
    ...(prometheus === undefined ? {} : { prometheus }),
    ...(query === undefined ? {} : { query }),
    ...(failureCondition === undefined ? {} : { condition: failureCondition }),
    ...everyOf(interval),
    ...(action === undefined ? {} : { action }),
  };
}

/** Whether the model says the same without a word: not ahead, or ahead because a quorum needs it. */
function isPlain(prefetch: DeploymentText['prefetch']): boolean {
  if (prefetch === undefined || prefetch.enabled === false) return true;
  return prefetch.enabled === undefined && prefetch.quorum !== undefined && prefetch.ignoreWindows !== false;
}
