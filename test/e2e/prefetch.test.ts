// Content that travels before the gates are open, on real processes: while a lock holds, every target fetches and none switches; when
// it is gone they switch though nobody is left to fetch from.

import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Fleet, fleetNames } from '../support/fleet.ts';
import { listing } from '../support/same-tree.ts';

const timeout = 120_000;
const config = { batches: ['100%'], maxParallel: '100%', minHealthy: 0, bakeMs: 0, autoRollback: true, prefetch: { enabled: true } };
const filesOnly = 'apiVersion: starling/v1\nkind: DeploySpec\ninstall: { layout: releases }\nservice: { manager: none }\nhealth: []\n';
const { app, environment } = fleetNames;

let fleet: Fleet;
let sources: string;
beforeAll(async () => {
  sources = await realpath(await mkdtemp(join(tmpdir(), 'starling-prefetch-')));
  fleet = await Fleet.start(2, config);
}, timeout);
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
  await rm(sources, { recursive: true, force: true });
}, timeout);

async function starling(...args: readonly string[]): Promise<string> {
  const { code, out, err } = await fleet.starling(...args);
  expect(code, `starling ${args.join(' ')}: ${err}`).toBe(0);
  return out;
}

/** Pushes a tree with this much in it that nobody has. */
async function push(name: string, bytes: number): Promise<string> {
  const tree = join(sources, name);
  await mkdir(tree);
  await writeFile(join(tree, 'deploy.yaml'), filesOnly);
  await writeFile(join(tree, 'content'), randomBytes(bytes));
  await starling('push', tree, '--app', app);
  return tree;
}

const current = async (agent: string): Promise<readonly string[]> => listing(await realpath(join(fleet.root(agent), 'current')));

test('content is on every target before a lock is released, and then they switch with nobody to fetch from', { timeout }, async () => {
  const first = await push('first', 1000);
  await starling('promote', '--to', environment, '--revision', 'latest', '--wait', '1m');
  const lock: unknown = JSON.parse(await starling('lock', 'add', '--scope', environment, '--reason', 'not before ten', '-o', 'json'));
  const second = await push('second', 4 << 20);
  await starling('promote', '--to', environment, '--revision', 'latest');

  const coverage = await fleet.until('both targets hold the content', async () => {
    const { body } = await fleet.api('GET', `/v1/swarm/coverage?revision=${app}@2`);
    return JSON.stringify(body).includes('"holding":2') ? body : undefined;
  });
  expect(coverage).toMatchObject({ targets: 2, fraction: 1 });
  for (const agent of fleet.agents) expect(await current(agent), agent).toEqual(listing(first));
  const explained = await fleet.starling('explain', environment);
  expect(explained.out).toContain('meanwhile 2 of 2 targets hold web@2 (prod-p1)');
  expect(await starling('deployment', 'list')).toMatch(/prod-p1\s.*distributing/);

  await fleet.kill('seed');
  await starling('lock', 'release', typeof lock === 'object' && lock !== null && 'lock' in lock ? String(lock.lock) : '');
  const brought = await fleet.until('every target switched', async () => {
    const { body } = await fleet.api('GET', '/v1/deployments/prod-2');
    return JSON.stringify(body).includes('"phase":"succeeded"') ? body : undefined;
  });
  expect(brought).toMatchObject({ type: 'promote', progress: { byPhase: { committed: 2 }, transfer: { originBytes: 0, peerBytes: 0 } } });
  for (const agent of fleet.agents) expect(await current(agent), agent).toEqual(listing(second));
  expect((await fleet.api('GET', '/v1/deployments/prod-p1')).body).toMatchObject({ type: 'prefetch', phase: 'succeeded' });
});
