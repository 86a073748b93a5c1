// `starling target label`, `cordon` and `uncordon`, and `env drift`, against a control plane that runs.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { governed, type Governed } from '../http/governed.ts';
import { run, type Ran } from './world.ts';

let system: Governed;
beforeAll(async () => {
  system = await governed();
});
afterAll(async () => await system[Symbol.asyncDispose]());

async function starling(...args: readonly string[]): Promise<Ran> {
  return await run(args, { environment: { STARLING_URL: system.control.url, STARLING_TOKEN: system.control.admin }, clock: system.clock });
}

test('labels are set and taken away one by one, by who has seen how they are', async () => {
  expect((await starling('target', 'label', 'prod-1', 'rack=r7', 'tier=gold')).out).toBe('prod-1 has the labels env=prod,rack=r7,tier=gold\n');
  expect((await starling('target', 'label', 'prod-1', 'tier-', 'rack=r8')).out).toBe('prod-1 has the labels env=prod,rack=r8\n');
  expect(await starling('target', 'label', 'prod-1', 'rack')).toMatchObject({ code: 2, err: expect.stringContaining("'rack' is neither key=value nor key-") });
  expect(await starling('target', 'label', 'prod-1', 'Rack=1')).toMatchObject({ code: 2, err: expect.stringContaining("label 'Rack'") });
  expect(await starling('target', 'label', 'nobody', 'a=b')).toMatchObject({ code: 3 });
  expect((await system.control.call('PUT', '/v1/targets/prod-1/labels', { body: { labels: {} } })).status).toBe(428);
});

test('the list of targets is at both of its names', async () => {
  expect((await starling('target', 'list', '-o', 'name')).out).toBe('prod-1\nprod-2\n');
  expect(await starling('target', 'list')).toEqual(await starling('targets'));
});

test('a cordoned target says so, with the reason, until it is cordoned no longer', async () => {
  expect(await starling('target', 'cordon', 'prod-2')).toMatchObject({ code: 2, err: expect.stringContaining("'--reason <text>' not specified") });
  expect((await starling('target', 'cordon', 'prod-2', '--reason', 'new disk')).out).toBe('prod-2 is cordoned: no deployment begins with it until `starling target uncordon prod-2`\n');
  expect((await starling('target', 'get', 'prod-2')).out).toContain('CORDONED just now: new disk');
  expect((await starling('targets', '--name', 'prod-2')).out).toContain('offline, cordoned');
  expect((await starling('audit', 'list', '-o', 'json')).out).toContain('member.cordoned');
  expect((await starling('target', 'uncordon', 'prod-2')).out).toBe('prod-2 is no longer cordoned\n');
  expect((await starling('target', 'get', 'prod-2')).out).not.toContain('CORDONED');
});

test('env drift says that all is well, where nothing ever ran too, and knows its environments', async () => {
  expect(await starling('env', 'drift', 'prod')).toMatchObject({ code: 0, out: '', err: 'everything is as prod has it\n' });
  expect(await starling('env', 'drift', 'none')).toMatchObject({ code: 3 });
});
