// A day of a small team on real processes: a control plane, a seed, a worker and five machines in four environments. What is pushed to a
// repository flows to production past tests, people, a window that opens, a bad canary, a hotfix, a freeze that is lifted for one
// promotion; and the audit of it all is whole.

import { writeFile, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run, type Ran } from '../control/cli/world.ts';
import { Fleet, type Place } from '../support/fleet.ts';
import { pipelineFile, release, Repository } from './day-pipeline.ts';

const timeout = 180_000;
/** What waits for something gives up before the test does, and says what it waited for. */
const patienceMs = 150_000;
const places: readonly Place[] = [
  { name: 'alpha-1', environment: 'alpha' },
  { name: 'beta-1', environment: 'beta' },
  { name: 'na-1', environment: 'prod-na' },
  { name: 'na-2', environment: 'prod-na' },
  { name: 'eu-1', environment: 'prod-eu' },
];
const fine = 'exit 0\n';
const badInAmerica = 'test "$STARLING_ENVIRONMENT" != prod-na\n';

let fleet: Fleet;
let repository: Repository;
const tokens = new Map<string, string>();

beforeAll(async () => {
  fleet = await Fleet.spread(places, async (made) => {
    await writeFile(join(made.directory, 'pipeline.yaml'), pipelineFile('2198-01-01T00:00'));
    fleet = made;
    await ok(as('admin', 'apply', '-f', 'pipeline.yaml'));
  });
  await Promise.all([
    person('olga', [], 'read:*,promote:*'),
    person('quinn', ['qa'], 'read:*,approve:*'),
    person('carol', ['commanders'], 'read:*,approve:*'),
    person('tester', [], 'work:*'),
  ]);
  fleet.add('worker', 'worker', '--token-file', tokens.get('tester') ?? '', '--directory', join(fleet.directory, 'work'));
  repository = await Repository.create(fleet);
}, timeout);
afterAll(async () => await fleet[Symbol.asyncDispose](), timeout);

async function person(name: string, groups: readonly string[], scopes: string): Promise<void> {
  const file = join(fleet.directory, `${name}.token`);
  await ok(as('admin', 'token', 'create', '--api', '--name', name, '--scopes', scopes, ...(groups.length === 0 ? [] : ['--group', groups.join(',')]), '--save', file));
  tokens.set(name, file);
}

async function ok(running: Promise<Ran>): Promise<string> {
  const { code, out, err } = await running;
  expect({ code, err }).toEqual({ code: 0, err: expect.any(String) });
  return out;
}

/** Runs `starling` as somebody: in this process, since a new one for each of thirty commands would take longer than the day. */
async function as(who: string, ...args: readonly string[]): Promise<Ran> {
  const tokenFile = tokens.get(who) ?? join(fleet.directory, 'control/admin.token');
  return await run(args, { directory: fleet.directory, home: fleet.directory, environment: { STARLING_URL: fleet.url, STARLING_TOKEN_FILE: tokenFile } });
}

async function items(path: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const { body } = await fleet.api('GET', path);
  if (typeof body !== 'object' || body === null || !('items' in body) || !Array.isArray(body.items)) throw new Error(`${path} answered ${JSON.stringify(body)}`);
  return body.items;
}

async function one(path: string): Promise<Readonly<Record<string, unknown>>> {
  const { body } = await fleet.api('GET', path);
  return { ...(body as object) };
}

/** The number of the revision that every machine of an environment runs, once that is `number`. */
async function arrives(environment: string, number: number): Promise<void> {
  await fleet.until(`web@${number} in ${environment}`, async () => {
    const { current, activeDeployment } = await one(`/v1/environments/${environment}`);
    return activeDeployment === undefined && (current as { readonly number?: number } | undefined)?.number === number ? true : undefined;
  }, patienceMs);
}

/** What holds an environment's promotion, as soon as it is exactly this. */
async function held(environment: string, ...types: readonly string[]): Promise<void> {
  await fleet.until(`${environment} held by ${types.join(', ')}`, async () => {
    const { blockers, phase } = await one(`/v1/environments/${environment}/explain`);
    const found = (blockers as readonly { readonly type: string }[]).map(({ type }) => type);
    return phase === 'waiting' && found.join() === types.join() ? true : undefined;
  }, patienceMs);
}

/** The open request for a revision's way to an environment. */
async function request(environment: string, number: number, purpose = 'promotion'): Promise<string> {
  return await fleet.until(`a request for web@${number} to ${environment}`, async () => {
    const found = (await items(`/v1/approvals?status=open&purpose=${purpose}&environment=${environment}`)).find(({ members }) => (members as readonly { readonly number: number }[])[0]?.number === number);
    return found === undefined ? undefined : String(found['approval']);
  }, patienceMs);
}

async function page(agent: string): Promise<string> {
  return await readFile(join(await realpath(join(fleet.root(agent), 'current')), 'index.html'), 'utf8').then((text) => text.trim());
}

describe('a day', { timeout }, () => {
  test('CDS-2 CDS-6 CDS-8 what is pushed is tested in alpha and beta and waits for people and for the window of production', async () => {
    await repository.push('Ada', 'first page', release('one\n', fine));
    await arrives('beta', 1);
    const asked = await request('prod-na', 1);
    // It waits for people alone: the window matters when they have spoken.
    expect((await as('olga', 'approve', asked)).code).toBe(4);
    await ok(as('quinn', 'approve', asked, '--comment', 'looks fine'));
    await held('prod-na', 'window');
    const explained = await as('olga', 'explain', 'prod-na');
    expect(explained).toMatchObject({ code: 6, out: expect.stringContaining("window 'office-hours' is not open now") });
    const [run] = await items('/v1/workflow-runs?environment=alpha');
    expect(run).toMatchObject({ phase: 'successful', steps: [{ step: 'smoke', phase: 'succeeded', tests: { passed: 1, total: 1 } }] });
    expect(await one(`/v1/workflow-runs/${String(run?.['run'])}/steps/smoke/log`)).toMatchObject({ text: 'one\n', complete: true });
  });

  test('CDS-7 CDS-10 the window opens by time alone, and each destination has an approval of its own', async () => {
    const opens = new Date(Math.ceil(Date.now() / 1000) * 1000 + 5_000);
    await writeFile(join(fleet.directory, 'pipeline.yaml'), pipelineFile(opens.toISOString().slice(0, 19)));
    await ok(as('admin', 'apply', '-f', 'pipeline.yaml'));
    // That the window held it until then shows in when it began: whether it holds at this very moment is the machine's speed.
    await arrives('prod-na', 1);
    const [deployment] = await items('/v1/deployments?environment=prod-na');
    expect(deployment?.['startedAt']).toBeGreaterThanOrEqual(opens.getTime());
    await ok(as('quinn', 'approve', await request('prod-eu', 1)));
    await arrives('prod-eu', 1);
    expect(await Promise.all(places.map(async ({ name }) => await page(name)))).toEqual(['one', 'one', 'one', 'one', 'one']);
  });

  test('CDS-13 R-6 a canary that fails goes back by itself; nothing brings it again, and the other continent never sees it', async () => {
    await repository.push('Ada', 'second page', release('two\n', badInAmerica));
    await ok(as('quinn', 'approve', await request('prod-na', 2)));
    await fleet.until('the canary has gone back', async () => ((await items('/v1/deployments?environment=prod-na&phase=rolled-back')).length === 1 ? true : undefined), patienceMs);
    const [deployment] = await items('/v1/deployments?environment=prod-na');
    expect(deployment).toMatchObject({ number: 2, phase: 'rolled-back', rollback: { number: 1, targets: 1 } });
    expect(await Promise.all(['beta-1', 'na-1', 'na-2', 'eu-1'].map(page))).toEqual(['two', 'one', 'one', 'one']);
    expect((await items('/v1/holds')).map(({ environment }) => environment)).toEqual(['prod-na']);
    expect((await as('olga', 'status', 'prod-na')).out).toContain('rolled-back');
  });

  test('O-2 a hotfix passes stages and people with a reason', async () => {
    await repository.push('Ada', 'third page', release('three\n', fine));
    await fleet.until('the revision is there', async () => ((await items('/v1/apps/web/revisions')).length === 3 ? true : undefined));
    expect((await as('olga', 'promote', '--to', 'prod-na', '--revision', 'web@3', '--hotfix')).code).toBe(2);
    const hotfix = await as('olga', 'promote', '--to', 'prod-na', '--revision', 'web@3', '--hotfix', '--reason', 'the shop is empty', '--wait', '1m');
    expect(hotfix).toMatchObject({ code: 0, out: expect.stringContaining('web@3 → prod-na  succeeded') });
    expect(await Promise.all(['na-1', 'na-2'].map(page))).toEqual(['three', 'three']);
  });

  test('CDS-9 CDS-17 a freeze holds production, and is lifted for one promotion by who may break the glass', async () => {
    await arrives('beta', 3);
    const frozen = await ok(as('olga', 'freeze', 'start', '--scope', 'stage:storefront/prod', '--reason', 'end of the quarter', '--break-glass', 'commanders=1', '-o', 'name'));
    await ok(as('quinn', 'approve', await request('prod-eu', 3)));
    await held('prod-eu', 'freeze');
    const [waiting] = await items('/v1/promotions?environment=prod-eu&phase=waiting');
    const promotion = String(waiting?.['promotion']);
    const override = (await ok(as('olga', 'override', 'create', '--promotion', promotion, '--reason', 'auditors want it', '-o', 'name'))).trim();
    expect((await as('quinn', 'approve', override)).code).toBe(4);
    await ok(as('carol', 'approve', override));
    await arrives('prod-eu', 3);
    await ok(as('olga', 'freeze', 'end', frozen.trim(), '--reason', 'the quarter is over'));
    const evidence = await as('olga', 'compliance', 'evidence', promotion);
    expect(evidence.out).toContain(`past freeze by override [${override}]`);
    expect(evidence.out).toContain('stored data gives the same decision');
  });

  test('CDS-15 CDS-16 O-1 the day is on record: who did what, how far each change is, and the chain is whole', async () => {
    expect((await ok(as('admin', 'audit', 'verify'))).trim()).not.toBe('');
    const audit = await ok(as('admin', 'audit', 'list', '--actor', 'olga', '-o', 'json'));
    for (const said of ['the shop is empty', 'end of the quarter', 'auditors want it']) expect(audit).toContain(said);
    const changes = await ok(as('admin', 'changes', '--since', '1h'));
    for (const message of ['first page', 'second page', 'third page']) expect(changes).toContain(message);
  });
});
