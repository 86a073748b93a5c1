// Trees for tests: directories with every name and kind of entry that a tree may hold, and what lies in a directory as plain values.
// What may not be published is made by the test that is about it.

import { chmodSync, lstatSync, mkdirSync, readFileSync, readdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { limits } from '../../proto/limits.ts';

/** One name in a directory. Contents are in base64, so that a difference can be shown. */
export type Shown = { readonly mode: string } | { readonly mode: string; readonly content: string } | { readonly target: string };

/** Pseudo-random bytes, the same for the same seed (xorshift32). */
export function noise(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  // Spread first: neighbouring seeds must not begin alike, and zero would stay zero.
  let state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) | 0 || 1;
  for (let at = 0; at < length; at += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[at] = state & 0xff;
  }
  return bytes;
}

/** Names that a shell, a terminal, an option parser or a careless join would trip over. */
export const hostileNames: readonly string[] = [
  ' leading', 'trailing ', '-rf', '--help', '$(id)', '`id`', '; rm x', "quo'te", 'quo"te', 'back\\slash', 'a:b', '*', '?', '[x]', '~', '#', '%2e%2e',
  '...', '.hidden', 'CON', 'ünïcödé', '日本語', '🦜', 'x'.repeat(255), 'é'.repeat(127),
];

/** Fills `root`, which exists, with every kind of entry that may be published. */
export function writeHostileTree(root: string): void {
  for (const [at, name] of hostileNames.entries()) file(root, `names/${name}`, `content ${at}`, at % 2 === 0 ? 0o644 : 0o755);
  mkdirSync(join(root, 'empty/also empty'), { recursive: true });
  file(root, 'zero', '', 0o644);
  file(root, `${'d/'.repeat(limits.pathDepthMax - 1)}deepest`, 'deep', 0o644);
  const big = noise(5 * 1024 * 1024, 1);
  file(root, 'big', big, 0o644);
  file(root, 'big again', big, 0o755);
  file(root, 'repeated', Buffer.alloc(2 * 1024 * 1024), 0o644);
  file(root, 'one chunk', noise(limits.singleChunkBytesMax, 2), 0o644);
  file(root, 'two chunks', noise(limits.singleChunkBytesMax + 1, 3), 0o644);
  symlinkSync('names/-rf', join(root, 'link'));
  symlinkSync('nowhere', join(root, 'dangling'));
  symlinkSync('../big', join(root, 'names/up'));
  symlinkSync('.', join(root, 'self'));
}

function file(root: string, path: string, content: string | Buffer, mode: number): void {
  const absolute = join(root, path);
  mkdirSync(dirname(absolute), { recursive: true });
  writeFileSync(absolute, content);
  chmodSync(absolute, mode);
}

/** Everything under `root` by path. Modes are those of `maskOf`, such as with the right to write left out. */
export function show(root: string, maskOf = 0o777): Readonly<Record<string, Shown>> {
  const shown: Record<string, Shown> = {};
  for (const name of namesUnder(root, '')) {
    const absolute = join(root, name);
    const stats = lstatSync(absolute);
    const mode = (stats.mode & maskOf).toString(8);
    if (stats.isSymbolicLink()) shown[name] = { target: readlinkSync(absolute) };
    else if (stats.isDirectory()) shown[name] = { mode };
    else shown[name] = { mode, content: readFileSync(absolute).toString('base64') };
  }
  return shown;
}

/** Not readdir's own recursion: that follows links to directories. */
function namesUnder(root: string, prefix: string): string[] {
  return readdirSync(join(root, prefix), { withFileTypes: true }).flatMap((entry) => {
    const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
    return entry.isDirectory() ? [path, ...namesUnder(root, path)] : [path];
  });
}
