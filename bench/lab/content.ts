// Trees to measure with.

import { randomFillSync } from 'node:crypto';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const MiB = 1024 * 1024;
/** Nothing to run: what is measured is the way there. Two releases, since each lies in memory. */
const spec = 'apiVersion: starling/v1\nkind: DeploySpec\ninstall: { layout: releases, keepReleases: 2 }\nservice: { manager: none }\nhealth: []\n';

/** Of a file, unless somebody says otherwise. */
export const largeFileBytes = 8 * MiB;
const filesOfDirectory = 100;

/** Writes a tree of bytes that no compression and no other tree shares, in files of up to `fileBytes`; of small ones some in each directory. */
export async function writeRandomTree(directory: string, bytes: number, fileBytes: number = largeFileBytes): Promise<void> {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'deploy.yaml'), spec);
  const block = Buffer.alloc(Math.min(MiB, fileBytes));
  for (let written = 0, number = 0; written < bytes; number += 1) {
    const place = fileBytes >= largeFileBytes ? directory : join(directory, `some-${Math.floor(number / filesOfDirectory)}`);
    await mkdir(place, { recursive: true });
    await using file = await open(join(place, `part-${String(number).padStart(3, '0')}.bin`), 'w');
    for (const end = Math.min(bytes, written + fileBytes); written < end; ) {
      const next = randomFillSync(block).subarray(0, Math.min(block.length, end - written));
      await file.writeFile(next);
      written += next.length;
    }
  }
}
