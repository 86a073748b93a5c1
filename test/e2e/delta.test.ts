// Deltas on real processes: made when a revision is published, handed on from target to target, and no more than a saving: a target without the
// base, or with a damaged one, ends with the same bytes.

import { mkdir, mkdtemp, open, readdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Fleet, fleetNames } from '../support/fleet.ts';
import { repeatableBytes } from '../proto/fixtures.ts';
import { listing } from '../support/same-tree.ts';

const timeout = 180_000;
const config = { batches: ['100%'], maxParallel: '100%', minHealthy: 0, bakeMs: 0, autoRollback: true };
const filesOnly = 'apiVersion: starling/v1\nkind: DeploySpec\ninstall: { layout: releases }\nservice: { manager: none }\nhealth: []\n';
const binaryBytes = 20 * 1024 * 1024;

let fleet: Fleet;
let sources: string;
beforeAll(async () => {
  sources = await realpath(await mkdtemp(join(tmpdir(), 'starling-delta-')));
  fleet = await Fleet.start(3, config);
}, timeout);
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
  await rm(sources, { recursive: true, force: true });
}, timeout);

/** Version `n` of a program: some kilobytes in every stretch of 50 are its own, the rest is as it was. */
async function write(version: number): Promise<string> {
  const directory = join(sources, `v${version}`);
  await mkdir(directory);
  const bytes = Buffer.from(repeatableBytes('program', binaryBytes));
  const own = repeatableBytes(`changes ${version}`, 4096);
  if (version > 1) for (let at = 10_000; at + own.length < bytes.length; at += 50_000) own.forEach((byte, index) => (bytes[at + index] = byte ^ ((at / 50_000) & 0xff) ^ (bytes[at + index] ?? 0)));
  await writeFile(join(directory, 'program'), bytes);
  await writeFile(join(directory, 'deploy.yaml'), filesOnly);
  return directory;
}

async function deploy(directory: string): Promise<void> {
  const pushed = await fleet.starling('push', directory, '--app', fleetNames.app, '-o', 'json');
  expect(pushed.code, pushed.err).toBe(0);
  const { code, err } = await fleet.starling('promote', '--to', fleetNames.environment, '--revision', 'latest', '--wait', '2m');
  expect(code, err).toBe(0);
}

async function counter(member: string, name: string): Promise<number> {
  const url = (await readFile(join(fleet.directory, member, 'http.url'), 'utf8')).trim();
  const text = await (await fetch(`${url}/metrics`)).text();
  return text.split('\n').filter((line) => line.startsWith(`starling_agent_${name}`)).reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

async function sum(name: string): Promise<number> {
  return (await Promise.all(fleet.agents.map(async (agent) => await counter(agent, name)))).reduce((all, one) => all + one, 0);
}

async function expectEverywhere(directory: string): Promise<void> {
  for (const agent of fleet.agents) expect(listing(await realpath(join(fleet.root(agent), 'current'))), agent).toEqual(listing(directory));
}

/** Bytes of the newest set on the seed, when it has made as many as that. */
async function setMade(count: number): Promise<number> {
  await fleet.until(`delta set ${count} is made`, async () => ((await counter('seed', 'deltas_made_total{extent="all"}')) >= count ? true : undefined));
  const folder = join(fleet.directory, 'seed/deltas');
  const sizes = await Promise.all((await readdir(folder)).filter((name) => name.endsWith('.payload')).map(async (name) => await stat(join(folder, name))));
  return sizes.toSorted((a, b) => b.mtimeMs - a.mtimeMs)[0]?.size ?? 0;
}

describe('a deployment to targets that run the revision before', { timeout }, () => {
  test('begins plain where there is no base', async () => {
    const first = await write(1);
    await deploy(first);
    await expectEverywhere(first);
    expect(await sum('delta_bytes_total')).toBe(0);
  });

  test('costs the origin little more than one delta set, which the targets hand on to each other', async () => {
    const second = await write(2);
    const [origin, peers] = [await sum('received_bytes_total{source="origin"}'), await sum('received_bytes_total{source="peer"}')];
    const pushed = await fleet.starling('push', second, '--app', fleetNames.app, '-o', 'json');
    expect(pushed.code, pushed.err).toBe(0);
    const setBytes = await setMade(1);
    expect(setBytes).toBeLessThan(binaryBytes / 8);
    const { code, err } = await fleet.starling('promote', '--to', fleetNames.environment, '--revision', 'latest', '--wait', '2m');
    expect(code, err).toBe(0);
    await expectEverywhere(second);
    expect((await sum('received_bytes_total{source="origin"}')) - origin).toBeLessThan(1.2 * setBytes);
    expect((await sum('received_bytes_total{source="peer"}')) - peers).toBeGreaterThan(1.5 * setBytes);
    expect(await sum('delta_saved_bytes_total')).toBeGreaterThan(3 * (binaryBytes - 2 * setBytes));
  });

  test('takes plain chunks for what a damaged base does not make', async () => {
    const third = await write(3);
    const releases = join(fleet.root('agent-3'), 'releases');
    for (const release of await readdir(releases)) {
      await using file = await open(join(releases, release, 'program'), 'r+');
      await file.write(Buffer.alloc(300_000, 0x5a), 0, 300_000, 5_000_000);
    }
    const pushed = await fleet.starling('push', third, '--app', fleetNames.app, '-o', 'json');
    expect(pushed.code, pushed.err).toBe(0);
    await setMade(2);
    const { code, err } = await fleet.starling('promote', '--to', fleetNames.environment, '--revision', 'latest', '--wait', '2m');
    expect(code, err).toBe(0);
    await expectEverywhere(third);
    expect(await counter('agent-3', 'delta_fallbacks_total{reason="damaged"}')).toBeGreaterThan(0);
    expect(await counter('agent-3', 'delta_saved_bytes_total')).toBeGreaterThan(binaryBytes);
  });
});
