// Whether two directories hold the same tree: names as bytes, kinds, permission bits, link targets, contents.

import { hash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Every entry under `root` in one line each, ascending. */
export function listing(root: string): string[] {
  const lines: string[] = [];
  const visit = (path: string): void => {
    for (const name of readdirSync(Buffer.from(path), { encoding: 'buffer' })) {
      const below = `${path}/${name.toString()}`;
      const stats = lstatSync(below);
      const mode = (stats.mode & 0o7777).toString(8);
      const shown = JSON.stringify(below.slice(root.length + 1));
      if (stats.isDirectory()) {
        lines.push(`${shown} directory ${mode}`);
        visit(below);
      } else if (stats.isSymbolicLink()) lines.push(`${shown} -> ${JSON.stringify(readlinkSync(below))}`);
      else lines.push(`${shown} file ${mode} ${stats.size} ${hash('sha256', readFileSync(below))}`);
    }
  };
  visit(root);
  return lines.toSorted();
}
