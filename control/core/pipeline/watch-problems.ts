// What is wrong with the alarms and samples of a configuration: each of these would be found out in the middle of a deployment.

import type { DeploymentConfig } from '../../../proto/events.ts';
import type { AlarmSpec } from '../../../proto/rollout-config.ts';
import { batchSpecs } from '../batches/batches.ts';
import { readCondition } from '../work/condition.ts';

/** Alarms of one configuration: each is asked for as long as a deployment lasts. */
const alarmsMax = 20;
/** Whoever is asked more often than this pays for it. */
const intervalMinMs = 1_000;
const dayMs = 24 * 3_600_000;

export function watchProblems(config: DeploymentConfig): readonly string[] {
  const { alarms = [] } = config;
  const names = alarms.map(({ alarm }) => alarm);
  const samples = batchSpecs(config).flatMap(({ minSamples }, index) => (minSamples === undefined ? [] : [{ minSamples, at: `batches[${index}].minSamples` }]));
  return [
    ...(alarms.length > alarmsMax ? [`alarms: ${alarms.length} of them, at most ${alarmsMax} may be`] : []),
    ...[...new Set(names.filter((name, index) => names.indexOf(name) !== index))].map((name) => `alarms: two of them are called '${name}'`),
    ...alarms.flatMap((alarm, index) => alarmProblems(alarm, `alarms[${index}]`)),
    ...samples.flatMap(({ minSamples: { prometheus, intervalMs }, at }) => [...url(`${at}.prometheus`, prometheus), ...interval(`${at}.intervalMs`, intervalMs)]),
  ];
}

function alarmProblems({ alarm, webhook, prometheus, query, condition, intervalMs }: AlarmSpec, at: string): readonly string[] {
  const queried = prometheus !== undefined || query !== undefined;
  const problems = [...interval(`${at}.intervalMs`, intervalMs)];
  if ((webhook === undefined) === !queried) problems.push(`${at}: alarm '${alarm}' is either a webhook that lists alerts, or a query of Prometheus`);
  if (webhook !== undefined && !/^https?:\/\/\S+$/.test(webhook)) problems.push(`${at}.webhook: '${webhook}' is not a URL such as http://alertmanager:9093/api/v2/alerts`);
  if (prometheus !== undefined) problems.push(...url(`${at}.prometheus`, prometheus));
  if (queried && (prometheus === undefined || query === undefined)) problems.push(`${at}: alarm '${alarm}' needs both the URL of Prometheus and a query`);
  if (queried && condition === undefined) problems.push(`${at}: alarm '${alarm}' needs a condition that says when it fires, such as 'result >= 0.05'`);
  if (condition !== undefined && readCondition(condition) === undefined) problems.push(`${at}.condition: '${condition}' is not a condition such as 'result >= 0.05'`);
  return problems;
}

function url(at: string, text: string): readonly string[] {
  if (text === '') return [`${at}: it is not said who is asked; name a server such as http://prom:9090`];
  return /^https?:\/\/[^\s?#]+$/.test(text) ? [] : [`${at}: '${text}' is not a URL such as http://prom:9090`];
}

function interval(at: string, ms: number | undefined): readonly string[] {
  return ms === undefined || (Number.isSafeInteger(ms) && ms >= intervalMinMs && ms <= dayMs) ? [] : [`${at}: ${ms} is not a whole number of milliseconds from ${intervalMinMs} to ${dayMs}`];
}
