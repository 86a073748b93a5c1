// `starling target history`, `target logs` and `env sync` about machines to which things were deployed, well and badly.

import { expect, test } from 'vitest';
import type { DeploymentConfigInput } from '../../../proto/api/environments.ts';
import { until } from '../http/harness.ts';
import { workingFleet } from '../http/working-fleet.ts';

const config = { batches: ['100%'], maxParallel: 2, minHealthy: 0, autoRollback: false } satisfies DeploymentConfigInput;

test('what was deployed to a machine is told, newest first, with how far it came and why not further', async () => {
  await using fleet = await workingFleet(['web-1', 'web-2'], config);
  const { control, agents: [agent, other] } = fleet;
  if (agent === undefined || other === undefined) throw new Error('there are two');
  expect(await fleet.starling('target', 'history', 'web-1')).toMatchObject({ code: 0, out: '', err: 'nothing was deployed here yet\n' });
  expect(await fleet.starling('target', 'logs', 'web-1')).toMatchObject({ code: 3, err: expect.stringContaining("nothing was written in the last 0 deployments of 'web-1'") });
  await fleet.push('one');
  await control.post('/v1/promotions', { environment: 'prod', revision: 'latest' });
  await fleet.deployed('prod-1', { originBytes: 1_500, peerBytes: 500, reusedBytes: 0, wastedBytes: 0 });
  await fleet.push('two');
  await control.post('/v1/promotions', { environment: 'prod', revision: 'latest' });
  await until(async () => ((await control.get('/v1/deployments/prod-2')).body.phase === 'failed' ? true : undefined), async () => {
    for (const order of (await agent.sync()).read) {
      if (order.action === 'prefetch') await agent.report(order, ['downloading', 'verified']);
      else await agent.report(order, ['activating', 'failed'], { code: 'HOOK_FAILED', detail: 'after-install ended with 3', output: 'no such table\n\x1b[2Jusers' });
    }
    await other.work();
  });

  const { out } = await fleet.starling('target', 'history', 'web-1');
  expect(out).toMatch(/^DEPLOYMENT +WHAT +ENVIRONMENT +HERE +IN ALL +STARTED +TOOK +FETCHED +WHY\nprod-2 +promote of web@2 +prod +failed +failed .*HOOK_FAILED: after-install ended with 3\nprod-1 +promote of web@1 +prod +committed +succeeded .*2\.00 kB *\n$/);
  expect((await fleet.starling('target', 'history', 'web-1', '--failed', '-o', 'name')).out).toBe('prod-2\n');
  expect(await fleet.starling('target', 'history', 'web-1', '--limit', '1')).toMatchObject({ out: expect.not.stringContaining('prod-1'), err: 'there are more; --limit shows so many\n' });
  expect(await fleet.starling('target', 'history', 'web-1', '--limit', 'x')).toMatchObject({ code: 2, err: expect.stringContaining("--limit: 'x' is not a number of deployments") });
  expect(await fleet.starling('target', 'history', 'nobody')).toMatchObject({ code: 3 });
  expect((await fleet.starling('target', 'logs', 'web-1')).out).toBe('prod-2  web@2 failed  HOOK_FAILED: after-install ended with 3\nno such table\n\\x1b[2Jusers\n');
  expect((await fleet.starling('target', 'logs', 'web-1', '--deployment', 'prod-1')).out).toBe('prod-1  web@1 committed\nnothing was written\n');
  // What failed brought something else than the environment has: which of the two it is to be, a person says.
  expect(await fleet.starling('env', 'sync', 'prod')).toMatchObject({ code: 5, err: expect.stringContaining('`starling deployment retry prod-2` goes on to web@2, `starling rollback prod --to 1` goes back') });
  expect(await fleet.starling('target', 'logs', 'web-1', '--deployment', 'prod-9')).toMatchObject({ code: 3, err: expect.stringContaining("'web-1' has no part in 'prod-9' among its last 2 deployments; `starling target history web-1` shows them") });
});

test('env sync tries again where a deployment failed, and leaves alone what is being done', async () => {
  await using fleet = await workingFleet(['web-1', 'web-2'], { ...config, failureThreshold: { count: 5, percent: 100 } });
  const { control, agents: [agent, other] } = fleet;
  if (agent === undefined || other === undefined) throw new Error('there are two');
  await fleet.push('one');
  await control.post('/v1/promotions', { environment: 'prod', revision: 'latest' });
  await until(async () => ((await control.get('/v1/deployments/prod-1')).body.phase === 'succeeded' ? true : undefined), async () => {
    for (const order of (await agent.sync()).read) await agent.report(order, order.action === 'prefetch' ? ['verified'] : ['activating', 'failed'], { code: 'NO_SPACE', detail: 'the disk is full' });
    await other.work();
  });
  expect((await fleet.starling('env', 'sync', 'prod', '--reason', 'disk is larger now')).out).toContain('web@1 → prod');
  // Whether the order has been signed by now or not.
  expect(await fleet.starling('env', 'sync', 'prod')).toMatchObject({ code: 0, out: '', err: expect.stringMatching(/^(prod-2 is under way and comes to them|1 target \(web-1\) being changed already)\n$/) });
  await fleet.deployed('prod-2');
  expect(await fleet.starling('env', 'sync', 'prod')).toMatchObject({ code: 0, out: '', err: 'everything is as prod has it\n' });
  expect((await fleet.starling('target', 'history', 'web-1', '-o', 'name')).out).toBe('prod-2\nprod-1\n');
});

test('env sync tries again on a machine that came late and failed, though what everybody else got succeeded', async () => {
  await using fleet = await workingFleet(['web-1'], config);
  const { control } = fleet;
  await fleet.push('one');
  await control.post('/v1/promotions', { environment: 'prod', revision: 'latest' });
  await fleet.deployed('prod-1');
  const late = await control.join('web-2', ['agent'], { environments: ['prod'], labels: { env: 'prod' } });
  await until(async () => ((await control.get('/v1/deployments/prod-2')).body.phase === 'failed' ? true : undefined), async () => {
    for (const order of (await late.sync()).read) await late.report(order, ['failed'], { code: 'NO_SPACE', detail: 'the disk is full' });
    await fleet.agents[0]?.sync();
  });
  expect((await fleet.starling('explain', 'prod')).out).toMatch(/^deployment prod-2 of web@1 in 'prod' failed: .*the disk is full\); one is enough to stop it\n.*\n {2}what its targets said: starling deployment logs prod-2\n {2}try again there: starling env sync prod;/);
  expect((await fleet.starling('env', 'sync', 'prod')).out).toContain('web@1 → prod');
  expect((await control.get('/v1/promotions')).body.items[0]).toMatchObject({ retryOf: 'prod-2' });
});
