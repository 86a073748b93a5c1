// A proxy for tests of the push: the daemon's own upload sessions behind a real socket, which can be told to break.

import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Grant } from '../../../proto/statement.ts';
import { systemClock } from '../../../daemon/clock.ts';
import { openManifests } from '../../../daemon/content/manifests.ts';
import { openPackStore } from '../../../daemon/content/pack/pack.ts';
import { DaemonError } from '../../../daemon/errors.ts';
import { createUploads } from '../../../daemon/upload/sessions.ts';

/** What to do with the n-th request (from 1): `cut` the connection before it is read, `lose` the answer after it was done, or answer a status. */
export type Fault = 'cut' | 'lose' | 'forget' | { readonly status: number; readonly code: string };

export interface TestProxy extends AsyncDisposable {
  readonly url: string;
  readonly requests: string[];
  /** Most frames that were under way at once. */
  readonly framesAtOnce: () => number;
  /** Asked before each request. */
  fault: (request: string, nth: number) => Fault | undefined;
}

export async function startProxy(app = 'web'): Promise<TestProxy> {
  const directory = await mkdtemp(join(tmpdir(), 'starling-proxy-'));
  const store = await openPackStore(join(directory, 'store'));
  let ids = 0;
  let numbers = 0;
  const refused = (): Promise<never> => Promise.reject(new Error('not used'));
  const uploads = createUploads({
    store,
    ownership: store.ownership,
    manifests: await openManifests(join(directory, 'manifests')),
    clock: systemClock,
    newId: () => `session-${(ids += 1)}`,
    onRevision: () => undefined,
    onReceived: () => undefined,
    link: { sync: refused, report: refused, manifest: refused, handOver: () => Promise.resolve({ app, revision: 'a'.repeat(64), number: (numbers += 1), created: true }) },
  });
  const grant: Grant = { id: 'grant-0001', project: app, app, user: 'token:test', notBefore: 0, notAfter: 4_000_000_000 };
  const bearer = { compact: 'grant', grant };
  const { signal } = new AbortController();
  let frames = 0;
  let framesMost = 0;

  const answer = async (method: string, path: string, body: Buffer): Promise<{ readonly status: number; readonly value?: unknown }> => {
    const [, id = '', what] = /^\/upload\/v1\/sessions(?:\/([^/]+)\/(index|frames|complete))?$/.exec(path) ?? [];
    if (method === 'POST' && id === '') {
      const { manifest, alias } = JSON.parse(body.toString('utf8')) as { manifest: string; alias?: string };
      return { status: 201, value: await uploads.open(bearer, Buffer.from(manifest, 'base64'), alias, { signal }) };
    }
    if (method === 'PUT' && what === 'index') return { status: 200, value: await uploads.index(bearer, id, body, { signal }) };
    if (method === 'PUT' && what === 'frames') {
      await uploads.frame(bearer, id, body, { signal });
      return { status: 204 };
    }
    return { status: 200, value: await uploads.complete(bearer, id, { signal }) };
  };
  const proxy = { requests: [] as string[], fault: (_request: string, _nth: number): Fault | undefined => undefined };
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const [method, path] = [request.method ?? '', request.url ?? ''];
    const name = `${method} ${path.split('/').at(-1) ?? ''}`;
    proxy.requests.push(name);
    const fault = proxy.fault(name, proxy.requests.length);
    if (fault === 'cut') return void request.socket.destroy();
    const body = await request.toArray().then((chunks) => Buffer.concat(chunks), () => undefined);
    // The client went away.
    if (body === undefined) return;
    if (typeof fault === 'object') return void response.writeHead(fault.status, { 'content-type': 'application/problem+json' }).end(JSON.stringify({ code: fault.code, detail: 'as the test wished' }));
    frames += name.endsWith('frames') ? 1 : 0;
    framesMost = Math.max(framesMost, frames);
    try {
      const { status, value } = await answer(method, fault === 'forget' ? path.replace(/session-\d+/, 'session-forgotten') : path, body);
      if (fault === 'lose') return void request.socket.destroy();
      response.writeHead(status, { 'content-type': 'application/json' }).end(value === undefined ? undefined : JSON.stringify(value));
    } catch (error) {
      const code = error instanceof DaemonError ? error.code : 'INTERNAL';
      response.writeHead(code === 'UNKNOWN_SESSION' ? 404 : code === 'INCOMPLETE' ? 409 : code === 'CORRUPT_CHUNK' ? 422 : 500).end(JSON.stringify({ code, detail: error instanceof Error ? error.message : '' }));
    } finally {
      frames -= name.endsWith('frames') ? 1 : 0;
    }
  };
  const server = createServer((request, response) => void handle(request, response));
  const url = await listening(server);
  return Object.assign(proxy, {
    url,
    framesAtOnce: () => framesMost,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await store.close();
      await rm(directory, { recursive: true });
    },
  });
}

/** A URL where nobody listens. */
export async function closedUrl(): Promise<string> {
  const server = createServer();
  const url = await listening(server);
  await new Promise((resolve) => server.close(resolve));
  return url;
}

async function listening(server: Server): Promise<string> {
  return await new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(`http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`);
    });
  });
}
