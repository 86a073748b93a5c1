// Makes sure that what package-lock.json names is installed, and installs it when it is not: the first step of every
// npm script, so that `npm test` and `npm run demo` work as the first command on a fresh clone.
// Runs on any Node 20 or newer and imports nothing but Node itself, because it runs before anything is installed.
// Prints on standard error only: standard output belongs to the program that runs next.

import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
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
const reason = reasonToInstall(lock, pinned);
if (reason !== undefined) {
  process.stderr.write(`starling: installing dependencies (${reason}); this takes about a minute\n`);
  // `npm ci` refuses a lockfile that was written on another platform, for its optional packages. `--no-save` keeps npm
  // from rewriting the lockfile in the ways of this machine's configuration. Engines are those of the pinned Node, not
  // of the one that installs it. The last two flags undo what is inherited: NODE_ENV=production, and the loglevel of
  // the npm that runs this script (`npm run -s` is silent also about failures).
  const args = ['install', '--no-save', '--engine-strict=false', '--no-audit', '--no-fund', '--include=dev', '--loglevel=error'];
  const npm = spawnSync('npm', args, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  if (npm.status !== 0) {
    process.stderr.write(`${npm.stdout ?? ''}${npm.stderr ?? ''}`);
    fail(`\`npm ${args.join(' ')}\` failed (${npm.error?.message ?? `exit code ${npm.status}`}): its output is above`);
  }
  const version = pinnedVersion();
  if (version !== pinned) {
    fail(
      `node_modules/.bin/node answers ${version ?? 'nothing'}, expected ${pinned}: remove node_modules and try again; ` +
        'npm must be allowed to run install scripts (see ignore-scripts in `npm config list`)',
    );
  }
}
