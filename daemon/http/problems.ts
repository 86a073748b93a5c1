// How the daemon's failures look over HTTP: one table from codes to statuses, and problem documents (RFC 9457).

import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { ProtocolError } from '../../proto/errors.ts';
import { DaemonError, type DaemonErrorCode } from '../errors.ts';
import type { Logger } from '../log.ts';

const statuses: Partial<Record<DaemonErrorCode, number>> = {
  FORBIDDEN: 403,
  STATEMENT_REFUSED: 401,
  METADATA_EXPIRED: 401,
  UNKNOWN_SESSION: 404,
  INCOMPLETE: 409,
  CORRUPT_CHUNK: 422,
  CORRUPT_STATE: 422,
  TOO_MANY_SESSIONS: 503,
  CONTROL_UNREACHABLE: 503,
  CONTROL_REFUSED: 409,
  NO_SPACE: 507,
};

/** Seconds after which a client may try again what was refused for want of room. */
const retryAfterSeconds = 2;

/** fastify's error handler for everything that the daemon serves. */
export function problemHandler(log: Logger): (error: FastifyError | Error, request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  return async (error, request, reply) => {
    const { status, code, detail } = problemOf(error);
    if (status >= 500 && status !== 503) log.error({ err: error, method: request.method, route: request.routeOptions.url }, 'request failed');
    if (status === 503) void reply.header('retry-after', retryAfterSeconds);
    await reply.code(status).type('application/problem+json').send({ type: 'about:blank', title: code, status, code, detail });
  };
}

/** What a failure is over HTTP. */
export function problemOf(error: unknown): { readonly status: number; readonly code: string; readonly detail: string } {
  if (error instanceof DaemonError) return { code: error.code, ...told(statuses[error.code] ?? 500, error) };
  if (error instanceof ProtocolError) return { code: error.code, ...told(400, error) };
  if (error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number' && 'code' in error) return { code: String(error.code), ...told(error.statusCode, error) };
  return { code: 'INTERNAL', ...told(500, error) };
}

/** What is no answer to a request is told to the log alone. */
function told(status: number, error: unknown): { readonly status: number; readonly detail: string } {
  return { status, detail: status === 500 || !(error instanceof Error) ? 'the daemon failed; its log says how' : error.message };
}
