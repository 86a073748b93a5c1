// The only way to put a route on the server: a row of the operations table with its handler, or a route that says who may use it.
// `guarded` makes the boot fail for a route without an access rule; what the handlers do is in api/.

import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify';
import Type from 'typebox';
import type { Operation } from '../../proto/api/operation.ts';
import { operations, type OperationId, type ReplyOf } from '../../proto/api/operations.ts';
import { ProblemSchema, type Problem } from '../../proto/api/schema.ts';
import type { State } from '../core/model/model.ts';
import { ControlError } from '../errors.ts';
import type { RandomBytes } from '../random.ts';
import type { Authenticator, Caller } from './auth.ts';
import { decodeCall, type Parts } from './decode-call.ts';
import { keyPattern, type Begun, type IdempotencyKeys } from './idempotency.ts';
import { classify, problemOf, sendProblem } from './problems.ts';
import { resourceOf, textOf } from './resources.ts';
import { allows } from './scopes.ts';

/** Who may use a route: everybody, who has a token for the operation, a member by its key, or who has a read token. */
export type Access = 'everybody' | 'scope' | 'member' | 'enrolment' | 'metrics';

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access;
    /** A poll or a stream: how long it takes says nothing. */
    long?: boolean;
  }
}

/** One request to a handler, checked and authorised. */
export interface Call<Id extends OperationId> extends Parts<Id> {
  readonly caller: Caller;
  /** For ids and secrets: a retry with the same Idempotency-Key draws the same. */
  readonly draw: RandomBytes;
  /** When an earlier try of this very request began whose end nobody knows; undefined for a first try. */
  readonly resumedFrom: number | undefined;
  readonly ifMatch: string | undefined;
  /** Aborted when the caller has hung up, or was answered. */
  readonly gone: AbortSignal;
}

/** What a handler answers with. Operating failures it throws. */
export type Outcome<Body> = { readonly body: Body; readonly headers?: Readonly<Record<string, string>> } | { readonly problem: Problem };
export type Answer<Id extends OperationId> = Outcome<ReplyOf<Id>>;
export type Handler<Id extends OperationId> = (call: Call<Id>) => Promise<Answer<Id>>;

export interface RouteOptions {
  readonly state: () => State;
  readonly authenticator: Authenticator;
  readonly idempotency: IdempotencyKeys;
  readonly random: RandomBytes;
}

/** How long a handler may take, in milliseconds. Members' routes have none of it: it costs each request a timer and two signals, and their connections end when they rest. */
export const handlerTimeoutMs = 30_000;

/** With a reason of its own: the one that is made otherwise carries a stack. */
const ended = 'the caller was answered, or hung up';
const Parameter = Type.String({ minLength: 1, maxLength: 128 });

/** Refuses, while booting, every route that does not say who may use it. */
export function guarded(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    if (route.method === 'HEAD' || route.method === 'OPTIONS') return;
    if (route.config?.access === undefined) throw new Error(`route ${String(route.method)} ${route.url} does not say who may use it`);
  });
}

/** Puts one operation on the server. */
export function operationRoute<Id extends OperationId>(app: FastifyInstance, id: Id, options: RouteOptions, handler: Handler<Id>): void {
  const operation: Operation = operations[id];
  app.route({
    method: operation.method,
    url: urlOf(operation.path),
    handlerTimeout: handlerTimeoutMs,
    config: { access: operation.scope === 'none' ? 'everybody' : 'scope' },
    schema: schemaOf(id, operation),
    ...accessHooks(operation, options),
    handler: async (request, reply) => {
      const closed = new AbortController();
      reply.raw.once('close', () => closed.abort(ended));
      const call = { ...decodeCall<Id>(request), caller: callerOf(request), ifMatch: request.headers['if-match'], gone: closed.signal };
      const work = async (draw: RandomBytes, resumedFrom: number | undefined) => await handler({ ...call, draw, resumedFrom });
      const key = request.headers['idempotency-key'];
      if (operation.method !== 'POST' || key === undefined) return await answer(request, reply, operation, await work(options.random, undefined));
      return await answerOnce(request, reply, operation, options.idempotency, String(key), work);
    },
  });
}

/** Checks who calls before the body is read, and what the token allows before the body is looked at. */
export function accessHooks(operation: Operation, { authenticator, state }: Pick<RouteOptions, 'authenticator' | 'state'>) {
  const { scope } = operation;
  if (scope === 'none') return {};
  return {
    onRequest: async (request: FastifyRequest): Promise<void> => {
      callers.set(request, authenticator.authenticate(request.headers.authorization, request.ip));
    },
    preValidation: async (request: FastifyRequest): Promise<void> => {
      const resource = resourceOf(scope.of, request, state());
      const caller = callerOf(request);
      if (allows(caller.scopes, scope.verb, resource)) return;
      authenticator.overreached();
      throw new ControlError('FORBIDDEN', `this needs a token with scope '${scope.verb}:${resource}'; this one has ${caller.scopes.join(', ')}`);
    },
  };
}

/** Who sent each request that is being answered. */
const callers = new WeakMap<FastifyRequest, Caller>();
const anybody: Caller = { actor: 'system', scopes: [], person: 'system', groups: [] };

export function callerOf(request: FastifyRequest): Caller {
  return callers.get(request) ?? anybody;
}

async function answer(request: FastifyRequest, reply: FastifyReply, operation: Operation, result: Outcome<unknown>): Promise<FastifyReply> {
  if ('problem' in result) return await sendProblem(reply, result.problem);
  void reply.code(operation.status).header('cache-control', 'no-store').headers({ ...result.headers });
  const next = textOf(result.body, 'next');
  if (next !== undefined) void reply.header('link', nextLink(request.url, next));
  if (operation.status === 204) return await reply.send();
  return await reply.send(result.body);
}

/** Carries a keyed request out at most once, and answers every other try with what the first was answered. */
async function answerOnce(
  request: FastifyRequest,
  reply: FastifyReply,
  operation: Operation,
  keys: IdempotencyKeys,
  key: string,
  work: (draw: RandomBytes, resumedFrom: number | undefined) => Promise<Outcome<unknown>>,
): Promise<FastifyReply> {
  if (!keyPattern.test(key)) throw new ControlError('INVALID_REQUEST', 'Idempotency-Key must be 16 to 255 visible ASCII characters: use a new random UUID for each request');
  const begun = await keys.begin(callerOf(request).actor, key, `${request.method} ${request.url}\n${JSON.stringify(request.body ?? null)}`);
  switch (begun.kind) {
    case 'replay':
      void reply.code(begun.answer.status).headers({ ...begun.answer.headers, 'idempotent-replayed': 'true' });
      return await reply.send(begun.answer.body);
    case 'in-progress':
      return await sendProblem(reply, problemOf('IN_PROGRESS', { detail: 'the first request with this Idempotency-Key has not ended yet: try again in a moment', retryAfter: 1 }));
    case 'other-request':
      return await sendProblem(reply, problemOf('KEY_REUSED', { detail: 'this Idempotency-Key came with another request before: use a new key for each request' }));
    case 'begun':
      return await carryOut(request, reply, operation, begun, work);
    default:
      return begun satisfies never;
  }
}

async function carryOut(
  request: FastifyRequest,
  reply: FastifyReply,
  operation: Operation,
  begun: Begun,
  work: (draw: RandomBytes, resumedFrom: number | undefined) => Promise<Outcome<unknown>>,
): Promise<FastifyReply> {
  let kept = false;
  try {
    const result = await outcome(async () => await work(begun.draw, begun.resumedFrom));
    if ('problem' in result && (result.problem.status >= 500 || result.problem.status === 429)) return await sendProblem(reply, result.problem);
    if ('problem' in result) {
      const text = JSON.stringify({ ...result.problem, instance: request.id });
      await begun.finish({ status: result.problem.status, headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store' }, body: text });
      kept = true;
      return await sendProblem(reply, result.problem);
    }
    void reply.code(operation.status);
    const text = operation.status === 204 ? '' : serialized(reply, result.body);
    const headers = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store', ...result.headers };
    await begun.finish({ status: operation.status, headers, body: text });
    kept = true;
    return await reply.headers(headers).send(text);
  } finally {
    if (!kept) begun.release();
  }
}

function serialized(reply: FastifyReply, body: unknown): string {
  const text: unknown = reply.serialize(body === null || typeof body !== 'object' ? {} : { ...body });
  return typeof text === 'string' ? text : '';
}

/** Expected failures of a handler are answers too, and are kept like them; the rest is thrown on. */
async function outcome(work: () => Promise<Outcome<unknown>>): Promise<Outcome<unknown>> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ControlError) return { problem: classify(error) };
    throw error;
  }
}

function nextLink(url: string, cursor: string): string {
  const [path = '', query = ''] = url.split('?', 2);
  const params = new URLSearchParams(query);
  params.set('cursor', cursor);
  return `<${path}?${params.toString()}>; rel="next"`;
}

/** fastify writes parameters as `:name`. */
export function urlOf(path: string): string {
  return path.replace(/\{(\w+)\}/g, ':$1');
}

function schemaOf(id: OperationId, operation: Operation) {
  const names = [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '');
  return {
    operationId: id,
    summary: operation.summary,
    tags: [operation.path.split('/')[2] ?? 'v1'],
    ...(names.length === 0 ? {} : { params: Type.Object(Object.fromEntries(names.map((name) => [name, Parameter])), { additionalProperties: false }) }),
    ...(operation.query === undefined ? {} : { querystring: operation.query }),
    ...(operation.body === undefined ? {} : { body: operation.body }),
    ...(operation.scope === 'none' ? { security: [] } : { security: [{ token: [`${operation.scope.verb}:${operation.scope.of}`] }] }),
    response: {
      [operation.status]: operation.reply ?? Type.Null({ description: 'No content' }),
      default: { description: 'A problem', content: { 'application/problem+json': { schema: ProblemSchema } } },
    },
  };
}

/** A route beside the table: health, metrics, the agents' side. It too says who may use it. */
export function plainRoute(
  app: FastifyInstance,
  { method, url, access }: { readonly method: 'GET' | 'POST'; readonly url: string; readonly access: Access },
  handler: RouteHandlerMethod,
): void {
  app.route({ method, url, handlerTimeout: handlerTimeoutMs, config: { access }, handler });
}
