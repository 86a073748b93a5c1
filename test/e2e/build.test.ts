// Automatic builds on real processes: a git repository, its signed webhook, a worker that builds, a proxy that takes what was built.

import { createHmac } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BuildView } from '../../proto/api/builds.ts';
import { Worker } from '../control/work/harness.ts';
import { Fleet, fleetNames } from '../support/fleet.ts';

const timeout = 120_000;
const config = { batches: ['100%'], maxParallel: '100%', minHealthy: 0, bakeMs: 0, autoRollback: true };
const { app } = fleetNames;

let fleet: Fleet;
let source: string;
let token: string;
const workers: Worker[] = [];

beforeAll(async () => {
  fleet = await Fleet.start(1, config);
  token = (await readFile(join(fleet.directory, 'control/admin.token'), 'utf8')).trim();
  source = join(fleet.directory, 'source');
  await mkdir(source);
  await git('init', '--quiet', '--initial-branch=main', '.');
  await startWorker('first');
}, timeout);
afterAll(async () => {
  await Promise.all(workers.map(async (one) => await one.end('SIGKILL')));
  await fleet[Symbol.asyncDispose]();
}, timeout);

async function startWorker(name: string): Promise<Worker> {
  const directory = join(fleet.directory, name);
  await mkdir(directory);
  const worker = new Worker(directory, fleet.url, token, ['--role', 'builder']);
  workers.push(worker);
  return worker;
}

async function git(...args: readonly string[]): Promise<string> {
  const author = { GIT_AUTHOR_NAME: 'Quinn Doe', GIT_AUTHOR_EMAIL: 'quinn@example.org', GIT_COMMITTER_NAME: 'Quinn Doe', GIT_COMMITTER_EMAIL: 'quinn@example.org' };
  const { code, out, err } = await fleet.run('git', args, { directory: source, environment: author });
  if (code !== 0) throw new Error(`git ${args.join(' ')}: ${err}`);
  return out.trim();
}

async function commit(message: string, script: string): Promise<string> {
  await writeFile(join(source, 'build.sh'), script);
  await git('add', '.');
  await git('commit', '--quiet', '--message', message);
  return await git('rev-parse', 'HEAD');
}

async function builds(): Promise<readonly BuildView[]> {
  return ((await fleet.api('GET', `/v1/builds?app=${app}`)).body as { readonly items: readonly BuildView[] }).items;
}

/** The newest build, when it is as the test wants it. */
async function newest(what: string, wanted: (build: BuildView, all: readonly BuildView[]) => boolean): Promise<BuildView> {
  return await fleet.until(what, async () => {
    const all = await builds();
    return all[0] !== undefined && wanted(all[0], all) ? all[0] : undefined;
  }).catch(async (cause: unknown) => {
    throw new Error(`${what}: ${JSON.stringify(await builds(), undefined, 1)}\n${workers.map((one) => one.said).join('\n')}`, { cause });
  });
}

/** Tells of a push as a repository's server does. */
async function tell(secret: string): Promise<number> {
  const hook = (await fleet.api('GET', `/v1/apps/${app}/auto-build/hook`)).body as { readonly url: string };
  const body = JSON.stringify({ ref: 'refs/heads/main', repository: { name: 'web' } });
  const signature = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
  const response = await fetch(hook.url, { method: 'POST', body, headers: { 'content-type': 'application/json', 'x-github-event': 'push', 'x-hub-signature-256': signature } });
  await response.body?.cancel();
  return response.status;
}

const good = 'mkdir dist\nprintf "%s" "$STARLING_COMMIT" > dist/commit\necho "building for $STARLING_APP, ${STARLING_TOKEN-no token}"\n';

describe('automatic builds', { timeout }, () => {
  test('CDS-4 a build that fails waits for the next change, which a signed webhook tells; what is built has its changes', async () => {
    const first = await commit('break it', 'echo no compiler here >&2; exit 4\n');
    const configured = await fleet.starling('build', 'configure', app, '--repo', `file://${source}`, '--command', 'sh build.sh', '--directory', 'dist', '--interval', '1h');
    expect(configured.code, configured.err).toBe(0);
    const failed = await newest('the first look finds the commit', ({ phase }) => phase === 'failed');
    expect(failed).toMatchObject({ commit: first, trigger: 'check-in', number: 1, reason: expect.stringContaining('no compiler here') });

    const second = await commit('mend it', good);
    const { secret } = (await fleet.api('GET', `/v1/apps/${app}/auto-build/hook`)).body as { readonly secret: string };
    expect(await tell('not the secret')).toBe(401);
    expect(await tell(secret)).toBe(202);
    // The same word again has no second effect (B-2).
    expect(await tell(secret)).toBe(202);
    const built = await newest('what was told of is built', ({ phase }) => phase === 'succeeded');
    expect(built).toMatchObject({ commit: second, number: 2, revisionNumber: 1, changes: [{ commit: first, message: 'break it' }, { commit: second, message: 'mend it', author: 'Quinn Doe <quinn@example.org>' }] });
    expect(await builds()).toHaveLength(2);
    expect((await fleet.starling('build', 'logs', built.build)).out).toContain(`building for ${app}, no token`);
    const revision = await fleet.api('GET', `/v1/apps/${app}/revisions/1`);
    expect(revision.body).toMatchObject({ revision: built.revision, entries: 1, changes: [{ commit: first }, { commit: second }] });
  });

  test('CDS-4 by interval only changes in the paths are built; a worker that is stopped amid a build leaves it to another', async () => {
    const before = (await builds()).length;
    const told = await fleet.starling('build', 'configure', app, '--interval', '5s', '--path', 'src/**', '--off');
    expect(told.code, told.err).toBe(0);
    await commit('touch no source', `if [ "$STARLING_BUILD_NUMBER.$STARLING_ATTEMPT" = 3.1 ]; then sleep 603; fi\n${good}`);
    await mkdir(join(source, 'src'));
    await writeFile(join(source, 'src/a.txt'), 'a');
    await git('add', '.');
    await git('commit', '--quiet', '--message', 'a source');
    expect((await fleet.starling('build', 'configure', app, '--on')).code).toBe(0);
    const running = await newest('the source is built', ({ phase }, all) => all.length > before && phase === 'running');
    expect(running.changes.map(({ message }) => message)).toEqual(['a source']);
    expect(await workers[0]?.end('SIGTERM')).toBe(0);
    await startWorker('second');
    const built = await newest('another worker builds it', ({ phase }) => phase === 'succeeded');
    expect(built).toMatchObject({ build: running.build, attempt: 2, number: 3, revisionNumber: 2 });
  });

  test('a person asks for the newest commit, and gets the revision that it already is', async () => {
    const { code, out, err } = await fleet.starling('build', 'request', app, '--watch');
    expect(code, err).toBe(0);
    expect(out).toContain(`${app} build 4`);
    expect((await builds())[0]).toMatchObject({ trigger: 'manual', phase: 'succeeded' });
  });
});
