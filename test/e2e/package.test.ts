// The programs as a machine gets them: made into a directory of their own, and run from there alone.

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packageInto } from '../../control/bundle/package.ts';
import { Fleet, fleetNames } from '../support/fleet.ts';

const run = promisify(execFile);
const timeout = 120_000;
const config = { batches: ['100%'], maxParallel: '100%', minHealthy: 0, bakeMs: 0, autoRollback: true };
const spec = `apiVersion: starling/v1
kind: DeploySpec
install: { layout: releases }
service: { manager: process, command: [node, server.mjs], stopTimeoutSeconds: 5 }
health:
  - { kind: http, url: 'http://127.0.0.1:\${PORT}/', intervalSeconds: 0.1, successes: 1, timeoutSeconds: 20 }
`;

let scratch: string;
let fleet: Fleet;
beforeAll(async () => {
  scratch = await realpath(await mkdtemp(join(tmpdir(), 'starling-package-')));
  await packageInto(join(scratch, 'programs'));
  fleet = await Fleet.start(1, config, (floor) => join(scratch, 'programs', floor, 'main.mjs'));
}, timeout);
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true, force: true });
}, timeout);

async function deploy(word: string): Promise<void> {
  const tree = join(scratch, 'app');
  await mkdir(tree, { recursive: true });
  await writeFile(join(tree, 'deploy.yaml'), spec);
  // Enough beside it that a change of it travels as a delta, which a thread makes.
  await writeFile(join(tree, 'words.txt'), Array.from({ length: 20_000 }, (_, at) => `${(at * 7_919) % 100_003} ${at % 50 === 0 ? word : ''}\n`).join(''));
  await writeFile(join(tree, 'server.mjs'), `import { createServer } from 'node:http';\ncreateServer((_, reply) => reply.end('${word}')).listen(Number(process.env.PORT), '127.0.0.1');\n`);
  for (const args of [['push', tree, '--app', fleetNames.app], ['promote', '--to', fleetNames.environment, '--revision', 'latest', '--wait', '1m']]) {
    const { code, err } = await fleet.starling(...args);
    expect(code, err).toBe(0);
  }
}

test('the packaged programs join, deploy a service behind its front, and deploy it again', { timeout }, async () => {
  for (const word of ['first', 'second']) {
    await deploy(word);
    const answer = await fetch(`http://127.0.0.1:${fleet.servicePorts[0]}/`, { headers: { connection: 'close' } });
    expect(await answer.text()).toBe(word);
  }
});

test('no program has anything in WebAssembly, whose engine alone would take 2 MiB of each', async () => {
  for (const name of await readdir(join(scratch, 'programs/lib'))) expect(await readFile(join(scratch, 'programs/lib', name), 'latin1'), name).not.toContain('new WebAssembly.');
});

test('what lies on the search path starts the programs, and names the runtime that it needs on an older one', { timeout }, async () => {
  const old = "data:text/javascript,Object.defineProperty(process, 'versions', { value: { node: '20.0.0' } })";
  for (const name of ['starling', 'starlingd']) {
    const path = join(scratch, 'programs', 'bin', name);
    expect(await run(process.execPath, [path, '--version'])).toMatchObject({ stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
    await expect(run(process.execPath, ['--import', old, path, '--version'])).rejects.toMatchObject({ code: 1, stderr: expect.stringMatching(/Node 24 or newer is needed, and this is 20\.0\.0/) });
  }
});

test('a packaged origin has the thread that encodes deltas', { timeout }, async () => {
  const url = (await readFile(join(fleet.directory, 'seed', 'http.url'), 'utf8')).trim();
  const made = await fleet.until('a delta set is made', async () => {
    const text = await (await fetch(`${url}/metrics`)).text();
    return [...text.matchAll(/^starling_agent_deltas_made_total\{[^}]*\} ([1-9]\d*)$/gm)].length > 0 ? true : undefined;
  });
  expect(made).toBe(true);
});

test('a packaged control plane has the user interface in it', { timeout }, async () => {
  const page = await (await fetch(`${fleet.url}/`)).text();
  const main = /src="(\/assets\/main-[^"]+)"/.exec(page)?.[1];
  expect(main).toBeDefined();
  const script = await fetch(`${fleet.url}${main}`);
  expect(script.status).toBe(200);
  expect(script.headers.get('content-type')).toContain('text/javascript');
});
