// P9: one line of an application changes; it is pushed, promoted and runs on five targets of this machine, all healthy. Counted from the start of the first
// command to the moment at which the last target's own port answers with the new version and the control plane calls all of them healthy.

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Deployment } from '../proto/api/deployments.ts';
import { LocalFleet, localNames, until } from './local-fleet.ts';
import { median, printRow } from './rows.ts';
import { scratchDirectory } from './scratch.ts';

const targets = 5;
const runs = 5;
/** How often is looked. */
const lookMs = 20;
const spec = `apiVersion: starling/v1
kind: DeploySpec
install: { layout: releases, keepReleases: 3 }
service: { manager: process, command: [node, server.js], stopTimeoutSeconds: 5 }
health:
  - { kind: http, url: 'http://127.0.0.1:\${PORT}/', intervalSeconds: 0.1, successes: 2, timeoutSeconds: 10 }
`;

const scratch = scratchDirectory('p9');
try {
  writeFileSync(join(scratch, 'deploy.yaml'), spec);
  writeFileSync(join(scratch, 'package.json'), '{"type":"module"}\n');
  const server = join(scratch, 'server.js');
  writeFileSync(server, `import { createServer } from 'node:http';\nconst version = '0';\ncreateServer((_, reply) => reply.end(version)).listen(Number(process.env.PORT), '127.0.0.1');\n`);
  await using fleet = await LocalFleet.start({ agents: targets, packaged: true });
  await deploy(fleet, '0');
  const laps: Laps[] = [];
  for (let run = 1; run <= runs; run += 1) {
    writeFileSync(server, readFileSync(server, 'utf8').replace(/version = '\d+'/, `version = '${run}'`));
    laps.push(await deploy(fleet, String(run)));
    await wait(1_000);
  }
  const of = (pick: (one: Laps) => number): number => Math.round(median(laps.map(pick)));
  printRow({
    row: 'P9', case: `one line, ${targets} targets`, figure: of(({ healthyMs }) => healthyMs) / 1000, unit: 's', goal: 2, runs,
    details: { pushMs: of(({ pushMs }) => pushMs), promoteMs: of(({ promoteMs }) => promoteMs), answersMs: of(({ answersMs }) => answersMs), fleetCpuMs: of(({ cpuMs }) => cpuMs) },
  });
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

/** Milliseconds from the start of the push. */
interface Laps {
  readonly pushMs: number;
  readonly promoteMs: number;
  /** Every target's port answers with the new version. */
  readonly answersMs: number;
  readonly healthyMs: number;
  /** Of the whole fleet. */
  readonly cpuMs: number;
}

async function deploy(fleet: LocalFleet, version: string): Promise<Laps> {
  const before = processorMs(fleet);
  const startedAt = performance.now();
  const since = (): number => performance.now() - startedAt;
  const { revision } = JSON.parse(await fleet.starling(['push', scratch, '--app', localNames.app, '-o', 'json'])) as { readonly revision: string };
  const pushMs = since();
  const { promotion } = JSON.parse(await fleet.starling(['promote', '--to', localNames.environment, '--revision', revision, '-o', 'json'])) as { readonly promotion: string };
  const promoteMs = since();
  // Looking costs the fleet's two cores time, so nobody is asked again who has answered, and the control plane only when all have.
  const answering = [...fleet.ports.values()].map(async (port) => await until(`port ${port} answers`, async () => ((await bodyOf(port)) === version ? since() : undefined), lookMs));
  const answersMs = Math.max(...(await Promise.all(answering)));
  const healthyMs = await until('all targets are healthy', async () => {
    const { deployment } = (await fleet.api('GET', `/v1/promotions/${promotion}`)) as { readonly deployment?: string };
    if (deployment === undefined) return undefined;
    const { phase, targets: seen } = (await fleet.api('GET', `/v1/deployments/${deployment}`)) as Deployment;
    if (seen.length === targets && seen.every((target) => target.phase === 'committed')) return since();
    if (!['running', 'baking', 'succeeded', 'pending'].includes(phase)) throw new Error(`the deployment is ${phase}: ${JSON.stringify(seen)}`);
    return undefined;
  }, lookMs);
  return { pushMs, promoteMs, answersMs, healthyMs, cpuMs: processorMs(fleet) - before };
}

/** What an application answers; nothing while it does not. */
async function bodyOf(port: number): Promise<string | undefined> {
  return await new Promise((resolve) => {
    const asked = get({ host: '127.0.0.1', port, agent: false }, (reply) => {
      let body = '';
      reply.setEncoding('utf8').on('data', (part: string) => (body += part)).on('end', () => resolve(body));
    });
    asked.on('error', () => resolve(undefined));
  });
}

/** Processor time that the control plane, the origin and the agents have taken so far, without the applications. */
function processorMs(fleet: LocalFleet): number {
  return ['control', localNames.proxy, ...fleet.agents].reduce((sum, name) => {
    const stat = readFileSync(`/proc/${fleet.pid(name)}/stat`, 'utf8');
    const [user = 0, system = 0] = stat.slice(stat.lastIndexOf(')') + 2).split(' ').slice(11, 13).map(Number);
    return sum + (user + system) * 10;
  }, 0);
}
