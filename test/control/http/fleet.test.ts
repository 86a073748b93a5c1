// The fleet's side over real sockets: enrolment, the long conversation, reports, hand-over, and a whole deployment.

import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createIdentity } from '../../../daemon/trust/identity/identity.ts';
import { limits } from '../../../proto/limits.ts';
import type { Certificate, Roster } from '../../../proto/statement.ts';
import { buildRevision } from '../../support/revisions.ts';
import { ask, enrol, healthy, ManualClock, payloadOf, problemOf, TestControl, until, type TestMember } from './harness.ts';

const config = { batches: [1, '100%'], maxParallel: 2, minHealthy: '50%', bakeMs: 0, failureThreshold: { count: 1, percent: 50 } };

async function newIdentity(test: TestControl) {
  return await createIdentity(await mkdtemp(join(test.dataDir, 'identity-')));
}

/** Publishes a revision through a proxy's hand-over. */
async function publish(test: TestControl, proxy: TestMember, app: string, content: string, more: object = {}) {
  const { body } = await test.post(`/v1/apps/${app}/uploads`);
  const built = buildRevision(app, { 'server.js': content });
  const request = { grant: body.grant, manifest: Buffer.from(built.manifest).toString('base64'), uploadedBytes: 10, ...more };
  return { built, request, answer: await proxy.request('POST', '/agent/v1/revisions', request) };
}

async function world(test: TestControl) {
  await test.post('/v1/apps', { app: 'web' });
  await test.post('/v1/environments', { environment: 'prod', app: 'web', selector: { env: 'prod' }, config });
  const proxy = await test.join('proxy-1', ['seed', 'proxy']);
  proxy.uploadUrl = 'http://proxy-1:7403';
  await proxy.sync();
  const agents = [];
  for (const name of ['agent-1', 'agent-2', 'agent-3']) agents.push(await test.join(name, ['agent'], { environments: ['prod'], labels: { env: 'prod' } }));
  for (const agent of agents) await agent.sync();
  return { proxy, agents };
}

describe('enrolment', () => {
  let control: TestControl;
  const clock = new ManualClock();
  beforeAll(async () => {
    control = await TestControl.start({ clock });
  });
  afterAll(async () => await control[Symbol.asyncDispose]());

  test('100 enrolments with one single-use token: exactly one succeeds', async () => {
    const { body } = await control.post('/v1/tokens', { use: 'join', name: 'single', roles: ['agent'] });
    const identities = await Promise.all(Array.from({ length: 100 }, async () => await newIdentity(control)));
    const answers = await Promise.all(identities.map(async (identity, index) => await enrol(control, identity, `sybil-${index}`, ['agent'], body.text)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 403]));
    expect((await control.get('/v1/targets?limit=500')).body.items.filter(({ name }: { name: string }) => name.startsWith('sybil'))).toHaveLength(1);
  });

  test('a lost answer: the same key and token again is the same member and the same certificate', async () => {
    const { body } = await control.post('/v1/tokens', { use: 'join', name: 'again', roles: ['agent'] });
    const identity = await newIdentity(control);
    const first = await enrol(control, identity, 'again', ['agent'], body.text);
    const second = await enrol(control, identity, 'again', ['agent'], body.text);
    expect(second.status).toBe(200);
    expect(second.body).toEqual(first.body);
  });

  test('a challenge is good once, a minute, and from here', async () => {
    const { body } = await control.post('/v1/tokens', { use: 'join', name: 'twice', roles: ['agent'], usesMax: 2 });
    const { nonce } = (await ask(control.url, 'POST', '/agent/v1/enrol/challenge', { body: '{}', headers: { 'content-type': 'application/json' } })).body;
    expect((await enrol(control, await newIdentity(control), 'once-a', ['agent'], body.text, nonce)).status).toBe(200);
    const replayed = await enrol(control, await newIdentity(control), 'once-b', ['agent'], body.text, nonce);
    expect([replayed.status, problemOf(replayed).code]).toEqual([401, 'UNAUTHENTICATED']);
    const foreign = nonce.replace(/.$/, (last: string) => (last === '0' ? '1' : '0'));
    expect((await enrol(control, await newIdentity(control), 'once-c', ['agent'], body.text, foreign)).status).toBe(401);
    const late = (await ask(control.url, 'POST', '/agent/v1/enrol/challenge', { body: '{}', headers: { 'content-type': 'application/json' } })).body.nonce;
    clock.pass(60_001);
    expect((await enrol(control, await newIdentity(control), 'once-d', ['agent'], body.text, late)).status).toBe(401);
  });

  test('an unknown token and a wrong secret are refused in the same words', async () => {
    const { body } = await control.post('/v1/tokens', { use: 'join', name: 'guess', roles: ['agent'] });
    const [prefix, root, id, secret] = body.text.split('.');
    const flipped = secret.replace(/^./, (first: string) => (first === 'a' ? 'b' : 'a'));
    const wrong = await enrol(control, await newIdentity(control), 'guess', ['agent'], [prefix, root, id, flipped].join('.'));
    const unknown = await enrol(control, await newIdentity(control), 'guess', ['agent'], [prefix, root, 'a'.repeat(16), secret].join('.'));
    expect([wrong.status, unknown.status]).toEqual([401, 401]);
    expect(problemOf(wrong).detail).toBe(problemOf(unknown).detail);
  });

  test('a token for agents enrols no proxy, and an expired one nobody', async () => {
    const { body } = await control.post('/v1/tokens', { use: 'join', name: 'agents-only', roles: ['agent'] });
    const answer = await enrol(control, await newIdentity(control), 'a-proxy', ['proxy'], body.text);
    expect([answer.status, problemOf(answer).detail]).toEqual([403, expect.stringContaining("not for role 'proxy'")]);
    clock.pass(25 * 3_600_000);
    const late = await enrol(control, await newIdentity(control), 'late', ['agent'], body.text);
    expect([late.status, problemOf(late).detail]).toEqual([403, expect.stringContaining('has expired')]);
  });
});

describe('members', () => {
  let control: TestControl;
  const clock = new ManualClock();
  let proxy: TestMember;
  let agents: readonly TestMember[];
  beforeAll(async () => {
    control = await TestControl.start({ clock });
    ({ proxy, agents } = await world(control));
  });
  afterAll(async () => await control[Symbol.asyncDispose]());

  test('requests without a member\'s proof, with another\'s body, or sent twice are refused', async () => {
    const [agent] = agents;
    const body = JSON.stringify(agent?.saying());
    const headers = { 'content-type': 'application/json' };
    expect((await ask(control.url, 'POST', '/agent/v1/sync', { body, headers })).status).toBe(401);
    expect((await ask(control.url, 'POST', '/agent/v1/sync', { body, headers: { ...headers, authorization: `Bearer ${control.admin}` } })).status).toBe(401);
    expect((await control.get('/v1/apps', { token: '', headers: { authorization: 'Starling x.y.z' } })).status).toBe(401);
  });

  test('a long poll is answered when there is news, and a newer poll ends the older', async () => {
    const [agent] = agents;
    if (agent === undefined) throw new Error('no agent');
    await until(async () => (Object.keys((await agent.sync()).metadata).length === 0 ? true : undefined));
    const older = agent.sync({ waitMs: 60_000 });
    const newer = agent.sync({ waitMs: 60_000 });
    expect((await older).orders).toEqual([]);
    const newcomer = await control.join('newcomer', ['agent']);
    await newer;
    // That may have been news of those who joined before: rosters are told together.
    const listed = async () => (payloadOf<Roster>(agent.roster).members.some(({ member }) => member === newcomer.id) ? true : undefined);
    await until(listed, async () => await agent.sync());
    const made = agent.roster;
    expect((await agent.sync({ rosterEpoch: 0 })).roster).toBe(made);
  });

  test('an empty poll is answered after the time that it asked for', async () => {
    const [, agent] = agents;
    if (agent === undefined) throw new Error('no agent');
    await until(async () => {
      const { roster, rosterChange } = await agent.sync();
      return roster === undefined && rosterChange === undefined ? true : undefined;
    });
    const open = agent.sync({ waitMs: 60_000 });
    await until(async () => ((await control.get('/metrics')).text.includes('starling_control_event_streams{kind="agent"} 1') ? true : undefined));
    clock.pass(60_000);
    const reply = await open;
    expect({ ...reply, pollAfterMs: 0 }).toEqual({ orders: [], metadata: {}, pollAfterMs: 0, read: [] });
    expect(reply.pollAfterMs).toBeLessThanOrEqual(500);
  });

  test('an address is written down when it changes, and not otherwise', async () => {
    const before = (await control.get('/v1/status')).body.asOf;
    await proxy.sync();
    await proxy.sync();
    expect((await control.get('/v1/status')).body.asOf).toBe(before);
    clock.pass(10_000);
    proxy.addresses = ['/dns4/elsewhere/tcp/7401'];
    await proxy.sync();
    expect((await control.get('/v1/status')).body.asOf).toBe(before + 1);
    expect((await control.get('/v1/targets/proxy-1')).body.addresses).toEqual(['/dns4/elsewhere/tcp/7401']);
  });

  test('a proxy hands a revision over; again is the same; anybody else may not', async () => {
    const { answer, request, built } = await publish(control, proxy, 'web', 'one', { alias: 'v1' });
    expect(answer.body).toEqual({ app: 'web', revision: built.digest, number: 1, created: true });
    expect((await proxy.request('POST', '/agent/v1/revisions', request)).body).toEqual({ app: 'web', revision: built.digest, number: 1, created: false });
    const byAgent = await agents[0]?.request('POST', '/agent/v1/revisions', request);
    expect(byAgent?.status).toBe(403);
    const other = Buffer.from(buildRevision('web', { 'server.js': 'another' }).manifest).toString('base64');
    const reused = await proxy.request('POST', '/agent/v1/revisions', { ...request, manifest: other, alias: 'v2' });
    expect([reused.status, problemOf(reused).detail]).toEqual([409, expect.stringContaining('this grant has published another revision')]);
    const foreign = Buffer.from(buildRevision('api', { 'server.js': 'one' }).manifest).toString('base64');
    expect((await proxy.request('POST', '/agent/v1/revisions', { ...request, manifest: foreign })).status).toBe(403);
    const broken = await proxy.request('POST', '/agent/v1/revisions', { ...request, manifest: Buffer.from('nonsense').toString('base64') });
    expect([broken.status, problemOf(broken).code]).toEqual([400, 'INVALID_REQUEST']);
    expect((await proxy.request('POST', '/agent/v1/revisions', { ...request, grant: `${request.grant.slice(0, -4)}AAAA` })).status).toBe(401);
  });

  test('a manifest is given to members whose business it is, and the others learn nothing', async () => {
    const { cid, revision } = (await control.get('/v1/apps/web/revisions')).body.items[0];
    const [agent] = agents;
    const got = await agent?.request('GET', `/agent/v1/revisions/${cid}`);
    expect(got?.status).toBe(200);
    expect((await agent?.request('GET', `/agent/v1/revisions/${revision}`))?.status).toBe(200);
    const outsider = await control.join('outsider', ['agent']);
    const hidden = await outsider.request('GET', `/agent/v1/revisions/${revision}`);
    const absent = await outsider.request('GET', `/agent/v1/revisions/${'0'.repeat(64)}`);
    expect([hidden.status, absent.status]).toEqual([404, 404]);
    expect((await agent?.request('GET', '/agent/v1/revisions/nonsense'))?.status).toBe(400);
  });

  test('who comes again with what it held before is sent it again, less and less often', async () => {
    const slow = await control.join('slow', ['agent'], { environments: ['prod'] });
    const saying = slow.saying();
    const pauses: number[] = [];
    for (let round = 0; round < 10; round += 1) pauses.push((await slow.request('POST', '/agent/v1/sync', saying)).body.pollAfterMs);
    expect(pauses).toEqual([0, 250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    await slow.sync();
    expect((await slow.sync({ rosterEpoch: 0 })).pollAfterMs).toBe(0);
  });

  test('a revoked member is not one any more', async () => {
    const leaver = await control.join('leaver', ['agent']);
    await leaver.sync();
    const open = leaver.request('POST', '/agent/v1/sync', leaver.saying({ waitMs: 60_000, rosterEpoch: 9_999 }));
    await control.post('/v1/targets/leaver/revoke', { reason: 'sold' });
    expect((await open).status).toBe(401);
    await expect(leaver.sync()).rejects.toThrow('401');
    const { roster = '' } = await proxy.sync({ rosterEpoch: 0 });
    expect(payloadOf<{ revoked: string[] }>(roster).revoked).toContain(leaver.id);
  });
});

test('a certificate is renewed after two thirds of its life, and sent again as long as the answer may have been lost', async () => {
  const clock = new ManualClock();
  await using control = await TestControl.start({ clock });
  const member = await control.join('agent-1', ['agent'], { labels: { env: 'prod' } });
  const certificate = async () => {
    const { certificate: compact } = await member.sync({ rosterEpoch: 0 });
    return compact === undefined ? undefined : payloadOf<Certificate>(compact);
  };
  expect(await certificate()).toBeUndefined();
  clock.pass((limits.certificateLifeMs * 2) / 3 - 60_000);
  expect(await certificate()).toBeUndefined();
  clock.pass(120_000);
  const renewed = await certificate();
  expect(renewed).toMatchObject({ member: member.id, serial: 2, labels: { env: 'prod' } });
  expect((renewed?.notAfter ?? 0) * 1000 - control.now()).toBeGreaterThan(limits.certificateLifeMs - 60_000);
  expect(await certificate()).toEqual(renewed);
  clock.pass(limits.certificateLifeMs / 3 + 60_000);
  expect(await certificate()).toBeUndefined();
});

test('a promotion is carried to every target, and a bad one is rolled back', async () => {
  await using control = await TestControl.start();
  const { proxy, agents } = await world(control);
  await publish(control, proxy, 'web', 'one');
  const promotion = (await control.post('/v1/promotions', { environment: 'prod', revision: 'web@1' })).body.promotion;
  const ended = async (id: string) => {
    const { phase } = (await control.get(`/v1/promotions/${id}`)).body;
    return phase === 'waiting' || phase === 'deploying' ? undefined : phase;
  };
  const everybody = async () => await Promise.all(agents.map(async (agent) => await agent.work()));
  expect(await until(async () => await ended(promotion), everybody)).toBe('succeeded');

  const { deployment } = (await control.get(`/v1/promotions/${promotion}`)).body;
  const whole = (await control.get(`/v1/deployments/${deployment}`)).body;
  expect(whole).toMatchObject({ phase: 'succeeded', progress: { total: 3, done: 3, failed: 0, byPhase: { committed: 3 } }, batches: [{ targets: 1, phase: 'succeeded' }, { targets: 2, phase: 'succeeded' }] });
  expect(whole.targets.map(({ name, phase }: { name: string; phase: string }) => [name, phase])).toEqual([['agent-1', 'committed'], ['agent-2', 'committed'], ['agent-3', 'committed']]);
  const pages = await control.get(`/v1/deployments/${deployment}/targets?limit=2`);
  expect(pages.body.items).toHaveLength(2);
  expect((await control.get(`/v1/deployments/${deployment}/targets?limit=2&cursor=${pages.body.next}`)).body.items.map(({ name }: { name: string }) => name)).toEqual(['agent-3']);
  expect((await control.get('/v1/environments/prod')).body).toMatchObject({ current: { number: 1 }, stable: { number: 1 }, targets: { total: 3, serving: 3, changing: 0, online: 3 } });

  await publish(control, proxy, 'web', 'two');
  const bad = (await control.post('/v1/promotions', { environment: 'prod', revision: 'latest', reason: 'try it' })).body.promotion;
  const failing = async () =>
    await Promise.all(agents.map(async (agent) => await agent.work((order) => (order.action === 'activate' && order.revisionNumber === 2 ? ['activating', 'health-checking', 'rolling-back', 'rolled-back'] : healthy(order)))));
  expect(await until(async () => await ended(bad), failing)).toBe('failed');
  expect((await control.get('/v1/environments/prod')).body).toMatchObject({ stable: { number: 1 } });
  expect((await control.get('/v1/deployments?environment=prod')).body.items[0]).toMatchObject({ phase: 'rolled-back', number: 2 });
  const scrape = (await control.get('/metrics')).text;
  expect(scrape).toContain('starling_control_rollbacks_total{reason="automatic"} 1');
  expect(scrape).toContain('starling_control_promotions_total{environment="prod",result="failed",trigger="manual"} 1');
});

test('reports are idempotent, and what answers nothing on record is refused without holding up the rest', async () => {
  await using control = await TestControl.start();
  const { proxy, agents } = await world(control);
  await publish(control, proxy, 'web', 'one');
  await control.post('/v1/promotions', { environment: 'prod', revision: '1' });
  const [agent] = agents;
  if (agent === undefined) throw new Error('no agent');
  const order = await until(async () => (await agent.sync()).read[0]);
  const at = Date.now();
  const { deployment, environment, app, seq } = order;
  const report = { deployment, environment, app, seq, reportNo: 1, phase: 'downloading', at };
  expect((await agent.request('POST', '/agent/v1/reports', { reports: [report] })).body).toEqual({ recorded: 1, refused: 0 });
  expect((await agent.request('POST', '/agent/v1/reports', { reports: [report, report] })).body).toEqual({ recorded: 2, refused: 0 });
  expect((await agent.request('POST', '/agent/v1/reports', { reports: [{ ...report, deployment: 'nobody-1' }] })).body).toEqual({ recorded: 0, refused: 1 });
  expect((await control.events()).filter(({ event }) => event === 'dev.starling.target.reported.v1')).toHaveLength(1);
  expect((await agent.request('POST', '/agent/v1/reports', { reports: [{ ...report, phase: 'dancing' }] })).status).toBe(400);
});

test('reports that come with a poll are recorded, and again they are nothing new', async () => {
  await using control = await TestControl.start();
  const { proxy, agents } = await world(control);
  await publish(control, proxy, 'web', 'one');
  await control.post('/v1/promotions', { environment: 'prod', revision: '1' });
  const [agent] = agents;
  if (agent === undefined) throw new Error('no agent');
  const { deployment, environment, app, seq } = await until(async () => (await agent.sync()).read[0]);
  const reports = (['downloading', 'verified'] as const).map((phase, index) => ({ deployment, environment, app, seq, reportNo: index + 1, phase, at: Date.now() }));
  const reported = async () => (await control.events()).filter(({ event }) => event === 'dev.starling.target.reported.v1').length;
  await agent.sync({ reports });
  expect(await reported()).toBe(2);
  await agent.sync({ reports });
  expect(await reported()).toBe(2);
  expect((await agent.request('POST', '/agent/v1/sync', agent.saying({ reports: [] }))).status).toBe(400);
});

test('manifests come with orders for members that take them, and for others not', async () => {
  await using control = await TestControl.start();
  const { proxy, agents } = await world(control);
  const { request } = await publish(control, proxy, 'web', 'one');
  await control.post('/v1/promotions', { environment: 'prod', revision: '1' });
  const [canary, first, second] = agents;
  if (canary === undefined || first === undefined || second === undefined) throw new Error('no agents');
  const ordered = async (agent: TestMember, more: object, meanwhile = async (): Promise<unknown> => undefined) => await until(async () => {
    const reply = await agent.sync(more);
    return reply.orders.length > 0 ? reply : undefined;
  }, meanwhile);
  const taken = await ordered(first, { manifests: true });
  expect(taken.manifests).toEqual([request.manifest]);
  expect((await ordered(second, {})).manifests).toBeUndefined();
  // Who said that it holds all of it is not sent it once more.
  const [prefetch] = taken.read;
  if (prefetch === undefined) throw new Error('no order');
  await first.report(prefetch, ['downloading', 'verified']);
  const activation = await ordered(first, { manifests: true }, async () => await canary.work());
  expect([activation.read[0]?.action, activation.manifests]).toEqual(['activate', undefined]);
});
