// Health checks against servers that answer well, badly, late, endlessly, or not at all (faults row 32).

import http from 'node:http';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../daemon/clock.ts';
import { checkHealth, orderedChecks } from '../../../daemon/install/health.ts';
import type { ServiceStatus } from '../../../daemon/install/service/service.ts';
import { waiting } from './support.ts';

async function withServer(answer: http.RequestListener, work: (port: number) => Promise<void>): Promise<void> {
  const server = http.createServer(answer).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  try {
    await work(typeof address === 'object' && address !== null ? address.port : 0);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

function tools(status: Partial<ServiceStatus> | (() => Partial<ServiceStatus>) = {}) {
  return { clock: systemClock, status: async () => ({ state: 'active' as const, restarts: 0, pid: 7, ...(typeof status === 'function' ? status() : status) }) };
}

const check = { kind: 'http' as const, url: 'http://127.0.0.1:${PORT}/healthz', intervalSeconds: 0.05, timeoutSeconds: 0.6 };

describe('an http check', () => {
  it('wants its status so many times in a row', async () => {
    const answers = [200, 200, 500, 200, 200, 200];
    let asked = 0;
    await withServer((_request, response) => {
      response.statusCode = answers[asked] ?? 500;
      asked += 1;
      response.end();
    }, async (port) => {
      expect(await checkHealth([{ ...check, timeoutSeconds: 8 }], tools({ port }), waiting)).toEqual({ kind: 'healthy' });
      expect(asked).toBe(6);
    });
  });

  it('without a port of the instance asks that of the application on this machine, and says so when there is none', async () => {
    await withServer((_request, response) => response.end(), async (port) => {
      const own = orderedChecks([{ name: 'ready', path: '/ready', successes: 1 }], port);
      expect(await checkHealth(own, { ...tools(), port }, waiting)).toEqual({ kind: 'healthy' });
      expect(await checkHealth([{ ...check, timeoutSeconds: 0.1 }], tools(), waiting)).toMatchObject({ kind: 'unhealthy', detail: expect.stringContaining('the application has no port on this machine') });
    });
  });

  it('says what was answered and what was expected', async () => {
    await withServer((_request, response) => response.writeHead(503).end(), async (port) => {
      expect(await checkHealth([check], tools({ port }), waiting)).toEqual({
        kind: 'unhealthy',
        detail: `http://127.0.0.1:${port}/healthz: status 503, expected status 200 3 times in a row within 0.6 s`,
      });
    });
  });

  it.each<[string, http.RequestListener]>([
    ['never answers', () => {}],
    ['hangs amid the body', (_request, response) => response.writeHead(200, { 'content-length': '10' }).write('12')],
    ['closes the connection', (request) => request.socket.destroy()],
    ['redirects', (_request, response) => response.writeHead(302, { location: '/ok' }).end()],
  ])('fails within its time on a server that %s', async (_name, answer) => {
    await withServer(answer, async (port) => {
      expect(await checkHealth([check], tools({ port }), waiting)).toMatchObject({ kind: 'unhealthy' });
    });
  });

  it('asks a service that nobody hears yet again soon, then ever later, and one that answers at its interval', async () => {
    const waits: number[] = [];
    const clock = { ...systemClock, monotonic: () => waits.reduce((sum, ms) => sum + ms, 0), wait: async (ms: number) => { await Promise.resolve(waits.push(ms)); } };
    const answers = [undefined, undefined, undefined, 503, 200, 200, 200];
    await withServer((request, response) => {
      const status = answers[waits.length];
      if (status === undefined) request.socket.destroy();
      else response.writeHead(status).end();
    }, async (port) => {
      expect(await checkHealth([{ ...check, intervalSeconds: 0.15, timeoutSeconds: 60 }], { ...tools({ port }), clock }, waiting)).toEqual({ kind: 'healthy' });
    });
    expect(waits).toEqual([50, 100, 150, 150, 150, 150]);
  });

  it('takes the status of an endless body without reading it', async () => {
    await withServer((_request, response) => {
      const more = () => {
        while (response.write(Buffer.alloc(65_536)));
      };
      response.on('drain', more);
      more();
    }, async (port) => {
      expect(await checkHealth([{ ...check, timeoutSeconds: 8 }], tools({ port }), waiting)).toEqual({ kind: 'healthy' });
    });
  });

  it('is given up when the instance has crashed three times', async () => {
    const health = await checkHealth([{ ...check, timeoutSeconds: 3600 }], tools({ port: 1, restarts: 3 }), waiting);
    expect(health).toMatchObject({ kind: 'unhealthy', detail: expect.stringContaining('ended 3 times') });
  });

  it('ends at once on an abort', async () => {
    const stopping = new AbortController();
    await withServer(() => { stopping.abort(new Error('enough of it')); }, async (port) => {
      await expect(checkHealth([{ ...check, timeoutSeconds: 3600 }], tools({ port }), { signal: stopping.signal })).rejects.toThrow('enough of it');
    });
  });
});

describe('an active check', () => {
  const active = { kind: 'active' as const, forSeconds: 0.2, timeoutSeconds: 0.8 };

  it('passes when the same process has run for its time', async () => {
    expect(await checkHealth([active], tools(), waiting)).toEqual({ kind: 'healthy' });
  });

  it('fails when the process changes again and again', async () => {
    let pid = 0;
    expect(await checkHealth([active], tools(() => ({ pid: (pid += 1) })), waiting)).toMatchObject({ kind: 'unhealthy' });
  });

  it('fails when it never becomes active, and says in which state it is', async () => {
    const health = await checkHealth([active], tools({ state: 'starting', detail: 'web.service is activating' }), waiting);
    expect(health).toMatchObject({ kind: 'unhealthy', detail: expect.stringContaining('web.service is activating') });
  });
});

describe('checkHealth()', () => {
  it('without checks is healthy', async () => {
    expect(await checkHealth([], tools(), waiting)).toEqual({ kind: 'healthy' });
  });

  it('fails with the first check that fails, whatever the others still wait for', async () => {
    const never = { kind: 'active' as const, forSeconds: 3600, timeoutSeconds: 3600 };
    const health = await checkHealth([never, { ...check, timeoutSeconds: 0.2 }], tools({ port: 1 }), waiting);
    expect(health).toMatchObject({ kind: 'unhealthy', detail: expect.stringContaining('http://127.0.0.1:1/healthz') });
  });
});
