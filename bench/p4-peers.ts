// What else would bring one tree up to another, and the bytes that it moves. A peer that is not installed or takes too long is left out of the row;
// who asked says so.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Bytes moved, or why not. */
export type Moved = number | string;

interface Setting {
  readonly from: string;
  readonly to: string;
  /** Empty, and removed afterwards. */
  readonly scratch: string;
  readonly timeoutMs: number;
}

function run(command: string, args: readonly string[], timeoutMs: number): string {
  return execFileSync(command, [...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: timeoutMs, maxBuffer: 1 << 26 });
}

function tar(directory: string, file: string): string {
  run('tar', ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '-cf', file, '-C', directory, '.'], 600_000);
  return file;
}

function bytesIn(directory: string): number {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

/** Chunks of 64 KiB, compressed, that the old tree's store lacks; and the index. Times are left out, as with us. */
function casync({ from, to, scratch, timeoutMs }: Setting): number {
  const store = join(scratch, 'store.castr');
  const make = (tree: string, name: string): string => {
    const index = join(scratch, name);
    run('casync', ['make', '--chunk-size=65536', '--without=all', '--with=symlinks', '--with=permissions', `--store=${store}`, index, tree], timeoutMs);
    return index;
  };
  make(from, 'from.caidx');
  const before = bytesIn(store);
  const index = make(to, 'to.caidx');
  return bytesIn(store) - before + statSync(index).size;
}

function rsync({ from, to, scratch, timeoutMs }: Setting): number {
  const copy = join(scratch, 'copy');
  run('cp', ['-a', `${from}/.`, copy], timeoutMs);
  const said = run('rsync', ['-rlpcz', '--no-whole-file', '--delete', '--stats', `${to}/`, `${copy}/`], timeoutMs);
  const count = (what: string): number => Number((new RegExp(`Total bytes ${what}: ([\\d,]+)`).exec(said)?.[1] ?? '').replaceAll(',', ''));
  return count('sent') + count('received');
}

function xdelta3({ scratch, timeoutMs }: Setting): number {
  run('xdelta3', ['-9', '-f', '-B', String(1 << 30), '-e', '-s', join(scratch, 'from.tar'), join(scratch, 'to.tar'), join(scratch, 'x')], timeoutMs);
  return statSync(join(scratch, 'x')).size;
}

function bsdiff({ scratch, timeoutMs }: Setting): number {
  run('bsdiff', [join(scratch, 'from.tar'), join(scratch, 'to.tar'), join(scratch, 'b')], timeoutMs);
  return statSync(join(scratch, 'b')).size;
}

const patchFrom = (level: number) => ({ scratch, timeoutMs }: Setting): number => {
  run('zstd', [`-${level}`, '-q', '-f', '--long=30', `--patch-from=${join(scratch, 'from.tar')}`, join(scratch, 'to.tar'), '-o', join(scratch, 'z')], timeoutMs);
  return statSync(join(scratch, 'z')).size;
};

const peers: Readonly<Record<string, (setting: Setting) => number>> = { casync, 'rsync -z': rsync, 'xdelta3 -9': xdelta3, bsdiff, 'zstd -3 --patch-from': patchFrom(3), 'zstd -19 --patch-from': patchFrom(19) };

/** What each of `names` moves; of all when none are named. */
export function movedByPeers(setting: Setting, names: readonly string[] = Object.keys(peers)): Readonly<Record<string, Moved>> {
  const moved: Record<string, Moved> = {};
  mkdirSync(setting.scratch, { recursive: true });
  try {
    tar(setting.from, join(setting.scratch, 'from.tar'));
    tar(setting.to, join(setting.scratch, 'to.tar'));
    for (const name of names) {
      try {
        moved[name] = peers[name]?.(setting) ?? 'unknown';
      } catch (cause) {
        const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
        moved[name] = code === 'ENOENT' ? 'not installed' : code === 'ETIMEDOUT' ? `not done after ${setting.timeoutMs / 1000} s` : 'failed';
      }
    }
  } finally {
    rmSync(setting.scratch, { recursive: true, force: true });
  }
  return moved;
}
