// /upload/v1 over HTTP (proto/upload.ts): grants checked, bodies bounded, everything else is sessions.ts.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { limits } from '../../proto/limits.ts';
import type { Grant } from '../../proto/statement.ts';
import { OpenSessionSchema, type OpenSession } from '../../proto/upload.ts';
import { DaemonError } from '../errors.ts';
import type { Bearer, Uploads } from './upload.ts';

interface Options {
  readonly uploads: Uploads;
  /** @throws {DaemonError} STATEMENT_REFUSED when it is not a valid grant now. */
  readonly verifyGrant: (compact: string) => Promise<Grant>;
  /** Ends every wait when the daemon stops. */
  readonly signal: AbortSignal;
}

/** Room for the manifest in base64 inside JSON. */
const openBodyBytesMax = Math.ceil((limits.revisionBytesMax * 4) / 3) + 4096;

/** Of the server that has these routes: as long as clients wait, and a little more for a connection on which nothing passes meanwhile. Who has no grant is cut. */
export const uploadTimeouts = { requestTimeout: limits.uploadAnswerMsMax, handlerTimeout: limits.uploadAnswerMsMax, connectionTimeout: limits.uploadAnswerMsMax + 30_000 } as const;

/** Registers the routes. Who has no grant is told so before any of a body is read: an index is up to 128 MiB, and whoever reaches the port could send some. */
export function uploadRoutes(app: FastifyInstance, { uploads, verifyGrant, signal }: Options): void {
  const bearers = new WeakMap<FastifyRequest, Bearer>();
  const onRequest = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    // Until the grant has held: a body that nobody reads would keep the connection.
    void reply.header('connection', 'close');
    const header = request.headers.authorization ?? '';
    if (!header.startsWith('Bearer ')) throw refused();
    const compact = header.slice('Bearer '.length);
    bearers.set(request, { grant: await verifyGrant(compact), compact });
    void reply.removeHeader('connection');
  };
  const bearer = (request: FastifyRequest): Bearer => {
    const found = bearers.get(request);
    if (found === undefined) throw refused();
    return found;
  };

  app.addContentTypeParser('application/zstd', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

  app.post<{ Body: OpenSession }>('/upload/v1/sessions', { onRequest, schema: { body: OpenSessionSchema }, bodyLimit: openBodyBytesMax }, async (request, reply) => {
    const { manifest, alias } = request.body;
    const session = await uploads.open(bearer(request), Buffer.from(manifest, 'base64'), alias, { signal });
    return await reply.code(201).send(session);
  });

  app.put<{ Params: { id: string }; Body: Buffer }>('/upload/v1/sessions/:id/index', { onRequest, bodyLimit: limits.indexBytesMax }, async (request) =>
    await uploads.index(bearer(request), request.params.id, request.body, { signal }));

  app.put<{ Params: { id: string }; Body: Buffer }>('/upload/v1/sessions/:id/frames', { onRequest, bodyLimit: limits.uploadFrameBytesMax }, async (request, reply) => {
    await uploads.frame(bearer(request), request.params.id, request.body, { signal });
    return await reply.code(204).send();
  });

  app.post<{ Params: { id: string } }>('/upload/v1/sessions/:id/complete', { onRequest }, async (request) => await uploads.complete(bearer(request), request.params.id, { signal }));
}

function refused(): DaemonError {
  return new DaemonError('STATEMENT_REFUSED', 'an upload needs the grant that the control plane gave for it: Authorization: Bearer <grant>');
}
