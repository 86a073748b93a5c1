// The figures: their names, their number, and that Prometheus reads them.

import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { TestControl } from './harness.ts';

interface Family {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly series: readonly string[];
}

function familiesOf(text: string): readonly Family[] {
  return text
    .split(/^(?=# HELP )/m)
    .filter((block) => block.startsWith('# HELP'))
    .map((block) => {
      const [help = '', type = '', ...series] = block.trim().split('\n');
      const [, name = '', sentence = ''] = /^# HELP (\S+) (.*)$/.exec(help) ?? [];
      return { name, type: type.split(' ')[3] ?? '', help: sentence, series: series.filter((line) => !line.startsWith('#')) };
    });
}

async function used(): Promise<string> {
  await using control = await TestControl.start();
  for (const app of ['web', 'api']) await control.post('/v1/apps', { app });
  for (const environment of ['a', 'b', 'c']) await control.post('/v1/environments', { environment, app: 'web', selector: {} });
  for (const path of ['/v1/apps', '/v1/apps/web', '/v1/environments', '/v1/targets', '/v1/tokens', '/v1/status', '/v1/deployments', '/v1/promotions', '/nothing']) {
    await control.get(path);
    await control.get(path, { token: 'wrong' });
  }
  return (await control.get('/metrics')).text;
}

test('names, types and help texts follow the rules', async () => {
  const families = familiesOf(await used());
  for (const { name, type, help } of families) {
    expect(name).toMatch(/^(starling_control|http)_[a-z_]+$/);
    expect(name.endsWith('_total')).toBe(type === 'counter');
    if (type === 'histogram') expect(name).toMatch(/_seconds$/);
    if (name.endsWith('_info')) expect(type).toBe('gauge');
    // What it is, and what a bad value means.
    expect(help.split(/[.:;] /).length).toBeGreaterThan(1);
  }
  const names = families.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const expected of ['build_info', 'event_streams', 'agents', 'enrollments_total', 'decisions_total', 'decision_duration_seconds', 'decision_last_success_timestamp_seconds', 'manifests_signed_total', 'storage_errors_total', 'journal_entries', 'auth_failures_total', 'audit_records_total', 'rollbacks_total', 'promotions_active']) {
    expect(names).toContain(`starling_control_${expected}`);
  }
});

test('series stay within the budget, and known label values are there from the start', async () => {
  const text = await used();
  const series = familiesOf(text).flatMap((family) => family.series);
  expect(series.length).toBeLessThanOrEqual(500 + 50 * 3);
  expect(series).toContain('starling_control_enrollments_total{method="token",result="refused"} 0');
  expect(series).toContain('starling_control_decisions_total{decision="rollback"} 0');
  // Nothing of a path that is not ours becomes a label.
  expect(text).not.toContain('/nothing');
});

test('promtool finds nothing to complain about', async ({ skip }) => {
  const text = await used();
  const { error, status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  skip(error !== undefined, 'promtool is not installed (Debian package prometheus): the metrics were not linted');
  expect({ status, output: stdout + stderr }).toEqual({ status: 0, output: '' });
});

test('with metrics: token, a token that may read is needed', async () => {
  await using control = await TestControl.start({}, { metrics: 'token' });
  expect((await control.get('/metrics', { token: '' })).status).toBe(401);
  const { text } = (await control.post('/v1/tokens', { use: 'api', name: 'up', scopes: ['upload:*'] })).body;
  expect((await control.get('/metrics', { token: text })).status).toBe(403);
  expect((await control.get('/metrics')).status).toBe(200);
});
