// One request to the control plane and its answer: against a real server on loopback, which behaves as badly as one can.

import { createHash } from 'node:crypto';
import dns from 'node:dns';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { gzipSync } from 'node:zlib';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { makeBulkCertificate } from '../../../daemon/swarm/bulk/certificate.ts';
import { exchange, type Call } from '../../../daemon/link/http-exchange.ts';

const never = new AbortController().signal;
const ask: Call = { method: 'GET', path: '/thing', bytesMax: 1_000, signal: never };
const servers: { close(): void; closeAllConnections(): void }[] = [];

afterEach(() => {
  vi.restoreAllMocks();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** A control plane that answers like this; its base URL. */
async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  return await listening(createServer(answer), 'http');
}

async function listening(server: Server, protocol: 'http' | 'https'): Promise<string> {
  server.listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  const at = server.address();
  return `${protocol}://127.0.0.1:${typeof at === 'object' ? at?.port : 0}`;
}

describe('what is sent', () => {
  test('a body as JSON with its length, and a signature of exactly those bytes', async () => {
    const seen: { headers: IncomingMessage['headers']; body: string }[] = [];
    const url = await serve((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (part: string) => (body += part)).on('end', () => {
        seen.push({ headers: request.headers, body });
        response.end();
      });
    });
    await exchange(url, { ...ask, method: 'POST', path: '/agent/v1/x?y=1', body: { name: 'ä' } }, async ({ method, path, body }) => await Promise.resolve(`${method} ${path} ${body}`));
    const body = '{"name":"ä"}';
    expect(seen).toEqual([{ body, headers: expect.objectContaining({ 'content-type': 'application/json', 'content-length': '13', authorization: `POST /agent/v1/x?y=1 ${createHash('sha256').update(body).digest('hex')}` }) }]);
  });

  test('nothing but the question where there is no body', async () => {
    const url = await serve(({ method, headers }, response) => response.end(JSON.stringify({ method, headers })));
    const said: unknown = JSON.parse(Buffer.from((await exchange(url, ask, undefined)).bytes).toString());
    expect(said).toMatchObject({ method: 'GET', headers: { 'accept-encoding': 'gzip' } });
    expect(said).not.toHaveProperty('headers.content-type');
    expect(said).not.toHaveProperty('headers.authorization');
  });
});

describe('what is taken', () => {
  test.each([200, 204, 400, 404, 503])('an answer with the status %i, as it is', async (status) => {
    const url = await serve((_, response) => response.writeHead(status).end(status === 204 ? undefined : 'text'));
    expect(await exchange(url, ask, undefined)).toEqual({ status, bytes: Buffer.from(status === 204 ? '' : 'text') });
  });

  test('one that is packed, unpacked', async () => {
    const url = await serve((_, response) => response.setHeader('content-encoding', 'gzip').end(gzipSync('a'.repeat(1_000))));
    expect((await exchange(url, ask, undefined)).bytes).toEqual(Buffer.from('a'.repeat(1_000)));
  });

  test('a redirect is not followed, and where it leads is told', async () => {
    const asked: string[] = [];
    const url = await serve(({ url: path = '' }, response) => {
      asked.push(path);
      response.writeHead(302, { location: '/other' }).end();
    });
    const message = `${url} sends GET /thing on (HTTP 302) to "/other"; a daemon follows nobody there: give it the control plane's own URL`;
    await expect(exchange(url, ask, undefined)).rejects.toMatchObject({ code: 'CONTROL_REFUSED', message });
    expect(asked).toEqual(['/thing']);
  });

  test.each<[string, (response: ServerResponse) => void]>([
    ['one byte too many', (response) => response.end('a'.repeat(1_001))],
    ['bytes without end', (response) => {
      const more = setInterval(() => response.write('a'.repeat(600)), 1);
      response.once('close', () => clearInterval(more));
    }],
    ['a small body that is large unpacked', (response) => response.setHeader('content-encoding', 'gzip').end(gzipSync('a'.repeat(100_000)))],
  ])('%s is refused', async (_, answer) => {
    const url = await serve((__, response) => answer(response));
    await expect(exchange(url, { ...ask, bytesMax: 1_000 }, undefined)).rejects.toMatchObject({ code: 'CONTROL_REFUSED', message: 'the control plane answered /thing with more than 1000 bytes' });
  });

  test('what says that it is packed and is not is refused', async () => {
    const url = await serve((_, response) => response.setHeader('content-encoding', 'gzip').end('text'));
    await expect(exchange(url, ask, undefined)).rejects.toMatchObject({ code: 'CONTROL_REFUSED', message: "the control plane's answer to /thing is damaged: incorrect header check" });
  });
});

describe('what does not come', () => {
  test('nobody listens: the address is named', async () => {
    const url = await serve(() => undefined);
    servers.splice(0).forEach((server) => server.close());
    await expect(exchange(url, ask, undefined)).rejects.toMatchObject({
      code: 'CONTROL_UNREACHABLE', message: `the control plane at ${url} did not answer GET /thing: connect ECONNREFUSED ${url.slice('http://'.length)}; is it running and reachable from here?`,
    });
  });

  test('nobody listens at a name with two addresses: both are named', async () => {
    const url = (await serve(() => undefined)).replace('127.0.0.1', 'control.example');
    servers.splice(0).forEach((server) => server.close());
    const both = [{ address: '127.0.0.1', family: 4 }, { address: '127.0.0.2', family: 4 }];
    vi.spyOn(dns, 'lookup').mockImplementation(((...[, , told]: [string, object, (error: null, found: typeof both) => void]) => told(null, both)) as never);
    await expect(exchange(url, ask, undefined)).rejects.toMatchObject({ code: 'CONTROL_UNREACHABLE', message: expect.stringMatching(/did not answer GET \/thing: connect ECONNREFUSED 127\.0\.0\.1:\d+, connect ECONNREFUSED 127\.0\.0\.2:\d+; is it/) });
  });

  test('a certificate that nobody vouches for: nothing is said, and why is told', async () => {
    const { key, cert } = await makeBulkCertificate(await generateKeyPairFromSeed('Ed25519', new Uint8Array(32)), Date.now());
    const asked: string[] = [];
    const url = await listening(createSecureServer({ key, cert }, ({ url: path = '' }) => void asked.push(path)), 'https');
    await expect(exchange(url, ask, undefined)).rejects.toMatchObject({ code: 'CONTROL_UNREACHABLE', message: expect.stringContaining('self-signed certificate') });
    expect(asked).toEqual([]);
  });

  test.each<[string, (response: ServerResponse) => void]>([
    ['a connection that breaks before the answer', (response) => response.destroy()],
    ['one that breaks amid it', (response) => response.writeHead(200, { 'content-length': 100 }).write('half', () => response.destroy())],
  ])('%s', async (_, answer) => {
    const url = await serve((__, response) => answer(response));
    await expect(exchange(url, ask, undefined)).rejects.toMatchObject({ code: 'CONTROL_UNREACHABLE', message: expect.stringMatching(/did not answer GET \/thing: (socket hang up|aborted); is it/) });
  });

  test.each<[string, (response: ServerResponse) => void]>([
    ['no answer', () => undefined],
    ['half an answer', (response) => response.writeHead(200, { 'content-length': 100 }).write('half')],
  ])('%s within the time', async (_, answer) => {
    const url = await serve((__, response) => answer(response));
    await expect(exchange(url, { ...ask, timeoutMs: 50 }, undefined)).rejects.toMatchObject({ code: 'CONTROL_UNREACHABLE', message: expect.stringContaining('nothing whole came within 0.05 s') });
  });

  test('who asked has given up: the connection is closed', async () => {
    const [stop, gone, arrived] = [new AbortController(), Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const url = await serve((request) => {
      request.socket.once('close', () => gone.resolve());
      arrived.resolve();
    });
    const asking = exchange(url, { ...ask, signal: stop.signal }, undefined);
    await arrived.promise;
    stop.abort();
    await expect(asking).rejects.toMatchObject({ code: 'ABORTED' });
    await gone.promise;
  });
});
