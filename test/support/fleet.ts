// A real fleet for end-to-end tests: one control plane, one seed that is the proxy too, and agents, each a process of its own on loopback, that
// can be killed and started again. Closing it leaves no process and no directory behind.

import { spawn, type ChildProcess, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, mkdir, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { reservePorts, type Ports } from '../../control/cli/demo/ports.ts';
import { systemRandom } from '../../control/random.ts';
import { compileCache } from './compile-cache.ts';

const sources: Programs = (floor) => fileURLToPath(new URL(`../../${floor}/main.ts`, import.meta.url));
const startMsMax = 60_000;

/** Where the program of a floor is: that of this checkout, or another that was made of it. */
export type Programs = (floor: 'control' | 'daemon') => string;

/** What else the settings of a member say, by its name. */
export type Settings = (name: string) => object;

/** How a program ended. */
export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

interface Member {
  readonly args: readonly string[];
  child: ChildProcess | undefined;
}

/** What the environment of a fleet is called, and its application. */
export const fleetNames = { app: 'web', environment: 'prod' } as const;

/** An agent and where it is a target: it has the label `env` with the name of its environment. */
export interface Place {
  readonly name: string;
  readonly environment: string;
}

export class Fleet implements AsyncDisposable {
  readonly directory: string;
  readonly url: string;
  readonly servicePorts: readonly number[];
  readonly #places: readonly Place[];
  readonly #ports: Ports;
  readonly #program: Programs;
  readonly #settings: Settings;
  readonly #members = new Map<string, Member>();

  private constructor(directory: string, places: readonly Place[], ports: Ports, programs: Programs, settings: Settings) {
    this.directory = directory;
    this.url = `http://127.0.0.1:${ports.ports[0]}`;
    this.servicePorts = ports.ports.slice(1);
    this.#places = places;
    this.#ports = ports;
    this.#program = programs;
    this.#settings = settings;
  }

  /** Starts everything, with one environment; resolves when all members are online. `config` is the environment's deployment config. */
  static async start(agents: number, config: object, programs: Programs = sources, settings: Settings = () => ({})): Promise<Fleet> {
    const places = Array.from({ length: agents }, (_, at) => ({ name: `agent-${at + 1}`, environment: fleetNames.environment }));
    return await Fleet.#started(places, programs, settings, async (fleet) => {
      await fleet.api('POST', '/v1/apps', { app: fleetNames.app });
      const { status, body } = await fleet.api('POST', '/v1/environments', { environment: fleetNames.environment, app: fleetNames.app, selector: { env: fleetNames.environment }, config });
      if (status !== 201) throw new Error(`the environment was refused: ${JSON.stringify(body)}`);
    });
  }

  /** The same with agents in several environments, which the test makes itself by `prepare`. */
  static async spread(places: readonly Place[], prepare: (fleet: Fleet) => Promise<void>): Promise<Fleet> {
    return await Fleet.#started(places, sources, () => ({}), prepare);
  }

  static async #started(places: readonly Place[], programs: Programs, settings: Settings, prepare: (fleet: Fleet) => Promise<void>): Promise<Fleet> {
    const directory = await realpath(await mkdtemp(join(tmpdir(), 'starling-fleet-')));
    const fleet = new Fleet(directory, places, await reservePorts(places.length + 1, systemRandom), programs, settings);
    try {
      await fleet.#launch(prepare);
      return fleet;
    } catch (cause) {
      await fleet[Symbol.asyncDispose]();
      throw cause;
    }
  }

  /** Names of the agents, in the order of `servicePorts`. */
  get agents(): readonly string[] {
    return this.#places.map(({ name }) => name);
  }

  get names(): readonly string[] {
    return [...this.#members.keys()];
  }

  /** Where an agent keeps its releases. */
  root(agent: string): string {
    return join(this.directory, agent, 'web');
  }

  async log(name: string): Promise<string> {
    return await readFile(join(this.directory, `${name}.log`), 'utf8');
  }

  async kill(name: string): Promise<void> {
    const child = this.#members.get(name)?.child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  restart(name: string): void {
    const member = this.#members.get(name);
    if (member === undefined) throw new Error(`no member is called ${name}`);
    member.child = this.#spawn(name, member.args);
  }

  /** A call of the API; a PUT is of what is there now, whatever that is. */
  async api(method: string, path: string, body?: object): Promise<{ readonly status: number; readonly body: unknown }> {
    const token = (await readFile(join(this.directory, 'control/admin.token'), 'utf8')).trim();
    const authorization = `Bearer ${token}`;
    const seen = method === 'PUT' ? (await fetch(new URL(path, this.url), { headers: { authorization } })).headers.get('etag') : null;
    const response = await fetch(new URL(path, this.url), {
      method,
      headers: { authorization, ...(seen === null ? {} : { 'if-match': seen }), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      signal: AbortSignal.timeout(30_000),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
  }

  /** Runs `starling`. */
  async starling(...args: readonly string[]): Promise<Ended> {
    return await this.#run([this.#program('control'), ...args]);
  }

  /** Runs any program as the fleet's administrator would, in `directory`, with more in its environment. */
  async run(command: string, args: readonly string[], { directory = this.directory, environment = {} }: { readonly directory?: string; readonly environment?: Readonly<Record<string, string>> } = {}): Promise<Ended> {
    return await ended(spawn(command, args, { cwd: directory, env: { ...this.#environment(), ...environment }, stdio: ['ignore', 'pipe', 'pipe'] }));
  }

  /** What `look` finds, tried again until it is something; failures of it count as nothing. */
  async until<Found>(what: string, look: () => Promise<Found | undefined>, timeoutMs = startMsMax): Promise<Found> {
    for (const end = performance.now() + timeoutMs; performance.now() < end; await wait(50)) {
      const found = await look().catch(() => undefined);
      if (found !== undefined) return found;
    }
    throw new Error(`${what}: not within ${timeoutMs / 1000} s`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { child } of this.#members.values()) child?.kill('SIGTERM');
    const ending = [...this.#members.values()].map(async ({ child }) => {
      if (child !== undefined && child.exitCode === null && child.signalCode === null) await Promise.race([once(child, 'exit'), wait(15_000)]);
    });
    await Promise.all(ending);
    for (const pid of await this.leftovers()) process.kill(pid, 'SIGKILL');
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5 });
    await this.#ports[Symbol.asyncDispose]();
  }

  /** Processes that have this fleet's directory in their command or working directory. */
  async leftovers(): Promise<readonly number[]> {
    const found: number[] = [];
    for (const name of await readdir('/proc')) {
      if (!/^[0-9]+$/.test(name)) continue;
      const texts = await Promise.all(['cmdline', 'environ'].map(async (file) => await readFile(`/proc/${name}/${file}`, 'utf8').catch(() => '')));
      if (Number(name) !== process.pid && texts.some((text) => text.includes(this.directory))) found.push(Number(name));
    }
    return found;
  }

  /** Starts another program of `starling` that stays, such as a worker. */
  add(name: string, ...args: readonly string[]): void {
    this.#add(name, [this.#program('control'), ...args]);
  }

  async #launch(prepare: (fleet: Fleet) => Promise<void>): Promise<void> {
    this.#add('control', [this.#program('control'), 'control', '--data-dir', join(this.directory, 'control'), '--listen', new URL(this.url).host]);
    await this.until('the control plane answers', async () => ((await fetch(`${this.url}/readyz`)).ok ? true : undefined));
    await prepare(this);
    await Promise.all([this.#join('seed', ['seed', 'proxy']), ...this.#places.map(async ({ name, environment }, at) => await this.#join(name, ['agent'], environment, this.servicePorts[at]))]);
    await this.until('all members are online', async () => {
      const { body: list } = await this.api('GET', '/v1/targets?limit=100');
      return [...JSON.stringify(list).matchAll(/"connectivity":"online"/g)].length >= this.agents.length ? true : undefined;
    });
    await this.until('the proxy is known', async () => (JSON.stringify((await this.api('GET', '/v1/upload-proxies')).body).includes('http') ? true : undefined));
  }

  async #join(name: string, roles: readonly string[], environment?: string, port?: number): Promise<void> {
    const dataDir = join(this.directory, name);
    await mkdir(dataDir, { recursive: true });
    const listener = { host: '127.0.0.1', port: 0 };
    const apps = port === undefined ? {} : { apps: { web: { root: this.root(name), port } }, supervisor: { onStop: 'stop' } };
    const config = join(this.directory, `${name}.yaml`);
    await writeFile(config, JSON.stringify({ dataDir, name, roles, listen: '/ip4/127.0.0.1/tcp/0', http: listener, ...(roles.includes('proxy') ? { upload: listener } : {}), ...apps, ...this.#settings(name) }));
    const labels = environment === undefined ? {} : { environments: [environment], labels: { env: environment } };
    const { body } = await this.api('POST', '/v1/tokens', { use: 'join', name, roles, usesMax: 1, ...labels });
    if (typeof body !== 'object' || body === null || !('text' in body) || typeof body.text !== 'string') throw new Error(`no token: ${JSON.stringify(body)}`);
    const tokenFile = join(this.directory, `${name}.token`);
    await writeFile(tokenFile, body.text);
    const joined = await this.#run([this.#program('daemon'), 'join', this.url, '--token-file', tokenFile, '--config', config]);
    if (joined.code !== 0) throw new Error(`${name} did not join: ${joined.err}`);
    this.#add(name, [this.#program('daemon'), 'run', '--config', config]);
  }

  #add(name: string, args: readonly string[]): void {
    this.#members.set(name, { args, child: this.#spawn(name, args) });
  }

  #spawn(name: string, args: readonly string[]): ChildProcess {
    const log = openSync(join(this.directory, `${name}.log`), 'a');
    try {
      return spawn(process.execPath, args, { cwd: this.directory, env: this.#environment(), stdio: ['ignore', log, log] });
    } finally {
      closeSync(log);
    }
  }

  async #run(args: readonly string[]): Promise<Ended> {
    return await this.run(process.execPath, args);
  }

  #environment(): NodeJS.ProcessEnv {
    const runtime = process.execPath.slice(0, process.execPath.lastIndexOf('/'));
    return { ...compileCache(), PATH: `${runtime}:${process.env['PATH'] ?? ''}`, HOME: this.directory, STARLING_URL: this.url, STARLING_TOKEN_FILE: join(this.directory, 'control/admin.token') };
  }
}

async function ended(child: ChildProcessByStdio<null, Readable, Readable>): Promise<Ended> {
  let [out, err] = ['', ''];
  child.stdout.on('data', (part: Buffer) => (out += part.toString()));
  child.stderr.on('data', (part: Buffer) => (err += part.toString()));
  await once(child, 'close');
  return { code: child.exitCode, out, err };
}
