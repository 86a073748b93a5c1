// The daemon's local API: whether it lives and is ready, its metrics, and what it knows of itself. On loopback by default;
// it changes nothing, so it asks nobody who they are.

import fastify, { type FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import { DaemonError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { problemHandler } from './problems.ts';

/** What the local API shows. */
export interface LocalView {
  /** Empty when ready; otherwise what is awaited, one sentence each. */
  unready(): readonly string[];
  status(): Promise<object>;
}

const timeouts = { requestTimeout: 30_000, connectionTimeout: 60_000, keepAliveTimeout: 10_000, handlerTimeout: 60_000 } as const;

/** An HTTP server of the daemon with its error handling and bounds; routes are the caller's, and times in milliseconds that these need longer. */
export function createServer(log: Logger, longer: Partial<Record<keyof typeof timeouts, number>> = {}): FastifyInstance {
  const app = fastify({ logger: false, ...timeouts, ...longer, maxRequestsPerSocket: 10_000, bodyLimit: 64 * 1024 });
  app.setErrorHandler(problemHandler(log));
  app.setNotFoundHandler(async (request, reply) => {
    await reply.code(404).type('application/problem+json').send({ type: 'about:blank', title: 'NOT_FOUND', status: 404, code: 'NOT_FOUND', detail: `there is nothing at ${request.method} ${request.url}` });
  });
  return app;
}

/** Registers the local API. */
export function localRoutes(app: FastifyInstance, registry: Registry, view: LocalView): void {
  app.get('/healthz', async () => await Promise.resolve({ status: 'ok' }));
  app.get('/readyz', async (_request, reply) => {
    const awaited = view.unready();
    return await reply.code(awaited.length === 0 ? 200 : 503).send({ ready: awaited.length === 0, awaited });
  });
  app.get('/metrics', async (_request, reply) => await reply.type(registry.contentType).send(await registry.metrics()));
  app.get('/v1/status', async () => await view.status());
}

/**
 * Listens; resolves with the URL.
 * @throws {DaemonError} PORT_IN_USE when somebody else listens there.
 */
export async function listen(app: FastifyInstance, { host, port }: { readonly host: string; readonly port: number }, what: string): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE') {
      throw new DaemonError('PORT_IN_USE', `${what}: port ${port} on ${host} is in use; stop what listens there, or choose another port in the configuration`, { cause });
    }
    throw new DaemonError('PORT_IN_USE', `${what}: cannot listen on ${host}:${port}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
