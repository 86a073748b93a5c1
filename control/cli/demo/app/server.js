// The service that `starling demo` deploys: a small HTTP application with the dependencies that such a thing has. It is copied into a
// tree of its own together with what it needs from node_modules; it is no part of the program that deploys it.

import swagger from '@fastify/swagger';
import Fastify from 'fastify';

/** The one line that the demo changes: a new version, and one that is not well. */
const release = { version: '1', healthy: true };

const app = Fastify({ logger: false, forceCloseConnections: 'idle' });
await app.register(swagger, { openapi: { info: { title: 'demo', version: release.version } } });

const answer = { type: 'object', properties: { service: { type: 'string' }, version: { type: 'string' } } };
app.get('/', { schema: { response: { 200: answer } } }, async () => ({ service: 'demo', version: release.version }));
app.get('/healthz', async (_request, reply) => await reply.code(release.healthy ? 200 : 500).send({ healthy: release.healthy, version: release.version }));
app.get('/openapi.json', async () => app.swagger());

process.once('SIGTERM', () => void app.close());
await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 8080) });
