// Which program this is, to the last character of what folds: a state that another one folded may differ in ways that nobody would notice.

import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/**
 * In a checkout, the sources of what is said, of what is decided and of how that is written down; in a package, all that lies beside this file. With the
 * runtime's version, since it reads what another wrote.
 */
export async function programDigest(runtime: string): Promise<string> {
  const { dirname: here, filename } = import.meta;
  const folders = basename(filename) === 'program.ts' ? [here, join(dirname(here), 'core'), join(dirname(dirname(here)), 'proto')] : [here];
  const hash = createHash('sha256').update(runtime);
  for (const folder of folders) {
    const files = (await readdir(folder, { recursive: true })).filter((name) => /\.(?:ts|mjs)$/.test(name)).toSorted();
    for (const name of files) hash.update(`${name}\0`).update(await readFile(join(folder, name)));
  }
  return hash.digest('hex');
}
