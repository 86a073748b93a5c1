// Secrets stay where they belong: not in logs, not in answers, not in the data directory.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { firstTokenFile } from '../../../control/control-first-token.ts';
import { operations } from '../../../proto/api/operations.ts';
import { TestControl } from './harness.ts';

test('canaries sent through every route, wherever a secret may be put, appear in no line of the log', async () => {
  await using control = await TestControl.start();
  const canary = 'canary0123456789secret';
  const holder = (await control.post('/v1/tokens', { use: 'api', name: 'holder', scopes: ['admin:*'] })).body.text;
  const routes = [...Object.values(operations), ...['enrol/challenge', 'enrol', 'sync', 'reports', 'revisions'].map((path) => ({ method: 'POST', path: `/agent/v1/${path}` })), { method: 'GET', path: `/agent/v1/revisions/${canary}` }];
  for (const { method, path: pattern } of routes) {
    if (pattern === '/v1/events') continue;
    const path = `${pattern.replace(/\{\w+\}/g, canary)}?token=${canary}`;
    const body = method === 'POST' || method === 'PUT' ? { body: { text: canary, secret: canary, app: canary, environment: canary } } : {};
    for (const token of [holder, `sta_api_${canary}`, canary]) {
      await control.call(method, path, { ...body, token, headers: { 'idempotency-key': `${canary}-${token.slice(0, 12)}`, cookie: canary, 'if-match': canary, 'x-api-key': canary } });
    }
    await control.call(method, path, { ...body, token: '', headers: { authorization: `Starling ${canary}` } });
  }
  await control.call('POST', '/v1/tokens', { body: { use: 'api', name: 'x', scopes: [canary] } });
  await fetch(`${control.url}/v1/apps`, { method: 'POST', body: `{"${canary}":`, headers: { authorization: `Bearer ${holder}`, 'content-type': 'application/json' } });
  expect(control.logs.length).toBeGreaterThan(100);
  const told = control.logs.filter((line) => [canary, holder, holder.split('_')[3] ?? '', control.admin, control.admin.split('_')[3] ?? ''].some((secret) => line.includes(secret)));
  expect(told).toEqual([]);
});

test('a dump of the data directory holds no live token', async () => {
  await using control = await TestControl.start();
  const secrets = [control.admin];
  for (const body of [{ use: 'api', name: 'a', scopes: ['read:*'] }, { use: 'join', name: 'b', roles: ['agent'], usesMax: 5 }]) {
    secrets.push((await control.post('/v1/tokens', body)).body.text);
    secrets.push((await control.post('/v1/tokens', body, { headers: { 'idempotency-key': 'a-key-that-nobody-guesses' + body.use } })).body.text);
  }
  await control.post('/v1/apps', { app: 'web' });
  const { grant } = (await control.post('/v1/apps/web/uploads', {}, { headers: { 'idempotency-key': 'another-key-that-nobody-guesses' } })).body;
  await control.stop();
  const dump: string[] = [];
  for (const entry of await readdir(control.dataDir, { recursive: true, withFileTypes: true })) {
    // The administrator's own copy: handed out, to be moved away.
    if (!entry.isFile() || entry.name === firstTokenFile) continue;
    dump.push(await readFile(join(entry.parentPath, entry.name), 'latin1'));
  }
  const all = dump.join('\n');
  // The journal is there and says what it should.
  expect(all).toContain('token.created');
  const parts = secrets.map((text) => (text.startsWith('staj1') ? text.split('.')[3] : text.split('_')[3]) ?? '');
  for (const secret of [...secrets, ...parts, grant]) {
    expect(all.includes(secret)).toBe(false);
    expect(all.includes(Buffer.from(secret).toString('base64').replace(/=+$/, '').slice(0, -1))).toBe(false);
  }
});

test('answers hold exactly what their schemas name, and a handler that says more fails instead', async () => {
  const { serializerCompiler } = await import('../../../control/http/validate.ts');
  const { TokenSchema } = await import('../../../proto/api/tokens.ts');
  const serialize = serializerCompiler({ schema: TokenSchema, method: 'GET', url: '/v1/tokens', httpStatus: '200' });
  const token = { token: 't', use: 'api', name: 'n', scopes: [], groups: [], roles: [], environments: [], labels: {}, usesMax: 0, uses: 0, createdAt: 1, expiresAt: 2, revoked: false };
  expect(serialize(token)).toBe(JSON.stringify(token));
  expect(() => serialize({ ...token, secretDigest: 'x' })).toThrow('does not fit its schema');
});
