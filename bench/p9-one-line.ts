// P9: one line of an application changes; it is pushed, promoted and runs on five targets of this machine, all healthy. Counted from the start of the first
// command to the moment at which the last target's own port answers with the new version and the control plane calls all of them healthy.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Deployment } from '../proto/api/deployments.ts';
import { LocalFleet, localNames, until } from './local-fleet.ts';
import { median, printRow } from './rows.ts';

const targets = 5;
const runs = 5;
const spec = `apiVersion: starling/v1
kind: DeploySpec
install: { layout: releases, keepReleases: 3 }
service: { manager: process, command: [node, server.js], stopTimeoutSeconds: 5 }
health:
  - { kind: http, url: 'http://127.0.0.1:\${PORT}/', intervalSeconds: 0.1, successes: 2, timeoutSeconds: 10 }
`;

const scratch = mkdtempSync(join(tmpdir(), 'starling-p9-'));
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
    details: { pushMs: of(({ pushMs }) => pushMs), promoteMs: of(({ promoteMs }) => promoteMs), answersMs: of(({ answersMs }) => answersMs) },
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
}

async function deploy(fleet: LocalFleet, version: string): Promise<Laps> {
  const startedAt = performance.now();
  const since = (): number => performance.now() - startedAt;
  const { revision } = JSON.parse(await fleet.starling(['push', scratch, '--app', localNames.app, '-o', 'json'])) as { readonly revision: string };
  const pushMs = since();
  const { promotion } = JSON.parse(await fleet.starling(['promote', '--to', localNames.environment, '--revision', revision, '-o', 'json'])) as { readonly promotion: string };
  const promoteMs = since();
  const answering = until('all targets answer', async () => {
    const answers = await Promise.all([...fleet.ports.values()].map(async (port) => await (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).text()));
    return answers.every((answer) => answer === version) ? since() : undefined;
  }, 20);
  const healthy = until('all targets are healthy', async () => {
    const { deployment } = (await fleet.api('GET', `/v1/promotions/${promotion}`)) as { readonly deployment?: string };
    if (deployment === undefined) return undefined;
    const { phase, targets: seen } = (await fleet.api('GET', `/v1/deployments/${deployment}`)) as Deployment;
    if (seen.length === targets && seen.every((target) => target.phase === 'committed')) return since();
    if (!['running', 'baking', 'succeeded', 'pending'].includes(phase)) throw new Error(`the deployment is ${phase}: ${JSON.stringify(seen)}`);
    return undefined;
  }, 20);
  const [answersMs, healthyMs] = await Promise.all([answering, healthy]);
  return { pushMs, promoteMs, answersMs, healthyMs: Math.max(answersMs, healthyMs) };
}
