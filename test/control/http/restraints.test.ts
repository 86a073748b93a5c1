// Locks, holds, pins, vetoes, freezes, windows and switches over the API: what they stop, who ends them, and that a reason is asked.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { evaluateGates } from '../../../control/core/gates/gates.ts';
import type { TimeWindow } from '../../../proto/window.ts';
import { digestOf, edge, hourMs, pipeline, place } from '../../support/pipeline-world.ts';
import { governed, monday, recorded, type Governed } from './governed.ts';
import type { Answer } from './harness.ts';

const hours: TimeWindow = { window: 'hours', kind: 'allow', timeZone: 'Europe/Berlin', schedule: { kind: 'weekly', rows: [{ days: ['mon', 'tue'], times: { from: '09:00', to: '13:00' } }] }, onClose: 'pause', override: { group: 'leads', count: 1 } };
const spec = pipeline({
  stages: [{ stage: 'alpha', environments: [place('alpha')] }, { stage: 'prod', environments: [place('prod', { windows: ['hours'] })] }],
  edges: [edge('web', 'alpha', { auto: false }), edge('alpha', 'prod', { auto: false })],
  windows: [hours],
});

let system: Governed;
let operator: string;
beforeAll(async () => {
  system = await governed({ spec, more: [{ kind: 'hold.placed', edge: 'shop/alpha-prod', reason: 'rolled back to web@1' }] });
  operator = await system.person('olga', [], ['read:*', 'promote:*']);
});
afterAll(async () => await system[Symbol.asyncDispose]());

const types = (answer: Answer): readonly string[] => answer.body.blockers.map(({ type }: { readonly type: string }) => type);
const blocked = async (): Promise<readonly string[]> => types(await system.control.get('/v1/environments/prod/gate'));
const etag = (answer: Answer): string => answer.headers.get('etag') ?? '';

describe('locks', () => {
  test('CDS-9 L-5 a lock of the stage holds its environment until its holder releases it', async () => {
    const { control } = system;
    expect(await blocked()).not.toContain('lock');
    const made = await control.post('/v1/locks', { scope: { kind: 'stage', id: 'shop/prod' }, reason: 'migration' }, { token: operator });
    expect(made.body).toMatchObject({ holder: 'olga', by: 'olga', mode: 'manual', reason: 'migration', expired: false });
    expect(await blocked()).toContain('lock');
    const gate = (await control.get('/v1/environments/prod/gate')).body.blockers.find(({ type }: { readonly type: string }) => type === 'lock');
    expect(gate).toMatchObject({ reason: 'stage shop/prod is locked by olga: migration; wait for its release, or break it with a reason', actors: ['olga'], ref: made.body.lock });
    expect((await control.get('/v1/locks?environment=prod')).body.items.map(({ lock }: { readonly lock: string }) => lock)).toEqual([made.body.lock]);
    expect((await control.get('/v1/locks?environment=alpha')).body.items).toEqual([]);
    const path = `/v1/locks/${made.body.lock}`;
    expect((await control.call('DELETE', path, { token: operator })).status).toBe(428);
    expect((await control.call('DELETE', path, { headers: { 'if-match': etag(await control.get(path)) } })).body).toMatchObject({ code: 'FORBIDDEN', detail: expect.stringContaining('is held by olga, not by admin; break it with a reason') });
    expect((await control.call('DELETE', path, { token: operator, headers: { 'if-match': etag(await control.get(path)) } })).status).toBe(204);
    expect(await blocked()).not.toContain('lock');
  });

  test('O-2 a lock is broken by anybody who may, with a reason, and not without', async () => {
    const { control } = system;
    const made = await control.post('/v1/locks', { scope: { kind: 'environment', id: 'prod' }, reason: 'x', expiresAt: monday + hourMs });
    const path = `/v1/locks/${made.body.lock}/break`;
    expect((await control.call('POST', path, { body: {}, token: operator })).status).toBe(400);
    expect((await control.call('POST', path, { body: { reason: '  ' }, token: operator })).status).toBeGreaterThanOrEqual(400);
    expect((await control.post(path, { reason: 'its holder is asleep' }, { token: operator })).body).toMatchObject({ lock: made.body.lock, holder: 'admin' });
    const entry = (await control.events()).map(({ data }) => JSON.parse(data)).findLast(({ type }) => type === 'dev.starling.lock.released.v1');
    expect(entry.data).toMatchObject({ lock: made.body.lock, broken: true, reason: 'its holder is asleep', holder: 'olga' });
  });

  test('O-2 what has no reason, names nothing or would be over is refused, and says so', async () => {
    const { control } = system;
    const bad = async (body: unknown): Promise<number> => (await control.call('POST', '/v1/locks', { body })).status;
    expect([await bad({ scope: { kind: 'all' } }), await bad({ scope: { kind: 'stage' }, reason: 'x' }), await bad({ scope: { kind: 'stage', id: 'shop/nothing' }, reason: 'x' }), await bad({ scope: { kind: 'all' }, reason: 'x', expiresAt: 1 })]).toEqual([400, 400, 404, 400]);
  });

  test('who may promote to one environment locks that one only', async () => {
    const token = await system.person('petra', [], ['promote:env/prod']);
    const ask = async (id: string): Promise<number> => (await system.control.call('POST', '/v1/locks', { body: { scope: { kind: 'environment', id }, reason: 'x' }, token })).status;
    expect([await ask('prod'), await ask('alpha')]).toEqual([201, 403]);
    const [lock] = (await system.control.get('/v1/locks')).body.items;
    expect((await system.control.call('DELETE', `/v1/locks/${lock.lock}`, { token, headers: { 'if-match': '*' } })).status).toBe(204);
  });

  test('L-4 an expired lock holds nothing, and is shown only to those who ask', async () => {
    await using own = await governed();
    const made = await own.control.post('/v1/locks', { scope: { kind: 'all' }, reason: 'x', expiresAt: monday + hourMs });
    own.clock.pass(hourMs);
    expect(types(await own.control.get('/v1/environments/prod/gate'))).not.toContain('lock');
    expect((await own.control.get('/v1/locks')).body.items).toEqual([]);
    expect((await own.control.get('/v1/locks?expired=true')).body.items).toMatchObject([{ lock: made.body.lock, expired: true }]);
  });
});

test('O-2 CDS-12 a hold is listed, and released with a reason by who has seen it', async () => {
  const { control } = system;
  expect((await control.get('/v1/holds?environment=prod')).body.items).toMatchObject([{ pipeline: 'shop', edge: 'alpha-prod', environment: 'prod', by: 'system', reason: 'rolled back to web@1' }]);
  const path = '/v1/pipelines/shop/promotion-configs/alpha-prod';
  const seen = await control.get(path);
  expect(seen.body).toMatchObject({ auto: false, automatic: false, enabled: true, hold: { by: 'system' }, off: [] });
  expect((await control.call('DELETE', `${path}/hold`, { headers: { 'if-match': etag(seen) } })).status).toBe(400);
  expect((await control.call('DELETE', `${path}/hold?reason=fixed`, { headers: { 'if-match': etag(seen) } })).status).toBe(204);
  expect((await control.call('DELETE', `${path}/hold?reason=fixed`, { headers: { 'if-match': etag(seen) } })).status).toBe(404);
  expect((await control.get('/v1/holds')).body.items).toEqual([]);
});

test('a pin holds everything but its own set, until it is removed with a reason', async () => {
  const { control } = system;
  const path = '/v1/environments/prod/pin';
  const none = await control.get(path);
  expect(none.body).toEqual({ environment: 'prod', pinned: false });
  expect((await control.call('PUT', path, { body: { reason: 'trial' }, headers: { 'if-match': etag(none) } })).body.detail).toContain("nothing has succeeded in 'prod' yet");
  const pinned = await control.call('PUT', path, { body: { reason: 'trial', revision: 'web@1' }, token: operator, headers: { 'if-match': etag(none) } });
  expect(pinned.body).toMatchObject({ pinned: true, by: 'olga', members: [{ app: 'web', number: 1 }] });
  // The newest is asked about when nothing waits: that is web@2.
  expect(await blocked()).toContain('pin');
  expect(types(await control.get('/v1/environments/prod/gate?revision=web@1'))).not.toContain('pin');
  expect((await control.call('PUT', path, { body: { reason: 'x', revision: '2' }, headers: { 'if-match': etag(none) } })).status).toBe(412);
  expect((await control.call('DELETE', path, { headers: { 'if-match': etag(pinned) } })).status).toBe(400);
  expect((await control.call('DELETE', `${path}?reason=done`, { headers: { 'if-match': etag(pinned) } })).status).toBe(204);
  expect(await blocked()).not.toContain('pin');
});

test('V-3 a vetoed revision is held, everywhere or in one environment', async () => {
  const { control } = system;
  const path = '/v1/apps/web/revisions/2/veto';
  const held = async (): Promise<readonly string[]> => types(await control.get('/v1/environments/prod/gate?revision=web@2'));
  const put = async (body: unknown): Promise<Answer> => await control.call('PUT', path, { body, token: operator, headers: { 'if-match': etag(await control.get(path)) } });
  expect((await put({ reason: 'loses data', environment: 'alpha' })).body.vetoes).toMatchObject([{ environment: 'alpha', by: 'olga', number: 2 }]);
  expect(await held()).not.toContain('veto');
  expect((await put({ reason: 'loses data' })).body.vetoes).toHaveLength(2);
  expect(await held()).toContain('veto');
  expect((await control.get('/v1/apps/web/revisions/web@2')).body.vetoes).toHaveLength(2);
  expect((await control.call('PUT', path, { body: { reason: 'x' } })).status).toBe(428);
  const drop = async (query: string): Promise<number> => (await control.call('DELETE', `${path}?${query}`, { headers: { 'if-match': etag(await control.get(path)) } })).status;
  expect([await drop(''), await drop('reason=mended'), await drop('reason=mended'), await drop('reason=mended&environment=alpha')]).toEqual([400, 204, 404, 204]);
  expect(await held()).not.toContain('veto');
});

test('O-2 CDS-10 a freeze holds its scope until it is ended with a reason', async () => {
  const { control } = system;
  const started = await control.post('/v1/freezes', { scope: { kind: 'project', id: 'shop' }, reason: 'holidays', until: monday + hourMs, breakGlass: { group: 'leads', count: 1 } }, { token: operator });
  expect(started.body).toMatchObject({ by: 'olga', over: false, breakGlass: { group: 'leads', count: 1 } });
  const { blockers } = (await control.get('/v1/environments/prod/gate')).body;
  expect(blockers.find(({ type }: { readonly type: string }) => type === 'freeze')).toMatchObject({ actors: ['olga', 'group:leads'], until: monday + hourMs });
  expect(types(await control.get(`/v1/environments/prod/gate?at=${monday + hourMs}`))).not.toContain('freeze');
  expect((await control.call('POST', `/v1/freezes/${started.body.freeze}/end`, { body: {} })).status).toBe(400);
  expect((await control.post(`/v1/freezes/${started.body.freeze}/end`, { reason: 'over early' })).body).toMatchObject({ over: true });
  expect((await control.get('/v1/freezes?over=true')).body.items).toEqual([]);
});

describe('windows', () => {
  test('T-2 the gate, the windows of an environment and the occurrences agree with core, now and later', async () => {
    const { control } = system;
    const world = recorded(spec, 2, 1);
    for (const at of [monday, monday + 21 * hourMs, monday + 22 * hourMs, monday + 23 * hourMs + 1, monday - 2 * hourMs, monday + 48 * hourMs]) {
      const candidate = { environment: 'prod', app: 'web', revision: digestOf(2), number: 2, trigger: 'manual', createdAt: at } as const;
      const core = evaluateGates(world.state, candidate, { now: at, lastSeen: new Map(), since: at }).blockers.find(({ type }) => type === 'window');
      const gate = (await control.get(`/v1/environments/prod/gate?at=${at}`)).body.blockers.find(({ type }: { readonly type: string }) => type === 'window');
      const windows = (await control.get(`/v1/environments/prod/windows?at=${at}`)).body;
      const { items } = (await control.get(`/v1/pipelines/shop/windows/hours/occurrences?from=${at}&to=${at + 1}`)).body;
      expect([at, gate === undefined, windows.open, items.length > 0]).toEqual([at, core === undefined, core === undefined, core === undefined]);
      expect(gate?.until).toBe(core?.until);
      if (core !== undefined) expect(windows.changesAt).toBe(core.until);
    }
  });

  test('CDS-7 say when they open next, in instants', async () => {
    const { body } = await system.control.get('/v1/environments/prod/windows');
    // Monday 14:00 in Berlin: closed since an hour, open tomorrow from 9 to 13.
    expect(body).toMatchObject({ open: false, holds: [{ window: 'hours', why: 'closed' }], changesAt: Date.parse('2026-06-02T07:00Z') });
    expect(body.openings[0]).toEqual({ from: Date.parse('2026-06-02T07:00Z'), to: Date.parse('2026-06-02T11:00Z') });
    expect(body.openings).toHaveLength(5);
    const weeks = (await system.control.get(`/v1/environments/prod/windows?until=${Date.parse('2026-06-29T12:00Z')}`)).body.openings;
    expect([weeks.length > 5, weeks.slice(0, 5), weeks.every(({ from }: { readonly from: number }) => from < Date.parse('2026-06-29T12:00Z'))]).toEqual([true, body.openings, true]);
    const years = (await system.control.get(`/v1/environments/prod/windows?until=${Date.parse('2036-06-15T12:00Z')}`)).body.openings;
    expect(years).toHaveLength(56);
    expect((await system.control.get('/v1/windows?environment=prod')).body.items).toMatchObject([{ pipeline: 'shop', window: 'hours', environments: ['prod'] }]);
    expect((await system.control.get('/v1/windows?environment=alpha')).body.items).toEqual([]);
    expect((await system.control.get('/v1/pipelines/shop/windows/hours/occurrences?from=5&to=4')).status).toBe(400);
  });
});

describe('switches', () => {
  test('CDS-7 T-7 automation is switched off with a reason and on again, by who has seen how it is', async () => {
    const { control } = system;
    const path = `/v1/automation/edge/${encodeURIComponent('shop/alpha-prod')}`;
    const seen = await control.get(path);
    expect(seen.body).toEqual({ kind: 'edge', id: 'shop/alpha-prod', on: true });
    const set = async (body: unknown, tag: string): Promise<Answer> => await control.call('PUT', path, { body, token: operator, headers: { 'if-match': tag } });
    expect((await set({ on: false }, etag(seen))).status).toBe(400);
    const off = await set({ on: false, reason: 'flaky' }, etag(seen));
    expect(off.body).toMatchObject({ on: false, by: 'olga', reason: 'flaky' });
    expect((await set({ on: true }, etag(seen))).status).toBe(412);
    expect((await control.get('/v1/automation')).body.items).toMatchObject([{ kind: 'edge', id: 'shop/alpha-prod' }]);
    expect((await control.get('/v1/pipelines/shop/promotion-configs')).body.items.map((one: { readonly edge: string; readonly off: readonly unknown[] }) => [one.edge, one.off.length])).toEqual([['alpha-prod', 1], ['web-alpha', 0]]);
    expect((await set({ on: true }, etag(off))).body.on).toBe(true);
    expect((await control.get('/v1/automation/edge/shop')).status).toBe(404);
    expect((await control.get('/v1/automation/nothing/shop')).status).toBe(404);
  });

  test('a promotion configuration that is disabled lets nothing through', async () => {
    const { control } = system;
    const path = '/v1/pipelines/shop/promotion-configs/alpha-prod';
    expect((await control.call('POST', `${path}/disable`, { body: { reason: 'x' }, token: operator })).status).toBe(403);
    expect((await control.call('POST', `${path}/disable`, { body: {} })).status).toBe(400);
    expect((await control.post(`${path}/disable`, { reason: 'rebuilding' })).body.enabled).toBe(false);
    expect(await blocked()).toContain('edge-disabled');
    expect((await control.post(`${path}/enable`)).body.enabled).toBe(true);
    expect(await blocked()).not.toContain('edge-disabled');
  });
});
