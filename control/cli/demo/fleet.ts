// The fleet of a demo: one control plane, one daemon that is seed and proxy, and the agents, each a process with a data directory of its own;
// set up as a person would do it, by single-use tokens and through the API.

import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import type { CreateToken } from '../../../proto/api/tokens.ts';
import { ControlError } from '../../errors.ts';
import { createApi, listAll, type Api } from '../api.ts';
import type { World } from '../world.ts';
import { logTail, type Processes, type Started } from './processes.ts';

/** Names that the demo uses everywhere. */
export const demoNames = { app: 'web', environment: 'demo', label: { fleet: 'demo' } } as const;

/** From the start of a process until it answers; a busy machine needs its time. */
const startMsMax = 60_000;
const pollMs = 100;

/** An agent, and where the service that it runs answers. */
export interface DemoTarget {
  readonly name: string;
  /** Its local API, with /metrics. */
  readonly httpUrl: string;
  /** Its front: the port of the service. */
  readonly serviceUrl: string;
}

export interface Fleet {
  readonly url: string;
  readonly tokenFile: string;
  readonly api: Api;
  readonly targets: readonly DemoTarget[];
}

interface FleetOptions {
  /** The demo's own directory. */
  readonly directory: string;
  readonly ports: readonly number[];
  readonly processes: Processes;
  /** Ends with an interrupt, or when a process breaks. */
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}

/** Processes in the order in which they are stopped. */
export function stopOrder(started: readonly Started[]): readonly (readonly Started[])[] {
  return [started.filter(({ name }) => name.startsWith('agent-')), started.filter(({ name }) => name === 'seed'), started.filter(({ name }) => name === 'control')];
}

/** Starts everything and waits until all of it is there. @throws {ControlError} FAILED with the end of the log of what did not start. */
export async function startFleet(world: World, options: FleetOptions): Promise<Fleet> {
  const { directory, ports, processes, signal, say } = options;
  const control = await startControlPlane(world, options);
  const api = createApi({ url: control.url, token: control.token }, { ...world, signal });
  say(`control plane at ${control.url}`);
  await api.call('createApp', { params: {}, body: { app: demoNames.app } });
  await api.call('createEnvironment', { params: {}, body: { environment: demoNames.environment, app: demoNames.app, selector: demoNames.label, config: rollout(ports.length) } });

  const agents = ports.map((port, index) => ({ name: `agent-${index + 1}`, port }));
  const daemon = join(dirname(dirname(world.program)), 'daemon', 'main.ts');
  const enrol = async (name: string, roles: readonly ('agent' | 'seed' | 'proxy')[], port?: number): Promise<void> => {
    const config = await writeConfig(directory, name, roles, port);
    const tokenFile = join(directory, `${name}.token`);
    const { text } = await api.call('createToken', { params: {}, body: tokenFor(name, roles) });
    await writeFile(tokenFile, `${text}\n`, { mode: 0o600 });
    await processes.run({ name: `${name}-join`, argv: [daemon, 'join', control.url, '--token-file', tokenFile, '--config', config], directory });
    await rm(tokenFile);
    await processes.start({ name, argv: [daemon, 'run', '--config', config], directory });
  };
  // Everybody at once: what the machine can do in parallel is its own affair. One that fails ends nothing before the others have come
  // to rest, so that none is started after everything was stopped.
  const enrolled = await Promise.allSettled([enrol('seed', ['seed', 'proxy']), ...agents.map(async ({ name, port }) => await enrol(name, ['agent'], port))]);
  const failed = enrolled.find((one) => one.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  say(`seed and proxy, and ${agents.length} agents, each joined with a token of its own`);
  await untilOnline(world, api, agents.length + 1, options);
  const targets = await Promise.all(agents.map(async ({ name, port }) => ({ name, httpUrl: await localUrl(world, name, options), serviceUrl: `http://127.0.0.1:${port}` })));
  return { url: control.url, tokenFile: control.tokenFile, api, targets };
}

/** One target first, then all others, as many at once as leave some that serve. */
function rollout(targets: number) {
  return { batches: [1, '100%' as const], maxParallel: '100%' as const, minHealthy: Math.min(targets - 1, Math.ceil(targets * 0.4)), bakeMs: 0, progressDeadlineMs: 120_000, autoRollback: true };
}

function tokenFor(name: string, roles: readonly ('agent' | 'seed' | 'proxy')[]): CreateToken {
  const agent = roles.includes('agent') ? { environments: [demoNames.environment], labels: demoNames.label } : {};
  return { use: 'join', name, roles: [...roles], usesMax: 1, ...agent };
}

async function writeConfig(directory: string, name: string, roles: readonly string[], port: number | undefined): Promise<string> {
  const dataDir = join(directory, name);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const listener = { host: '127.0.0.1', port: 0 };
  const settings = {
    dataDir,
    name,
    roles,
    listen: '/ip4/127.0.0.1/tcp/0',
    http: listener,
    ...(roles.includes('proxy') ? { upload: listener } : {}),
    ...(port === undefined ? {} : { apps: { [demoNames.app]: { root: join(dataDir, demoNames.app), port } }, supervisor: { onStop: 'stop' } }),
    log: { level: 'info' },
  };
  const path = join(directory, `${name}.yaml`);
  await writeFile(path, stringify(settings));
  return path;
}

async function startControlPlane(world: World, { directory, processes, signal }: FleetOptions): Promise<{ readonly url: string; readonly token: string; readonly tokenFile: string }> {
  await processes.start({ name: 'control', argv: [world.program, 'control', '--listen', '127.0.0.1:0', '--data-dir', join(directory, 'control'), '--org', 'demo', '-o', 'json'], directory });
  const line = await until(world, signal, async () => {
    const text = await readFile(join(directory, 'control.out'), 'utf8');
    return text.includes('\n') ? text : undefined;
  });
  if (line === undefined) throw new ControlError('FAILED', `the control plane did not start within ${startMsMax / 1000} s; the end of its log:\n${await logTail(join(directory, 'control.log'))}`);
  const said: unknown = JSON.parse(line);
  if (typeof said !== 'object' || said === null || !('url' in said) || typeof said.url !== 'string' || !('adminTokenFile' in said) || typeof said.adminTokenFile !== 'string') {
    throw new ControlError('FAILED', `the control plane said ${line.trim()} when it started, which is not where it listens`);
  }
  return { url: said.url, tokenFile: said.adminTokenFile, token: (await readFile(said.adminTokenFile, 'utf8')).trim() };
}

async function untilOnline(world: World, api: Api, members: number, { directory, signal }: FleetOptions): Promise<void> {
  const missing = async (): Promise<readonly string[]> => {
    const lists = await Promise.all((['agent', 'seed'] as const).map(async (role) => await listAll(async (page) => await api.call('listTargets', { params: {}, query: { ...page, role } }))));
    const online = new Set(lists.flat().flatMap(({ name, connectivity }) => (connectivity === 'online' ? [name] : [])));
    const { items: proxies } = await api.call('listUploadProxies', { params: {}, query: {} });
    const absent = ['seed', ...Array.from({ length: members - 1 }, (_, index) => `agent-${index + 1}`)].filter((name) => !online.has(name));
    return absent.length === 0 && !proxies.some(({ connectivity }) => connectivity === 'online') ? ['seed'] : absent;
  };
  const there = await until(world, signal, async () => ((await missing()).length === 0 ? true : undefined));
  if (there === true) return;
  const [name = 'seed', ...others] = await missing();
  throw new ControlError('FAILED', `${[name, ...others].join(', ')} did not come online within ${startMsMax / 1000} s; the end of the log of ${name}:\n${await logTail(join(directory, `${name}.log`))}`);
}

/** Where an agent's local API listens; it says so after it is online. */
async function localUrl(world: World, name: string, { directory, signal }: FleetOptions): Promise<string> {
  const url = await until(world, signal, async () => (await readFile(join(directory, name, 'http.url'), 'utf8')).trim() || undefined);
  if (url === undefined) throw new ControlError('FAILED', `${name} does not say where its local API listens; the end of its log:\n${await logTail(join(directory, `${name}.log`))}`);
  return url;
}

/** What `look` finds, or undefined when the time is over; its failures count as nothing found. */
async function until<Found>({ clock }: Pick<World, 'clock'>, signal: AbortSignal, look: () => Promise<Found | undefined>): Promise<Found | undefined> {
  for (const deadline = clock.monotonic() + startMsMax; clock.monotonic() < deadline; ) {
    const found = await look().catch(() => undefined);
    if (found !== undefined) return found;
    signal.throwIfAborted();
    await clock.wait(pollMs, { signal });
  }
  return undefined;
}
