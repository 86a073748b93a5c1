// Directories and failing disks for the tests of the journal.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Level } from 'level';
import { onTestFinished } from 'vitest';
import type { Database } from '../../../control/journal/level.ts';

export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'starling-journal-'));
  onTestFinished(async () => await rm(directory, { recursive: true, force: true }));
  return directory;
}

export function plainDatabase(directory: string) {
  return new Level<Uint8Array, Uint8Array>(directory, { keyEncoding: 'view', valueEncoding: 'view' });
}

/** How a write fails: nothing of it is on disk, or all of it is and yet it is reported as failed. */
export type Failure = 'not-applied' | 'applied';

/** A LevelDB whose disk is full when told so, and which, like the real one, then refuses every write until it is opened anew. */
export class FailingDisk {
  readonly #planned: Failure[] = [];
  /** Databases made; one more for each time the journal opened anew. */
  opened = 0;

  failNext(...failures: readonly Failure[]): void {
    this.#planned.push(...failures);
  }

  readonly database = (directory: string): Database => {
    this.opened += 1;
    const real = plainDatabase(directory);
    let broken = false;
    return {
      open: async () => await real.open(),
      close: async () => await real.close(),
      values: real.values.bind(real),
      keys: real.keys.bind(real),
      batch: async (operations, options) => {
        const failure = this.#planned.shift();
        if (failure === 'applied') await real.batch(operations, options);
        if (failure !== undefined || broken) {
          broken = true;
          throw Object.assign(new Error('IO error: No space left on device'), { code: 'LEVEL_IO_ERROR' });
        }
        await real.batch(operations, options);
      },
    };
  };
}
