// What a deployment does without those who began it, on real processes with capped lines: the control plane dies amid the transfer, the origin once every piece
// has left it. What each target has is asked of the target itself.

import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Fleet, fleetNames } from '../support/fleet.ts';
import { listing } from '../support/same-tree.ts';

const timeout = 120_000;
const config = { batches: ['100%'], maxParallel: '100%', minHealthy: 0, lostAfterMs: 60_000, progressDeadlineMs: 90_000, bakeMs: 0, autoRollback: true };
const filesOnly = 'apiVersion: starling/v1\nkind: DeploySpec\ninstall: { layout: releases }\nservice: { manager: none }\nhealth: []\n';
const bytes = 2_500_000;
/** The origin has given everything in a second; three agents need several to pass it on. */
const rates = (name: string) => ({ rates: { send: { limit: name === 'seed' ? '2500 kB/s' : '400 kB/s' } } });
/** That the origin has nothing more to give shows in its silence. */
const silenceMs = 400;

let fleet: Fleet;
let sources: string;
beforeAll(async () => {
  sources = await realpath(await mkdtemp(join(tmpdir(), 'starling-survives-')));
  fleet = await Fleet.start(3, config, undefined, rates);
}, timeout);
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
  await rm(sources, { recursive: true, force: true });
}, timeout);

interface Standing {
  /** Had from the origin, and at all, by all targets together. */
  readonly originBytes: number;
  readonly haveBytes: number;
  /** Targets that have fetched everything, for each revision so far. */
  readonly whole: number;
}

async function standing(): Promise<Standing> {
  let [originBytes, haveBytes, whole] = [0, 0, 0];
  for (const agent of fleet.agents) {
    const url = (await readFile(join(fleet.directory, agent, 'http.url'), 'utf8')).trim();
    const text = await (await fetch(`${url}/metrics`)).text();
    const value = (series: string): number => Number(text.split('\n').find((line) => line.startsWith(`starling_agent_${series} `))?.split(' ').at(-1) ?? 0);
    const fromOrigin = value('received_bytes_total{source="origin"}');
    originBytes += fromOrigin;
    haveBytes += fromOrigin + value('received_bytes_total{source="peer"}');
    whole += value('artifact_fetch_duration_seconds_count{result="ok"}');
  }
  return { originBytes, haveBytes, whole };
}

/** Pushes fresh bytes and promotes them; the tree, and how all stood before. */
async function begin(name: string): Promise<{ readonly tree: string; readonly before: Standing; readonly promotion: string }> {
  const tree = join(sources, name);
  await mkdir(tree);
  await writeFile(join(tree, 'deploy.yaml'), filesOnly);
  await writeFile(join(tree, 'content'), randomBytes(bytes));
  const pushed = await fleet.starling('push', tree, '--app', fleetNames.app);
  expect(pushed.code, pushed.err).toBe(0);
  const before = await standing();
  const { status, body } = await fleet.api('POST', '/v1/promotions', { environment: fleetNames.environment, revision: 'latest' });
  expect(status).toBe(202);
  return { tree, before, promotion: typeof body === 'object' && body !== null && 'promotion' in body ? String(body.promotion) : '' };
}

async function expectWhole(tree: string): Promise<void> {
  for (const agent of fleet.agents) expect(listing(await realpath(join(fleet.root(agent), 'current'))), agent).toEqual(listing(tree));
}

async function succeeded(promotion: string): Promise<void> {
  await fleet.until('the promotion succeeds', async () => (JSON.stringify((await fleet.api('GET', `/v1/promotions/${promotion}`)).body).includes('"phase":"succeeded"') ? true : undefined), timeout);
}

test('the control plane is killed amid the transfer: every target becomes whole without it, and the deployment ends when it is back', { timeout }, async () => {
  const { tree, before, promotion } = await begin('without-control');
  await fleet.until('a fifth has come', async () => ((await standing()).haveBytes - before.haveBytes > (bytes * fleet.agents.length) / 5 ? true : undefined));
  await fleet.kill('control');
  expect((await standing()).whole - before.whole).toBeLessThan(fleet.agents.length);
  await fleet.until('every target is whole', async () => ((await standing()).whole - before.whole === fleet.agents.length ? true : undefined), timeout);
  fleet.restart('control');
  await succeeded(promotion);
  await expectWhole(tree);
});

test('fault 16: the origin is killed once every piece has left it: every target becomes whole by the others', { timeout }, async () => {
  const { tree, before, promotion } = await begin('without-origin');
  let [last, since] = [0, 0];
  await fleet.until('the origin has nothing more to give', async () => {
    const given = (await standing()).originBytes - before.originBytes;
    if (given !== last) [last, since] = [given, performance.now()];
    if (given >= bytes && performance.now() - since > silenceMs) return true;
    await wait(20);
    return undefined;
  });
  await fleet.kill('seed');
  expect((await standing()).whole - before.whole).toBeLessThan(fleet.agents.length);
  // What it had sent before its end may still be on its way.
  const left = await fleet.until('nothing of it is on its way', async () => {
    const { originBytes } = await standing();
    await wait(silenceMs);
    return (await standing()).originBytes === originBytes ? originBytes : undefined;
  });
  await succeeded(promotion);
  expect((await standing()).originBytes).toBe(left);
  await expectWhole(tree);
});
