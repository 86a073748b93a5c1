// Who may do what: every route against every kind of token, and what happens to those who guess.

import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import Fastify from 'fastify';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Operation } from '../../../proto/api/operation.ts';
import { operations } from '../../../proto/api/operations.ts';
import { guarded } from '../../../control/http/route.ts';
import { allows } from '../../../control/http/scopes.ts';
import { failuresMax, windowMs } from '../../../control/http/throttle.ts';
import { createIdentity, type Identity } from '../../../daemon/trust/identity/identity.ts';
import { createRequestSigner } from '../../../daemon/trust/identity/member-request.ts';
import { ask, ManualClock, problemOf, TestControl } from './harness.ts';

const clock = new ManualClock();
let control: TestControl;
const tokens: Record<string, string> = {};
/** What each kind of caller holds. */
const holders = {
  nobody: undefined,
  reader: ['read:*'],
  'reader of web': ['read:app/web'],
  'reader of prod': ['read:env/prod'],
  'uploader of web': ['upload:app/web'],
  'uploader of api': ['upload:app/api'],
  'promoter of prod': ['promote:env/prod'],
  'promoter of stage': ['promote:env/stage'],
  'promoter of all': ['promote:*'],
  'approver of prod': ['approve:env/prod'],
  'promoter of web': ['promote:app/web'],
  'administrator of prod': ['admin:env/prod'],
  administrator: ['admin:*'],
} as const;

beforeAll(async () => {
  control = await TestControl.start({ clock });
  for (const app of ['web', 'api']) await control.post('/v1/apps', { app });
  for (const environment of ['prod', 'stage']) await control.post('/v1/environments', { environment, app: 'web', selector: {} });
  for (const [name, scopes] of Object.entries(holders)) {
    if (scopes !== undefined) tokens[name] = (await control.post('/v1/tokens', { use: 'api', name: name.replaceAll(' ', '-'), scopes })).body.text;
  }
});
afterAll(async () => await control[Symbol.asyncDispose]());

/** The resource that each test request is about. */
const params: Readonly<Record<string, string>> = { app: 'web', environment: 'prod', promotion: 'pr-unknown', deployment: 'prod-99', target: 'nobody', token: 'unknown', lock: 'lock-unknown', freeze: 'freeze-unknown', approval: 'request-unknown', pipeline: 'shop', edge: 'nothing', window: 'nothing', revision: '1', kind: 'environment', id: 'prod', run: 'run-unknown', step: 'test', lease: 'lease-unknown', build: 'build-unknown' };
const bodies: Readonly<Record<string, unknown>> = {
  createApp: { app: 'UPPER' },
  createEnvironment: { environment: 'UPPER' },
  createPromotion: { environment: 'prod', revision: 'latest' },
  dryRunPromotion: { environment: 'prod', revision: 'latest' },
  createToken: { use: 'none' },
  changeEnvironment: { selector: {}, config: {} },
  createLock: { scope: { kind: 'environment', id: 'prod' } },
  createWorkflowRun: { environment: 'prod' },
  startFreeze: { scope: { kind: 'environment', id: 'prod' } },
};

function expected(operation: Operation, scopes: readonly string[] | undefined): 'refused' | 'unknown' | 'allowed' {
  const { scope } = operation;
  if (scope === 'none') return 'allowed';
  if (scopes === undefined) return 'unknown';
  // Promotions and deployments that are not on record belong to no environment.
  // Of locks, freezes and switches of prod it is prod that counts; the others are not on record.
  const ofProd = /\/(automation|locks|freezes)(\/\{kind\}.*)?$/.test(operation.path);
  if (scope.of === 'subject') return allows(scopes, scope.verb, ofProd ? 'env/prod' : '*') ? 'allowed' : 'refused';
  const known = !/\{(promotion|deployment|run|build)\}/.test(operation.path);
  const resource = !known ? '*' : scope.of === 'app' ? 'app/web' : scope.of === 'environment' ? 'env/prod' : '*';
  return allows(scopes, scope.verb, resource) ? 'allowed' : 'refused';
}

describe('every operation for every kind of caller', () => {
  const rows = Object.entries(operations).flatMap(([id, operation]) => Object.entries(holders).map(([holder, scopes]) => ({ id, operation, holder, scopes })));
  test.each(rows)('$id for $holder', async ({ id, operation, holder, scopes }) => {
    if (id === 'streamEvents') {
      const response = await fetch(`${control.url}/v1/events`, { headers: { authorization: `Bearer ${tokens[holder] ?? ''}` } });
      await response.body?.cancel();
      expect(response.status).toBe({ refused: 403, unknown: 401, allowed: 200 }[expected(operation, scopes)]);
      return;
    }
    const path = operation.path.replace(/\{(\w+)\}/g, (_all, name: string) => params[name] ?? '');
    const body = operation.method === 'GET' || operation.method === 'DELETE' ? {} : { body: bodies[id] ?? {} };
    const answer = await control.call(operation.method, path, { ...body, token: tokens[holder] ?? '' });
    const outcome = answer.status === 401 ? 'unknown' : answer.status === 403 ? 'refused' : 'allowed';
    expect(outcome).toBe(expected(operation, scopes));
    // Whoever is refused learns nothing of what there is.
    if (outcome === 'refused') expect(problemOf(answer).detail).toMatch(/^this needs a token with scope/);
  });
});

test('a route that does not say who may use it stops the boot', async () => {
  const app = Fastify();
  guarded(app);
  expect(() => app.get('/open', async () => 'x')).toThrow('GET /open does not say who may use it');
  await app.close();
});

test('scopes: the verb and the resource must both fit', () => {
  expect(allows(['admin:*'], 'promote', 'env/prod')).toBe(true);
  expect(allows(['promote:*'], 'promote', 'env/prod')).toBe(true);
  expect(allows(['promote:env/prod'], 'promote', '*')).toBe(false);
  expect(allows(['promote:env/prod'], 'promote', 'env/prod-2')).toBe(false);
  expect(allows(['admin:env/prod'], 'promote', 'env/prod')).toBe(false);
  expect(allows(['read:*'], 'promote', 'env/prod')).toBe(false);
});

test('join tokens, halves of tokens and the right token under another scheme open nothing', async () => {
  const join = (await control.post('/v1/tokens', { use: 'join', name: 'j', roles: ['agent'] })).body.text;
  const { admin } = control;
  for (const authorization of [`Bearer ${join}`, `Bearer ${admin.slice(0, -1)}`, `Basic ${admin}`, `Starling ${admin}`, `Bearer ${admin} ${admin}`, 'Bearer']) {
    expect((await control.get('/v1/apps', { token: '', headers: { authorization } })).status).toBe(401);
  }
  const expired = (await control.post('/v1/tokens', { use: 'api', name: 'short', scopes: ['read:*'], ttlMs: 1000 })).body.text;
  clock.pass(2000);
  const answer = await control.get('/v1/apps', { token: expired });
  expect([answer.status, problemOf(answer).detail]).toEqual([401, expect.stringContaining("token 'short' expired")]);
});

test('a token with another\'s secret is refused in the words that an unknown one is', async () => {
  const [, , id] = control.admin.split('_');
  const [, , , secret] = (tokens['reader'] ?? '').split('_');
  const whole = (body: string) => `${body}_${crc32(body).toString(16).padStart(8, '0')}`;
  const wrong = await control.get('/v1/apps', { token: whole(`sta_api_${id}_${secret}`) });
  const unknown = await control.get('/v1/apps', { token: whole(`sta_api_${'a'.repeat(16)}_${secret}`) });
  expect([wrong.status, unknown.status]).toEqual([401, 401]);
  expect(problemOf(wrong).detail).toBe(problemOf(unknown).detail);
  expect((await control.get('/metrics')).text).toContain('auth_failures_total{reason="wrong-secret"} 1');
});

test('after many guesses an address is refused for a while, whatever it then shows', async () => {
  clock.pass(windowMs);
  const statuses: number[] = [];
  for (let guess = 0; guess < failuresMax + 20; guess += 1) statuses.push((await control.get('/v1/apps', { token: control.admin.replace(/_.{4}/, '_aaaa') })).status);
  expect(statuses.slice(0, failuresMax).every((status) => status === 401)).toBe(true);
  expect(statuses.slice(failuresMax).every((status) => status === 429)).toBe(true);
  const refused = await control.get('/v1/apps');
  expect([refused.status, Number(refused.headers.get('retry-after')) > 50]).toEqual([429, true]);
  clock.pass(windowMs);
  expect((await control.get('/v1/apps')).status).toBe(200);
});

test('machines that have lost the time are refused, and nobody else at their address with them; guesses at a member\'s key shut it', async () => {
  clock.pass(windowMs);
  const member = await control.join('late', ['agent']);
  const request = { method: 'GET', path: '/agent/v1/revisions/none', body: createHash('sha256').update('').digest('hex') } as const;
  const statusesOf = async (identity: Identity, lateMs: number): Promise<readonly number[]> => {
    const sign = createRequestSigner(identity, { now: () => control.now() - lateMs, random: (length) => randomBytes(length) });
    const statuses: number[] = [];
    for (let time = 0; time < failuresMax; time += 1) statuses.push((await ask(control.url, 'GET', request.path, { headers: { authorization: await sign(request) } })).status);
    return statuses;
  };
  expect(new Set(await statusesOf(member.identity, 2 * 60_000))).toEqual(new Set([401]));
  expect((await control.get('/v1/apps')).status).toBe(200);
  const impostor = { ...(await createIdentity(await mkdtemp(join(control.dataDir, 'member-')))), member: member.id };
  expect(new Set(await statusesOf(impostor, 0))).toEqual(new Set([401]));
  expect((await control.get('/v1/apps')).status).toBe(429);
  clock.pass(windowMs);
});

test('of several forms of a request only what is wrong with the one that was meant is told', async () => {
  const answer = await control.call('POST', '/v1/tokens', { body: { use: 'api', name: 'x', scopes: ['promote:prod'] } });
  expect(answer.body.errors).toEqual([{ pointer: '/scopes/0', detail: expect.stringContaining('must match') }]);
});
