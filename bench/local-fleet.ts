// A real fleet on this machine alone, for what is measured without a network: the control plane, one seed and proxy, and agents, each the
// program that people run, each in its directory. `LabFleet` is the same behind shaped cables.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { packageInto } from '../control/bundle/package.ts';
import { askControl } from './ask-control.ts';
import { scratchDirectory } from './scratch.ts';

const startMsMax = 120_000;
const pollMs = 50;

/** Names that the fleet uses. */
export const localNames = { app: 'web', environment: 'bench', proxy: 'origin' } as const;

/** The program of a floor. */
export function program(floor: 'control' | 'daemon'): string {
  return fileURLToPath(new URL(`../${floor}/main.ts`, import.meta.url));
}

export interface LocalFleetOptions {
  readonly agents: number;
  /** Whether the programs are those of a package, as on a machine, and not this checkout's. */
  readonly packaged?: boolean;
  /** Options of the runtime for agents. */
  readonly runtime?: readonly string[];
  /** The same for the control plane. */
  readonly controlRuntime?: readonly string[];
}

export class LocalFleet implements AsyncDisposable {
  readonly directory: string;
  readonly agents: readonly string[];
  readonly #packaged: boolean;
  readonly #runtime: readonly string[];
  readonly #controlRuntime: readonly string[];
  readonly #children = new Map<string, ChildProcess>();
  /** Where each agent's application answers. */
  readonly ports = new Map<string, number>();
  #url = '';

  private constructor(directory: string, { agents, packaged, runtime, controlRuntime }: LocalFleetOptions) {
    this.directory = directory;
    this.agents = Array.from({ length: agents }, (_, at) => `a${at + 1}`);
    this.#packaged = packaged ?? false;
    this.#runtime = runtime ?? [];
    this.#controlRuntime = controlRuntime ?? [];
  }

  /** Resolves when everybody is online. */
  static async start(options: LocalFleetOptions): Promise<LocalFleet> {
    const fleet = new LocalFleet(scratchDirectory('fleet'), options);
    try {
      await fleet.#launch();
      return fleet;
    } catch (cause) {
      await fleet[Symbol.asyncDispose]();
      throw cause;
    }
  }

  get url(): string {
    return this.#url;
  }

  get tokenFile(): string {
    return join(this.directory, 'control/admin.token');
  }

  async api(method: string, path: string, body?: object): Promise<unknown> {
    return await askControl(this.#url, this.tokenFile, method, path, body);
  }

  /** One command of `starling`, to its end; its output. `url` instead of the control plane's own is a meter in between. */
  async starling(args: readonly string[], url = this.#url): Promise<string> {
    const child = spawn(process.execPath, [this.#program('control'), ...args], { cwd: this.directory, env: { ...this.#environment(), STARLING_URL: url, STARLING_TOKEN_FILE: this.tokenFile }, stdio: ['ignore', 'pipe', 'pipe'] });
    return await outputOf(child, args.join(' '));
  }

  pid(name: string): number {
    return this.#children.get(name)?.pid ?? 0;
  }

  async log(name: string): Promise<string> {
    return await readFile(join(this.directory, `${name}.log`), 'utf8');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const [, child] of [...this.#children].toReversed()) await end(child);
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }

  #program(floor: 'control' | 'daemon'): string {
    return this.#packaged ? join(this.directory, 'programs', floor, 'main.mjs') : program(floor);
  }

  async #launch(): Promise<void> {
    if (this.#packaged) await packageInto(join(this.directory, 'programs'));
    const port = await freePort();
    this.#url = `http://127.0.0.1:${port}`;
    this.#start('control', [...this.#controlRuntime, this.#program('control'), 'control', '--data-dir', join(this.directory, 'control'), '--listen', `127.0.0.1:${port}`]);
    await until('the control plane answers', async () => ((await fetch(`${this.#url}/readyz`)).ok ? true : undefined));
    await this.api('POST', '/v1/apps', { app: localNames.app });
    const config = { batches: ['100%'], maxParallel: '100%', minHealthy: 0, bakeMs: 0, autoRollback: true };
    await this.api('POST', '/v1/environments', { environment: localNames.environment, app: localNames.app, selector: { env: 'bench' }, config });
    await this.#join(localNames.proxy, ['seed', 'proxy']);
    for (const agent of this.agents) await this.#join(agent, ['agent']);
    await until('everybody is online', async () => {
      const [agents, proxies] = (await Promise.all([this.api('GET', '/v1/targets?limit=200'), this.api('GET', '/v1/upload-proxies')])) as readonly { readonly items: readonly { readonly connectivity: string }[] }[];
      const online = agents?.items.filter(({ connectivity }) => connectivity === 'online').length ?? 0;
      return online >= this.agents.length && proxies?.items.some(({ connectivity }) => connectivity === 'online') === true ? true : undefined;
    });
  }

  async #join(name: string, roles: readonly string[]): Promise<void> {
    const dataDir = join(this.directory, name);
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    const isAgent = roles.includes('agent');
    const port = await freePort();
    if (isAgent) this.ports.set(name, port);
    const listener = { host: '127.0.0.1', port: 0 };
    const settings = {
      dataDir, name, roles, listen: '/ip4/127.0.0.1/tcp/0', http: listener,
      ...(isAgent ? { apps: { [localNames.app]: { root: join(dataDir, 'app'), port } }, supervisor: { onStop: 'stop' } } : { upload: listener }),
    };
    const config = join(this.directory, `${name}.yaml`);
    await writeFile(config, JSON.stringify(settings));
    const token = (await this.api('POST', '/v1/tokens', { use: 'join', name, roles, usesMax: 1, ...(isAgent ? { environments: [localNames.environment], labels: { env: 'bench' } } : {}) })) as { readonly text: string };
    const tokenFile = join(this.directory, `${name}.token`);
    await writeFile(tokenFile, token.text);
    await outputOf(spawn(process.execPath, [this.#program('daemon'), 'join', this.#url, '--token-file', tokenFile, '--config', config], { cwd: this.directory, env: this.#environment(), stdio: ['ignore', 'pipe', 'pipe'] }), `join ${name}`);
    this.#start(name, [...(isAgent ? this.#runtime : []), this.#program('daemon'), 'run', '--config', config]);
  }

  #start(name: string, args: readonly string[]): void {
    const log = openSync(join(this.directory, `${name}.log`), 'a');
    try {
      this.#children.set(name, spawn(process.execPath, args, { cwd: this.directory, env: this.#environment(), stdio: ['ignore', log, log] }));
    } finally {
      closeSync(log);
    }
  }

  #environment(): NodeJS.ProcessEnv {
    const runtime = process.execPath.slice(0, process.execPath.lastIndexOf('/'));
    return { PATH: `${runtime}:${process.env['PATH'] ?? ''}`, HOME: this.directory };
  }
}

/** What a child says until it ends. @throws {Error} with what it said of its failure. */
export async function outputOf(child: ChildProcess, what: string): Promise<string> {
  let [out, err] = ['', ''];
  child.stdout?.on('data', (part: Buffer) => (out += part.toString()));
  child.stderr?.on('data', (part: Buffer) => (err += part.toString()));
  await once(child, 'close');
  if (child.exitCode !== 0) throw new Error(`${what} ended with ${child.exitCode ?? child.signalCode}: ${err}`);
  return out;
}

/** Waits for what `look` finds; its failures count as nothing found. */
export async function until<Found>(what: string, look: () => Promise<Found | undefined>, everyMs = pollMs): Promise<Found> {
  let last: unknown;
  for (const deadline = performance.now() + startMsMax; performance.now() < deadline; await wait(everyMs)) {
    try {
      const found = await look();
      if (found !== undefined) return found;
    } catch (cause) {
      last = cause;
    }
  }
  throw new Error(`${what}: not within ${startMsMax / 1000} s`, { cause: last });
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Asks politely, so that an agent ends its applications, then not. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const given = AbortSignal.timeout(15_000);
  given.addEventListener('abort', () => child.kill('SIGKILL'), { once: true });
  await ended;
}
