// What the world gives the command line: handed over whole by main.ts, so that every command can run in a test beside others.

import type { Clock } from '../clock.ts';
import type { RandomBytes } from '../random.ts';

/** One of the two streams that a program writes to. */
export interface Output {
  write(text: string): void;
  /** Whether a person looks at it: lines may be redrawn. */
  readonly isTTY: boolean;
  /** Width in characters; 80 where there is none. */
  readonly columns: number;
}

export interface World {
  /** Arguments after the program's name. */
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where relative paths of arguments begin. */
  readonly directory: string;
  /** The user's home, for the configuration. */
  readonly home: string;
  /** What is piped in; read by commands that are given `-`. */
  readonly stdin: AsyncIterable<Uint8Array>;
  /** Data. */
  readonly stdout: Output;
  /** Messages, progress, logs. */
  readonly stderr: Output;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** Aborted by an interrupt or a polite end; its reason is a {@link ControlError} ABORTED. */
  readonly signal: AbortSignal;
  /** The runtime that runs this program, and the program itself: for processes that a command starts. */
  readonly execPath: string;
  readonly program: string;
  readonly version: string;
  /** Of the runtime: `v24.21.0`. */
  readonly nodeVersion: string;
  /** Sends a signal to a process, or to a group when the id is negative; whether there was one. */
  readonly kill: (id: number, signal: 'SIGTERM' | 'SIGKILL') => boolean;
}
