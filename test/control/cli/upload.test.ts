// The push's conversation with a proxy: only what is missing travels, a broken line is taken up where it broke, and what cannot be mended
// is said at once.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createRevision, ingest } from '../../../daemon/content/ingest/ingest.ts';
import { upload, type Uploaded, type UploadOptions } from '../../../control/cli/push/upload.ts';
import { ControlError } from '../../../control/errors.ts';
import { systemClock } from '../../../control/clock.ts';
import { noise } from '../../support/trees.ts';
import { closedUrl, startProxy, type TestProxy } from './proxy.ts';

let directory: string;
let proxy: TestProxy;
let retries: string[];
const instantly = { ...systemClock, wait: async () => await Promise.resolve() };

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'starling-push-'));
  proxy = await startProxy();
  retries = [];
  for (let at = 0; at < 8; at += 1) await writeFile(join(directory, `file-${at}`), noise(900_000, at + 1));
});
afterEach(async () => {
  await proxy[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

async function push(options: Partial<UploadOptions> = {}, urls = [proxy.url]): Promise<Uploaded> {
  const signal = options.signal ?? new AbortController().signal;
  const ingested = await ingest(directory, { signal });
  const proxies = urls.map((url, at) => ({ member: `m${at}`, name: `proxy-${at}`, url, connectivity: 'online' as const }));
  return await upload(
    { grant: 'grant', proxies, manifest: createRevision('web', ingested).bytes, ingested },
    { clock: instantly, signal, onProgress: () => undefined, onRetry: (reason) => retries.push(reason), ...options },
  );
}

describe('upload()', () => {
  test('sends everything once, a few frames at a time, and then only what changed', async () => {
    const first = await push();
    expect(first.reply).toMatchObject({ number: 1 });
    expect(first.missingBytes).toBe(7_200_000);
    expect(proxy.requests.filter((request) => request === 'PUT frames').length).toBeGreaterThanOrEqual(7);
    expect(proxy.framesAtOnce()).toBeGreaterThan(1);
    expect(proxy.framesAtOnce()).toBeLessThanOrEqual(4);

    await writeFile(join(directory, 'file-3'), 'one small change');
    const second = await push();
    expect(second).toMatchObject({ missingBytes: 16, missingChunks: 1, reply: { number: 2 } });
    expect(second.sentBytes).toBeLessThan(10_000);
    expect((await push()).missingBytes).toBe(0);
  });

  test('goes on from where the connection broke', async () => {
    let cuts = 0;
    proxy.fault = (request, nth) => (request === 'PUT frames' && nth % 4 === 0 && (cuts += 1) <= 3 ? 'cut' : undefined);
    const { reply, sentBytes } = await push();
    expect(reply).toBeDefined();
    expect(retries).toHaveLength(3);
    // Incompressible: what was acknowledged was not sent again, only what was under way.
    expect(sentBytes).toBeLessThan(7_200_000 * 1.9);
  });

  test.each(['POST sessions', 'PUT index', 'PUT frames', 'POST complete'])('bears a lost answer to %s', async (name) => {
    let lost = false;
    proxy.fault = (request) => (request === name && !lost && (lost = true) ? 'lose' : undefined);
    expect((await push()).reply).toBeDefined();
    expect(lost).toBe(true);
  });

  test('opens a new session when the proxy forgot the old one', async () => {
    let forgot = false;
    proxy.fault = (request) => (request === 'POST complete' && !forgot && (forgot = true) ? 'forget' : undefined);
    expect((await push()).reply).toBeDefined();
    expect(retries[0]).toContain('UNKNOWN_SESSION');
  });

  test('goes to another proxy when one is away', async () => {
    const away = await closedUrl();
    expect((await push({}, [away, proxy.url])).reply).toBeDefined();
    expect(retries).toEqual([`the proxy 'proxy-0' at ${away} does not answer (ECONNREFUSED)`]);
  });

  test('gives up on a proxy that never moves anything', async () => {
    proxy.fault = (request) => (request === 'PUT frames' ? 'cut' : undefined);
    await expect(push()).rejects.toMatchObject({ code: 'UNREACHABLE' });
    expect(retries.length).toBe(5);
  });

  test.each([[403, 'FORBIDDEN', 'FORBIDDEN'], [401, 'STATEMENT_REFUSED', 'UNAUTHENTICATED'], [507, 'NO_SPACE', 'FAILED'], [422, 'CORRUPT_CHUNK', 'FAILED']])(
    'does not try again what was refused with %i',
    async (status, code, expected) => {
      proxy.fault = (request) => (request === 'PUT frames' ? { status, code } : undefined);
      await expect(push()).rejects.toMatchObject({ code: expected, message: `the proxy 'proxy-0' refused (${code}): as the test wished` });
      expect(retries).toEqual([]);
    },
  );

  test('stops when a file changes meanwhile', async () => {
    const signal = new AbortController().signal;
    const ingested = await ingest(directory, { signal });
    await writeFile(join(directory, 'file-5'), noise(900_000, 99));
    const options = { clock: instantly, signal, onProgress: () => undefined, onRetry: (reason: string) => retries.push(reason) };
    const plan = { grant: 'grant', proxies: [{ member: 'm', name: 'p', url: proxy.url, connectivity: 'online' as const }], manifest: createRevision('web', ingested).bytes, ingested };
    await expect(upload(plan, options)).rejects.toThrow(/file-5.* changed after it was read/);
    expect(proxy.requests).not.toContain('POST complete');
  });

  test('ends at once when it is interrupted', async () => {
    const stop = new AbortController();
    proxy.fault = (request) => {
      if (request === 'PUT frames') stop.abort(new ControlError('ABORTED', 'interrupted'));
      return undefined;
    };
    await expect(push({ signal: stop.signal })).rejects.toMatchObject({ code: 'ABORTED' });
    expect(proxy.requests).not.toContain('POST complete');
  });

  test('a dry run asks and sends no chunk', async () => {
    const { reply, missingBytes } = await push({ dryRun: true });
    expect({ reply, missingBytes }).toEqual({ reply: undefined, missingBytes: 7_200_000 });
    expect(proxy.requests).toEqual(['POST sessions', 'PUT index']);
  });

  test('says what is missing when there is no proxy', async () => {
    await expect(push({}, [])).rejects.toThrow(/no proxy takes uploads: start a `starlingd` with the role proxy/);
  });
});
