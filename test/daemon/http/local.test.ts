// The local API as whoever scrapes, checks and asks meets it: a real server on loopback.

import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { Counter, Registry } from 'prom-client';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../daemon/clock.ts';
import { DaemonError } from '../../../daemon/errors.ts';
import { serveLocally, type LocalApi, type LocalView } from '../../../daemon/http/local.ts';
import { loud } from '../install/support.ts';

const apis: LocalApi[] = [];
const said: string[] = [];
const registry = new Registry();
new Counter({ name: 'starling_test_total', help: 'One.', registers: [registry] }).inc();

afterEach(async () => {
  said.length = 0;
  for (const api of apis.splice(0)) await api[Symbol.asyncDispose]();
});

async function serve(view: Partial<LocalView> = {}, host = '127.0.0.1', port = 0): Promise<LocalApi> {
  const api = await serveLocally({ host, port }, { registry, view: { unready: () => [], status: async () => await Promise.resolve({ member: 'm' }), ...view }, clock: systemClock, log: loud(said) });
  apis.push(api);
  return api;
}

describe('answers', () => {
  test.each([
    ['/healthz', 200, { status: 'ok' }],
    ['/readyz?verbose', 200, { ready: true, awaited: [] }],
    ['/v1/status', 200, { member: 'm' }],
  ])('%s', async (path, status, body) => {
    const answer = await fetch(`${(await serve()).url}${path}`);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(await answer.json()).toEqual(body);
  });

  test('/readyz with what is awaited', async () => {
    const answer = await fetch(`${(await serve({ unready: () => ['the first answer'] })).url}/readyz`);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toEqual({ ready: false, awaited: ['the first answer'] });
  });

  test('/metrics in the form that Prometheus asks for', async () => {
    const answer = await fetch(`${(await serve()).url}/metrics`);
    expect(answer.headers.get('content-type')).toBe(registry.contentType);
    expect(await answer.text()).toContain('starling_test_total 1');
  });

  test('HEAD without a body', async () => {
    const answer = await fetch(`${(await serve()).url}/healthz`, { method: 'HEAD' });
    expect([answer.status, answer.headers.get('content-length'), await answer.text()]).toEqual([200, '15', '']);
  });
});

describe('refuses', () => {
  test.each([
    ['GET', '/nothing'],
    ['GET', '/constructor'],
    ['POST', '/v1/status'],
  ])('%s %s', async (method, path) => {
    const answer = await fetch(`${(await serve()).url}${path}`, { method });
    expect(answer.status).toBe(404);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(await answer.json()).toMatchObject({ code: 'NOT_FOUND', detail: `there is nothing at ${method} ${path}` });
  });

  test('what fails by itself, and tells the log how', async () => {
    const answer = await fetch(`${(await serve({ status: async () => await Promise.reject(new TypeError('secret')) })).url}/v1/status`);
    expect(answer.status).toBe(500);
    expect(await answer.json()).toMatchObject({ code: 'INTERNAL', detail: 'the daemon failed; its log says how' });
    expect(said).toEqual([expect.stringContaining('request failed')]);
  });

  test('what the disk has no room for, with the reason', async () => {
    const answer = await fetch(`${(await serve({ status: async () => await Promise.reject(new DaemonError('NO_SPACE', 'the disk is full')) })).url}/v1/status`);
    expect(answer.status).toBe(507);
    expect(await answer.json()).toMatchObject({ code: 'NO_SPACE', detail: 'the disk is full' });
  });
});

describe('listens', () => {
  test('not where somebody else does', async () => {
    const { port } = new URL((await serve()).url);
    await expect(serve({}, '127.0.0.1', Number(port))).rejects.toMatchObject({ code: 'PORT_IN_USE', message: expect.stringMatching(`port ${port} on 127.0.0.1 is in use`) });
  });

  test.each([
    ['0.0.0.0', /^http:\/\/127\.0\.0\.1:\d+$/],
    ['::1', /^http:\/\/\[::1\]:\d+$/],
  ])('at %s, and says an address that one can ask', async (host, url) => {
    const api = await serve({}, host);
    expect(api.url).toMatch(url);
    expect((await fetch(`${api.url}/healthz`)).status).toBe(200);
  });
});

describe('ends', () => {
  test('with the answer that is under way', async () => {
    const { promise, resolve } = Promise.withResolvers<object>();
    const asked = Promise.withResolvers<void>();
    const api = await serve({ status: async () => {
      asked.resolve();
      return await promise;
    } });
    const answered = once(get(`${api.url}/v1/status`, { agent: false }), 'response');
    await asked.promise;
    const ended = api[Symbol.asyncDispose]();
    resolve({ late: true });
    const [response]: IncomingMessage[] = await answered;
    expect(response === undefined ? '' : await text(response)).toBe('{"late":true}');
    await ended;
  });

  test('though somebody is connected and says nothing', async () => {
    const api = await serve();
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
    await once(socket, 'connect');
    // Taken in by the server as well: it has answered somebody who came later.
    await (await fetch(`${api.url}/healthz`)).text();
    const closed = once(socket, 'close');
    await api[Symbol.asyncDispose]();
    await closed;
  });
});
