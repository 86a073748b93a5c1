// `starling doctor`, `config check` and `config show`: what is wrong, and what to do about it.

import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { governed, monday, StillClock, type Governed } from '../http/governed.ts';
import { ask } from '../http/harness.ts';
import { createRequestSigner } from '../../../daemon/trust/identity/member-request.ts';
import { run, type Ran } from './world.ts';

let system: Governed;
let directory: string;
beforeAll(async () => {
  system = await governed();
  directory = await mkdtemp(join(tmpdir(), 'starling-doctor-'));
});
afterAll(async () => {
  await system[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

async function doctor(environment: Readonly<Record<string, string>> = {}, clock = system.clock): Promise<Ran> {
  return await run(['doctor', '-o', 'json'], { environment: { STARLING_URL: system.control.url, STARLING_TOKEN: system.control.admin, ...environment }, clock, directory });
}
const findings = (ran: Ran): Readonly<Record<string, string>> => Object.fromEntries(JSON.parse(ran.out).map((one: { check: string; state: string }) => [one.check, one.state]));

test('doctor tells what is well and what is not, each with what to do, and ends with 1 when something failed', async () => {
  const ran = await doctor();
  expect(ran.code).toBe(1);
  expect(findings(ran)).toMatchObject({ runtime: 'ok', settings: 'ok', 'control plane': 'ok', clock: 'ok', keys: 'warning', seeds: 'failed', proxies: 'failed', targets: 'warning', environments: 'warning' });
  expect(JSON.parse(ran.out).filter(({ state, fix }: { state: string; fix?: string }) => state !== 'ok' && (fix ?? '') === '')).toEqual([]);
  expect(JSON.parse(ran.out).find(({ check }: { check: string }) => check === 'targets')).toMatchObject({ found: '2 of 2 not heard: prod-1 (never), prod-2 (never)' });
});

test('doctor finds within half a minute that a seed is not heard any more, long before it is called stale', async () => {
  await using own = await governed();
  const seed = await own.control.join('seed-1', ['seed', 'proxy']);
  await seed.sync();
  const seeds = async (): Promise<unknown> => JSON.parse((await run(['doctor', '-o', 'json'], { environment: { STARLING_URL: own.control.url, STARLING_TOKEN: own.control.admin }, clock: own.clock, directory })).out).find(({ check }: { check: string }) => check === 'seeds');
  expect(await seeds()).toMatchObject({ state: 'ok', found: '1 of 1 heard just now' });
  own.clock.pass(21_000);
  expect(await seeds()).toMatchObject({ state: 'failed', found: 'none of 1 heard: seed-1 (21 s ago)', fix: expect.stringContaining('starlingd run --roles seed') });
});

test('a machine whose clock is wrong is refused, and people are told so and why, until it is heard again', async () => {
  await using own = await governed();
  const cli = async (...words: readonly string[]): Promise<string> => (await run([...words], { environment: { STARLING_URL: own.control.url, STARLING_TOKEN: own.control.admin }, clock: own.clock, directory })).out;
  const late = await own.control.join('late-1', ['agent']);
  await late.sync();
  own.clock.pass(1000);
  const request = { method: 'GET', path: '/agent/v1/revisions/none', body: createHash('sha256').update('').digest('hex') } as const;
  const sign = createRequestSigner(late.identity, { now: () => own.clock.now() - 300_000, random: (length) => randomBytes(length) });
  expect((await ask(own.control.url, 'GET', request.path, { headers: { authorization: await sign(request) } })).status).toBe(401);
  expect(JSON.parse(await cli('doctor', '-o', 'json')).find(({ check }: { check: string }) => check === 'target clocks')).toMatchObject({ state: 'failed', found: 'of late-1 (5 min 0 s behind), whose requests are refused for it', fix: expect.stringContaining('timedatectl') });
  expect(await cli('target', 'get', 'late-1')).toMatch(/REFUSED .*its clock is 5 min 0 s behind\n {4}do: set it by network time/);
  expect(await cli('targets')).toContain('online, clock 5 min 0 s behind');
  expect((await own.control.get('/metrics')).text).toContain('starling_control_members_misset 1');
  await late.sync();
  expect(await cli('target', 'get', 'late-1')).not.toContain('REFUSED');
  expect((await own.control.get('/metrics')).text).toContain('starling_control_members_misset 0');
});

test('doctor finds a clock that is off, a token that is none, and a control plane that is not there', async () => {
  const slow = await doctor({}, new StillClock(monday - 180_000));
  expect(JSON.parse(slow.out).find(({ check }: { check: string }) => check === 'clock')).toMatchObject({ state: 'failed', found: expect.stringMatching(/^3 min.* behind the control plane's$/) });
  expect(findings(await doctor({ STARLING_TOKEN: 'stap1.none.x' }))).toEqual({ runtime: 'ok', settings: 'ok', 'control plane': 'failed' });
  expect(findings(await doctor({ STARLING_URL: 'not a url' }))).toEqual({ runtime: 'ok', settings: 'failed' });
});

test('config check names every problem of file and variables, and show prints what takes effect', async () => {
  const config = async (verb: string, file: string, environment: Readonly<Record<string, string>> = {}) => await run(['config', verb, '-c', file], { environment, directory });
  await writeFile(join(directory, 'bad.yaml'), 'org: shop\nlog: {level: loud}\nlisen: {port: 1}\n');
  await writeFile(join(directory, 'good.yaml'), 'org: shop\ndataDir: data\n');
  expect(await config('check', 'bad.yaml', { STARLING_METRICS: 'none' })).toMatchObject({ code: 2, err: expect.stringMatching(/bad\.yaml:3:1: unknown key 'lisen'; did you mean 'listen'\?\n.*bad\.yaml:2:7: .*\nSTARLING_METRICS: 'none' is not one of open, token/) });
  expect(await config('check', 'good.yaml')).toMatchObject({ code: 0, out: `${join(directory, 'good.yaml')}: nothing is wrong; listens on 127.0.0.1:7400, keeps its data in ${join(directory, 'data')}\n` });
  expect((await config('show', 'good.yaml', { STARLING_LISTEN: ':9000' })).out).toMatch(/^listen:\n {2}host: 127\.0\.0\.1\n {2}port: 9000\n[^]*org: shop\n/);
  expect(await config('check', 'none.yaml')).toMatchObject({ code: 2, err: expect.stringContaining('cannot read the settings') });
});
