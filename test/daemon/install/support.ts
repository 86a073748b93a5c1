// What the installer's tests share: an installer on a directory of its own, staged releases that serve HTTP, and the ways
// in which effects can fail. Everything that a test starts carries its root's tag and is killed at its end.

import { mkdir, mkdtemp, readFile, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { DeploySpec } from '../../../proto/deploy-spec.ts';
import { type Clock, systemClock } from '../../../daemon/clock.ts';
import { releaseId } from '../../../daemon/core/release/activate.ts';
import { type Disk, systemDisk } from '../../../daemon/install/machine/disk.ts';
import type { Installer, InstallOrder } from '../../../daemon/install/installer.ts';
import { type Processes, systemProcesses } from '../../../daemon/install/machine/processes.ts';
import { createInstaller, type InstallerOptions, rootTag } from '../../../daemon/install/releases.ts';
import type { Logger } from '../../../daemon/log.ts';

export const quiet: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => quiet };

/** Keeps what is logged, for a test that asks. */
export function loud(lines: string[]): Logger {
  const write = (fields: object, message: string) => {
    const error = 'err' in fields && fields.err instanceof Error ? ` ${fields.err.message}` : '';
    lines.push(`${message}${error} ${JSON.stringify(fields)}`);
  };
  const log: Logger = { debug: write, info: write, warn: write, error: write, child: () => log };
  return log;
}

export const processes: Processes = systemProcesses({ kill: process.kill.bind(process), clock: systemClock });

export interface Bed extends AsyncDisposable {
  readonly directory: string;
  readonly root: string;
  readonly options: InstallerOptions;
  /** An installer on this bed; as many as a test wants, one after the other. */
  installer(change?: Partial<InstallerOptions>): Installer;
}

/** A root for the application `web`. Port 0: the front takes any. */
export async function makeBed(change: Partial<InstallerOptions> = {}, port: number | undefined = 0): Promise<Bed> {
  const directory = await mkdtemp(join(tmpdir(), 'starling-install-'));
  const root = join(directory, 'web');
  const options: InstallerOptions = {
    apps: { web: { root, ...(port === undefined ? {} : { port }) } },
    stateDirectory: join(directory, 'daemon'),
    clock: systemClock,
    log: quiet,
    processes,
    node: process.execPath,
    searchPath: `${dirname(process.execPath)}:/usr/bin:/bin`,
    onStop: 'stop',
    ...change,
  };
  return {
    directory,
    root,
    options,
    installer: (other = {}) => createInstaller({ ...options, ...other }),
    [Symbol.asyncDispose]: async () => {
      for (const stray of processes.tagged(rootTag(root))) processes.signal(stray, 'SIGKILL');
      for (const stray of processes.tagged(rootTag(root))) if (!stray.leader) process.kill(stray.pid, 'SIGKILL');
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export const waiting = { signal: new AbortController().signal };

/** A revision's digest that is easy to tell. */
export function revisionOf(number: number): string {
  return number.toString(16).padStart(4, '0').repeat(16);
}

export function idOf(number: number): string {
  return releaseId(number, revisionOf(number));
}

/** A server that answers every request with the number of its release; `health.status` can make it answer otherwise. */
const serverSource = `
const http = require('node:http'), fs = require('node:fs');
const version = fs.readFileSync('VERSION', 'utf8').trim();
const status = Number(fs.readFileSync('STATUS', 'utf8'));
const server = http.createServer((request, response) => {
  if (request.url === '/health') { response.statusCode = status; }
  if (request.url === '/slow') { setTimeout(() => response.end(version), 300); return; }
  response.end(version);
}).listen(Number(process.env.PORT), '127.0.0.1');
process.on('SIGTERM', () => { server.close(() => process.exit(0)); server.closeIdleConnections(); });
`;

/** The shortest health checks that still check. */
export const serving: DeploySpec = {
  apiVersion: 'starling/v1',
  kind: 'DeploySpec',
  install: { layout: 'releases' },
  service: { manager: 'process', command: ['node', 'server.cjs'], stopTimeoutSeconds: 2 },
  health: [{ kind: 'http', url: 'http://127.0.0.1:${PORT}/health', successes: 1, intervalSeconds: 0.05, timeoutSeconds: 8 }],
};

export const notServing: DeploySpec = { ...serving, service: { manager: 'none' }, health: [] };

/** What the order and the staged directory of a revision look like. */
export interface Staging {
  readonly spec?: DeploySpec;
  /** Status of `/health`. */
  readonly status?: number;
  readonly files?: Readonly<Record<string, string>>;
  readonly deployment?: string;
}

export function orderOf(number: number, { spec = serving, deployment = `d-${number}` }: Staging = {}): InstallOrder {
  return { app: 'web', environment: 'prod', deployment, seq: number, revision: revisionOf(number), revisionNumber: number, spec };
}

/** Writes a staged release, as the content part would. */
export async function stage(root: string, number: number, { status = 200, files = {} }: Staging = {}): Promise<{ readonly directory: string }> {
  const directory = join(root, 'releases', `${idOf(number)}.tmp`);
  await rm(directory, { recursive: true, force: true });
  const all = { 'VERSION': String(number), 'STATUS': String(status), 'server.cjs': serverSource, ...files };
  for (const [name, text] of Object.entries(all)) {
    await mkdir(join(directory, name, '..'), { recursive: true });
    await writeFile(join(directory, name), text, { mode: name.endsWith('.sh') ? 0o755 : 0o644 });
  }
  return { directory };
}

/** Stages and installs a revision. */
export async function deploy(installer: Installer, root: string, number: number, staging: Staging = {}) {
  return await installer.install(orderOf(number, staging), await stage(root, number, staging), waiting);
}

/** Ends a wait before the test does, so that it is said. */
const answerMsMax = 25_000;

/** Body of an answer, or how there was none. */
export async function get(port: number, path = '/'): Promise<string> {
  return await new Promise((resolve) => {
    const request = http.get({ host: '127.0.0.1', port, path, agent: false, timeout: answerMsMax }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => {
        resolve(text);
      });
      response.on('error', (error) => {
        resolve(error.message);
      });
    });
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', (error) => {
      resolve(error.message);
    });
  });
}

export async function currentOf(root: string): Promise<string | undefined> {
  return await readlink(join(root, 'current')).then(
    (target) => target.replace('releases/', ''),
    () => undefined,
  );
}

export async function stagingDirectories(root: string): Promise<readonly string[]> {
  return (await readdir(join(root, 'releases'))).filter((name) => name.endsWith('.tmp') || name.endsWith('.gone'));
}

/** Releases of a root of which an instance runs, one entry for each process. */
export function running(root: string): readonly string[] {
  const prefix = `${rootTag(root)}:run:`;
  return processes
    .tagged(prefix)
    .filter(({ leader }) => leader)
    .map(({ tag }) => tag.slice(prefix.length).split(':')[0] ?? '');
}

export async function journalOf(root: string): Promise<string> {
  return await readFile(join(root, '.state/journal.jsonl'), 'utf8');
}

/** What a test throws in place of an effect. */
export class Crash extends Error {}

/** Says before and after each effect whether it may go on. `throw` in `before` keeps the effect from happening. */
export interface Gate {
  readonly before: (effect: string) => void;
  readonly after: (effect: string) => void;
  /** The daemon is gone: nothing of it may wake again. */
  readonly gone: () => boolean;
}

const changes = new Set(['makeDirectory', 'writeSynced', 'appendSynced', 'append', 'truncate', 'rotate', 'rename', 'symlink', 'syncDirectory', 'remove']);

function guarded<T extends object>(target: T, effects: ReadonlySet<string>, gate: Gate): T {
  return new Proxy(target, {
    get: (object, name) => {
      const value: unknown = Reflect.get(object, name);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        const counted = effects.has(String(name));
        if (gate.gone()) throw new Crash('the daemon is gone');
        if (counted) gate.before(`${String(name)} ${String(args[0])}`);
        const result: unknown = Reflect.apply(value, object, args);
        const finish = (settled: unknown) => {
          if (gate.gone()) throw new Crash('the daemon is gone');
          if (counted) gate.after(`${String(name)} ${String(args[0])}`);
          return settled;
        };
        return result instanceof Promise ? result.then(finish) : finish(result);
      };
    },
  });
}

/** Effects of an installer that stop where a gate says. After that its timers never fire. */
export function gated(gate: Gate): { readonly disk: Disk; readonly processes: Processes; readonly clock: Clock } {
  return {
    disk: guarded(systemDisk, changes, gate),
    processes: guarded(processes, new Set(['start', 'run', 'signal']), gate),
    clock: {
      ...systemClock,
      wait: async (ms, options) => {
        await systemClock.wait(ms, options);
        if (gate.gone()) await new Promise(() => {});
      },
    },
  };
}

/** Says in front of a failed expectation under which circumstances it failed. */
export async function under(circumstances: string, check: () => Promise<void>): Promise<void> {
  try {
    await check();
  } catch (error) {
    throw new Error(`${circumstances}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
