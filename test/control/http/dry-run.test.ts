// A dry run says what then happens, and makes nothing.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Forecast } from '../../../proto/api/forecast.ts';
import { problemOf, type TestControl } from './harness.ts';
import { workingFleet, type WorkingFleet } from './working-fleet.ts';

let fleet: WorkingFleet;
let control: TestControl;
beforeAll(async () => {
  fleet = await workingFleet(['a', 'b', 'c'], { batches: [{ size: 1, name: 'one-box', canary: true, bakeMs: 0 }, '100%'], maxParallel: 1, minHealthy: 0, bakeMs: 0 });
  ({ control } = fleet);
  await fleet.push('one');
});
afterAll(async () => await fleet[Symbol.asyncDispose]());

const head = async (): Promise<number> => (await control.get('/v1/audit/verify')).body.head.seq;
const dryRun = async (body: object): Promise<Forecast> => (await control.post('/v1/promotions/dry-run', body)).body;

describe('a promotion that is only tried', () => {
  test('CDS-20 says blockers, batches and bytes, and changes nothing', async () => {
    const before = await head();
    const { blockers, legs } = await dryRun({ environment: 'prod', revision: 'latest' });
    expect(blockers).toEqual([]);
    expect(legs).toMatchObject([
      {
        app: 'web', type: 'promote', to: { number: 1 }, targets: 3, timesFrom: [],
        batches: [{ name: 'one-box', canary: true, targets: 1, bakeMs: 0 }, { targets: 2, bakeMs: 0 }],
        bytes: { total: 9, groups: [{ targets: 3, bytesEach: 3, basis: 'whole' }] },
      },
    ]);
    expect(legs[0]?.totalMs).toBeUndefined();
    expect((await fleet.starling('promote', '--to', 'prod', '--dry-run')).out).toContain('for how long nothing tells: nothing succeeded here yet');
    expect(await head()).toBe(before);
  });

  test('cuts the very batches that are then deployed', async () => {
    const { legs } = await dryRun({ environment: 'prod', revision: 'latest' });
    await control.post('/v1/promotions', { environment: 'prod', revision: 'latest' });
    await fleet.deployed('prod-1', { originBytes: 2, peerBytes: 1, reusedBytes: 0, wastedBytes: 0, timing: { totalMs: 40, waitMs: 0, storeMs: 0, throttledMs: 0, strikes: 0 } });
    const [started] = (await control.get('/v1/audit?action=deployment.started')).body.items;
    const names = new Map(fleet.agents.map(({ id, name }) => [id, name]));
    const batches = started.data.batches.map((batch: readonly string[]) => batch.map((member) => names.get(member)));
    expect(legs[0]?.batches.map(({ first }) => first)).toEqual(batches);
  });

  test('tells times and bytes by what was measured, and by what was uploaded where nothing was', async () => {
    await fleet.push('two!', undefined, 2);
    const [leg] = (await dryRun({ environment: 'prod', revision: 'latest' })).legs;
    expect(leg).toMatchObject({ from: { number: 1 }, timesFrom: ['prod-1'], bytes: { total: 6, origin: expect.any(Number), originFrom: 'prod-1', groups: [{ from: 1, targets: 3, bytesEach: 2, basis: 'uploads' }] } });
    expect(leg?.totalMs).toBeGreaterThan(0);
    await control.post('/v1/promotions', { environment: 'prod', revision: 'latest' });
    await fleet.deployed('prod-2', { originBytes: 1, peerBytes: 4, reusedBytes: 0, wastedBytes: 0 });
    await control.post('/v1/environments/prod/rollback', {});
    await fleet.deployed('prod-3');
    const [again] = (await dryRun({ environment: 'prod', revision: 'web@2' })).legs;
    expect(again?.bytes.groups).toEqual([{ from: 1, targets: 3, bytesEach: 5, basis: 'measured', evidence: 'prod-2' }]);
    const { code, out } = await fleet.starling('promote', '--to', 'prod', '-r', '2', '--dry-run');
    expect([code, out]).toEqual([0, expect.stringMatching(/^web@2 would start in 'prod' at once\n\nweb@2 \(promote, from web@1\) on 3 targets, about .* without pauses, by prod-3, prod-2, prod-1\n {2}batch 1 of 2 \(one-box\), canary: 1 target \([abc]\), about .*\n {2}batch 2 of 2: 2 targets \([abc], [abc]\), about .*\n {2}bytes: 15 B in all.*\n {4}3 targets with web@1: 5 B each \(measured: .*, in prod-2\)\nnothing was changed\n$/)]);
  });

  test('is held and refused as the promotion would be', async () => {
    await control.post('/v1/locks', { scope: { kind: 'environment', id: 'prod' }, reason: 'migration' });
    const { blockers } = await dryRun({ environment: 'prod', revision: 'latest' });
    expect(blockers).toMatchObject([{ type: 'lock' }]);
    expect(await fleet.starling('promote', '--to', 'prod', '--dry-run')).toMatchObject({ code: 6, out: expect.stringContaining('1 gate would hold it\n  lock: ') });
    expect(problemOf(await control.call('POST', '/v1/promotions/dry-run', { body: { environment: 'prod', revision: 'web@9' } }))).toMatchObject({ status: 404, detail: expect.stringContaining("no revision 'web@9'") });
    const first = (await control.post('/v1/promotions', { environment: 'prod', revision: 'web@1' })).body.promotion;
    expect((await dryRun({ environment: 'prod', revision: 'web@2' })).supersedes).toEqual([first]);
    expect((await control.get(`/v1/promotions/${first}`)).body.phase).toBe('waiting');
    expect((await control.call('POST', '/v1/promotions/dry-run', { body: { environment: 'prod', revision: 'web@1' } })).status).toBe(409);
    expect((await fleet.starling('promote', '--to', 'prod', '--dry-run', '--wait')).code).toBe(2);
  });

  test('says what looks at a batch before the next, since no time tells for how long', async () => {
    const { headers, body } = await control.get('/v1/environments/prod');
    const batches = [{ size: 1, verify: 'canary', minSamples: { prometheus: 'http://prom:9090', metric: 'requests', count: 1000 } }, '100%'];
    await control.call('PUT', '/v1/environments/prod', { body: { selector: body.selector, config: { ...body.config, batches } }, headers: { 'if-match': headers.get('etag') ?? '' } });
    expect((await fleet.starling('promote', '--to', 'prod', '-r', '2', '--dry-run')).out).toMatch(/batch 1 of 2: 1 target .*, until 1000 samples were seen, when workflow canary is successful\n/);
  });
});
