// What the browser is shown in web.test.ts: a control plane with a pipeline of three stages, a revision on its way, machines that do at
// once what they are told, a lock, and a window that is closed.

import { setTimeout as wait } from 'node:timers/promises';
import { bodyOf } from '../../control/cli/commands/arrange/apply.ts';
import { reservePorts } from '../../control/cli/demo/ports.ts';
import { readFileText } from '../../control/files/read.ts';
import { systemRandom } from '../../control/random.ts';
import type { Transfer } from '../../proto/fleet.ts';
import { healthy, TestControl, until, type TestMember } from '../control/http/harness.ts';
import { buildRevision } from '../support/revisions.ts';

const file = `apiVersion: starling/v1
kind: Pipeline
metadata: {name: storefront, project: shop}
spec:
  apps: [{name: web}]
  windows:
    - {name: office-hours, kind: allow, timeZone: UTC, once: {from: "2198-01-01T09:00", to: "2198-01-01T17:00"}}
    - {name: new-year, kind: deny, timeZone: UTC, once: {from: "2197-12-31T00:00", to: "2198-01-02T00:00"}}
  deploymentConfigs:
    - {name: at-once, batches: [{name: all, size: "100%"}], maxParallel: "100%", minHealthy: "0%"}
    - {name: careful, batches: [{name: one-box, canary: true, size: 1, bake: 30m}, {name: rest, size: "100%"}], maxParallel: 2, minHealthy: "50%"}
  stages:
    - {name: alpha, environments: [{name: alpha, targets: "env=alpha", deployment: at-once}]}
    - {name: beta, environments: [{name: beta, targets: "env=beta", deployment: careful}]}
    - name: prod
      environments:
        - {name: prod-na, targets: "env=prod-na", deployment: careful, windows: [office-hours]}
        - {name: prod-eu, targets: "env=prod-eu", deployment: careful, windows: [office-hours]}
  promotions:
    - {from: {app: web}, to: alpha, auto: true, select: latest}
    - {from: {environment: alpha}, to: beta, auto: true, select: latest, approval: {rules: [{group: qa, count: 1}]}}
    - {from: {environment: beta}, to: prod-na, auto: true, select: latest, soak: 1h, approval: {rules: [{group: qa, count: 1}]}}
    - {from: {environment: beta}, to: prod-eu, auto: false, after: [prod-na], approval: {rules: [{group: qa, count: 1}]}}
`;

/** Between two rounds of what machines do. */
const workMs = 150;

export interface WebFleet extends AsyncDisposable {
  readonly control: TestControl;
  readonly agents: readonly TestMember[];
  /** Registers a revision of `web` whose one file says `text`. */
  push(text: string): Promise<void>;
  /** Lets the machines of an environment work until it runs web@`number`. */
  arrives(environment: string, number: number): Promise<void>;
  /** Lets the machines of an environment work until the first of its batches bakes. */
  worked(environment: string): Promise<void>;
  /** Enrols machines that nothing is promoted to. */
  spares(count: number): Promise<void>;
  /** A token for a person. */
  person(name: string, groups: readonly string[], scopes: readonly string[]): Promise<string>;
}

/** What each machine says that it fetched. */
const fetchBytes = 4_000_000;

const environments = ['alpha', 'beta', 'prod-na', 'prod-eu'] as const;

export async function webFleet(machines = 3): Promise<WebFleet> {
  // At one address, so that it is found again after a restart.
  const reserved = await reservePorts(1, systemRandom);
  const control = await TestControl.start({}, { listen: `127.0.0.1:${reserved.ports[0]}` });
  const { pipelines: [pipeline], problems } = readFileText('pipeline.yaml', file);
  if (pipeline === undefined) throw new Error(JSON.stringify(problems));
  const applied = await control.call('PUT', `/v1/pipelines/${pipeline.pipeline}`, { body: bodyOf(pipeline) });
  if (applied.status !== 200) throw new Error(applied.text);
  const proxy = await control.join('proxy-1', ['seed', 'proxy']);
  proxy.uploadUrl = 'http://proxy-1:7403';
  await proxy.sync();
  const agents = new Map(
    await Promise.all(
      environments.map(async (environment) => {
        const joined = await Promise.all(Array.from({ length: machines }, async (_, at) => await control.join(`${environment}-${at + 1}`, ['agent'], { environments: [environment], labels: { env: environment } })));
        for (const agent of joined) await agent.sync();
        return [environment, joined] as const;
      }),
    ),
  );
  const work = async (environment: string): Promise<void> => {
    const all = agents.get(environment as (typeof environments)[number]) ?? [];
    // The first gets all from the seed, the others from the first.
    const transferOf = (agent: TestMember): Transfer => {
      const [first] = all;
      const share = agent === first ? { originBytes: fetchBytes, peerBytes: 0, from: [{ member: proxy.id, bytes: fetchBytes }] } : { originBytes: 0, peerBytes: fetchBytes, from: [{ member: first?.id ?? '', bytes: fetchBytes }] };
      return { ...share, reusedBytes: 1_000_000, wastedBytes: 0, timing: { totalMs: 4_000, firstByteMs: 10, waitMs: 0, storeMs: 0, throttledMs: 3_000, strikes: 0 }, rates: { send: 1_000_000, receive: 2_000_000 } };
    };
    const turn = async (agent: TestMember): Promise<void> => {
      const { read } = await agent.sync();
      for (const order of read) await agent.report(order, healthy(order), order.action === 'prefetch' ? { transfer: transferOf(agent) } : {});
    };
    await Promise.all(all.map(turn));
    // Each may ask 600 times in two minutes, however long a deployment takes on a busy machine.
    await wait(workMs);
  };
  return {
    control,
    agents: [...agents.values()].flat(),
    worked: async (environment) => {
      const baking = async (): Promise<true | undefined> => ((await control.get(`/v1/deployments?environment=${environment}`)).body.items[0]?.phase === 'baking' ? true : undefined);
      await until(baking, async () => await work(environment));
    },
    spares: async (count) => {
      await Promise.all(Array.from({ length: count }, async (_, at) => await control.join(`spare-${String(at + 1).padStart(2, '0')}`, ['agent'], { labels: { kind: 'spare' } })));
    },
    person: async (name, groups, scopes) => (await control.post('/v1/tokens', { use: 'api', name, groups, scopes })).body.text,
    push: async (text) => {
      const { body } = await control.post('/v1/apps/web/uploads');
      const built = buildRevision('web', { 'server.js': text });
      await proxy.request('POST', '/agent/v1/revisions', { grant: body.grant, manifest: Buffer.from(built.manifest).toString('base64'), uploadedBytes: 10 });
      const commit = Buffer.from(text).toString('hex').padEnd(40, '0').slice(0, 40);
      await control.post('/v1/apps/web/revisions/latest/describe', { changes: [{ commit, author: 'ada@example.org', message: `say ${text}`, checkedInAt: Date.now() }] });
    },
    arrives: async (environment, number) => {
      const there = async (): Promise<true | undefined> => {
        const { body } = await control.get(`/v1/environments/${environment}`);
        return body.activeDeployment === undefined && body.current?.number === number ? true : undefined;
      };
      await until(there, async () => await work(environment));
    },
    [Symbol.asyncDispose]: async () => {
      await control[Symbol.asyncDispose]();
      await reserved[Symbol.asyncDispose]();
    },
  };
}
