// Programs that the installer starts: how they are started, recognised after the daemon's own death, and ended.
// Each one carries a tag in its environment, so that one that escaped its group, or whose start a crash kept from being
// written down, is still found. Which ones should run is supervisor.ts; Linux only, through /proc.

import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, readdirSync } from 'node:fs';
import type { Clock } from '../../clock.ts';
import { DaemonError } from '../../errors.ts';
import { installLimits } from '../limits.ts';

/** A process and no later one that got the same id. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/<pid>/stat: clock ticks between the machine's start and the process's. */
  readonly startTime: string;
}

/** A process whose environment carries a tag. */
export interface TaggedProcess extends ProcessIdentity {
  readonly tag: string;
  /** First of its session: the one that was started, not a child of it. */
  readonly leader: boolean;
}

/** What to start. The environment is complete: nothing is inherited. */
export interface Program {
  readonly argv: readonly string[];
  /** A relative `argv[0]` with a slash is looked for here. */
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly tag: string;
}

/** How a program that was waited for ended. */
export interface Ended {
  /** `undefined` when it was killed or could not be started. */
  readonly exitCode: number | undefined;
  /** For a person: `exit code 3`, `killed by SIGSEGV`, `no answer after 5 s` … */
  readonly how: string;
  /** The end of what it wrote on both its outputs, at most `installLimits.hookOutputBytesMax`. */
  readonly output: string;
}

export interface Processes {
  /**
   * Starts a program in a session of its own, so that it outlives the daemon.
   * @throws {DaemonError} ACTIVATION_FAILED when the system refuses.
   */
  start(program: Program, files: { readonly output: string; readonly input?: string }): Promise<ProcessIdentity>;
  /**
   * Runs a program to its end; then, or when its time is over or on an abort, kills whatever it left behind: all that carries its tag, so that two that may
   * run at once need two.
   */
  run(program: Program, options: { readonly timeoutMs: number; readonly signal: AbortSignal }): Promise<Ended>;
  alive(process: ProcessIdentity): boolean;
  /** Every process whose tag begins so. Reads /proc once: about 20 µs a process. */
  tagged(prefix: string): readonly TaggedProcess[];
  /** Signals the group that a started process leads; nothing when it is gone. */
  signal(process: ProcessIdentity, signal: 'SIGTERM' | 'SIGKILL'): void;
  /** The daemon's own. */
  self(): ProcessIdentity;
}

const tagVariable = 'STARLING_TAG';

function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}

/** Of a living process; `undefined` when it is gone or only waits to be collected. */
function look(pid: number): { readonly startTime: string; readonly session: number; readonly group: number } | undefined {
  const stat = readProc(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The name, second field, is in parentheses and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, , group, session] = fields;
  const startTime = fields[19];
  if (state === undefined || 'ZX'.includes(state) || startTime === undefined) return undefined;
  return { startTime, session: Number(session), group: Number(group) };
}

function readTag(pid: number): string | undefined {
  const environment = readProc(`/proc/${pid}/environ`)?.split('\0');
  return environment?.find((entry) => entry.startsWith(`${tagVariable}=`))?.slice(tagVariable.length + 1);
}

function findTagged(prefix: string): readonly TaggedProcess[] {
  return readdirSync('/proc').flatMap((name): TaggedProcess[] => {
    const pid = Number(name);
    if (!Number.isInteger(pid)) return [];
    const tag = readTag(pid);
    if (tag === undefined || !tag.startsWith(prefix)) return [];
    const found = look(pid);
    return found === undefined ? [] : [{ pid, tag, startTime: found.startTime, leader: found.session === pid }];
  });
}

/** Keeps the last bytes of a stream of chunks. */
function tail(bytesMax: number): { readonly add: (chunk: Buffer) => void; readonly text: () => string } {
  let chunks: Buffer[] = [];
  let bytes = 0;
  return {
    add: (chunk) => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > 2 * bytesMax) {
        const whole = Buffer.concat(chunks).subarray(-bytesMax);
        chunks = [whole];
        bytes = whole.length;
      }
    },
    text: () => Buffer.concat(chunks).subarray(-bytesMax).toString('utf8'),
  };
}

/** What only `main.ts` may read from the process, as values. */
export interface ProcessAccess {
  /** `process.kill`: a negative id means the group; throws when there is none. */
  readonly kill: (pid: number, signal: 'SIGTERM' | 'SIGKILL') => unknown;
  readonly clock: Clock;
}

/** The machine's own processes. */
export function systemProcesses({ kill, clock }: ProcessAccess): Processes {
  const killQuietly = (pid: number, signal: 'SIGTERM' | 'SIGKILL') => {
    try {
      kill(pid, signal);
    } catch {
      // Gone already (ESRCH): what was wanted.
    }
  };
  const alive = ({ pid, startTime }: ProcessIdentity) => look(pid)?.startTime === startTime;
  const killTagged = (tag: string) => {
    for (const found of findTagged(tag)) if (found.tag === tag) killQuietly(found.pid, 'SIGKILL');
  };

  return {
    alive,
    tagged: findTagged,
    self: () => {
      const pid = Number(readProc('/proc/self/stat')?.split(' ')[0]);
      return { pid, startTime: look(pid)?.startTime ?? '' };
    },
    signal: ({ pid, startTime }, signal) => {
      const found = look(pid);
      // Its group lives on in its children when the leader has died, but then the number may be another's by now.
      if (found?.startTime === startTime) killQuietly(found.group === pid ? -pid : pid, signal);
    },

    start: async (program, files) => {
      const output = openSync(files.output, 'a', 0o600);
      const input = files.input === undefined ? undefined : openSync(files.input, 'r');
      try {
        const [command = '', ...args] = program.argv;
        const child = spawn(command, args, {
          cwd: program.directory,
          env: { ...program.environment, [tagVariable]: program.tag },
          detached: true,
          stdio: [input ?? 'ignore', output, output],
        });
        child.unref();
        await new Promise<void>((resolve, reject) => {
          child.once('spawn', resolve);
          child.once('error', reject);
        });
        const pid = child.pid ?? 0;
        return { pid, startTime: look(pid)?.startTime ?? 'ended at once' };
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        throw new DaemonError('ACTIVATION_FAILED', `cannot start ${JSON.stringify(program.argv)} in ${program.directory}: ${message}`, {
          cause: error,
        });
      } finally {
        closeSync(output);
        if (input !== undefined) closeSync(input);
      }
    },

    run: async (program, { timeoutMs, signal }) => await runToEnd(program, timeoutMs, signal, { clock, killQuietly, killTagged }),
  };
}

interface Killing {
  readonly clock: Clock;
  readonly killQuietly: (pid: number, signal: 'SIGKILL') => void;
  readonly killTagged: (tag: string) => void;
}

async function runToEnd(program: Program, timeoutMs: number, signal: AbortSignal, { clock, killQuietly, killTagged }: Killing): Promise<Ended> {
  signal.throwIfAborted();
  const [command = '', ...args] = program.argv;
  const output = tail(installLimits.hookOutputBytesMax);
  const over = new AbortController();
  const result = await new Promise<Omit<Ended, 'output'>>((resolve) => {
    const end = (exitCode: number | undefined, how: string) => {
      resolve({ exitCode, how });
    };
    const child = spawn(command, args, {
      cwd: program.directory,
      env: { ...program.environment, [tagVariable]: program.tag },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const killAll = () => {
      if (child.pid !== undefined) killQuietly(-child.pid, 'SIGKILL');
      killTagged(program.tag);
    };
    const stop = (how: string) => {
      killAll();
      end(undefined, how);
    };
    child.stdout.on('data', output.add);
    child.stderr.on('data', output.add);
    child.once('error', (error) => {
      end(undefined, `cannot be started: ${error.message}`);
    });
    child.once('exit', (code, killedBy) => {
      // A child that it left behind would hold the outputs open; with it gone they close, and all that was written is here.
      killAll();
      const settle = () => {
        end(code ?? undefined, code === null ? `killed by ${killedBy ?? 'a signal'}` : `exit code ${code}`);
      };
      child.once('close', settle);
      clock.wait(installLimits.outputCloseMs, { signal: over.signal }).then(settle, () => {});
    });
    const expire = async () => {
      await clock.wait(timeoutMs, { signal: AbortSignal.any([over.signal, signal]) });
      stop(`still running after ${timeoutMs / 1000} s`);
    };
    expire().catch(() => {
      if (signal.aborted) stop('stopped with the daemon');
    });
  });
  over.abort();
  signal.throwIfAborted();
  return { ...result, output: output.text() };
}
