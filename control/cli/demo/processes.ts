// The processes of a demo: started apart from the terminal, each with its own log, watched while they should run, and ended with all
// that they left behind. A file in the demo's directory says which they are, for a demo that is stopped later.

import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ControlError } from '../../errors.ts';
import type { World } from '../world.ts';

/** How long the polite end of a process may take: an agent stops its applications meanwhile. */
const stopMsMax = 15_000;
const stopPollMs = 50;
/** Lines of a log that are shown when its process failed. */
const logLines = 12;
const logLineCharacters = 400;

/** A process that was started here, or by an earlier demo. */
export interface Started {
  readonly name: string;
  readonly pid: number;
  /** Field 22 of /proc/PID/stat, so that another process with the same id is left alone; empty where there is no /proc. */
  readonly startTime: string;
}

export interface StartOptions {
  readonly name: string;
  /** Arguments of the runtime, the program first. */
  readonly argv: readonly string[];
  /** Standard output goes here, the log beside it. */
  readonly directory: string;
}

export interface Processes {
  /** Starts one that shall run until the end; what fails with it is {@link Processes.broken}. */
  start(options: StartOptions): Promise<Started>;
  /** Runs one to its end. @throws {ControlError} FAILED with the end of its log when it fails. */
  run(options: StartOptions): Promise<void>;
  /** Aborted with a {@link ControlError} FAILED when a started process ends that should not. */
  readonly broken: AbortSignal;
  /** All that run. */
  readonly started: readonly Started[];
  /** From now on nobody minds when one ends. */
  release(): void;
}

export function createProcesses(world: World): Processes {
  const broken = new AbortController();
  const started: Started[] = [];
  let released = false;
  const environment = childEnvironment(world);

  const launch = ({ name, argv, directory }: StartOptions) => {
    const files = { output: join(directory, `${name}.out`), log: join(directory, `${name}.log`) };
    const [output, log] = [openSync(files.output, 'a', 0o600), openSync(files.log, 'a', 0o600)];
    try {
      return { child: spawn(world.execPath, argv, { cwd: directory, env: environment, detached: true, stdio: ['ignore', output, log] }), files };
    } finally {
      closeSync(output);
      closeSync(log);
    }
  };
  return {
    broken: broken.signal,
    started,
    release: () => {
      released = true;
    },
    start: async (options) => {
      world.signal.throwIfAborted();
      broken.signal.throwIfAborted();
      const { child, files } = launch(options);
      child.unref();
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve);
        child.once('error', (cause) => reject(new ControlError('FAILED', `cannot start ${options.name}: ${cause.message}`, { cause })));
      });
      child.once('exit', (code, killedBy) => {
        if (released) return;
        void failure(options.name, code ?? killedBy ?? 'no reason', files.log).then((error) => broken.abort(error));
      });
      const pid = child.pid ?? 0;
      const process = { name: options.name, pid, startTime: (await startTimeOf(pid)) ?? '' };
      started.push(process);
      return process;
    },
    run: async (options) => {
      const { child, files } = launch(options);
      const ending = (): void => void (child.pid !== undefined && world.kill(-child.pid, 'SIGKILL'));
      world.signal.addEventListener('abort', ending, { once: true });
      try {
        const end = await new Promise<number | string>((resolve, reject) => {
          child.once('error', (cause) => reject(new ControlError('FAILED', `cannot start ${options.name}: ${cause.message}`, { cause })));
          child.once('exit', (code, killedBy) => resolve(code ?? killedBy ?? 'no reason'));
        });
        world.signal.throwIfAborted();
        if (end !== 0) throw await failure(options.name, end, files.log);
      } finally {
        world.signal.removeEventListener('abort', ending);
      }
    },
  };
}

/** The runtime of the demo comes first on PATH, since the service is started as `node`; settings of the caller's are not the demo's. */
function childEnvironment({ environment, execPath }: World): Record<string, string> {
  const kept = Object.entries(environment).flatMap(([name, value]) => (value === undefined || name.startsWith('STARLING_') || name.startsWith('npm_') ? [] : [[name, value] as const]));
  const runtime = execPath.slice(0, execPath.lastIndexOf('/'));
  return { ...Object.fromEntries(kept), PATH: `${runtime}:${environment['PATH'] ?? '/usr/local/bin:/usr/bin:/bin'}` };
}

async function failure(name: string, end: number | string, log: string): Promise<ControlError> {
  return new ControlError('FAILED', `${name} ended (${typeof end === 'number' ? `exit code ${end}` : end}); the end of ${log}:\n${await logTail(log)}`);
}

/** The last lines of a log. */
export async function logTail(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const lines = text.trimEnd().split('\n').slice(-logLines);
  return lines.map((line) => `  ${line.slice(0, logLineCharacters)}`).join('\n');
}

/** Undefined when there is no such process, or no /proc. */
async function startTimeOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[19];
}

async function isSame({ pid, startTime }: Started, kill: World['kill']): Promise<boolean> {
  if (startTime !== '') return (await startTimeOf(pid)) === startTime && !(await isZombie(pid));
  return kill(-pid, 'SIGTERM');
}

async function isZombie(pid: number): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  return text.slice(text.lastIndexOf(')') + 2).startsWith('Z');
}

/** The names of those, of several groups, that had to be killed: each group ends before the next one is asked to. */
export async function stopAll(groups: readonly (readonly Started[])[], directory: string, { clock, kill }: Pick<World, 'clock' | 'kill'>): Promise<readonly string[]> {
  // Stopping goes on although everything else was interrupted.
  const { signal } = new AbortController();
  const killed: string[] = [];
  for (const group of groups) {
    const left = new Set(group);
    for (const one of group) if (await isSame(one, kill)) kill(-one.pid, 'SIGTERM');
    for (const deadline = clock.monotonic() + stopMsMax; left.size > 0 && clock.monotonic() < deadline; ) {
      for (const one of left) if (!(await isSame(one, kill))) left.delete(one);
      if (left.size > 0) await clock.wait(stopPollMs, { signal });
    }
    for (const { pid, name } of left) {
      kill(-pid, 'SIGKILL');
      killed.push(name);
    }
  }
  for (const pid of await leftBehind(directory)) kill(pid, 'SIGKILL');
  return killed;
}

/** What an agent started in `directory` and lived on when the agent was killed: it has an agent's tag, and works inside. */
async function leftBehind(directory: string): Promise<readonly number[]> {
  const names = await readdir('/proc').catch(() => []);
  const found = await Promise.all(
    names.filter((name) => /^[0-9]+$/.test(name)).map(async (name) => {
      const works = await readlink(`/proc/${name}/cwd`).catch(() => '');
      if (!works.startsWith(`${directory}/`)) return [];
      const environment = await readFile(`/proc/${name}/environ`, 'latin1').catch(() => '');
      return environment.split('\0').some((entry) => entry.startsWith('STARLING_TAG=')) ? [Number(name)] : [];
    }),
  );
  return found.flat();
}

const recordName = 'demo.json';

/** Writes down what runs, for `starling demo --stop DIRECTORY`. */
export async function record(directory: string, groups: readonly (readonly Started[])[]): Promise<void> {
  await writeFile(join(directory, recordName), `${JSON.stringify({ groups }, undefined, 2)}\n`, { mode: 0o600 });
}

/** @throws {ControlError} NOT_FOUND when no demo runs there. */
export async function readRecord(directory: string): Promise<readonly (readonly Started[])[]> {
  const text = await readFile(join(directory, recordName), 'utf8').catch((cause: unknown) => {
    throw new ControlError('NOT_FOUND', `there is no demo in ${directory}: no ${recordName} that can be read`, { cause });
  });
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || !('groups' in value) || !Array.isArray(value.groups)) throw new ControlError('FAILED', `${join(directory, recordName)} is not what a demo writes`);
  return value.groups.map((group: unknown) => (Array.isArray(group) ? group.filter(isStarted) : []));
}

function isStarted(value: unknown): value is Started {
  return typeof value === 'object' && value !== null && 'pid' in value && typeof value.pid === 'number' && value.pid > 1 && 'startTime' in value && typeof value.startTime === 'string' && 'name' in value && typeof value.name === 'string';
}
