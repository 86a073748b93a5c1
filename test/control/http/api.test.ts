// The resources of /v1 and the form of every refusal, over real sockets.

import { createConnection } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deploymentDefaults } from '../../../proto/api/environments.ts';
import { ProblemSchema, problemStatuses } from '../../../proto/api/schema.ts';
import { Compile } from 'typebox/compile';
import { problemOf, TestControl, type Answer } from './harness.ts';

let control: TestControl;
beforeAll(async () => {
  control = await TestControl.start();
  await control.post('/v1/apps', { app: 'web', project: 'shop' });
  await control.post('/v1/environments', { environment: 'prod', app: 'web', selector: { env: 'prod' } });
});
afterAll(async () => await control[Symbol.asyncDispose]());

const isProblem = Compile(ProblemSchema);

/** Every refusal has the one form, with the status of its code. */
function expectProblem(answer: Answer, code: keyof typeof problemStatuses): void {
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(isProblem.Errors(answer.body)).toEqual([]);
  const problem = problemOf(answer);
  expect([problem.code, problem.status, answer.status]).toEqual([code, problemStatuses[code], problemStatuses[code]]);
}

describe('refusals', () => {
  test('name every field that is wrong, with a pointer to it', async () => {
    const answer = await control.call('POST', '/v1/environments', { body: { environment: 'UPPER', app: 'web', selector: {}, config: { batches: ['x'], typo: 1 } } });
    expectProblem(answer, 'INVALID_REQUEST');
    const pointers = new Set(problemOf(answer).errors?.map(({ pointer }) => pointer));
    expect(pointers).toEqual(new Set(['/environment', '/config/typo', '/config/batches/0']));
  });

  test.each([
    ['a body that is no JSON', 'POST', '/v1/apps', { body: '{', headers: { 'content-type': 'application/json' } }, 'INVALID_REQUEST'],
    ['a body of another type', 'POST', '/v1/apps', { body: 'a=1', headers: { 'content-type': 'text/plain' } }, 'UNSUPPORTED_MEDIA_TYPE'],
    ['a body that is too large', 'POST', '/v1/apps', { body: JSON.stringify({ app: 'x'.repeat(2 ** 20) }), headers: { 'content-type': 'application/json' } }, 'TOO_LARGE'],
    ['a prototype in the body', 'POST', '/v1/apps', { body: '{"__proto__":{"app":"x"}}', headers: { 'content-type': 'application/json' } }, 'INVALID_REQUEST'],
    ['an unknown path', 'GET', '/v1/nothing', {}, 'NOT_FOUND'],
    ['a method that a path does not take', 'DELETE', '/v1/apps/web', {}, 'METHOD_NOT_ALLOWED'],
    ['a path that cannot be decoded', 'GET', '/v1/apps/%zz', {}, 'INVALID_REQUEST'],
    ['a parameter that is too long', 'GET', `/v1/apps/${'x'.repeat(200)}`, {}, 'INVALID_REQUEST'],
    ['a page that is too large', 'GET', '/v1/targets?limit=501', {}, 'INVALID_REQUEST'],
    ['a query that is not known', 'GET', '/v1/targets?colour=red', {}, 'INVALID_REQUEST'],
    ['a foreign cursor', 'GET', '/v1/apps?cursor=AAAA', {}, 'INVALID_REQUEST'],
    ['a label selector that is none', 'GET', '/v1/targets?label=zone~a', {}, 'INVALID_REQUEST'],
    ['what is not on record', 'GET', '/v1/deployments/prod-7', {}, 'NOT_FOUND'],
  ] as const)('%s', async (_what, method, path, init, code) => {
    const response = await fetch(control.url + path, { method, ...init, headers: { authorization: `Bearer ${control.admin}`, ...('headers' in init ? init.headers : {}) } });
    const text = await response.text();
    expectProblem({ status: response.status, headers: response.headers, text, body: JSON.parse(text) }, code);
  });

  test('405 says what is allowed', async () => {
    expect((await control.call('PUT', '/v1/apps')).headers.get('allow')).toBe('GET, POST');
  });

  test('bytes that are no HTTP are answered with a problem, and the connection ends', async () => {
    const { hostname, port } = new URL(control.url);
    const socket = createConnection({ host: hostname, port: Number(port) });
    socket.write('NONSENSE\r\n\r\n');
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    expect(text).toContain('HTTP/1.1 400');
    expect(JSON.parse(text.slice(text.indexOf('{')))).toMatchObject({ code: 'INVALID_REQUEST' });
  });
});

describe('resources', () => {
  test('an application exists once', async () => {
    expect((await control.get('/v1/apps/web')).body).toMatchObject({ app: 'web', project: 'shop', revisions: 0 });
    expectProblem(await control.call('POST', '/v1/apps', { body: { app: 'web' } }), 'CONFLICT');
  });

  test('an environment has the documented defaults, and answers with where it is', async () => {
    const created = await control.post('/v1/environments', { environment: 'stage', app: 'web', selector: { env: 'stage' }, config: { maxParallel: 2 } });
    expect(created.headers.get('location')).toBe('/v1/environments/stage');
    expect(created.body.config).toEqual({ ...deploymentDefaults, maxParallel: 2 });
    expectProblem(await control.call('POST', '/v1/environments', { body: { environment: 'x', app: 'nothing', selector: {} } }), 'NOT_FOUND');
  });

  test('an environment is changed only by who has seen it as it is', async () => {
    const path = '/v1/environments/prod';
    const body = { selector: { env: 'prod', tier: 'web' }, config: { minHealthy: '50%' } };
    const etag = (await control.get(path)).headers.get('etag') ?? '';
    expectProblem(await control.call('PUT', path, { body }), 'PRECONDITION_REQUIRED');
    expectProblem(await control.call('PUT', path, { body, headers: { 'if-match': '"old"' } }), 'PRECONDITION');
    const changed = await control.call('PUT', path, { body, headers: { 'if-match': etag } });
    expect([changed.status, changed.body.config.minHealthy, changed.headers.get('etag') === etag]).toEqual([200, '50%', false]);
    expectProblem(await control.call('PUT', path, { body, headers: { 'if-match': etag } }), 'PRECONDITION');
    expectProblem(await control.call('PUT', path, { body: { ...body, config: { minHealthy: '100%' } }, headers: { 'if-match': '*' } }), 'INVALID_REQUEST');
  });

  test('a token\'s text is shown once; revoked, it is of no use', async () => {
    const { body, headers } = await control.post('/v1/tokens', { use: 'api', name: 'ci', scopes: ['read:*'] });
    expect(body.text).toMatch(/^sta_api_/);
    expect((await control.get(`/v1/tokens/${body.token}`)).text).not.toContain(body.text.split('_')[3]);
    expect((await control.get('/v1/apps', { token: body.text })).status).toBe(200);
    const revoked = await control.call('DELETE', `/v1/tokens/${body.token}`, { headers: { 'if-match': headers.get('etag') ?? '' } });
    expect([revoked.status, revoked.text]).toEqual([204, '']);
    const refused = await control.get('/v1/apps', { token: body.text });
    expectProblem(refused, 'UNAUTHENTICATED');
    expect(problemOf(refused).detail).toContain("token 'ci' was revoked");
  });

  test('a promotion of what is not there is refused; of what waits it says why', async () => {
    expectProblem(await control.call('POST', '/v1/promotions', { body: { environment: 'prod', revision: 'latest' } }), 'NOT_FOUND');
    expectProblem(await control.call('POST', '/v1/environments/prod/rollback', { body: {} }), 'NOT_FOUND');
    expect((await control.get('/v1/environments/prod/explain')).body).toMatchObject({ phase: 'idle', blockers: [] });
    expect((await control.get('/v1/environments/prod/gate')).body).toEqual({ environment: 'prod', blockers: [] });
  });

  test('lists are pages that link to the next, and miss nobody who was there from the start', async () => {
    for (const name of ['e', 'a', 'd', 'b', 'c']) await control.post('/v1/apps', { app: `page-${name}` });
    const seen: string[] = [];
    let path: string | undefined = '/v1/apps?limit=2';
    let added = false;
    while (path !== undefined) {
      const answer: Answer = await control.get(path);
      seen.push(...answer.body.items.map(({ app }: { app: string }) => app));
      const link = answer.headers.get('link');
      expect(link === null).toBe(answer.body.next === undefined);
      path = /^<([^>]+)>; rel="next"$/.exec(link ?? '')?.[1];
      if (!added) await control.post('/v1/apps', { app: 'page-0' });
      added = true;
    }
    expect(seen.filter((app) => app.startsWith('page-') && app !== 'page-0')).toEqual(['page-a', 'page-b', 'page-c', 'page-d', 'page-e']);
    expect(new Set(seen).size).toBe(seen.length);
  });

  test('the status says where the fleet pins its trust and where events go on', async () => {
    const { body } = await control.get('/v1/status');
    expect(body).toMatchObject({ org: 'starling', rootDigest: control.control.rootDigest, publicUrl: control.url, developmentKeys: true });
    const events = await control.events();
    expect(body.asOf).toBe(Number(events.at(-1)?.id));
  });
});

test('health, readiness, the trust root and the API\'s description need no token', async () => {
  for (const path of ['/healthz', '/readyz', '/metrics', '/v1/trust/root.json', '/v1/openapi.json']) {
    expect((await control.get(path, { token: '' })).status).toBe(200);
  }
  expect((await control.get('/readyz')).body).toEqual({ status: 'ready', checks: { decisions: 'ok', stopping: 'ok' } });
});
