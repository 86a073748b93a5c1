// SIGKILL at random points of deployments: the control plane, the seed, the agents. Afterwards everything is whole, and nothing that was
// acknowledged is gone. STARLING_SEED repeats a run's choices; the moments at which they fall are the machine's.

import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Fleet, fleetNames } from '../support/fleet.ts';
import { seeded } from '../support/random.ts';
import { listing } from '../support/same-tree.ts';

const killsWanted = 50;
const killsEach = 7;
const config = { batches: [1, '100%'], maxParallel: '100%', minHealthy: 0, failureThreshold: { count: 3, percent: 100 }, lostAfterMs: 60_000, progressDeadlineMs: 90_000, bakeMs: 0, autoRollback: true };
const spec = {
  apiVersion: 'starling/v1',
  kind: 'DeploySpec',
  install: { layout: 'releases' },
  service: { manager: 'process', command: ['node', 'server.mjs'] },
  health: [{ kind: 'http', url: 'http://127.0.0.1:${PORT}/', intervalSeconds: 0.1, successes: 1, timeoutSeconds: 30 }],
};

async function writeVersion(directory: string, version: number): Promise<void> {
  await mkdir(join(directory, 'lib'), { recursive: true });
  const server = `import { createServer } from 'node:http';\ncreateServer((_, response) => response.end('version ${version}')).listen(process.env.PORT, '127.0.0.1');\n`;
  await writeFile(join(directory, 'server.mjs'), server);
  await writeFile(join(directory, 'deploy.yaml'), JSON.stringify(spec));
  for (let file = 0; file < 40; file += 1) {
    // A quarter of the files changes with each version.
    const generation = file % 4 === version % 4 ? version : 0;
    await writeFile(join(directory, 'lib', `part-${file}.txt`), `part ${file} of ${generation}\n`.repeat(1_500));
  }
}


test('every process is killed at random points of deployments 50 times, and nothing is lost or half done', { timeout: 420_000 }, async () => {
  const seed = Number(process.env['STARLING_SEED'] ?? 20_261_121);
  const random = seeded(seed).next;
  const sources = await realpath(await mkdtemp(join(tmpdir(), 'starling-kills-')));
  await using fleet = await Fleet.start(3, config);
  try {
    const acknowledged: { revisions: number; promotions: string[] } = { revisions: 0, promotions: [] };
    let kills = 0;
    for (let version = 1; kills < killsWanted || version < 3; version += 1) {
      const directory = join(sources, `v${version}`);
      await writeVersion(directory, version);
      const bounded = Math.min(killsEach, killsWanted - kills);
      kills += await deployUnderFire(fleet, directory, version, { random, bounded, acknowledged });
    }
    const last = acknowledged.revisions + 1;
    await writeVersion(join(sources, `v${last}`), last);
    await deployUnderFire(fleet, join(sources, `v${last}`), last, { random, bounded: 0, acknowledged });

    expect(kills, `STARLING_SEED=${seed}`).toBe(killsWanted);
    await expectNothingLost(fleet, acknowledged);
    await expectWhole(fleet, sources, last);
  } finally {
    await rm(sources, { recursive: true, force: true });
  }
});

interface Fire {
  readonly random: () => number;
  /** Kills of this deployment at most. */
  readonly bounded: number;
  readonly acknowledged: { revisions: number; promotions: string[] };
}

/** Pushes and promotes one version while processes die; resolves with the number of kills when its deployment has ended. */
async function deployUnderFire(fleet: Fleet, directory: string, version: number, { random, bounded, acknowledged }: Fire): Promise<number> {
  await fleet.until(`the push of version ${version}`, async () => ((await fleet.starling('push', directory, '--app', fleetNames.app)).code === 0 ? true : undefined), 120_000);
  acknowledged.revisions = version;
  const promotion = await fleet.until(`the promotion of version ${version}`, async () => {
    const { status, body } = await fleet.api('POST', '/v1/promotions', { environment: fleetNames.environment, revision: String(version) });
    return status === 202 && typeof body === 'object' && body !== null && 'promotion' in body && typeof body.promotion === 'string' ? body.promotion : undefined;
  });
  acknowledged.promotions.push(promotion);
  let kills = 0;
  while (kills < bounded) {
    await wait(random() * 250);
    const victim = fleet.names[Math.floor(random() * fleet.names.length)] ?? 'control';
    await fleet.kill(victim);
    kills += 1;
    await wait(random() * 150);
    fleet.restart(victim);
    if ((await phaseOf(fleet, promotion).catch(() => undefined)) === 'over') break;
  }
  await fleet.until(`the end of the deployment of version ${version}`, async () => ((await phaseOf(fleet, promotion)) === 'over' ? true : undefined), 150_000);
  return kills;
}

async function phaseOf(fleet: Fleet, promotion: string): Promise<'over' | 'going on'> {
  const { body } = await fleet.api('GET', `/v1/promotions/${promotion}`);
  const phase = typeof body === 'object' && body !== null && 'phase' in body ? body.phase : undefined;
  if (phase === undefined || phase === 'waiting' || phase === 'deploying') return 'going on';
  const list = (await fleet.api('GET', '/v1/deployments?limit=5')).body;
  return /"phase":"(running|baking|rolling-back)"/.test(JSON.stringify(list)) ? 'going on' : 'over';
}

async function expectNothingLost(fleet: Fleet, acknowledged: Fire['acknowledged']): Promise<void> {
  const { body } = await fleet.api('GET', '/v1/apps/web/revisions?limit=100');
  const numbers = [...JSON.stringify(body).matchAll(/"number":(\d+)/g)].map(([, number]) => Number(number));
  expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: acknowledged.revisions }, (_, at) => at + 1));
  for (const promotion of acknowledged.promotions) expect((await fleet.api('GET', `/v1/promotions/${promotion}`)).status).toBe(200);
  const deployments = (await fleet.api('GET', '/v1/deployments?limit=100')).body;
  const phases = [...JSON.stringify(deployments).matchAll(/"phase":"([a-z-]+)"/g)].map(([, phase]) => phase);
  expect(phases.filter((phase) => ['running', 'baking', 'rolling-back'].includes(phase ?? ''))).toEqual([]);
}

/** Every target runs the last version, byte for byte, and answers with it. */
async function expectWhole(fleet: Fleet, sources: string, last: number): Promise<void> {
  for (const [at, agent] of fleet.agents.entries()) {
    const current = await realpath(join(fleet.root(agent), 'current'));
    expect(listing(current), agent).toEqual(listing(join(sources, `v${last}`)));
    const answer = await fleet.until(`an answer of ${agent}`, async () => await (await fetch(`http://127.0.0.1:${fleet.servicePorts[at]}/`)).text());
    expect(answer, agent).toBe(`version ${last}`);
  }
}
