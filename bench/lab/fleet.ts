// A real fleet in a lab: the control plane on its own host, one origin (seed and proxy), and agents, each the program of a package, as machines get it.
// State lies on a memory file system: what is measured is the network, not the disk.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { packageInto } from '../../control/bundle/package.ts';
import { runtimeOptions } from '../../control/bundle/runtime-options.ts';
import type { Deployment } from '../../proto/api/deployments.ts';
import { fullMeshMax } from '../../daemon/core/roster/neighbours.ts';
import { askControl } from '../ask-control.ts';
import { fetchedBy, type Fetched } from './fetched.ts';
import type { Lab } from './lab.ts';

const controlPort = 7400;
/** Of a member's local API. */
const localPort = 7402;
const startMs = 120_000;
/** In a fleet with cycles: nobody has fewer neighbours, and nobody has got another for so long. */
const [cyclesMin, meetMs] = [8, 5_000];
const pollMs = 25;
/** Between questions while no target can be whole: each costs processor time of the machine that is measured. */
const seldomMs = 500;
const stopMs = 15_000;

/** Names that a lab's fleet has. */
export const fleetNames = { app: 'load', environment: 'lab', control: 'control', origin: 'origin' } as const;

/** When each target was whole, in milliseconds from the promotion. */
export type Completion = ReadonlyMap<string, number>;

export interface FleetOptions {
  /** Names of hosts that are agents; the lab has hosts `control` and `origin` besides. */
  readonly agents: readonly string[];
  /** Merged into every member's settings. */
  readonly settings?: object;
}

export class LabFleet implements AsyncDisposable {
  readonly directory: string;
  readonly agents: readonly string[];
  readonly #lab: Lab;
  readonly #settings: object;
  readonly #children = new Map<string, ChildProcess>();
  readonly #args = new Map<string, readonly string[]>();
  readonly #url: string;

  private constructor(lab: Lab, directory: string, { agents, settings }: FleetOptions) {
    this.#lab = lab;
    this.directory = directory;
    this.agents = agents;
    this.#settings = settings ?? {};
    this.#url = `http://${lab.host(fleetNames.control).address}:${controlPort}`;
  }

  /** Resolves when every member is enrolled, online and connected to its neighbours. */
  static async start(lab: Lab, options: FleetOptions): Promise<LabFleet> {
    const fleet = new LabFleet(lab, await lab.directory('fleet'), options);
    try {
      await fleet.#launch();
      return fleet;
    } catch (cause) {
      await fleet[Symbol.asyncDispose]();
      throw cause;
    }
  }

  /** Publishes a directory from the origin's own host, so that publishing costs the lab nothing; its digest and number. */
  async push(directory: string): Promise<{ readonly revision: string; readonly number: number }> {
    const out = await this.#run(fleetNames.origin, [this.#program('control'), 'push', directory, '--app', fleetNames.app, '-o', 'json']);
    const pushed: unknown = JSON.parse(out);
    if (typeof pushed !== 'object' || pushed === null || !('revision' in pushed) || !('number' in pushed)) throw new Error(`not what push prints: ${out}`);
    return { revision: String(pushed.revision), number: Number(pushed.number) };
  }

  /** Promotes and waits for nothing; the promotion's id. */
  async begin(revision: string): Promise<string> {
    const promoted = await this.api('POST', '/v1/promotions', { environment: fleetNames.environment, revision, reason: 'measured' });
    return (promoted as { readonly promotion: string }).promotion;
  }

  /** What an agent has fetched since it started, by its own word, whether or not a control plane is there. */
  async fetched(name: string): Promise<Fetched> {
    return await fetchedBy(`http://${this.#lab.host(name).address}:${localPort}`);
  }

  /**
   * Promotes and waits until every target is whole: has verified every chunk and synced it to its disk (phase `verified`). Before `boundMs` nobody can be.
   * @throws {Error} when a target fails, or after `timeoutMs`.
   */
  async promote(revision: string, { boundMs, timeoutMs }: { readonly boundMs: number; readonly timeoutMs: number }): Promise<{ readonly completion: Completion; readonly deployment: Deployment }> {
    const startedAt = performance.now();
    const promotion = await this.begin(revision);
    const done = new Map<string, number>();
    const pause = (): number => Math.max(pollMs, Math.min(seldomMs, startedAt + boundMs - performance.now()));
    for (let deployment: string | undefined; performance.now() - startedAt < timeoutMs; await wait(deployment === undefined ? pollMs : pause())) {
      deployment ??= ((await this.api('GET', `/v1/promotions/${promotion}`)) as { readonly deployment?: string }).deployment;
      if (deployment === undefined) continue;
      const seen = (await this.api('GET', `/v1/deployments/${deployment}`)) as Deployment;
      for (const { name, phase, detail } of seen.targets) {
        if (failed.has(phase)) throw new Error(`${name} is ${phase}: ${detail ?? ''}`);
        if (whole.has(phase) && !done.has(name)) done.set(name, performance.now() - startedAt);
      }
      if (done.size === this.agents.length) return { completion: done, deployment: seen };
    }
    throw new Error(`${done.size} of ${this.agents.length} targets were whole after ${timeoutMs / 1000} s`);
  }

  /** Waits until the deployment has ended, so that the next one begins from rest. */
  async settled(deployment: string): Promise<Deployment> {
    return await this.#until('the deployment ends', async () => {
      const seen = (await this.api('GET', `/v1/deployments/${deployment}`)) as Deployment;
      return ['running', 'baking', 'rolling-back'].includes(seen.phase) ? undefined : seen;
    });
  }

  /** Waits until what a promotion began has succeeded. @throws {Error} when it ends otherwise. */
  async ended(promotion: string): Promise<Deployment> {
    const deployment = await this.#until('the promotion has a deployment', async () => ((await this.api('GET', `/v1/promotions/${promotion}`)) as { readonly deployment?: string }).deployment);
    const seen = await this.settled(deployment);
    if (seen.phase !== 'succeeded') throw new Error(`the deployment ended as ${seen.phase}`);
    return seen;
  }

  async api(method: string, path: string, body?: object): Promise<unknown> {
    return await askControl(this.#url, this.#tokenFile, method, path, body);
  }

  /** Ends a member at once, as a power cut would. */
  async kill(name: string): Promise<void> {
    const child = this.#children.get(name);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** Starts a member that was killed, with what it has on its disk. */
  restart(name: string): void {
    const args = this.#args.get(name);
    if (args === undefined) throw new RangeError(`no member is called '${name}'`);
    this.#start(name, args);
  }

  /** Waits until every member has synced since the control plane started: they come back to one that was away after growing pauses, reports sooner than polls. */
  async synced(): Promise<void> {
    await this.#until('all members have synced', async () => {
      const pages = await Promise.all(['agent', 'seed'].map(async (role) => (await this.api('GET', `/v1/targets?role=${role}&limit=200`)) as { readonly items: readonly { readonly version?: string }[] }));
      return pages.every(({ items }) => items.every(({ version }) => version !== undefined)) || undefined;
    });
  }

  async log(name: string): Promise<string> {
    return await readFile(join(this.directory, `${name}.log`), 'utf8');
  }

  /** CPU seconds that a member has used. */
  async cpuSeconds(name: string): Promise<number> {
    const pid = this.#children.get(name)?.pid ?? 0;
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#children.values()].map(async (child) => await ended(child)));
    const { STARLING_LAB_KEEP: kept } = process.env;
    if (kept !== undefined) await cp(this.directory, kept, { recursive: true, filter: (source) => !source.includes('/app') && !source.includes('/packs') });
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }

  get #tokenFile(): string {
    return join(this.directory, 'control/admin.token');
  }

  #program(floor: 'control' | 'daemon'): string {
    return join(this.directory, 'programs', floor, 'main.mjs');
  }

  async #launch(): Promise<void> {
    await packageInto(join(this.directory, 'programs'));
    const { address } = this.#lab.host(fleetNames.control);
    this.#start(fleetNames.control, [this.#program('control'), 'control', '--data-dir', join(this.directory, 'control'), '--listen', `${address}:${controlPort}`]);
    await this.#until('the control plane answers', async () => ((await fetch(`${this.#url}/readyz`)).ok ? true : undefined));
    await this.api('POST', '/v1/apps', { app: fleetNames.app });
    const config = { batches: ['100%'], maxParallel: '100%', minHealthy: 0, bakeMs: 0, autoRollback: true };
    await this.api('POST', '/v1/environments', { environment: fleetNames.environment, app: fleetNames.app, selector: { env: 'lab' }, config });
    await this.#join(fleetNames.origin, ['seed', 'proxy']);
    for (const agent of this.agents) await this.#join(agent, ['agent']);
    await this.#meet();
    await this.#until('the proxy is known', async () => (JSON.stringify(await this.api('GET', '/v1/upload-proxies')).includes('http') ? true : undefined));
    // Bulk channels are opened right after; the clock must not begin while they are.
    await wait(2_000);
  }

  async #join(name: string, roles: readonly string[]): Promise<void> {
    const { address, zone } = this.#lab.host(name);
    const dataDir = join(this.directory, name);
    await mkdir(dataDir, { recursive: true });
    const isAgent = roles.includes('agent');
    const settings = {
      dataDir, name, roles, zone, listen: `/ip4/${address}/tcp/7401`, http: { host: address, port: localPort },
      ...(isAgent ? { apps: { [fleetNames.app]: { root: join(this.directory, name, 'app') } } } : { upload: { host: address, port: 7403 } }),
      ...this.#settings,
    };
    const config = join(this.directory, `${name}.yaml`);
    await writeFile(config, JSON.stringify(settings));
    const token = (await this.api('POST', '/v1/tokens', { use: 'join', name, roles, usesMax: 1, ...(isAgent ? { environments: [fleetNames.environment], labels: { env: 'lab' } } : {}) })) as { readonly text: string };
    const tokenFile = join(this.directory, `${name}.token`);
    await writeFile(tokenFile, token.text);
    await this.#run(name, [this.#program('daemon'), 'join', this.#url, '--token-file', tokenFile, '--config', config]);
    this.#start(name, [this.#program('daemon'), 'run', '--config', config]);
  }

  #start(name: string, args: readonly string[]): void {
    this.#args.set(name, args);
    const log = openSync(join(this.directory, `${name}.log`), 'a');
    try {
      this.#children.set(name, this.#lab.spawn(name, [process.execPath, ...memberOptions(), ...args], { cwd: this.directory, env: this.#environment(), stdio: ['ignore', log, log] }));
    } finally {
      closeSync(log);
    }
  }

  /** Until all have their neighbours: in a small fleet everybody, in a larger one the origin and those of eight cycles, which may have some in common. */
  async #meet(): Promise<void> {
    const isMesh = this.agents.length <= fullMeshMax;
    let [met, since] = [0, performance.now()];
    await this.#until('all have their neighbours', async () => {
      const counts = await Promise.all(this.agents.map(async (name) => (await this.log(name)).match(/"msg":"a neighbour was admitted"/g)?.length ?? 0));
      const sum = counts.reduce((total, count) => total + count, 0);
      if (sum !== met) [met, since] = [sum, performance.now()];
      const least = Math.min(...counts);
      if (isMesh) return least >= this.agents.length ? true : undefined;
      return least >= cyclesMin && performance.now() - since > meetMs ? true : undefined;
    });
  }

  async #run(host: string, args: readonly string[]): Promise<string> {
    const child = this.#lab.spawn(host, [process.execPath, ...args], { cwd: this.directory, env: this.#environment(), stdio: ['ignore', 'pipe', 'pipe'] });
    let [out, err] = ['', ''];
    child.stdout?.on('data', (part: Buffer) => (out += part.toString()));
    child.stderr?.on('data', (part: Buffer) => (err += part.toString()));
    await once(child, 'close');
    if (child.exitCode !== 0) throw new Error(`${args.slice(1, 3).join(' ')} on ${host} ended with ${child.exitCode ?? child.signalCode}: ${err}`);
    return out;
  }

  async #until<Found>(what: string, look: () => Promise<Found | undefined>): Promise<Found> {
    let last: unknown;
    for (const end = performance.now() + startMs; performance.now() < end; await wait(100)) {
      try {
        const found = await look();
        if (found !== undefined) return found;
      } catch (cause) {
        last = cause;
      }
    }
    throw new Error(`${what}: not within ${startMs / 1000} s`, { cause: last });
  }

  #environment(): NodeJS.ProcessEnv {
    const runtime = process.execPath.slice(0, process.execPath.lastIndexOf('/'));
    return { PATH: `${runtime}:${process.env['PATH'] ?? ''}`, HOME: this.directory, STARLING_URL: this.#url, STARLING_TOKEN_FILE: this.#tokenFile };
  }
}

/** Those of `starlingd`, and what is added by who looks for where time goes: `STARLING_LAB_RUNTIME="--cpu-prof --cpu-prof-dir=…"`. */
function memberOptions(): readonly string[] {
  return [...runtimeOptions('daemon'), ...(process.env['STARLING_LAB_RUNTIME'] ?? '').split(' ').filter((option) => option !== '')];
}

/** Asks a process to end, and makes it when it does not: a polite end lets it write its profile. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), stopMs);
  await exit;
  clearTimeout(late);
}

const whole: ReadonlySet<string> = new Set(['verified', 'staged', 'activating', 'health-checking', 'committed', 'already-current']);
const failed: ReadonlySet<string> = new Set(['failed', 'rejected', 'inconsistent', 'lost', 'cancelled']);

