// One cache of compiled modules for all processes of a run of the tests: each of the hundreds of test files, and each program that they start, would else
// read the same hundreds of modules anew. It is made for the run and goes with it, so that no run depends on one before.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Node's own: where it keeps what it compiled. */
const variable = 'NODE_COMPILE_CACHE';

/** Called by Vitest before any worker is started; what it returns is called when all have ended. */
export async function setup(): Promise<(() => Promise<void>) | undefined> {
  // Somebody's own, or that of another project of the same run.
  if (process.env[variable] !== undefined) return undefined;
  const directory = await mkdtemp(join(tmpdir(), 'starling-compiled-'));
  process.env[variable] = directory;
  return async () => await rm(directory, { recursive: true, force: true, maxRetries: 5 });
}

/** For the environment of a program that a test starts. */
export function compileCache(): Readonly<Record<string, string>> {
  const directory = process.env[variable];
  return directory === undefined ? {} : { [variable]: directory };
}
