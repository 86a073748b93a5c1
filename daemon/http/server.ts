// The server of the upload API: its bounds and how its failures look. Only a proxy reads it.

import fastify, { type FastifyInstance } from 'fastify';
import type { Logger } from '../log.ts';
import { listenFailure, type Listener } from './listen.ts';
import { problemHandler } from './problems.ts';

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

/**
 * Listens; resolves with the URL.
 * @throws {DaemonError} PORT_IN_USE when somebody else listens there.
 */
export async function listen(app: FastifyInstance, where: Listener, what: string): Promise<string> {
  try {
    return await app.listen({ host: where.host, port: where.port });
  } catch (cause) {
    throw listenFailure(cause, where, what);
  }
}
