#!/usr/bin/env node
// `starling`: the control plane and the command line. Reads the process (arguments, environment, streams, signals) and hands it over as
// values; what the commands do is in cli/.

import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Output, World } from './cli/world.ts';
import { systemClock } from './clock.ts';
import { ControlError } from './errors.ts';
import { systemRandom } from './random.ts';

// Before anything else is loaded: reading hundreds of modules anew takes half a second of processor time. In the user's own directory, since whoever
// can write there decides what runs; where it cannot be written it is done without.
enableCompileCache(join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'starling', 'modules'));
const { runCommandLine } = await import('./cli/cli.ts');

/** After the last word, whatever still holds the process (an idle connection, a timer of a library) may hold it this long. */
const lingerMs = 250;
const columnsDefault = 80;

/** After an interrupt, what was started may take this long to be stopped. */
const tidyUpMs = 20_000;
let interruptedAt = Number.POSITIVE_INFINITY;
const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    // Whoever presses twice out of impatience still gets everything tidied up; only when that hangs the program ends as it is.
    if (interrupted.signal.aborted && systemClock.monotonic() - interruptedAt > tidyUpMs) process.exit(130);
    interruptedAt = Math.min(interruptedAt, systemClock.monotonic());
    interrupted.abort(new ControlError('ABORTED', 'interrupted'));
  });
}

function output(stream: NodeJS.WriteStream): Output {
  // A reader that goes away (`starling events | head`) ends the program without a word.
  stream.on('error', (error) => {
    if ('code' in error && error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  return {
    write: (text) => {
      stream.write(text);
    },
    get isTTY() {
      return stream.isTTY === true;
    },
    get columns() {
      return stream.columns ?? columnsDefault;
    },
  };
}

/** npm runs scripts in the package's folder and says in INIT_CWD where the person stands. */
function directoryOfCaller(): string {
  const { INIT_CWD: caller, npm_lifecycle_event: script } = process.env;
  return script !== undefined && caller !== undefined && caller !== '' ? caller : process.cwd();
}

function kill(id: number, signal: 'SIGTERM' | 'SIGKILL'): boolean {
  try {
    return process.kill(id, signal);
  } catch {
    return false;
  }
}

const world: World = {
  arguments: process.argv.slice(2),
  environment: process.env,
  directory: directoryOfCaller(),
  home: homedir(),
  // Opened when a command reads it: it would hold the process otherwise.
  get stdin() {
    return process.stdin;
  },
  stdout: output(process.stdout),
  stderr: output(process.stderr),
  clock: systemClock,
  random: systemRandom,
  signal: interrupted.signal,
  execPath: process.execPath,
  program: fileURLToPath(import.meta.url),
  version: '0.1.0',
  nodeVersion: process.version,
  kill,
};

process.exitCode = await runCommandLine(world);
setTimeout(() => process.exit(), lingerMs).unref();
