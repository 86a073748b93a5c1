// Memory that a benchmark fills: a virtual machine fetches each page that it has not had, or has given back, from its host, for up to 2.5 CPU seconds a
// gigabyte, in the middle of what is measured. So as much is filled and let go before, for every program alike.

import { mkdtemp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Of the bytes that are written: what is touched before, since what brings them needs some, too. */
export const touchedShare = 1.25;
const blockBytes = 1024 * 1024;

/** Fills `bytes` of memory below `parent`, a memory file system, in a directory whose name begins with `prefix`, and frees them. */
export async function touchMemory(parent: string, prefix: string, bytes: number): Promise<void> {
  const directory = await mkdtemp(join(parent, `${prefix}.`));
  try {
    await using file = await open(join(directory, 'pages'), 'w');
    const block = Buffer.alloc(blockBytes);
    for (let written = 0; written < bytes; written += block.length) await file.write(block);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
