// What the machine's operators ask: is it alive, is it ready, how is it doing. Answered without a token, so that nothing but
// figures and states is said here.

import type { FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import type { Health } from '../../proto/api/status.ts';
import type { Clock } from '../clock.ts';
import { ControlError } from '../errors.ts';
import type { Authenticator } from './auth.ts';
import { plainRoute } from './route.ts';
import { allows } from './scopes.ts';

export interface OperationalOptions {
  readonly registry: Registry;
  readonly metricsAccess: 'open' | 'token';
  readonly authenticator: Authenticator;
  readonly clock: Clock;
  /** What must hold for the control plane to do its work; each says what is wrong, or nothing. */
  readonly checks: Readonly<Record<string, () => string | undefined>>;
}

export function operationalRoutes(app: FastifyInstance, { registry, metricsAccess, authenticator, checks }: OperationalOptions): void {
  plainRoute(app, { method: 'GET', url: '/healthz', access: 'everybody' }, async (_request, reply) => {
    const body: Health = { status: 'ok' };
    return await reply.header('cache-control', 'no-store').send(body);
  });
  plainRoute(app, { method: 'GET', url: '/readyz', access: 'everybody' }, async (_request, reply) => {
    const results = Object.entries(checks).map(([name, check]) => [name, check() ?? 'ok'] as const);
    const ready = results.every(([, result]) => result === 'ok');
    const body: Health = { status: ready ? 'ready' : 'not ready', checks: Object.fromEntries(results) };
    return await reply.code(ready ? 200 : 503).header('cache-control', 'no-store').send(body);
  });
  plainRoute(app, { method: 'GET', url: '/metrics', access: 'metrics' }, async (request, reply) => {
    if (metricsAccess === 'token') {
      const { scopes } = authenticator.authenticate(request.headers.authorization, request.ip);
      if (!allows(scopes, 'read', '*')) throw new ControlError('FORBIDDEN', "metrics need a token with scope 'read:*' here");
    }
    return await reply.type(registry.contentType).send(await registry.metrics());
  });
}
