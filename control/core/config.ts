// What an environment's configuration must satisfy before it is recorded: a roll-out that could never move is refused
// when it is saved, not when it runs (control-plane.md 1.7).

import type { DeploymentConfig, Labels } from '../../proto/events.ts';
import { percentOf } from './arithmetic.ts';
import type { Share } from './arithmetic.ts';
import { leavesNone } from './gates.ts';

const dayMs = 24 * 3_600_000;
/** Batches of one deployment: more than that is a percentage. */
const batchesMax = 100;

/** Everything wrong with `config` for an environment that has `targets` targets now; empty when nothing is. */
export function configProblems(config: DeploymentConfig, targets: number): readonly string[] {
  const problems: string[] = [];
  if (config.batches.length > batchesMax) problems.push(`batches: ${config.batches.length} of them, at most ${batchesMax} may be`);
  config.batches.forEach((size, index) => problems.push(...share(`batches[${index}]`, size, 1)));
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
  return problems;
}

function share(name: string, value: Share, least: number): readonly string[] {
  const percent = percentOf(value);
  const number = percent ?? Number(value);
  const fine = percent === undefined ? Number.isSafeInteger(number) && number >= least : number >= least && number <= 100;
  return fine ? [] : [`${name}: '${value}' is neither a number of targets from ${least} nor a share from ${least}% to 100%`];
}

function duration(name: string, ms: number, least: number): readonly string[] {
  if (Number.isSafeInteger(ms) && ms >= least && ms <= dayMs) return [];
  return [`${name}: ${ms} is not a whole number of milliseconds from ${least} to ${dayMs}`];
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
