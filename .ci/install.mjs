// Makes sure that what package-lock.json names is installed, and installs it when it is not: the first step of every
// npm script, so that `npm test` and `npm run demo` work as the first command on a fresh clone.
// Runs on any Node 20 or newer and imports nothing but Node itself, because it runs before anything is installed.
// Prints on standard error only: standard output belongs to the program that runs next.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** @returns {any} the parsed file, or undefined when it is absent or not JSON */
function readJson(path) {
  try {
    return JSON.parse(readFileSync(join(root, path), 'utf8'));
  } catch {
    return undefined;
  }
}

/** Ends the process with one line that says what is wrong and what to do. */
function fail(message) {
  process.stderr.write(`starling: ${message}\n`);
  process.exit(1);
}

/** Sorted `name@range` lines, to compare what two files ask for whatever their key order. */
function asked(manifest) {
  const all = { ...manifest?.dependencies, ...manifest?.devDependencies, ...manifest?.optionalDependencies };
  return Object.entries(all)
    .map(([name, range]) => `${name}@${range}`)
    .sort();
}

/** The version that the pinned binary answers, or undefined when it is absent or does not run on this machine. */
function pinnedVersion() {
  try {
    return execFileSync(join(root, 'node_modules/.bin/node'), ['--version'], { encoding: 'utf8' }).trim();
  } catch {
    return undefined;
  }
}

/**
 * Why an installation is needed, or undefined when node_modules already holds what the lockfile names.
 * Compares contents, not times: npm's own record of what it installed lies in node_modules/.package-lock.json, and git
 * gives every file of a clone the time of the checkout.
 */
function reasonToInstall(lock, pinned) {
  const installed = readJson('node_modules/.package-lock.json')?.packages;
  if (installed === undefined) return 'nothing is installed yet';
  for (const [path, wanted] of Object.entries(lock.packages)) {
    if (path === '') continue;
    const found = installed[path];
    if (found === undefined && (wanted.optional || wanted.devOptional || wanted.peer)) continue;
    if (found?.version !== wanted.version) {
      return `${path} is ${found?.version ?? 'missing'}, package-lock.json names ${wanted.version}`;
    }
  }
  if (pinnedVersion() !== pinned) return `the pinned Node ${pinned} is not in node_modules`;
  return undefined;
}

/**
 * Waits until no other process installs into this checkout, and then is the one that does: two at once remove each other's files. Whoever was
 * killed has left its number behind, and is not waited for.
 */
function takeTurn() {
  const turn = join(root, '.cache', 'installing');
  mkdirSync(dirname(turn), { recursive: true });
  for (let looks = 0; ; looks += 1) {
    if (looks > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
    try {
      writeFileSync(turn, `${process.pid}`, { flag: 'wx' });
      process.on('exit', () => rmSync(turn, { force: true }));
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') fail(`cannot write ${turn} (${error.code}): the checkout must be writable to install into it`);
    }
    const other = ownerOf(turn);
    // Made, and its number not yet written: an instant, unless that process was killed in it.
    if (other === 0 && looks < 10) continue;
    if (other === 0 || !isAlive(other)) rmSync(turn, { force: true });
    else if (looks === 0) process.stderr.write(`starling: process ${other} installs dependencies already; waiting for it\n`);
  }
}

/** The process that installs; zero when nothing tells. */
function ownerOf(turn) {
  try {
    return Number(readFileSync(turn, 'utf8'));
  } catch {
    return 0;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

const major = Number(process.versions.node.split('.')[0]);
if (major < 20) fail(`Node ${process.versions.node} is too old to install from: Node 20 or newer is needed`);

const manifest = readJson('package.json');
const lock = readJson('package-lock.json');
if (manifest === undefined || lock?.packages === undefined) {
  fail('package.json or package-lock.json is missing or damaged: restore them from git');
}
if (asked(manifest).join() !== asked(lock.packages['']).join()) {
  fail('package.json and package-lock.json disagree: run `npm install` and commit both');
}

const pinned = `v${manifest.dependencies.node}`;
if (reasonToInstall(lock, pinned) !== undefined) takeTurn();
// Another process may have installed it meanwhile.
const reason = reasonToInstall(lock, pinned);
if (reason !== undefined) {
  process.stderr.write(`starling: installing dependencies (${reason}); this takes about a minute\n`);
  // `npm ci` refuses a lockfile that was written on another platform, for its optional packages. `--no-save` keeps npm
  // from rewriting the lockfile in the ways of this machine's configuration. Engines are those of the pinned Node, not
  // of the one that installs it. The last two flags undo what is inherited: NODE_ENV=production, and the loglevel of
  // the npm that runs this script (`npm run -s` is silent also about failures). Few and short tries: npm's own patience with a registry
  // that cannot be reached is a quarter of an hour without a word.
  const patience = ['--fetch-retries=1', '--fetch-retry-mintimeout=1000', '--fetch-timeout=60000'];
  const args = ['install', '--no-save', '--engine-strict=false', '--no-audit', '--no-fund', '--include=dev', '--loglevel=error', ...patience];
  const npm = spawnSync('npm', args, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  if (npm.status !== 0) {
    process.stderr.write(`${npm.stdout ?? ''}${npm.stderr ?? ''}`);
    fail(`\`npm ${args.join(' ')}\` failed (${npm.error?.message ?? `exit code ${npm.status}`}): its output is above; when it says that the registry cannot be reached, name yours with \`npm config set registry URL\``);
  }
  const version = pinnedVersion();
  if (version !== pinned) {
    fail(
      `node_modules/.bin/node answers ${version ?? 'nothing'}, expected ${pinned}: remove node_modules and try again; ` +
        'npm must be allowed to run install scripts (see ignore-scripts in `npm config list`)',
    );
  }
}
