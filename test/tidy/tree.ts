// Reads the repository for the tidy test: tracked files, and those about to be, as git sees them.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SourceFile } from './check.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Larger files are data: reading them for style would cost more than it could find. */
const fileBytesMax = 1024 * 1024;

/**
 * Every text file that git tracks or would offer to add, in the order of the paths.
 * @throws {Error} when this is not a git checkout: then nobody can say which files are the project's
 */
export function repositoryFiles(): readonly SourceFile[] {
  const args = ['ls-files', '--cached', '--others', '--exclude-standard', '-z'];
  const listed = execFileSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  const paths = [...new Set(listed.split('\0').filter((path) => path !== ''))].toSorted();
  return paths.flatMap((path) => {
    const bytes = readIfThere(join(root, path));
    if (bytes === undefined || bytes.length > fileBytesMax || bytes.includes(0)) return [];
    return [{ path, text: bytes.toString('utf8') }];
  });
}

/** A tracked file may be deleted in the working tree, a link may lead to a folder: neither has text to judge. */
function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}
