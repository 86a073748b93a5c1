// What an environment's configuration must satisfy before it is recorded: a roll-out that could never move is refused
// when it is saved, not when it runs (control-plane.md 1.7).

import type { DeploymentConfig, Labels } from '../../../proto/events.ts';
import { limits } from '../../../proto/limits.ts';
import type { Share } from '../../../proto/rollout-config.ts';
import { percentOf } from '../batches/arithmetic.ts';
import { batchSpecs, lostAfterOf } from '../batches/batches.ts';
import { leavesNone } from '../gates/gates.ts';
import { watchProblems } from './watch-problems.ts';

const dayMs = 24 * 3_600_000;
/** Batches of one deployment: more than that is a percentage. */
const batchesMax = 100;

/** Everything wrong with `config` for an environment that has `targets` targets now; empty when nothing is. */
export function configProblems(config: DeploymentConfig, targets: number): readonly string[] {
  const problems: string[] = [];
  if (config.batches.length > batchesMax) problems.push(`batches: ${config.batches.length} of them, at most ${batchesMax} may be`);
  problems.push(...batchProblems(config), ...fineProblems(config));
  problems.push(...share('maxParallel', config.maxParallel, 1), ...share('minHealthy', config.minHealthy, 0));
  if (percentOf(config.minHealthy) === 100) problems.push('minHealthy: 100% lets no target be changed; use at most 99%');
  else if (leavesNone(config, targets)) {
    problems.push(`minHealthy: ${config.minHealthy} of the ${targets} targets there are is all of them, so that none could be changed; lower it`);
  }
  const { count, percent } = config.failureThreshold;
  if (!Number.isSafeInteger(count) || count < 1) problems.push(`failureThreshold.count: ${count} is not a number of targets from 1`);
  if (!(percent > 0 && percent <= 100)) problems.push(`failureThreshold.percent: ${percent} is not above 0 and up to 100`);
  problems.push(...duration('lostAfterMs', config.lostAfterMs, 100), ...duration('progressDeadlineMs', config.progressDeadlineMs, 100));
  problems.push(...duration('bakeMs', config.bakeMs, 0));
  problems.push(...watchProblems(config), ...checkProblems(config));
  return problems;
}

function checkProblems(config: DeploymentConfig): readonly string[] {
  const { healthChecks = [], healthyDeadlineMs } = config;
  const names = healthChecks.map(({ name }) => name);
  return [
    ...(names.length > limits.orderChecksMax ? [`healthChecks: ${names.length} of them, at most ${limits.orderChecksMax} may be`] : []),
    ...twice(names).map((name) => `healthChecks: two of them are called '${name}'`),
    ...healthChecks.flatMap(({ path, intervalMs, timeoutMs }, index) => [
      ...(/^\/[^\s]{0,255}$/.test(path) ? [] : [`healthChecks[${index}].path: '${path}' is not a path such as /healthz`]),
      ...(intervalMs === undefined ? [] : duration(`healthChecks[${index}].intervalMs`, intervalMs, 50, 600_000)),
      ...(timeoutMs === undefined ? [] : duration(`healthChecks[${index}].timeoutMs`, timeoutMs, 50, 3_600_000)),
      ...(healthyDeadlineMs !== undefined && (timeoutMs ?? 0) >= healthyDeadlineMs ? [`healthChecks[${index}].timeoutMs: ${timeoutMs} is not below healthyDeadlineMs (${healthyDeadlineMs}), so that nobody would hear how it ended`] : []),
    ]),
    ...batchSpecs(config).flatMap(({ check, verify }, index) => (check === undefined || verify === undefined ? [] : [`batches[${index}].check: a batch is verified by a workflow or by a health check, here by '${verify}' and '${check}'`])),
    ...batchSpecs(config).flatMap(({ check }, index) => (check === undefined || names.includes(check) ? [] : [`batches[${index}].check: there is no health check '${check}'`])),
  ];
}

function twice(names: readonly string[]): readonly string[] {
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
}

function batchProblems(config: DeploymentConfig): readonly string[] {
  const specs = batchSpecs(config);
  const names = specs.flatMap(({ name }) => name ?? []);
  return [
    ...specs.flatMap(({ size, bakeMs }, index) => [...share(`batches[${index}]`, size, 1), ...(bakeMs === undefined ? [] : duration(`batches[${index}].bakeMs`, bakeMs, 0))]),
    ...twice(names).map((name) => `batches: two of them are called '${name}'`),
    ...(specs.length > 0 && specs.at(-1)?.pause === true ? ['batches: nothing comes after the last one, so that it cannot pause; leave out its pause'] : []),
  ];
}

/** What contradicts itself among the finer points: each of these would be found out in the middle of a deployment. */
function fineProblems(config: DeploymentConfig): readonly string[] {
  const { minHealthyTimeMs, healthyDeadlineMs, unreachable, progressDeadlineMs, rollback, stripeBy } = config;
  const problems: string[] = [];
  if (stripeBy !== undefined && !labelKeyPattern.test(stripeBy)) problems.push(`stripeBy: '${stripeBy}' is not the key of a label`);
  if (minHealthyTimeMs !== undefined) problems.push(...duration('minHealthyTimeMs', minHealthyTimeMs, 0));
  if (minHealthyTimeMs !== undefined && minHealthyTimeMs >= progressDeadlineMs) problems.push(`minHealthyTimeMs: ${minHealthyTimeMs} is not below progressDeadlineMs (${progressDeadlineMs}), so that waiting for it would count as no progress`);
  if (healthyDeadlineMs !== undefined) problems.push(...duration('healthyDeadlineMs', healthyDeadlineMs, 100));
  if (unreachable !== undefined) {
    problems.push(...share('unreachable.tolerate', unreachable.tolerate, 0), ...duration('unreachable.afterMs', lostAfterOf(config), 100));
    if (percentOf(unreachable.tolerate) === 100) problems.push('unreachable.tolerate: with 100% a deployment would succeed that no target has heard of; use at most 99%');
  }
  if (rollback?.skipCanary === false && !batchSpecs(config).some((batch) => batch.canary === true)) problems.push('rollback.skipCanary: no batch is a canary; mark one with canary: true');
  return problems;
}

function share(name: string, value: Share, least: number): readonly string[] {
  const percent = percentOf(value);
  const number = percent ?? Number(value);
  const fine = percent === undefined ? Number.isSafeInteger(number) && number >= least : number >= least && number <= 100;
  return fine ? [] : [`${name}: '${value}' is neither a number of targets from ${least} nor a share from ${least}% to 100%`];
}

function duration(name: string, ms: number, least: number, most = dayMs): readonly string[] {
  if (Number.isSafeInteger(ms) && ms >= least && ms <= most) return [];
  return [`${name}: ${ms} is not a whole number of milliseconds from ${least} to ${most}`];
}

/** An environment's name is part of a TUF role's name and of its deployments' ids, which have 64 characters. */
export const environmentNameMax = 48;
const namePattern = /^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$/;
const labelKeyPattern = /^[a-z0-9./-]{1,64}$/;

/** What is wrong with a name of an application, an environment or a member; undefined when nothing is. */
export function nameProblem(what: string, name: string, lengthMax = 64): string | undefined {
  if (namePattern.test(name) && name.length <= lengthMax) return undefined;
  return `'${name}' is not a name for ${what}: lower-case letters, digits and inner hyphens, at most ${lengthMax}`;
}

/** Everything wrong with labels or with a selector. */
export function labelProblems(labels: Labels): readonly string[] {
  return Object.entries(labels).flatMap(([key, value]) => {
    if (!labelKeyPattern.test(key)) return [`label '${key}': a key has 1 to 64 lower-case letters, digits, '.', '/' or '-'`];
    return value.length > 64 ? [`label '${key}': its value has ${value.length} characters, at most 64 may be`] : [];
  });
}
