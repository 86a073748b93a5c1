// A world for the command line in tests: what it wrote is kept, the clock is the system's, and everything else is the test's.

import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { runCommandLine } from '../../../control/cli/cli.ts';
import type { ExitCode } from '../../../control/cli/exit.ts';
import type { Output, World } from '../../../control/cli/world.ts';
import { systemClock } from '../../../control/clock.ts';
import { systemRandom } from '../../../control/random.ts';

export interface TestWorld extends World {
  readonly written: { out: string; err: string };
  readonly stop: AbortController;
}

/** `tty` makes both streams terminals of 100 columns. */
export function testWorld(options: Partial<World> & { readonly tty?: boolean } = {}): TestWorld {
  const written = { out: '', err: '' };
  const stop = new AbortController();
  const output = (name: 'out' | 'err'): Output => ({ write: (text) => void (written[name] += text), isTTY: options.tty ?? false, columns: 100 });
  return {
    arguments: [],
    environment: { PATH: process.env['PATH'] },
    directory: tmpdir(),
    home: join(tmpdir(), 'starling-no-home'),
    stdin: Readable.from([]),
    stdout: output('out'),
    stderr: output('err'),
    clock: systemClock,
    random: systemRandom,
    signal: stop.signal,
    execPath: process.execPath,
    program: fileURLToPath(new URL('../../../control/main.ts', import.meta.url)),
    version: '0.1.0',
    nodeVersion: process.version,
    kill: (id, signal) => {
      try {
        return process.kill(id, signal);
      } catch {
        return false;
      }
    },
    ...options,
    written,
    stop,
  };
}

export interface Ran {
  readonly code: ExitCode;
  readonly out: string;
  readonly err: string;
}

/** Runs one command line to its end. */
export async function run(args: readonly string[], options: Parameters<typeof testWorld>[0] = {}): Promise<Ran> {
  const world = testWorld({ ...options, arguments: args });
  const code = await runCommandLine(world);
  return { code, ...world.written };
}
