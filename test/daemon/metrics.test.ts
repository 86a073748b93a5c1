// The daemon's metrics: their names keep the rules of the field, and their series are few.

import { spawnSync } from 'node:child_process';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { createMetrics } from '../../daemon/metrics.ts';

/** Series that one agent may have (interfaces.md, "Metrics"). */
const seriesMax = 300;

async function scrape(): Promise<string> {
  const registry = new Registry();
  createMetrics(registry, { version: '1.2.3', nodeVersion: 'v24.0.0' });
  return await registry.metrics();
}

function ours(text: string): string[] {
  return text.split('\n').filter((line) => line.startsWith('starling_agent_') || /^# \w+ starling_agent_/.test(line));
}

test('every label set that is known is there before the first event', async () => {
  const text = await scrape();
  for (const series of ['received_bytes_total{source="origin"}', 'received_bytes_total{source="peer"}', 'wasted_bytes_total{reason="corrupt"}', 'activations_total{result="rolled-back"}']) {
    expect(text).toContain(`starling_agent_${series} 0`);
  }
  expect(text).toContain('starling_agent_build_info{version="1.2.3",node_version="v24.0.0"} 1');
});

test('an agent keeps within its budget of series', async () => {
  const series = (await scrape()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  expect(series.length).toBeLessThanOrEqual(seriesMax);
});

test('the lag of the loop is measured when it is asked for, and not watched all the time', async () => {
  const names = (await scrape()).match(/^# TYPE nodejs_eventloop_lag\w*/gm);
  expect(names).toEqual(['# TYPE nodejs_eventloop_lag_seconds']);
});

test('promtool finds nothing to complain about', async ({ skip }) => {
  const { error, status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: `${ours(await scrape()).join('\n')}\n`, encoding: 'utf8' });
  skip(error !== undefined, 'promtool is not installed (Debian package prometheus): the metrics were not linted');
  expect({ status, output: stdout + stderr }).toEqual({ status: 0, output: '' });
});
