// `starling config show`: what takes effect, and where each setting comes from.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { run } from './world.ts';

test('each setting is shown with where it comes from: a variable before the file before the default', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'starling-config-'));
  onTestFinished(async () => await rm(directory, { recursive: true }));
  await writeFile(join(directory, 'control.yaml'), 'listen: { host: 0.0.0.0, port: 7000 }\norg: shop\nlog: { level: warn }\n');
  const environment = { STARLING_LISTEN: ':7500', STARLING_ORG: 'starling', STARLING_DATA_DIR: '/srv/starling' };
  const { code, out } = await run(['config', 'show', '--origin', '-c', 'control.yaml', '-o', 'json'], { directory, environment });
  const file = join(directory, 'control.yaml');
  expect([code, JSON.parse(out)]).toEqual([0, [
    { setting: 'connectionsMax', value: '20000', from: 'default' },
    { setting: 'dataDir', value: '/srv/starling', from: 'STARLING_DATA_DIR' },
    { setting: 'eventStreamsMax', value: '256', from: 'default' },
    { setting: 'listen.host', value: '0.0.0.0', from: file },
    { setting: 'listen.port', value: '7500', from: 'STARLING_LISTEN' },
    { setting: 'log.level', value: 'warn', from: file },
    { setting: 'metrics', value: 'open', from: 'default' },
    { setting: 'org', value: 'starling', from: 'STARLING_ORG' },
    { setting: 'publicUrl', value: '', from: 'default' },
  ]]);
  expect((await run(['config', 'show', '--origin', '-c', 'control.yaml'], { directory, environment })).out).toMatch(/^SETTING +VALUE +FROM\n/);
});
