// A whole daemon in this process, beside a whole control plane: that it comes to an end when it cannot start, and when it is told to while it does.

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../daemon/clock.ts';
import { readConfig, type Config } from '../../daemon/config.ts';
import { readConfig as readControlConfig } from '../../control/config.ts';
import { createLog, startControl } from '../../control/control.ts';
import { startDaemon, type DaemonDeps } from '../../daemon/daemon.ts';
import { joinFleet } from '../../daemon/daemon-join.ts';
import { seeded } from '../support/random.ts';
import { TestControl } from '../control/http/harness.ts';
import { loud } from './install/support.ts';

const silent = createLog('error', () => undefined);
const waiting = { signal: new AbortController().signal };
let control: TestControl;
let dataDir: string;
let other: Server;

beforeEach(async () => {
  control = await TestControl.start();
  dataDir = await mkdtemp(join(tmpdir(), 'starling-start-'));
  other = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => other.once('listening', resolve));
});
afterEach(async () => {
  other.close();
  await control[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true, force: true });
});

/** A daemon's settings, for a machine that has joined. */
async function joined(roles: string, httpPort = 0): Promise<Config> {
  const text = `{ listen: /ip4/127.0.0.1/tcp/0, roles: [${roles}], http: { port: ${httpPort} }, upload: { host: 127.0.0.1, port: 0 } }`;
  const config = readConfig({ file: { path: 'agent.yaml', text }, environment: {}, flags: { dataDir, name: 'one' }, hostname: 'one' });
  const { body } = await control.post('/v1/tokens', { use: 'join', name: 'join-one', roles: config.roles });
  await joinFleet(config, control.url, body.text, { clock: systemClock, attributes: {}, ...waiting });
  return config;
}

function deps(lines: string[] = []): DaemonDeps {
  return {
    clock: systemClock, random: { unit: seeded(1).next, bytes: (length) => randomBytes(length) }, log: loud(lines),
    execPath: process.execPath, searchPath: '/usr/bin:/bin', kill: process.kill.bind(process), version: 'test', nodeVersion: process.version,
  };
}

test('a daemon whose local port is taken says so and ends; its directory is then free', async () => {
  const address = other.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const config = await joined('agent, seed, proxy', port);
  await expect(startDaemon(config, deps(), waiting)).rejects.toMatchObject({ code: 'PORT_IN_USE', message: expect.stringContaining(`port ${port} on 127.0.0.1 is in use`) });
  expect((await readdir(dataDir)).filter((name) => name.startsWith('owner.'))).toEqual([]);
  const daemon = await startDaemon({ ...config, http: { ...config.http, port: 0 } }, deps(), waiting);
  await daemon.close();
});

test('a control plane and a daemon take no directory that is the other one\'s', async () => {
  await joined('agent');
  await expect(startControl(readControlConfig({ environment: {}, flags: { dataDir, listen: '127.0.0.1:0' } }), { log: silent })).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining(`${dataDir} is the data directory of a daemon`) });
  expect(await readdir(dataDir)).not.toContain('journal');
  const own = dataDir;
  ({ dataDir } = control);
  await expect(joined('agent')).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining(`${dataDir} is the data directory of a control plane`) });
  dataDir = own;
  const { body } = await control.post('/v1/tokens', { use: 'api', name: 'quinn', scopes: ['read:*'] });
  const config = readConfig({ environment: {}, flags: { dataDir, name: 'one' }, hostname: 'one' });
  await expect(joinFleet(config, control.url, body.text, { clock: systemClock, attributes: {}, ...waiting })).rejects.toThrow(/^this is a token for the API, with which no machine joins/);
});

test('a daemon that is told to stop while it waits for the control plane stops', async () => {
  const config = await joined('agent');
  await control.stop();
  const stop = new AbortController();
  const lines: string[] = [];
  const starting = startDaemon(config, deps(lines), { signal: stop.signal });
  const ended = starting.catch((error: unknown) => error);
  while (!lines.some((line) => line.includes('the first metadata is not here yet'))) await new Promise((resolve) => setImmediate(resolve));
  stop.abort();
  expect(await ended).toMatchObject({ code: 'ABORTED' });
  expect((await readdir(dataDir)).filter((name) => name.startsWith('owner.'))).toEqual([]);
});
