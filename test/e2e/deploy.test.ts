// A whole deployment on real processes: what arrives is what was pushed, only what differs travels, and corrupters change nothing.

import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildTree } from '../../control/cli/demo/tree.ts';
import { Fleet, fleetNames } from '../support/fleet.ts';
import { listing } from '../support/same-tree.ts';
import { writeHostileTree } from '../support/trees.ts';

const timeout = 180_000;
const config = { batches: ['100%'], maxParallel: '100%', minHealthy: 0, bakeMs: 0, autoRollback: true };
const checkout = fileURLToPath(new URL('../..', import.meta.url));
const filesOnly = 'apiVersion: starling/v1\nkind: DeploySpec\ninstall: { layout: releases }\nservice: { manager: none }\nhealth: []\n';

let fleet: Fleet;
let sources: string;
beforeAll(async () => {
  sources = await realpath(await mkdtemp(join(tmpdir(), 'starling-deploy-')));
  fleet = await Fleet.start(3, config);
}, timeout);
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
  await rm(sources, { recursive: true, force: true });
}, timeout);

interface Pushed {
  readonly uploadedBytes: number;
}

async function push(directory: string): Promise<Pushed> {
  const { code, out, err } = await fleet.starling('push', directory, '--app', fleetNames.app, '-o', 'json');
  expect(code, err).toBe(0);
  const pushed: unknown = JSON.parse(out);
  if (typeof pushed !== 'object' || pushed === null || !('uploadedBytes' in pushed) || typeof pushed.uploadedBytes !== 'number') throw new Error(`not what push prints: ${out}`);
  return { uploadedBytes: pushed.uploadedBytes };
}

async function promote(): Promise<void> {
  const { code, err } = await fleet.starling('promote', '--to', fleetNames.environment, '--revision', 'latest', '--wait', '2m');
  expect(code, err).toBe(0);
}

async function counter(agent: string, name: string): Promise<number> {
  const url = (await readFile(join(fleet.directory, agent, 'http.url'), 'utf8')).trim();
  const text = await (await fetch(`${url}/metrics`)).text();
  return text.split('\n').filter((line) => line.startsWith(`starling_agent_${name}`)).reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

describe('a deployment', { timeout }, () => {
  test('puts the demo\'s application on every target, byte for byte', async () => {
    const app = join(sources, 'app');
    await buildTree(join(checkout, 'control/cli/demo/app'), checkout, app);
    await writeFile(join(app, 'deploy.yaml'), filesOnly);
    await push(app);
    await promote();
    const wanted = listing(app);
    expect(wanted.length).toBeGreaterThan(1_000);
    for (const agent of fleet.agents) expect(listing(await realpath(join(fleet.root(agent), 'current'))), agent).toEqual(wanted);
  });

  test('has a receipt that adds up to what the targets counted', async () => {
    const { code, out, err } = await fleet.starling('swarm', 'receipt', fleetNames.environment, '-o', 'json');
    expect(code, err).toBe(0);
    const receipt: unknown = JSON.parse(out);
    const received = await Promise.all(fleet.agents.map(async (agent) => await counter(agent, 'received_bytes_total')));
    expect(receipt).toMatchObject({
      targets: { total: fleet.agents.length, fetched: fleet.agents.length, fetching: 0, silent: 0 },
      slowest: { cause: expect.any(String), from: expect.arrayContaining([{ member: expect.any(String), name: expect.any(String), bytes: expect.any(Number) }]) },
      time: { durationMs: expect.any(Number), unknown: { length: 3 } },
    });
    const { bytes } = receipt as { readonly bytes: { readonly originBytes: number; readonly peerBytes: number } };
    const fetched = bytes.originBytes + bytes.peerBytes;
    const counted = received.reduce((sum, one) => sum + one, 0);
    // The targets count the index of the tree too.
    expect(fetched).toBeGreaterThan(counted * 0.97);
    expect(fetched).toBeLessThanOrEqual(counted);
    // A third where all begin together; on a machine with much else to do neighbours answer late, and more is asked of the origin.
    expect(bytes.originBytes).toBeLessThan(fetched * 0.75);
    const coverage = await fleet.starling('swarm', 'coverage', `${fleetNames.app}@latest`, '-o', 'json');
    expect(JSON.parse(coverage.out)).toMatchObject({ targets: 3, holding: 3, fraction: 1, copiesMin: 4 });
  });

  test('fetches only the identifiers that differ', async () => {
    const app = join(sources, 'app-2');
    await cp(join(sources, 'app'), app, { recursive: true, verbatimSymlinks: true });
    await writeFile(join(app, 'server.js'), `${await readFile(join(app, 'server.js'), 'utf8')}// one more line\n`);
    const before = await Promise.all(fleet.agents.map(async (agent) => await counter(agent, 'received_bytes_total')));
    const { uploadedBytes } = await push(app);
    await promote();
    const treeBytes = listing(app).reduce((sum, line) => sum + Number(/ file \d+ (\d+) /.exec(line)?.[1] ?? 0), 0);
    expect(uploadedBytes).toBeLessThan(treeBytes / 100);
    for (const [at, agent] of fleet.agents.entries()) {
      expect((await counter(agent, 'received_bytes_total')) - (before[at] ?? 0), agent).toBeLessThan(treeBytes / 100);
      expect(listing(await realpath(join(fleet.root(agent), 'current'))), agent).toEqual(listing(app));
    }
  });

  test('puts a tree with hostile names on every target, byte for byte', async () => {
    const hostile = join(sources, 'hostile');
    await mkdir(hostile);
    writeHostileTree(hostile);
    await writeFile(join(hostile, 'deploy.yaml'), filesOnly);
    await push(hostile);
    await promote();
    for (const agent of fleet.agents) expect(listing(await realpath(join(fleet.root(agent), 'current'))), agent).toEqual(listing(hostile));
  });

  test('whose health check fails is rolled back by itself, and the command says so', async () => {
    const good = listing(await realpath(join(fleet.root('agent-1'), 'current')));
    const bad = join(sources, 'bad');
    await mkdir(bad);
    await writeFile(join(bad, 'deploy.yaml'), filesOnly.replace('health: []', 'health: []\nhooks: { healthCheck: [{ run: ["false"], timeoutSeconds: 5 }] }'));
    await push(bad);
    const { code, err } = await fleet.starling('promote', '--to', fleetNames.environment, '--revision', 'latest', '--wait', '2m');
    expect({ code, err }).toEqual({ code: 8, err: expect.stringContaining('rolled back') });
    for (const agent of fleet.agents) expect(listing(await realpath(join(fleet.root(agent), 'current'))), agent).toEqual(good);
  });

  test('is judged by the health checks of its configuration too: what fails one is rolled back, and what passes stays', async () => {
    let status = 503;
    const asked: string[] = [];
    const service = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.writeHead(status).end();
    }).listen(0, '127.0.0.1');
    await once(service, 'listening');
    const address = service.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    try {
      const labels = { env: fleetNames.environment };
      const healthChecks = [{ name: 'full-health', path: '/healthz', port, successes: 1, intervalMs: 100, timeoutMs: 1_000 }];
      expect((await fleet.api('PUT', `/v1/environments/${fleetNames.environment}`, { selector: labels, config: { ...config, healthChecks } })).status).toBe(200);
      const checked = join(sources, 'checked');
      await mkdir(checked);
      await writeFile(join(checked, 'deploy.yaml'), filesOnly);
      await push(checked);
      const { code } = await fleet.starling('promote', '--to', fleetNames.environment, '--revision', 'latest', '--wait', '2m');
      expect([code, new Set(asked)]).toEqual([8, new Set(['/healthz'])]);
      expect((await fleet.starling('deployment', 'list', '-o', 'json')).out).toMatch(/targets failed \(agent-\d rolled-back: HEALTH_FAILED/);
      status = 200;
      await writeFile(join(checked, 'more'), 'more');
      await push(checked);
      await promote();
    } finally {
      service.close();
    }
  });
});
