// What pushes remember of the directories that they read (daemon/content/ingest/remembered.ts), as files in the user's cache directory: few and bounded, and
// of no consequence when they are lost, old or damaged.

import { hash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeRemembered, type Remembered } from '../../../daemon/content/ingest/remembered.ts';
import type { World } from '../world.ts';

/** Directories remembered, and bytes of all: a tree of a million files takes 150 MB. */
const filesMax = 32;
const bytesMax = 256 * 1024 * 1024;
/** What was not asked for so long is of a directory that is gone. */
const idleMsMax = 30 * 24 * 3_600_000;

/** The memory of pushes on this machine, for this user. */
export interface TreeMemory {
  /** What is remembered of a directory; never fails. */
  read(directory: string): Promise<Remembered | undefined>;
  /** Never fails: a push does not depend on it. */
  write(directory: string, bytes: Uint8Array): Promise<void>;
}

/** In `$XDG_CACHE_HOME/starling/trees`. Where that cannot be written nothing is remembered. */
export function createTreeMemory({ environment, home, clock, random }: Pick<World, 'environment' | 'home' | 'clock' | 'random'>): TreeMemory {
  const root = join(environment['XDG_CACHE_HOME'] || join(home, '.cache'), 'starling', 'trees');
  const fileOf = (directory: string): string => join(root, `${hash('sha256', directory).slice(0, 32)}.tree`);
  return {
    async read(directory) {
      try {
        const file = fileOf(directory);
        const remembered = decodeRemembered(await readFile(file));
        const now = clock.now() / 1000;
        await utimes(file, now, now);
        return remembered;
      } catch {
        return undefined;
      }
    },
    async write(directory, bytes) {
      const file = fileOf(directory);
      const partial = `${file}.${Buffer.from(random(6)).toString('hex')}.tmp`;
      try {
        await mkdir(root, { recursive: true, mode: 0o700 });
        await writeFile(partial, bytes, { mode: 0o600, flag: 'wx' });
        await rename(partial, file);
        await forget(root, clock.now());
      } catch {
        await rm(partial, { force: true }).catch(() => undefined);
      }
    },
  };
}

/** Removes what is beyond the bounds, the longest unused first. */
async function forget(root: string, now: number): Promise<void> {
  const files = await Promise.all((await readdir(root)).map(async (name) => {
    const { mtimeMs, size } = await stat(join(root, name));
    return { path: join(root, name), mtimeMs, size };
  }));
  let bytes = 0;
  for (const [at, { path, mtimeMs, size }] of files.toSorted((a, b) => b.mtimeMs - a.mtimeMs).entries()) {
    bytes += size;
    if (at >= filesMax || bytes > bytesMax || now - mtimeMs > idleMsMax) await rm(path, { force: true });
  }
}
