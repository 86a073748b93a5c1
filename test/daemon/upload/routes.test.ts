// The proxy's routes over real sockets: who has no grant sends nothing.

import { once } from 'node:events';
import { request } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { limits } from '../../../proto/limits.ts';
import type { Grant } from '../../../proto/statement.ts';
import { DaemonError } from '../../../daemon/errors.ts';
import { createServer, listen } from '../../../daemon/http/server.ts';
import { uploadRoutes, uploadTimeouts } from '../../../daemon/upload/routes.ts';
import type { Uploads } from '../../../daemon/upload/upload.ts';
import { silent } from '../../contract/trust-fixture.ts';

const grant: Grant = { id: 'g', app: 'web', project: 'web', user: 'token:a', notBefore: 0, notAfter: 1 };

/** A proxy whose sessions answer with what they were given. */
async function proxy(): Promise<string> {
  const app = createServer(silent, uploadTimeouts);
  const uploads: Uploads = {
    open: async () => await Promise.reject(new DaemonError('TOO_MANY_SESSIONS', 'not here')),
    index: async () => await Promise.reject(new DaemonError('UNKNOWN_SESSION', 'not here')),
    frame: async (bearer, session, bytes) => await Promise.reject(new DaemonError('UNKNOWN_SESSION', `${bearer.compact} ${session} ${bytes.length}`)),
    complete: async () => await Promise.reject(new DaemonError('UNKNOWN_SESSION', 'not here')),
    chunksInUse: () => [],
  };
  const verifyGrant = async (compact: string): Promise<Grant> => {
    if (compact !== 'good') throw new DaemonError('STATEMENT_REFUSED', 'the grant is not signed as required');
    return await Promise.resolve(grant);
  };
  uploadRoutes(app, { uploads, verifyGrant, signal: new AbortController().signal });
  onTestFinished(async () => await app.close());
  return await listen(app, { host: '127.0.0.1', port: 0 }, 'uploads');
}

test.each([['POST', '/upload/v1/sessions'], ['PUT', '/upload/v1/sessions/s/index'], ['PUT', '/upload/v1/sessions/s/frames'], ['POST', '/upload/v1/sessions/s/complete']])('%s %s is refused without a grant before any of its body is read', async (method, path) => {
  const url = await proxy();
  for (const authorization of [undefined, 'Bearer bad']) {
    const headers = { 'content-type': method === 'PUT' ? 'application/zstd' : 'application/json', 'content-length': 1_000_000, ...(authorization === undefined ? {} : { authorization }) };
    const sent = request(`${url}${path}`, { method, headers });
    sent.on('error', () => undefined);
    sent.write('x');
    const [response] = await once(sent, 'response');
    expect([response.statusCode, response.headers.connection]).toEqual([401, 'close']);
    sent.destroy();
  }
});

test('with one the body comes, and the session is told whose it is', async () => {
  const answer = await fetch(`${await proxy()}/upload/v1/sessions/s/frames`, { method: 'PUT', body: new Uint8Array(3), headers: { 'content-type': 'application/zstd', authorization: 'Bearer good' } });
  expect([answer.status, await answer.json()]).toMatchObject([404, { detail: 'good s 3' }]);
});

test('it works on an upload, and reads of it, for as long as a client waits', () => {
  const settings = new Map(Object.entries(createServer(silent, uploadTimeouts).initialConfig));
  for (const name of ['requestTimeout', 'handlerTimeout', 'connectionTimeout']) expect({ name, ms: Number(settings.get(name)) >= limits.uploadAnswerMsMax }).toEqual({ name, ms: true });
});
