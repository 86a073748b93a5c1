// Directories for what a benchmark writes: each carries the process that made it, and goes with it however that ends: by itself, or when the next
// benchmark begins, with the processes that were left working in it. Those of processes that still run, and all others, are never touched.

import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAlive, ownerHere } from './lab/lab.ts';
import type { Owner } from './lab/plan.ts';

/** In memory where there is such a thing, for what does not measure the disk. */
export const memory = isThere('/dev/shm') ? '/dev/shm' : tmpdir();

/** A new directory in `parent`; it is removed when this process ends. */
export function scratchDirectory(name: string, parent: string = tmpdir()): string {
  clearScratch();
  const { pid, startedAt } = ownerHere();
  const directory = mkdtempSync(join(parent, `starling-bench-${pid}-${startedAt}-${name}-`));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));
  return directory;
}

/** Removes what processes that are dead have left, and ends what still works in it. */
export function clearScratch(parents: readonly string[] = [...new Set([tmpdir(), memory])]): void {
  for (const parent of parents) {
    for (const name of readdirSync(parent)) {
      const owner = ownerOf(name);
      if (owner === undefined || isAlive(owner)) continue;
      const directory = join(parent, name);
      endThoseIn(directory);
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    }
  }
}

function ownerOf(name: string): Owner | undefined {
  const [, pid, startedAt] = /^starling-bench-(\d+)-(\d+)-/.exec(name) ?? [];
  return pid === undefined || startedAt === undefined ? undefined : { pid: Number(pid), startedAt: Number(startedAt) };
}

/** Members of a fleet, and what they run, work in its directory or below it. */
function endThoseIn(directory: string): void {
  for (const pid of readdirSync('/proc').map(Number)) {
    if (!(pid > 0) || pid === process.pid) continue;
    try {
      const at = readlinkSync(`/proc/${pid}/cwd`);
      if (at === directory || at.startsWith(`${directory}/`)) process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile, or is another user's.
    }
  }
}

function isThere(directory: string): boolean {
  try {
    readdirSync(directory);
    return true;
  } catch {
    return false;
  }
}
