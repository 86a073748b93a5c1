// Builds over the API: who may tell of pushes, and what a worker that is lost, late or told to stop can still say.

import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { leaseMs } from '../../../control/work/leases.ts';
import { ManualClock, TestControl } from '../http/harness.ts';
import { eventually } from './harness.ts';

const clock = new ManualClock();
let control: TestControl;
let source: string;

beforeEach(async () => {
  control = await TestControl.start({ clock });
  source = await mkdtemp(join(tmpdir(), 'starling-source-'));
  git('init', '--quiet', '--initial-branch=main', '.');
  commit('one');
  await control.post('/v1/apps', { app: 'web' });
  const settings = await control.call('PUT', '/v1/apps/web/auto-build', { body: { repo: { url: `file://${source}` }, command: 'make', intervalMs: 3_600_000 } });
  expect(settings.status).toBe(200);
});
afterEach(async () => {
  await control[Symbol.asyncDispose]();
  await rm(source, { recursive: true, force: true });
});

function git(...args: readonly string[]): string {
  return execFileSync('git', ['-c', 'user.name=Quinn', '-c', 'user.email=quinn@example.org', ...args], { cwd: source, encoding: 'utf8' }).trim();
}

function commit(message: string): string {
  git('commit', '--quiet', '--allow-empty', '--message', message);
  return git('rev-parse', 'HEAD');
}

/** The newest build when there are so many. */
async function newest(count: number) {
  return await eventually(
    async () => {
      clock.pass(5_000);
      const { items } = (await control.get('/v1/builds')).body;
      return items.length === count ? items[0] : undefined;
    },
    async () => JSON.stringify((await control.get('/v1/apps/web/auto-build')).body),
  );
}

interface Told {
  readonly app?: string;
  readonly secret?: string;
  readonly ref?: string;
  readonly unsigned?: true;
}

async function tell({ app = 'web', secret = '', ref = 'refs/heads/main', unsigned }: Told): Promise<number> {
  const body = JSON.stringify({ ref });
  const signature = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
  const headers = { 'content-type': 'application/json', 'x-github-event': 'push', ...(unsigned ? {} : { 'x-hub-signature-256': signature }) };
  const response = await fetch(`${control.url}/v1/hooks/builds/${app}`, { method: 'POST', body, headers });
  await response.body?.cancel();
  return response.status;
}

async function lease() {
  return (await control.post('/v1/work/lease', { worker: 'w1', roles: ['builder'], waitMs: 0 })).body.work;
}

describe('builds', { timeout: 60_000 }, () => {
  test('CDS-4 only a push that the application\'s own secret signed is looked at, and only of the branch', async () => {
    await newest(1);
    const { secret } = (await control.get('/v1/apps/web/auto-build/hook')).body;
    await control.post('/v1/apps', { app: 'api' });
    commit('two');
    expect(await tell({ secret: 'guessed' })).toBe(401);
    expect(await tell({ secret, unsigned: true })).toBe(401);
    expect(await tell({ secret, app: 'api' })).toBe(401);
    expect(await tell({ secret, app: 'nothing' })).toBe(401);
    expect(await tell({ secret, ref: 'refs/heads/other' })).toBe(202);
    const before = (await control.get('/v1/apps/web/auto-build')).body.look;
    clock.pass(10_000);
    expect((await control.get('/v1/apps/web/auto-build')).body.look).toEqual(before);
    expect(await tell({ secret })).toBe(202);
    const build = await eventually(async () => (await control.get('/v1/builds')).body.items.find((one: { readonly changes: readonly unknown[] }) => one.changes.length === 2), async () => 'the push was not looked at');
    expect(build.changes).toMatchObject([{ message: 'one', author: 'Quinn <quinn@example.org>' }, { message: 'two' }]);
  });

  test('T-7 the application\'s automation switched off holds the watch, and what came meanwhile is found when it is on again', async () => {
    await newest(1);
    const { secret } = (await control.get('/v1/apps/web/auto-build/hook')).body;
    const turn = async (on: boolean): Promise<void> => {
      const etag = (await control.get('/v1/automation/app/web')).headers.get('etag') ?? '';
      expect((await control.call('PUT', '/v1/automation/app/web', { body: { on, reason: 'a test' }, headers: { 'if-match': etag } })).status).toBe(200);
    };
    await turn(false);
    commit('two');
    expect(await tell({ secret })).toBe(202);
    const { look } = (await control.get('/v1/apps/web/auto-build')).body;
    // Another application's branch is looked at in the same round, after this one's would be.
    await control.post('/v1/apps', { app: 'api' });
    await control.call('PUT', '/v1/apps/api/auto-build', { body: { repo: { url: `file://${source}` }, command: 'make' } });
    await newest(2);
    expect((await control.get('/v1/apps/web/auto-build')).body.look).toEqual(look);
    await turn(true);
    await eventually(
      async () => {
        clock.pass(5_000);
        return (await control.get('/v1/builds?app=web')).body.items[0].changes.length === 2 ? true : undefined;
      },
      async () => 'nothing was found',
    );
  });

  test('B-1 L-4 the build of a worker that was lost is given to another, and its late word is refused', async () => {
    const { build } = await newest(1);
    const first = await lease();
    expect(first).toMatchObject({ kind: 'build', build, number: 1, attempt: 1, command: 'make', repo: { branch: 'main' } });
    expect(await lease()).toBeUndefined();
    const second = await eventually(
      async () => {
        clock.pass(leaseMs / 2);
        return await lease();
      },
      async () => 'the build was not offered again',
    );
    expect(second).toMatchObject({ build, number: 1, attempt: 2 });
    expect((await control.call('POST', `/v1/work/${first.lease}/report`, { body: { outcome: 'failed' } })).status).toBe(409);
    expect((await control.call('PUT', `/v1/work/${first.lease}/log`, { body: { offset: 0, text: 'late' } })).status).toBe(409);
    await control.call('PUT', `/v1/work/${second.lease}/log`, { body: { offset: 0, text: 'in time' } });
    await control.post(`/v1/work/${second.lease}/report`, { outcome: 'failed', detail: 'no compiler' });
    expect((await control.get(`/v1/builds/${build}`)).body).toMatchObject({ phase: 'failed', attempt: 2, reason: 'no compiler' });
    expect((await control.get(`/v1/builds/${build}/log`)).body).toMatchObject({ text: 'in time', complete: true, attempt: 2 });
  });

  test('a build that is cancelled takes its lease along; it is tried again when somebody asks', async () => {
    const { build } = await newest(1);
    const taken = await lease();
    expect((await control.post(`/v1/builds/${build}/cancel`, { reason: 'wrong branch' })).body.phase).toBe('cancelled');
    expect((await control.call('POST', `/v1/work/${taken.lease}/renew`, { body: {} })).status).toBe(409);
    const again = (await control.post(`/v1/builds/${build}/retry`)).body;
    expect(again).toMatchObject({ trigger: 'retry', retryOf: build, phase: 'open' });
    expect(await lease()).toMatchObject({ build: again.build, number: 2 });
    // Nobody learns a lease or a secret from what is on record.
    const events = JSON.stringify(await control.events());
    expect(events).not.toContain(taken.lease);
    expect(events).not.toContain((await control.get('/v1/apps/web/auto-build/hook')).body.secret);
  });

  test('a repository that cannot be asked is said where people look; a password in its address is refused, and not repeated', async () => {
    const refused = await control.call('PUT', '/v1/apps/web/auto-build', { body: { repo: { url: 'https://quinn:hunter2@git.example.org/web.git' }, command: 'make' } });
    expect(refused.status).toBe(400);
    expect(refused.text).toContain('credential helper');
    expect(refused.text).not.toContain('hunter2');
    await control.call('PUT', '/v1/apps/web/auto-build', { body: { repo: { url: 'http://127.0.0.1:1/web.git' }, command: 'make' } });
    const look = await eventually(
      async () => {
        clock.pass(5_000);
        return (await control.get('/v1/apps/web/auto-build')).body.look?.problem;
      },
      async () => 'no look',
    );
    expect(look).toContain('could not be asked');
  });
});
