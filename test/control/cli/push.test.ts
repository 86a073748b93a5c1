// What a push asks for, and what it remembers: nothing is sent of a revision that is there, and nothing is believed that may have changed.

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../../control/clock.ts';
import type { Api } from '../../../control/cli/api.ts';
import { push, type PushOptions, type PushResult } from '../../../control/cli/push/push.ts';
import { createTreeMemory } from '../../../control/cli/push/tree-memory.ts';
import { systemRandom } from '../../../control/random.ts';
import { startProxy, type TestProxy } from './proxy.ts';

let root: string;
let directory: string;
let proxy: TestProxy;
/** Revisions that the control plane of the test knows, and what it was asked. */
let known: Set<string>;
let asked: (string | undefined)[];
/** Long after the directory was made. */
const clock = { ...systemClock, now: () => Date.now() + 3_600_000 };

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'starling-push-'));
  directory = join(root, 'dist');
  mkdirSync(directory);
  writeFileSync(join(directory, 'index.js'), 'console.log(1);\n');
  proxy = await startProxy();
  known = new Set();
  asked = [];
});

afterEach(async () => {
  await proxy[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

function memory() {
  return createTreeMemory({ environment: { XDG_CACHE_HOME: join(root, 'cache') }, home: join(root, 'home'), clock, random: systemRandom });
}

async function pushed(options: Partial<PushOptions> = {}): Promise<PushResult> {
  const call = async (_id: string, { body }: { readonly body: { readonly revision?: string } }): Promise<unknown> => {
    asked.push(body.revision);
    const is = body.revision !== undefined && known.has(body.revision);
    return await Promise.resolve({ upload: 'up', app: 'web', grant: 'grant', expiresAt: 0, proxies: [{ member: 'm', name: 'p', url: proxy.url, connectivity: 'online' }], ...(is ? { known: { revision: body.revision, number: 7 } } : {}) });
  };
  const result = await push({ call } as unknown as Api, { directory, app: 'web', memory: memory(), onRead: () => {}, onSend: () => {}, onRetry: () => {}, onWarning: () => {}, ...options }, { clock, signal: new AbortController().signal });
  known.add(result.revision);
  return result;
}

test('nothing changed since the last push: one question, and nothing is sent', async () => {
  const first = await pushed();
  expect(first).toMatchObject({ created: true });
  const requests = proxy.requests.length;
  const second = await pushed();
  expect(asked).toEqual([undefined, first.revision]);
  expect(proxy.requests.length).toBe(requests);
  expect(second).toMatchObject({ revision: first.revision, number: 7, created: false, uploadedBytes: 0, missingBytes: 0, reusedBytes: 16, treeBytes: 16, entries: 1, chunks: 1 });
});

test('a change is pushed as it is', async () => {
  const first = await pushed();
  writeFileSync(join(directory, 'index.js'), 'console.log(2);\n');
  const second = await pushed();
  expect(second.revision).not.toBe(first.revision);
  expect(second).toMatchObject({ created: true, missingBytes: 16 });
});

test('a revision that the control plane does not know is uploaded, whatever is remembered', async () => {
  await pushed();
  known.clear();
  expect(await pushed()).toMatchObject({ created: true });
});

test.each<[string, Partial<PushOptions>]>([
  ['--resend', { resend: true }],
  ['another name for the revision', { alias: 'v2' }],
  ['--dry-run', { dryRun: true }],
])('with %s the proxy is asked', async (_what, options) => {
  await pushed();
  const requests = proxy.requests.length;
  await pushed(options);
  expect(asked[1]).toBeUndefined();
  expect(proxy.requests.length).toBeGreaterThan(requests);
});

test('what is remembered has bounds, and damage of it costs nothing but time', async () => {
  const first = await pushed();
  const trees = join(root, 'cache', 'starling', 'trees');
  for (let at = 0; at < 40; at += 1) await memory().write(`/somewhere/${at}`, new Uint8Array(10));
  expect(readdirSync(trees).length).toBe(32);
  await pushed();
  for (const name of readdirSync(trees)) writeFileSync(join(trees, name), 'damaged');
  expect((await pushed()).revision).toBe(first.revision);
});

test('a cache directory that cannot be written is done without', async () => {
  const none = createTreeMemory({ environment: { XDG_CACHE_HOME: join(directory, 'index.js') }, home: root, clock, random: systemRandom });
  expect(await pushed({ memory: none })).toMatchObject({ created: true });
});
