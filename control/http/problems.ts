// How failures look over HTTP: problem documents (RFC 9457), and the one table from the floor's codes to problem codes.
// The statuses are proto/api/schema.ts; what may fail is everybody's.

import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { problemStatuses, type Blocker, type Problem, type ProblemCode } from '../../proto/api/schema.ts';
import { ProtocolError } from '../../proto/errors.ts';
import type { Refused } from '../core/commands/command.ts';
import { ControlError, type ControlErrorCode } from '../errors.ts';
import type { Logger } from '../log.ts';
import { blockerView } from './views/governance.ts';

/** Codes that cannot come of a request are the control plane's own failure. */
const codes: Readonly<Record<ControlErrorCode, ProblemCode>> = {
  INVALID_REQUEST: 'INVALID_REQUEST',
  NOT_FOUND: 'NOT_FOUND',
  UNAUTHENTICATED: 'UNAUTHENTICATED',
  FORBIDDEN: 'FORBIDDEN',
  CONFLICT: 'CONFLICT',
  PRECONDITION: 'PRECONDITION',
  BLOCKED: 'BLOCKED',
  TOO_LARGE: 'TOO_LARGE',
  TOO_MANY_REQUESTS: 'TOO_MANY_REQUESTS',
  STORAGE_FAILED: 'STORAGE_FAILED',
  SIGNING_FAILED: 'SIGNING_FAILED',
  TIMED_OUT: 'UNAVAILABLE',
  ABORTED: 'UNAVAILABLE',
  DATA_DIRECTORY_IN_USE: 'INTERNAL',
  PORT_IN_USE: 'INTERNAL',
  CONFIG_INVALID: 'INTERNAL',
  UNREACHABLE: 'INTERNAL',
  ROLLED_BACK: 'INTERNAL',
  FAILED: 'INTERNAL',
};

const refusals: Readonly<Record<Refused['code'], ProblemCode>> = {
  'not-found': 'NOT_FOUND',
  conflict: 'CONFLICT',
  invalid: 'INVALID_REQUEST',
  blocked: 'BLOCKED',
  forbidden: 'FORBIDDEN',
};

/** Statuses that fastify and Node give to what they refuse before a route sees it. */
const frameworkCodes: Readonly<Record<number, ProblemCode>> = {
  400: 'INVALID_REQUEST',
  404: 'NOT_FOUND',
  405: 'METHOD_NOT_ALLOWED',
  406: 'NOT_ACCEPTABLE',
  408: 'TIMED_OUT',
  413: 'TOO_LARGE',
  414: 'TOO_LARGE',
  415: 'UNSUPPORTED_MEDIA_TYPE',
  429: 'TOO_MANY_REQUESTS',
  431: 'TOO_LARGE',
  503: 'UNAVAILABLE',
};

const titles: Readonly<Record<ProblemCode, string>> = {
  INVALID_REQUEST: 'Invalid request',
  UNAUTHENTICATED: 'Not authenticated',
  FORBIDDEN: 'Not allowed',
  NOT_FOUND: 'Not found',
  METHOD_NOT_ALLOWED: 'Method not allowed',
  NOT_ACCEPTABLE: 'Not acceptable',
  TIMED_OUT: 'Request took too long',
  CONFLICT: 'Conflict',
  BLOCKED: 'Held by a gate',
  IN_PROGRESS: 'Still in progress',
  PRECONDITION: 'Changed meanwhile',
  TOO_LARGE: 'Too large',
  UNSUPPORTED_MEDIA_TYPE: 'Unsupported media type',
  KEY_REUSED: 'Idempotency key reused',
  PRECONDITION_REQUIRED: 'Precondition required',
  TOO_MANY_REQUESTS: 'Too many requests',
  INTERNAL: 'Internal error',
  SIGNING_FAILED: 'Signing failed',
  STORAGE_FAILED: 'Storage failed',
  UNAVAILABLE: 'Unavailable',
};

/** Seconds after which to try again what was refused for want of room. */
const retryAfterSeconds = 2;

/** What a problem says beside its code. */
export interface Details {
  readonly detail: string;
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
  readonly blockers?: readonly Blocker[];
  readonly retryAfter?: number;
}

/** The document of a problem. */
export function problemOf(code: ProblemCode, { detail, errors, blockers, retryAfter }: Details): Problem {
  const status = problemStatuses[code];
  const after = retryAfter ?? (status === 429 || status === 503 ? retryAfterSeconds : undefined);
  return {
    type: `urn:starling:problem:${code.toLowerCase().replaceAll('_', '-')}`,
    title: titles[code],
    status,
    code,
    detail,
    ...(errors === undefined ? {} : { errors: [...errors] }),
    ...(blockers === undefined ? {} : { blockers: [...blockers] }),
    ...(after === undefined ? {} : { retryAfter: after }),
  };
}

/** The problem of a refused command. */
export function refusalProblem({ code, message, blockers, problems }: Refused): Problem {
  const parts = { ...(blockers === undefined ? {} : { blockers: blockers.map(blockerView) }), ...(problems === undefined ? {} : { errors: problems.map((detail) => ({ pointer: '', detail })) }) };
  return problemOf(refusals[code], { detail: message, ...parts });
}

/** Sends a problem; `instance` is the request's id. */
export async function sendProblem(reply: FastifyReply, problem: Problem): Promise<FastifyReply> {
  if (problem.retryAfter !== undefined) void reply.header('retry-after', problem.retryAfter);
  if (problem.status === 401) void reply.header('www-authenticate', 'Bearer');
  void reply.code(problem.status).header('cache-control', 'no-store').type('application/problem+json');
  // As text, past the route's schemas: those are for what succeeds.
  return await reply.send(JSON.stringify({ ...problem, instance: reply.request.id }));
}

/** A body, a query or a path that does not fit its schema: made by validate.ts. */
export interface InvalidPart extends Error {
  readonly errors: readonly { readonly pointer: string; readonly detail: string }[];
}

/** fastify's error handler: everything that is thrown anywhere ends here, once. */
export function problemHandler(log: Logger): (error: FastifyError | Error, request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply> {
  return async (error, request, reply) => {
    const problem = classify(error);
    if (problem.status >= 500) log.error({ err: error, request: request.id, method: request.method, route: request.routeOptions.url, code: problem.code }, 'a request failed');
    return await sendProblem(reply, problem);
  };
}

/** The problem of something thrown. What is not ours says nothing of its inside. */
export function classify(error: FastifyError | Error): Problem {
  if (error instanceof ControlError) {
    const code = codes[error.code];
    const { cause } = error;
    const known = typeof cause === 'object' && cause !== null && 'retryAfter' in cause && typeof cause.retryAfter === 'number' ? { retryAfter: cause.retryAfter } : {};
    return problemOf(code, { detail: code === 'INTERNAL' ? internal : error.message, ...known });
  }
  if (error instanceof ProtocolError) return problemOf('INVALID_REQUEST', { detail: error.message });
  if (isInvalidPart(error)) {
    const detail = error.errors.map(({ pointer, detail: what }) => `${pointer || 'the body'} ${what}`).join('; ');
    return problemOf('INVALID_REQUEST', { detail: `the request is not of the agreed form: ${detail}`, errors: error.errors });
  }
  if ('statusCode' in error && typeof error.statusCode === 'number' && error.statusCode < 500) {
    return problemOf(frameworkCodes[error.statusCode] ?? 'INVALID_REQUEST', { detail: lowered(error.message) });
  }
  if ('statusCode' in error && error.statusCode === 503) return problemOf('UNAVAILABLE', { detail: 'the control plane is busy or stopping; try again in a moment' });
  return problemOf('INTERNAL', { detail: internal });
}

const internal = 'the control plane failed; its log says how, under the id in `instance`';

function isInvalidPart(error: Error): error is InvalidPart {
  return 'errors' in error && Array.isArray(error.errors) && error.name === 'InvalidPart';
}

function lowered(message: string): string {
  return message.slice(0, 1).toLowerCase() + message.slice(1);
}
