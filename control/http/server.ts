// The HTTP server: its limits, its hooks, its errors, and every route put on it. What the routes do is in the files beside this one.

import swagger from '@fastify/swagger';
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import type { Socket } from 'node:net';
import { limits } from '../../proto/limits.ts';
import type { OperationId } from '../../proto/api/operations.ts';
import type { Clock } from '../clock.ts';
import { ControlError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { RandomBytes } from '../random.ts';
import { agentRoutes, type AgentRoutesOptions } from './agent-routes.ts';
import type { ApiOptions, Handlers } from './api/api.ts';
import { governanceHandlers } from './api/governance.ts';
import { auditHandlers } from './api/audit.ts';
import { historyHandlers } from './api/history.ts';
import { forecastHandlers } from './api/forecast.ts';
import { replayHandlers } from './api/replay.ts';
import { statusHandlers, tokenHandlers } from './api/admin.ts';
import { appHandlers, environmentHandlers } from './api/catalog.ts';
import { deploymentActionHandlers } from './api/deployment-actions.ts';
import { pipelineHandlers } from './api/pipelines.ts';
import { deploymentHandlers, promotionHandlers, targetHandlers } from './api/rollout.ts';
import { swarmHandlers } from './api/swarm.ts';
import { notificationHandlers, type NotificationOptions } from './api/notifications.ts';
import type { AuditTrail } from './audit-trail.ts';
import { buildHandlers, type BuildOptions } from './api/builds.ts';
import { workHandlers, type WorkOptions } from './api/work.ts';
import { workflowHandlers } from './api/workflows.ts';
import { eventRoutes, type EventsOptions } from './events.ts';
import { hookRoutes, type HookOptions } from './hooks.ts';
import { operationalRoutes, type OperationalOptions } from './operational.ts';
import { pageRoutes, type PagesOptions } from './pages.ts';
import { problemHandler, problemOf, sendProblem } from './problems.ts';
import { guarded, operationRoute, plainRoute, type Access, type RouteOptions } from './route.ts';
import { serializerCompiler, validatorCompiler } from './validate.ts';

export interface ServerOptions
  extends ApiOptions,
    NotificationOptions,
    WorkOptions,
    BuildOptions,
    Pick<HookOptions, 'isSigned'>,
    RouteOptions,
    Omit<AgentRoutesOptions, 'authenticator'>,
    Omit<EventsOptions, 'authenticator' | 'state'>,
    Omit<OperationalOptions, 'authenticator'>,
    PagesOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly audit: AuditTrail;
}

/**
 * Bounds of trust.md, section 9, in milliseconds. The connection's must be longer than the longest poll, during which nothing is sent, and longer than a member
 * waits for its answer, which is half a minute more: who is cut before has asked for nothing, and asks again when everybody does.
 */
export const serverLimits = {
  requestTimeout: 30_000,
  headersTimeout: 15_000,
  connectionTimeout: limits.syncWaitMs + 45_000,
  keepAliveTimeout: 72_000,
  maxRequestsPerSocket: 1_000,
  maxParamLength: 256,
} as const;

/** One route as it was registered. */
export interface RegisteredRoute {
  readonly method: string;
  readonly url: string;
  readonly access: Access;
}

/** The server with all its routes, not yet listening, and the table of what it serves. */
export async function createServer(options: ServerOptions): Promise<{ readonly app: FastifyInstance; readonly routes: readonly RegisteredRoute[] }> {
  const ids = requestIds(options.random);
  const app = Fastify({
    logger: false,
    bodyLimit: limits.apiBodyBytesMax,
    requestTimeout: serverLimits.requestTimeout,
    connectionTimeout: serverLimits.connectionTimeout,
    keepAliveTimeout: serverLimits.keepAliveTimeout,
    maxRequestsPerSocket: serverLimits.maxRequestsPerSocket,
    routerOptions: { maxParamLength: serverLimits.maxParamLength },
    http: { headersTimeout: serverLimits.headersTimeout },
    // Addresses are those of the connection: nobody's header says otherwise.
    trustProxy: false,
    exposeHeadRoutes: false,
    forceCloseConnections: 'idle',
    // Said in our own words, by the first hook.
    return503OnClosing: false,
    genReqId: ids,
    clientErrorHandler: (error, socket) => refuseConnection(error, socket),
    frameworkErrors: (error, _request, reply) => {
      void sendProblem(reply, problemOf('INVALID_REQUEST', { detail: error.message.toLowerCase() }));
    },
  });
  const routes: RegisteredRoute[] = [];
  app.addHook('onRoute', ({ method, url, config }) => {
    for (const one of [method].flat()) routes.push({ method: one, url, access: config?.access ?? 'scope' });
  });
  guarded(app);
  // JSON or nothing.
  app.removeContentTypeParser('text/plain');
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(problemHandler(options.log));
  observe(app, options);
  missing(app, routes);
  await app.register(swagger, { openapi: document(options.about.version), hideUntagged: true });
  const { state } = options;
  apiRoutes(app, options);
  await eventRoutes(app, { ...options, state });
  await app.register(async (scope) => await agentRoutes(scope, options));
  await app.register(async (scope) => hookRoutes(scope, options));
  operationalRoutes(app, options);
  pageRoutes(app, options);
  plainRoute(app, { method: 'GET', url: '/v1/openapi.json', access: 'everybody' }, async () => app.swagger());
  await app.ready();
  return { app, routes };
}

/** For people who look for one request: this process's mark, then its number. To draw each at random would cost thousands of calls of the system a second. */
function requestIds(random: RandomBytes): () => string {
  const mark = Buffer.from(random(4)).toString('hex');
  let count = 0;
  return () => {
    count += 1;
    return mark + count.toString(16).padStart(8, '0');
  };
}

/** Every operation of the table but the stream, which is events.ts. */
function apiRoutes(app: FastifyInstance, options: ServerOptions): void {
  const { repository } = options;
  const handlers: Handlers<Exclude<OperationId, 'streamEvents'>> = {
    ...appHandlers(options),
    ...environmentHandlers(options),
    ...governanceHandlers(options),
    ...pipelineHandlers(options),
    ...promotionHandlers(options),
    ...deploymentHandlers(options),
    ...deploymentActionHandlers(options),
    ...targetHandlers(options),
    ...swarmHandlers(options),
    ...notificationHandlers(options),
    ...auditHandlers(options),
    ...historyHandlers(options),
    ...workflowHandlers(options),
    ...workHandlers(options),
    ...replayHandlers(options),
    ...forecastHandlers(options),
    ...buildHandlers(options),
    ...tokenHandlers(options),
    ...statusHandlers(options),
    // The very bytes: who joins compares their digest with the one that the join token carries.
    getTrustRoot: async () => ({ body: repository.rootFile(), headers: { 'content-type': 'application/json; charset=utf-8' } }),
  };
  const put = <Id extends Exclude<OperationId, 'streamEvents'>>(id: Id): void => operationRoute<Id>(app, id, options, handlers[id]);
  for (const id of operationIds(handlers)) put(id);
}

function operationIds<Ids extends string>(handlers: Readonly<Record<Ids, unknown>>): readonly Ids[] {
  const ids: Ids[] = [];
  for (const id in handlers) ids.push(id);
  return ids;
}

/** Counts and logs each request: its route and its outcome, never its headers, its query or its body, where secrets are. */
function observe(app: FastifyInstance, { metrics, clock, log, signal }: ServerOptions): void {
  const started = new WeakMap<FastifyRequest, number>();
  // With callbacks: a promise for each would be a promise for each request of ten thousand members.
  app.addHook('onRequest', (request, reply, done) => {
    started.set(request, clock.monotonic());
    metrics.requestsInFlight.inc();
    reply.raw.once('close', () => metrics.requestsInFlight.dec());
    void reply.header('x-content-type-options', 'nosniff').header('request-id', request.id);
    if (!signal.aborted) return done();
    void reply.header('connection', 'close');
    done(new ControlError('ABORTED', 'the control plane is stopping; try again when it is back'));
  });
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unknown';
    const ms = clock.monotonic() - (started.get(request) ?? clock.monotonic());
    const code = String(reply.statusCode);
    if (request.routeOptions.config.long !== true) metrics.requestDuration.observe({ method: request.method, route, code }, ms / 1000);
    log.debug({ request: request.id, method: request.method, route, code: reply.statusCode, ms: Math.round(ms) }, 'answered');
    done();
  });
}

/** Says 405 with what would be allowed where a path is known under other methods, else 404. */
function missing(app: FastifyInstance, routes: readonly RegisteredRoute[]): void {
  app.setNotFoundHandler(async (request, reply) => {
    const path = request.url.split('?', 1)[0] ?? '';
    const allowed = routes.filter(({ url }) => sameShape(url, path)).map(({ method }) => method);
    if (allowed.length === 0) return await sendProblem(reply, problemOf('NOT_FOUND', { detail: `there is nothing at ${path.slice(0, 200)}` }));
    void reply.header('allow', [...new Set(allowed)].join(', '));
    return await sendProblem(reply, problemOf('METHOD_NOT_ALLOWED', { detail: `${request.method} is not for ${path.slice(0, 200)}: it takes ${allowed.join(', ')}` }));
  });
}

function sameShape(pattern: string, path: string): boolean {
  const [parts, found] = [pattern.split('/'), path.split('/')];
  return parts.length === found.length && parts.every((part, index) => part.startsWith(':') || part === found[index]);
}

/** What Node's parser refuses never becomes a request: this is answered by hand, and the connection closed. */
function refuseConnection(error: Error & { readonly code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const code = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'TIMED_OUT' : error.code === 'HPE_HEADER_OVERFLOW' ? 'TOO_LARGE' : 'INVALID_REQUEST';
  const problem = problemOf(code, { detail: code === 'TIMED_OUT' ? 'the request did not arrive in time' : 'this is not an HTTP request that can be read' });
  const body = JSON.stringify(problem);
  socket.end(`HTTP/1.1 ${problem.status} ${problem.title}\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`);
}

function document(version: string) {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Starling control plane',
      version,
      description: 'Errors are application/problem+json (RFC 9457). POSTs take an Idempotency-Key. Lists are pages: follow `next`.',
    },
    components: { securitySchemes: { token: { type: 'http' as const, scheme: 'bearer', description: 'an API token: sta_api_…' } } },
    security: [{ token: [] }],
  };
}
