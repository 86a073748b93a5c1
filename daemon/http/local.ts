// The daemon's local API: whether it lives and is ready, its metrics, and what it knows of itself. On loopback by default;
// it changes nothing, so it asks nobody who they are. Four answers need no framework, which would be 3 MiB of what an idle agent keeps in memory.

import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import { http } from '../node-http.ts';
import { listenFailure, type Listener } from './listen.ts';
import { problemOf } from './problems.ts';

/** What the local API shows. */
export interface LocalView {
  /** Empty when ready; otherwise what is awaited, one sentence each. */
  unready(): readonly string[];
  status(): Promise<object>;
}

interface LocalParts {
  readonly registry: Registry;
  readonly view: LocalView;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A local API that listens. Closing it lets answers under way end, for two seconds. */
export interface LocalApi extends AsyncDisposable {
  readonly url: string;
}

/** Milliseconds: a request to come in, a connection on which nothing passes, one that waits for another request, and answers under way at the end. */
const timeouts = { request: 30_000, connection: 60_000, keepAlive: 10_000, close: 2_000 } as const;
/** Scrapes, checks and people of one machine; a connection has some ten kilobytes. */
const connectionsMax = 128;
const requestsPerConnectionMax = 10_000;

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

type Routes = ReadonlyMap<string, () => Answer | Promise<Answer>>;

/**
 * Serves the local API.
 * @throws {DaemonError} PORT_IN_USE when somebody else listens there.
 */
export async function serveLocally({ host, port }: Listener, { registry, view, clock, log }: LocalParts): Promise<LocalApi> {
  const routes = routesOf(registry, view);
  const server = http.createServer({ requestTimeout: timeouts.request, keepAliveTimeout: timeouts.keepAlive }, (request, response) => {
    void reply(routes, request, response, log);
  });
  server.timeout = timeouts.connection;
  server.maxConnections = connectionsMax;
  server.maxRequestsPerSocket = requestsPerConnectionMax;
  server.listen({ host, port });
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw listenFailure(cause, { host, port }, 'the local API');
  }
  return { url: urlOf(server), [Symbol.asyncDispose]: async () => await close(server, clock) };
}

function routesOf(registry: Registry, view: LocalView): Routes {
  return new Map<string, () => Answer | Promise<Answer>>([
    ['/healthz', () => json(200, { status: 'ok' })],
    ['/readyz', () => ready(view.unready())],
    ['/metrics', async () => ({ status: 200, type: registry.contentType, body: await registry.metrics() })],
    ['/v1/status', async () => json(200, await view.status())],
  ]);
}

function ready(awaited: readonly string[]): Answer {
  return json(awaited.length === 0 ? 200 : 503, { ready: awaited.length === 0, awaited });
}

async function reply(routes: Routes, request: IncomingMessage, response: ServerResponse, log: Logger): Promise<void> {
  const { status, type, body } = await answer(routes, request, log);
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) }).end(body);
}

async function answer(routes: Routes, { method = '', url = '' }: IncomingMessage, log: Logger): Promise<Answer> {
  const [path = ''] = url.split('?', 1);
  const route = method === 'GET' || method === 'HEAD' ? routes.get(path) : undefined;
  if (route === undefined) return problem(404, 'NOT_FOUND', `there is nothing at ${method} ${url}`);
  try {
    return await route();
  } catch (cause) {
    const { status, code, detail } = problemOf(cause);
    if (status >= 500 && status !== 503) log.error({ err: cause, method, route: path }, 'request failed');
    return problem(status, code, detail);
  }
}

function json(status: number, value: object): Answer {
  return { status, type: 'application/json; charset=utf-8', body: JSON.stringify(value) };
}

function problem(status: number, code: string, detail: string): Answer {
  return { ...json(status, { type: 'about:blank', title: code, status, code, detail }), type: 'application/problem+json' };
}

/** Where it can be reached from this machine: nobody can ask an address that stands for all of them. */
function urlOf(server: Server): string {
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new TypeError(`a port was expected, not ${bound}`);
  const address = { '0.0.0.0': '127.0.0.1', '::': '::1' }[bound.address] ?? bound.address;
  return `http://${bound.family === 'IPv6' ? `[${address}]` : address}:${bound.port}`;
}

/** A connection on which nobody asks anything would otherwise keep the daemon for a minute. */
async function close(server: Server, clock: Clock): Promise<void> {
  const ended = new AbortController();
  const closed = new Promise((resolve) => server.close(resolve));
  void clock.wait(timeouts.close, { signal: ended.signal }).then(() => server.closeAllConnections(), () => undefined);
  await closed;
  ended.abort();
}
