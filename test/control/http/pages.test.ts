// The user interface as it is served: the page and its files, to everybody, under a policy that lets nothing in from elsewhere.

import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundleWeb, iconFile } from '../../../control/bundle/bundle.ts';
import { operations } from '../../../proto/api/operations.ts';
import { TestControl, problemOf } from './harness.ts';

let control: TestControl;
beforeAll(async () => {
  control = await TestControl.start();
});
afterAll(async () => await control[Symbol.asyncDispose]());

const nobody = { token: '' };
const paths = ['/', '/pipelines', '/pipelines/shop', '/pipelines/shop?edge=shop/a-to-b', '/environments/prod', '/promotions/pr-1', '/deployments/prod-1', '/approvals', '/targets?label=zone%3Da', '/targets/prod-1', '/swarm', '/deployments/prod-1/receipt', '/changes', '/trace?of=web@1', '/audit?action=lock', '/calendar', '/settings'] as const;

describe('the page', () => {
  test.each(paths)('is at %s, to be reloaded and sent to colleagues', async (path) => {
    const { status, headers, text } = await control.get(path, nobody);
    expect([status, headers.get('content-type'), headers.get('cache-control')]).toEqual([200, 'text/html; charset=utf-8', 'no-cache']);
    expect(text).toMatch(/^<!doctype html>/);
  });

  test.each(paths)('W3 lets nothing in from elsewhere, has nothing written into it, and may not be framed, at %s', async (path) => {
    const { headers, text } = await control.get(path, nobody);
    const policy = headers.get('content-security-policy') ?? '';
    for (const rule of ["default-src 'self'", "frame-ancestors 'none'", "form-action 'none'", "require-trusted-types-for 'script'"]) expect(policy).toContain(rule);
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect([headers.get('x-content-type-options'), headers.get('referrer-policy'), headers.get('set-cookie'), headers.get('access-control-allow-origin')]).toEqual(['nosniff', 'no-referrer', null, null]);
    expect(text).not.toMatch(/<style|<script(?![^>]* src=)|\sstyle=|\son[a-z]+=/);
  });

  test('names files that are there, that never change under their name, and that are sent small', async () => {
    const { text } = await control.get('/', nobody);
    const names = [...text.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, name = '']) => name);
    expect(names.length).toBeGreaterThanOrEqual(3);
    for (const name of names) {
      const [plain, packed] = await Promise.all(['identity', 'gzip'].map(async (coding) => await fetch(control.url + name, { headers: { 'accept-encoding': coding } })));
      expect([plain?.status, plain?.headers.get('content-encoding'), packed?.headers.get('content-encoding'), plain?.headers.get('vary')]).toEqual([200, null, 'gzip', 'accept-encoding']);
      if (name.endsWith('.svg')) continue;
      expect([name, plain?.headers.get('cache-control')]).toEqual([expect.stringMatching(/-[A-Z0-9]{8}\.(?:js|css)$/), 'public, max-age=31536000, immutable']);
      expect(await packed?.text()).toBe(await plain?.text());
    }
  });

  test('of a version that is gone says so', async () => {
    const answer = await control.get('/assets/main-AAAAAAAA.js', nobody);
    expect([answer.status, problemOf(answer).detail]).toEqual([404, expect.stringContaining('load it again')]);
    expect((await control.get('/assets/..%2fmain.ts', nobody)).status).toBe(404);
    expect((await control.get('/v1/nothing', nobody)).status).toBe(404);
  });
});

test('W1 another site can have a browser send nothing that counts: no cookie is ever set, no token is ambient, and no origin is let in', async () => {
  const elsewhere = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site', cookie: `token=${control.admin}` };
  const preflight = await control.call('OPTIONS', '/v1/locks', { token: '', headers: { ...elsewhere, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' } });
  expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([405, null]);
  for (const { method, path } of Object.values(operations).filter((operation) => operation.method !== 'GET')) {
    const { status, headers } = await control.call(method, path.replace(/\{\w+\}/g, 'x'), { token: '', body: {}, headers: elsewhere });
    // 429 once that was tried often enough.
    expect([path, [401, 429].includes(status), headers.get('set-cookie'), headers.get('access-control-allow-origin')]).toEqual([path, true, null, null]);
  }
});

test('bundleWeb() makes the same files each time, and none of them holds a schema', async () => {
  const [one, other] = [await bundleWeb(), await bundleWeb()];
  expect([...other.assets.keys()]).toEqual([...one.assets.keys()]);
  const texts = [...one.assets.values()].map(({ plain }) => plain.toString('utf8'));
  expect(texts.join('\n')).not.toContain('additionalProperties');
  for (const { plain, gzip } of [...one.assets.values(), one.page, iconFile]) expect(gunzipSync(gzip).equals(plain)).toBe(true);
});
