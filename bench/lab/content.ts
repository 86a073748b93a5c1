// Trees to measure with.

import { randomFillSync } from 'node:crypto';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const MiB = 1024 * 1024;
/** Nothing to run: what is measured is the way there. Two releases, since each lies in memory. */
const spec = 'apiVersion: starling/v1\nkind: DeploySpec\ninstall: { layout: releases, keepReleases: 2 }\nservice: { manager: none }\nhealth: []\n';

/** Writes a tree of bytes that no compression and no other tree shares, in files of up to 8 MiB. */
export async function writeRandomTree(directory: string, bytes: number): Promise<void> {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'deploy.yaml'), spec);
  const block = Buffer.alloc(MiB);
  for (let written = 0, number = 0; written < bytes; number += 1) {
    await using file = await open(join(directory, `part-${String(number).padStart(3, '0')}.bin`), 'w');
    for (const end = Math.min(bytes, written + 8 * MiB); written < end; written += block.length) await file.writeFile(randomFillSync(block).subarray(0, Math.min(block.length, end - written)));
  }
}
