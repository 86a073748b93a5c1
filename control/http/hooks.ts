// What repositories tell of pushes: a signed body over which only the signature is trusted. It starts a look at the branch and nothing
// else: who could forge one would gain a look, and one that comes twice has no second effect (B-2).

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ControlError } from '../errors.ts';
import type { BranchWatcher } from '../work/watcher.ts';
import type { Authenticator } from './auth.ts';
import { textOf } from './resources.ts';
import { plainRoute } from './route.ts';
import type { State } from '../core/model/model.ts';

export interface HookOptions {
  readonly state: () => State;
  readonly authenticator: Authenticator;
  readonly watcher: Pick<BranchWatcher, 'told'>;
  /** Whether an application's secret signed these bytes: control/work/hook-secret.ts. */
  readonly isSigned: (app: string, body: Uint8Array, signature: string | undefined) => boolean;
}

/** Pushes of many commits are long; what is longer still is not read, and the interval finds it. */
const bodyBytesMax = 2 * 1024 * 1024;
/** Where an application's repository sends them. */
export const hookPath = '/v1/hooks/builds/:app';

/** Registers the route in a scope of its own, where bodies stay bytes. */
export function hookRoutes(scope: FastifyInstance, { state, authenticator, watcher, isSigned }: HookOptions): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('application/json', { parseAs: 'buffer', bodyLimit: bodyBytesMax }, (_request, body, done) => done(null, body));
  plainRoute(scope, { method: 'POST', url: hookPath, access: 'everybody' }, async (request, reply) => {
    authenticator.admit(request.ip);
    const app = textOf(request.params, 'app') ?? '';
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const auto = state().autoBuilds.get(app);
    // The same words for an application that is not there.
    if (!isSigned(app, body, headerOf(request, 'x-hub-signature-256')) || auto === undefined) {
      authenticator.failed(request.ip, 'wrong-secret');
      throw new ControlError('UNAUTHENTICATED', `this is not signed with the secret of '${app.slice(0, 64)}': set the one that \`starling build hook ${app.slice(0, 64)}\` shows, and content type application/json`);
    }
    const event = headerOf(request, 'x-github-event') ?? 'push';
    if (event === 'push' && refOf(body) === `refs/heads/${auto.settings.repo.branch}`) watcher.told(app);
    return await reply.code(202).send();
  });
}

function headerOf(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' ? value : undefined;
}

function refOf(body: Buffer): string | undefined {
  try {
    return textOf(JSON.parse(body.toString('utf8')), 'ref');
  } catch {
    throw new ControlError('INVALID_REQUEST', 'the body is not JSON');
  }
}
