// A control plane over environment prod of application web, with machines that do at once what they are told, and the command
// line beside it: for tests about what is told of deployments that really went.

import { join } from 'node:path';
import type { DescribeRevision } from '../../../proto/api/revisions.ts';
import type { DeploymentConfigInput } from '../../../proto/api/environments.ts';
import type { Report } from '../../../proto/fleet.ts';
import { buildRevision } from '../../support/revisions.ts';
import { run, type Ran } from '../cli/world.ts';
import { healthy, TestControl, until, type TestMember } from './harness.ts';

export interface WorkingFleet extends AsyncDisposable {
  readonly control: TestControl;
  readonly agents: readonly TestMember[];
  starling(...args: readonly string[]): Promise<Ran>;
  /** Registers a revision whose one file says `text`. */
  push(text: string, description?: DescribeRevision, uploadedBytes?: number): Promise<void>;
  /** Lets the machines work until a deployment has succeeded; each says that it fetched `transfer`. */
  deployed(id: string, transfer?: Report['transfer']): Promise<void>;
}

export async function workingFleet(names: readonly string[], config: DeploymentConfigInput): Promise<WorkingFleet> {
  const control = await TestControl.start();
  await control.post('/v1/apps', { app: 'web' });
  await control.post('/v1/environments', { environment: 'prod', app: 'web', selector: { env: 'prod' }, config });
  const proxy = await control.join('proxy-1', ['seed', 'proxy']);
  proxy.uploadUrl = 'http://proxy-1:7403';
  await proxy.sync();
  const agents = await Promise.all(names.map(async (name) => await control.join(name, ['agent'], { environments: ['prod'], labels: { env: 'prod' } })));
  for (const agent of agents) await agent.sync();
  const work = async (agent: TestMember, transfer: Report['transfer']): Promise<void> => {
    const { read } = await agent.sync();
    for (const order of read) await agent.report(order, healthy(order), order.action === 'prefetch' && transfer !== undefined ? { transfer } : {});
  };
  return {
    control,
    agents,
    starling: async (...args) => await run(args, { environment: { STARLING_URL: control.url, STARLING_TOKEN: control.admin, TZ: 'UTC' }, home: join(control.dataDir, 'home') }),
    push: async (text, description, uploadedBytes = 10) => {
      const { body } = await control.post('/v1/apps/web/uploads');
      const built = buildRevision('web', { 'server.js': text });
      await proxy.request('POST', '/agent/v1/revisions', { grant: body.grant, manifest: Buffer.from(built.manifest).toString('base64'), uploadedBytes });
      if (description !== undefined) await control.post('/v1/apps/web/revisions/latest/describe', description);
    },
    deployed: async (id, transfer) => {
      const over = async () => ((await control.get(`/v1/deployments/${id}`)).body.phase === 'succeeded' ? true : undefined);
      await until(over, async () => await Promise.all(agents.map(async (agent) => await work(agent, transfer))));
    },
    [Symbol.asyncDispose]: async () => await control[Symbol.asyncDispose](),
  };
}
