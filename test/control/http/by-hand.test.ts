// `starling deployment …` and the operations behind it against a control plane that runs, with machines that do as they are told.

import { join } from 'node:path';
import { expect, test } from 'vitest';
import { buildRevision } from '../../support/revisions.ts';
import { run } from '../cli/world.ts';
import { healthy, problemOf, TestControl, until } from './harness.ts';

test('a deployment is listed, paused, resumed, hurried, aborted and tried again from the command line', async () => {
  await using control = await TestControl.start();
  await control.post('/v1/apps', { app: 'web' });
  const config = { batches: [1, '100%'], maxParallel: 2, minHealthy: '50%', bakeMs: 3_600_000, failureThreshold: { count: 1, percent: 50 } };
  await control.post('/v1/environments', { environment: 'prod', app: 'web', selector: { env: 'prod' }, config });
  const proxy = await control.join('proxy-1', ['seed', 'proxy']);
  proxy.uploadUrl = 'http://proxy-1:7403';
  await proxy.sync();
  const agents = await Promise.all(['a', 'b', 'c'].map(async (name) => await control.join(name, ['agent'], { environments: ['prod'], labels: { env: 'prod' } })));
  for (const agent of agents) await agent.sync();
  const { body } = await control.post('/v1/apps/web/uploads');
  const built = buildRevision('web', { 'server.js': 'one' });
  await proxy.request('POST', '/agent/v1/revisions', { grant: body.grant, manifest: Buffer.from(built.manifest).toString('base64'), uploadedBytes: 10 });
  const starling = async (...args: readonly string[]) => await run(args, { environment: { STARLING_URL: control.url, STARLING_TOKEN: control.admin }, home: join(control.dataDir, 'home') });
  const everybody = async () => await Promise.all(agents.map(async (agent) => await agent.work()));
  const phaseOf = async (id: string) => (await control.get(`/v1/deployments/${id}`)).body.phase;
  const comesTo = async (id: string, phase: string) => await until(async () => ((await phaseOf(id)) === phase ? phase : undefined), everybody);

  expect(await starling('deployment', 'list')).toMatchObject({ code: 0, out: '', err: expect.stringContaining('nothing was deployed yet') });
  expect(await starling('deployment', 'pause', 'prod-1')).toMatchObject({ code: 3, err: expect.stringContaining("no deployment 'prod-1'") });
  expect(await starling('deployment', 'list', '--phase', 'asleep')).toMatchObject({ code: 2, err: expect.stringContaining("'asleep' is none of distributing, running") });

  await control.post('/v1/promotions', { environment: 'prod', revision: 'latest' });
  await comesTo('prod-1', 'baking');
  expect((await starling('deployment', 'pause', 'prod-1', '--reason', 'graphs look odd')).out).toContain('baking, paused, 1 of 3, batch 1 of 2: graphs look odd');
  expect((await control.get('/v1/deployments/prod-1')).body.paused).toMatchObject({ reason: 'graphs look odd', byHand: true });
  expect((await starling('deployment', 'get', 'prod-1')).out).toMatch(/1 +baking, for another .+\n2 +pending +2: 2 (verified|assigned|downloading)/);
  expect((await starling('deployment', 'list', '-e', 'prod')).out).toMatch(/prod-1 +promote of web@1 +baking, paused/);
  expect((await starling('deployment', 'resume', 'prod-1')).out).not.toContain('paused');
  expect((await starling('deployment', 'abort', 'prod-1', '--reason', 'wrong day')).out).toContain('aborted');
  expect(await starling('deployment', 'pause', 'prod-1')).toMatchObject({ code: 5, err: expect.stringContaining('has ended already') });

  expect((await starling('deployment', 'retry', 'prod-1')).out).toContain('web@1 → prod');
  await comesTo('prod-2', 'baking');
  expect((await starling('deployment', 'next-batch', 'prod-2')).code).toBe(0);
  await until(async () => ((await phaseOf('prod-2')) === 'succeeded' ? true : undefined), async () => await Promise.all(agents.map(async (agent) => {
    const { read } = await agent.sync();
    for (const order of read) await agent.report(order, healthy(order), { output: `hook of ${agent.name} says hello` });
  })));
  expect((await starling('deployment', 'logs', 'prod-2')).out).toMatch(/TARGET +BATCH +PHASE +CODE +DETAIL\n(?:[abc] +[12] +(?:committed|already-current) +- +-\n){3}(?:.|\n)*— [abc]\nhook of [abc] says hello\n/);
  expect((await starling('deployment', 'logs', 'prod-2', '--target', 'b', '-o', 'name')).out).toBe('b\n');
  expect(await starling('deployment', 'logs', 'prod-2', '--target', 'z')).toMatchObject({ code: 3, err: expect.stringContaining("has no target 'z'") });
  expect(await starling('deployment', 'logs', 'prod-2', '--failed')).toMatchObject({ code: 0, out: '', err: 'no target says why it came no further\n' });
  expect(await starling('deployment', 'watch', 'prod-2', '--timeout', '10s')).toMatchObject({ code: 0, out: expect.stringContaining('succeeded') });
  expect(await starling('deployment', 'next-batch', 'prod-2')).toMatchObject({ code: 5 });
  const again = await control.call('POST', '/v1/deployments/prod-2/retry', { body: {} });
  expect([again.status, problemOf(again).detail]).toEqual([409, expect.stringContaining('nothing to try again')]);
});
