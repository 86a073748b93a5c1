// /upload/v1 over HTTP (proto/upload.ts): grants checked, bodies bounded, everything else is sessions.ts.

import type { FastifyInstance, FastifyRequest } from 'fastify';
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

/** Registers the routes. */
export function uploadRoutes(app: FastifyInstance, { uploads, verifyGrant, signal }: Options): void {
  const bearer = async (request: FastifyRequest): Promise<Bearer> => {
    const header = request.headers.authorization ?? '';
    if (!header.startsWith('Bearer ')) throw new DaemonError('STATEMENT_REFUSED', 'an upload needs the grant that the control plane gave for it: Authorization: Bearer <grant>');
    const compact = header.slice('Bearer '.length);
    return { grant: await verifyGrant(compact), compact };
  };

  app.addContentTypeParser('application/zstd', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

  app.post<{ Body: OpenSession }>('/upload/v1/sessions', { schema: { body: OpenSessionSchema }, bodyLimit: openBodyBytesMax }, async (request, reply) => {
    const { manifest, alias } = request.body;
    const session = await uploads.open(await bearer(request), Buffer.from(manifest, 'base64'), alias, { signal });
    return await reply.code(201).send(session);
  });

  app.put<{ Params: { id: string }; Body: Buffer }>('/upload/v1/sessions/:id/index', { bodyLimit: limits.indexBytesMax }, async (request) =>
    await uploads.index(await bearer(request), request.params.id, request.body, { signal }));

  app.put<{ Params: { id: string }; Body: Buffer }>('/upload/v1/sessions/:id/frames', { bodyLimit: limits.uploadFrameBytesMax }, async (request, reply) => {
    await uploads.frame(await bearer(request), request.params.id, request.body, { signal });
    return await reply.code(204).send();
  });

  app.post<{ Params: { id: string } }>('/upload/v1/sessions/:id/complete', async (request) =>
    await uploads.complete(await bearer(request), request.params.id, { signal }));
}
