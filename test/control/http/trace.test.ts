// The way of a change down to machines, with machines that do as they are told.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TraceMachine } from '../../../proto/api/history.ts';
import type { Ran } from '../cli/world.ts';
import { problemOf, until, type TestControl } from './harness.ts';
import { workingFleet, type WorkingFleet } from './working-fleet.ts';

let fleet: WorkingFleet;
let control: TestControl;
const starling = async (...args: readonly string[]): Promise<Ran> => await fleet.starling(...args);

beforeAll(async () => {
  fleet = await workingFleet(['a', 'b'], { maxParallel: 3, minHealthy: 0 });
  ({ control } = fleet);
  const described = (commit: string) => ({ changes: [{ commit, author: 'Ada <ada@shop.example>', message: `${commit}: faster`, checkedInAt: 1_000 }], tests: { passed: 9, total: 9 } });
  await fleet.push('one', described('aaaa1111'));
  await control.post('/v1/promotions', { environment: 'prod', revision: 'latest', reason: 'the first' });
  await fleet.deployed('prod-1');
  await fleet.push('two', described('bbbb2222'));
  await control.post('/v1/promotions', { environment: 'prod', revision: 'latest' });
  await fleet.deployed('prod-2');
  // A late joiner, which never speaks: its catch-up begins and stays where it is.
  await control.join('c', ['agent'], { environments: ['prod'], labels: { env: 'prod' } });
  await until(async () => ((await control.get('/v1/deployments/prod-3')).status === 200 ? true : undefined));
});
afterAll(async () => await fleet[Symbol.asyncDispose]());

describe('CDS-16 a trace', () => {
  test('goes from the commit to the deployment that brought it, whatever came later', async () => {
    const { items } = (await control.get('/v1/trace?of=aaaa11')).body;
    expect(items).toMatchObject([
      {
        app: 'web', number: 1, commit: 'aaaa1111', tests: { passed: 9, total: 9 }, pushedBy: 'admin',
        environments: [{ environment: 'prod', state: 'there', number: 2, targets: 3, having: 2, more: 0, promotions: [{ number: 1, phase: 'succeeded', by: 'admin', reason: 'the first', deployments: [{ deployment: 'prod-1', phase: 'succeeded', targets: 2, done: 2, failed: 0 }] }] }],
      },
    ]);
    expect((await control.get('/v1/trace?of=web@2')).body.items[0].environments[0].promotions).toMatchObject([{ number: 2, deployments: [{ deployment: 'prod-2' }] }]);
  });

  test('goes down to each machine: since when, with which deployment, and who lacks it', async () => {
    const machines = async (of: string, query = ''): Promise<readonly TraceMachine[]> => (await control.get(`/v1/trace/machines?environment=prod&of=${of}${query}`)).body.items;
    expect(await machines('aaaa1111')).toMatchObject([
      { name: 'a', has: true, number: 2, deployment: 'prod-1' },
      { name: 'b', has: true, number: 2, deployment: 'prod-1' },
      { name: 'c', has: false, number: 0 },
    ]);
    const [one] = await machines('aaaa1111', '&limit=1');
    const [two] = await machines('web@2', '&limit=1');
    expect(two).toMatchObject({ deployment: 'prod-2' });
    expect(two?.since).toBeGreaterThanOrEqual(one?.since ?? Infinity);
    const reported = (await control.get('/v1/deployments/prod-1/targets')).body.items.find(({ name }: { readonly name: string }) => name === 'a').reportedAt;
    expect(one?.since).toBe(reported);
  });

  test('is read on the command line', async () => {
    const { code, out } = await starling('trace', 'aaaa1111');
    expect(code).toBe(0);
    expect(out).toMatch(/^aaaa1111 {2}Ada <ada@shop.example>, .*: aaaa1111: faster\ncame with web@1, pushed by admin, /);
    expect(out).toMatch(/\n\nprod: there with web@2 since .*, on 2 of 3 targets\n {2}pr-\S+ of web@1 by admin, .*: succeeded, because the first\n {4}prod-1 \(promote\) succeeded in .*: 2 of 2 done, 0 failed\n/);
    expect(out).toMatch(/ {4}a \(a\) {2}has it, .*, with prod-1; runs web@2\n/);
    expect(out).toMatch(/ {4}c \(a\) {2}lacks it; runs nothing\n$/);
    expect((await starling('trace', 'web@2', '--machines', '1')).out).toContain('and 2 more; --machines shows so many');
  });

  test('says when a name is none, or may be several', async () => {
    expect(problemOf(await control.get('/v1/trace?of=cccccc'))).toMatchObject({ status: 404, detail: expect.stringContaining("no commit and no revision is called 'cccccc'") });
    expect((await starling('trace', 'aaaa')).code).toBe(3);
    await control.post('/v1/apps/web/revisions/2/describe', { changes: [{ commit: 'bbbb2222', author: 'x', message: '', checkedInAt: 1 }, { commit: 'bbbb2223', author: 'x', message: '', checkedInAt: 1 }] });
    expect(problemOf(await control.get('/v1/trace?of=bbbb22'))).toMatchObject({ status: 409, detail: "'bbbb22' may be bbbb2222, bbbb2223: give more of it" });
    expect((await control.get('/v1/trace?of=bbbb2223')).body.items).toMatchObject([{ number: 2 }]);
  });
});

describe('CDS-13 the history of an environment', () => {
  test('says what was deployed, from what, by whom, and how to go back', async () => {
    const { items } = (await control.get('/v1/environments/prod/history')).body;
    expect(items).toMatchObject([
      { deployment: 'prod-3', type: 'catch-up', to: { number: 2 }, by: 'system', current: false, targets: 3 },
      { deployment: 'prod-2', type: 'promote', to: { number: 2 }, from: { number: 1 }, phase: 'succeeded', by: 'admin', current: true, targets: 2 },
      { deployment: 'prod-1', to: { number: 1 }, reason: 'the first', current: false, undo: 'starling rollback prod --to 1' },
    ]);
    const page = (await control.get('/v1/environments/prod/history?limit=2')).body;
    expect([...page.items, ...(await control.get(`/v1/environments/prod/history?limit=2&cursor=${page.next}`)).body.items]).toEqual(items);
    expect((await starling('env', 'history', 'prod')).out).toMatch(/\nprod-2 +promote of web@2 from 1 +succeeded, runs now +.*\nprod-1 +promote of web@1 +succeeded +.* +starling rollback prod --to 1 +the first\n$/);
  });
});

describe('C-2 a decision made again', () => {
  const seqOf = async (kind: string, deployment: string): Promise<number> => (await control.get(`/v1/audit?after=0&action=${kind}`)).body.items.find(({ data }: { readonly data: { readonly deployment?: string } }) => data.deployment === deployment).seq;

  test('is the one on record, and the same bytes each time', async () => {
    const seq = await seqOf('deployment.started', 'prod-2');
    const first = await control.get(`/v1/decisions/replay?seq=${seq}`);
    expect(first.body).toMatchObject({ presence: { known: true, silent: [] }, promotions: [{ app: 'web', number: 2, blockers: [] }], recorded: { seq, reproduced: true } });
    expect(first.body.head).toBeLessThan(seq);
    await control.post('/v1/tokens', { use: 'api', name: `later-${seq}`, scopes: ['read:*'] });
    expect((await control.get(`/v1/decisions/replay?seq=${seq}`)).text).toBe(first.text);
    const { code, out } = await starling('decisions', 'replay', '--at', String(seq));
    expect([code, out]).toEqual([0, expect.stringMatching(/^decided \S+Z, by the entries up to \d+\n {2}as was recorded, every target had been heard\npr-\S+: web@2 for 'prod' was let go\nfollowed: deployment.started prod-2\nentry \d+ is just what was decided\n$/)]);
  });

  test('of an instant or another entry goes by what was on record then, and says what is not known', async () => {
    const seq = await seqOf('batch.started', 'prod-1');
    expect((await control.get(`/v1/decisions/replay?seq=${seq}`)).body).toMatchObject({ head: seq, presence: { known: false }, promotions: [] });
    const at = (await control.get(`/v1/audit?after=${seq - 1}&limit=1`)).body.items[0].at;
    const then = await control.get(`/v1/decisions/replay?at=${at}&environment=prod`);
    expect(then.body.head).toBeGreaterThanOrEqual(seq);
    expect((await starling('decisions', 'replay', '--at', new Date(at).toISOString())).out).toContain('which machines could be heard is not on record');
    expect(problemOf(await control.get('/v1/decisions/replay')).detail).toContain('say when');
    expect((await control.get('/v1/decisions/replay?seq=99999')).status).toBe(404);
    expect((await control.get(`/v1/decisions/replay?at=${Date.now() + 60_000}`)).status).toBe(400);
    expect((await starling('decisions', 'replay', '--at', '1', '--environment', 'prod')).code).toBe(3);
  });
});
