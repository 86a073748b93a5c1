// A file of three stages for two applications, applied, and then only pushes and a person's word: both come to the last stage
// together, and `starling pipeline get` says at each step what is awaited.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Graph } from '../../../proto/api/pipelines.ts';
import { buildRevision } from '../../support/revisions.ts';
import { TestControl, until } from '../http/harness.ts';
import { run } from './world.ts';

test('CDS-2 CDS-3 two applications go through three stages of a file, when people have said so', { timeout: 60_000 }, async () => {
  await using control = await TestControl.start();
  const text = await readFile(new URL('../files/shop.yaml', import.meta.url), 'utf8');
  const file = join(control.dataDir, 'shop.yaml');
  await writeFile(file, text.replace(', soak: 5m', '').replace('to: shop-prod, approval', 'to: shop-prod, auto: true, approval').replace('bake: 10m', 'bake: 0s'));
  const quinn = (await control.post('/v1/tokens', { use: 'api', name: 'quinn', groups: ['qa'], scopes: ['read:*', 'approve:*'] })).body.text;
  const starling = async (token: string, ...args: readonly string[]): Promise<string> => {
    const ran = await run(args, { environment: { STARLING_URL: control.url, STARLING_TOKEN: token } });
    expect({ args, ...ran }).toEqual({ args, code: 0, out: ran.out, err: ran.err });
    return ran.out;
  };
  await starling(control.admin, 'apply', '-f', file);

  const proxy = await control.join('proxy-1', ['seed', 'proxy']);
  proxy.uploadUrl = 'http://proxy-1:7403';
  await proxy.sync();
  const agents = await Promise.all(['alpha', 'beta', 'prod'].map(async (stage) => await control.join(`${stage}-1`, ['agent'], { environments: [`shop-${stage}`], labels: { env: stage } })));
  for (const agent of agents) await agent.sync();
  for (const app of ['shop-web', 'shop-api']) {
    const { body } = await control.post(`/v1/apps/${app}/uploads`);
    const built = buildRevision(app, { 'server.js': app });
    await proxy.request('POST', '/agent/v1/revisions', { grant: body.grant, manifest: Buffer.from(built.manifest).toString('base64'), uploadedBytes: 10 });
  }

  const work = async () => await Promise.all(agents.map(async (agent) => await agent.work()));
  const shown = async () => await starling(control.admin, 'pipeline', 'get', 'shop');
  const graph = async (): Promise<Graph> => (await control.get('/v1/pipelines/shop/graph')).body;
  const current = async (environment: string) => (await graph()).stages.flatMap(({ environments }) => environments).find((one) => one.environment === environment)?.current.map(({ app, number }) => `${app}@${number}`);
  const runs = async (environment: string) => await until(async () => ((await current(environment))?.join() === 'shop-web@1,shop-api@1' ? true : undefined), work);
  const said: string[] = [];
  // About both together: for a moment the first alone ran in alpha.
  const open = async (): Promise<readonly { readonly approval: string; readonly members: readonly unknown[] }[]> => (await control.get('/v1/approvals?assignee=me', { token: quinn })).body.items;
  const asked = async () => await until(async () => (await open()).find(({ approval, members }) => members.length === 2 && !said.includes(approval))?.approval, work);
  const approve = async (approval: string): Promise<void> => {
    said.push(approval);
    await starling(quinn, 'approve', approval);
  };

  await runs('shop-alpha');
  // No workflow speaks for alpha, so that a person does.
  const first = await asked();
  expect(await shown()).toMatch(new RegExp(`shop-beta: empty[^]*shop-web@1, shop-api@1 next[^]*waits for approval: .* \\(${first}\\)`));
  await approve(first);
  await runs('shop-beta');
  // The workflow of beta asks qa; then the promotion to prod does.
  await approve(await asked());
  expect(await shown()).not.toContain('shop-prod: shop-web@1');
  await approve(await asked());
  await runs('shop-prod');
  expect(await shown()).toContain('  shop-prod: shop-web@1, shop-api@1 (1 target');
});
