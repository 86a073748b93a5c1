// One command in a process group of its own: what it writes is handed on, and whatever happens, nothing of the group is left: neither
// when it takes too long, nor when it leaves something running, nor when the worker itself is killed.

import { spawn } from 'node:child_process';
import { StringDecoder } from 'node:string_decoder';
import type { Clock } from '../../clock.ts';
import type { World } from '../world.ts';

export interface CommandOptions {
  /** For a POSIX shell. */
  readonly command: string;
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly onOutput: (text: string) => void;
  /** Ends it early. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly kill: World['kill'];
}

export type Ended =
  | { readonly kind: 'exited'; readonly code: number }
  /** By somebody else's signal, such as the system's when memory is short. */
  | { readonly kind: 'killed'; readonly by: string }
  | { readonly kind: 'timed-out' }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'not-started'; readonly why: string };

/** After a polite end a group has this long before it is killed. */
const politeMs = 5_000;
/** When the command has ended, what is left in its pipes is waited for so long: a program that left the group may hold them open for ever. */
const closeMs = 2_000;

/**
 * A watcher in the group waits on a pipe that only the worker holds: when the worker dies, however it does, the pipe closes and the
 * watcher kills the group, itself with it.
 */
const script = '(read -r word <&3; kill -s KILL 0) >/dev/null 2>&1 & exec 3<&-; exec /bin/sh -c "$1"';

/** Runs the command to its end. */
export async function runCommand(options: CommandOptions): Promise<Ended> {
  const { clock, kill, onOutput } = options;
  const child = spawn('/bin/sh', ['-c', script, 'sh', options.command], {
    cwd: options.directory,
    env: options.environment,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const group = (signal: 'SIGTERM' | 'SIGKILL'): void => {
    if (child.pid !== undefined) kill(-child.pid, signal);
  };
  for (const stream of [child.stdout, child.stderr]) {
    const decoder = new StringDecoder('utf8');
    stream?.on('data', (bytes: Buffer) => onOutput(decoder.write(bytes)));
    stream?.on('end', () => onOutput(decoder.end()));
  }
  // The pipe to the watcher breaks when the group is gone.
  child.stdio[3]?.on('error', () => undefined);
  const over = new AbortController();
  let ended: Ended | undefined;
  const end = (why: Ended): void => {
    if (ended !== undefined) return;
    ended = why;
    group('SIGTERM');
    void clock.wait(politeMs, { signal: over.signal }).then(() => group('SIGKILL'), () => undefined);
  };
  const stop = (): void => end({ kind: 'stopped' });
  if (options.signal.aborted) stop();
  options.signal.addEventListener('abort', stop, { once: true });
  void clock.wait(options.timeoutMs, { signal: over.signal }).then(() => end({ kind: 'timed-out' }), () => undefined);
  const result = await new Promise<Ended>((resolve) => {
    child.once('error', (error) => resolve({ kind: 'not-started', why: error.message }));
    child.once('exit', (code, signal) => {
      // Whoever is left in the group holds the pipes; nobody is to be.
      group('SIGKILL');
      const how: Ended = code === null ? { kind: 'killed', by: signal ?? 'a signal' } : { kind: 'exited', code };
      child.once('close', () => resolve(how));
      void clock.wait(closeMs, { signal: over.signal }).then(() => resolve(how), () => undefined);
    });
  });
  for (const stream of [child.stdout, child.stderr]) stream?.destroy();
  over.abort();
  options.signal.removeEventListener('abort', stop);
  return ended ?? result;
}
