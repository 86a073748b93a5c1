// P8: from the last byte of a release to `current` pointing at it, fully synced: 21,078 files of which 200 changed. The real materialize and the real
// installer on the disk of this machine; the peer is rsync into a tree of hard links, a sync of the file system, and a new symbolic link.

import { execFileSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { cpSync, mkdirSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { defaultDeploySpec } from '../proto/deploy-spec.ts';
import { systemClock } from '../daemon/clock.ts';
import { ingest, type Ingested } from '../daemon/content/ingest/ingest.ts';
import { createInstalledTrees } from '../daemon/content/installed/installed.ts';
import { materialize } from '../daemon/content/release/materialize.ts';
import { systemProcesses } from '../daemon/install/machine/processes.ts';
import { createInstaller } from '../daemon/install/releases.ts';
import { isInstalled } from './measured.ts';
import { median, printRow, skipped } from './rows.ts';
import { scratchDirectory } from './scratch.ts';
import { applicationTree, writeText, writeTree } from './tree.ts';

const runs = 3;
const changed = 200;
const { signal } = new AbortController();
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => silent };
// Not in a memory file system: what is measured is the disk as well.
const scratch = scratchDirectory('p8');
try {
  const source = join(scratch, 'source');
  const paths = writeTree(source, applicationTree);
  await using installer = createInstaller({
    apps: { web: { root: join(scratch, 'web'), host: '127.0.0.1' } }, stateDirectory: join(scratch, 'state'), clock: systemClock, log: silent,
    processes: systemProcesses({ kill: (pid, name) => process.kill(pid, name), clock: systemClock }), node: process.execPath, searchPath: process.env['PATH'] ?? '', onStop: 'leave',
  });
  await installer.recover({ signal });
  const phases: Phases[] = [];
  let previous: { readonly ingested: Ingested; readonly directory: string } | undefined;
  for (let number = 1; number <= runs + 1; number += 1) {
    if (number > 1) change(source, paths, number);
    const ingested = await ingest(source, { signal });
    const { directory, ...measured } = await release(ingested, number, previous, installer);
    if (previous !== undefined) phases.push(measured);
    previous = { ingested, directory };
  }
  const of = (pick: (one: Phases) => number): number => Math.round(median(phases.map(pick)));
  const peers = isInstalled('rsync') ? { rsync: median(Array.from({ length: runs }, (_, run) => withRsync(source, paths, run + 10))) } : {};
  if (!isInstalled('rsync')) skipped('P8', 'rsync', 'not installed');
  printRow({
    row: 'P8', case: `${applicationTree.files} files, ${changed} changed`, figure: median(phases.map(({ finishMs, installMs }) => finishMs + installMs)) / 1000, unit: 's', goal: 1, runs, peers,
    details: { beforeTheFirstByteMs: of(({ beginMs }) => beginMs), writingMs: of(({ writeMs }) => writeMs), finishMs: of(({ finishMs }) => finishMs), installMs: of(({ installMs }) => installMs) },
  });
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

interface Phases {
  readonly beginMs: number;
  readonly writeMs: number;
  /** From the last byte to the release being whole, verified and synced; and from there to the end of its installation. */
  readonly finishMs: number;
  readonly installMs: number;
}

async function release(ingested: Ingested, number: number, previous: { readonly ingested: Ingested; readonly directory: string } | undefined, installer: ReturnType<typeof createInstaller>): Promise<Phases & { readonly directory: string }> {
  const { tree, digest } = ingested;
  const order = { app: 'web', environment: 'bench', deployment: `d-${number}`, seq: number, revision: hash('sha256', `${digest}${number}`), revisionNumber: number, spec: defaultDeploySpec };
  const { directory, release: path } = installer.staging(order);
  const final = basename(path);
  const laps = [performance.now()];
  const local = createInstalledTrees(() => {});
  if (previous !== undefined) await local.add(previous.ingested.tree, previous.directory);
  await using build = await materialize({ tree, directory, local, ...(previous === undefined ? {} : { previous: { tree: previous.ingested.tree, directory: previous.directory } }), links: 'auto', signal });
  laps.push(performance.now());
  const missing = build.held().missing().flatMap(({ from, to }) => Array.from({ length: to - from }, (_, at) => from + at));
  const chunks = await Promise.all(missing.slice(0, 4096).map(async (ordinal) => ({ ordinal, bytes: await ingested.readChunk(ordinal) })));
  for (const { ordinal, bytes } of chunks) await build.write(ordinal, bytes);
  for (const ordinal of missing.slice(4096)) await build.write(ordinal, await ingested.readChunk(ordinal));
  laps.push(performance.now());
  await build.finish({ signal });
  laps.push(performance.now());
  const outcome = await installer.install(order, { directory }, { signal });
  laps.push(performance.now());
  const current = join(scratch, 'web/current');
  if (outcome.kind !== 'committed' || !readlinkSync(current).endsWith(final)) throw new Error(`not installed: ${JSON.stringify(outcome)}`);
  const [beginMs = 0, writeMs = 0, finishMs = 0, installMs = 0] = laps.slice(1).map((at, nth) => at - (laps[nth] ?? 0));
  const some = tree.entry(tree.entryCount - 1);
  if (some.kind === 'file' && hash('sha256', await readFile(join(current, some.path))) !== some.digest) throw new Error('what is installed is not the tree');
  return { beginMs, writeMs, finishMs, installMs, directory: join(scratch, 'web/releases', final) };
}

/** Other bytes of the same length in files spread over the tree. */
function change(source: string, paths: readonly string[], seed: number): void {
  for (let at = 0; at < changed; at += 1) {
    const path = join(source, paths[(at * 97 + seed) % paths.length] ?? '');
    writeText(path, statSync(path).size, seed * 1000 + at);
  }
}

/** Seconds of the whole, since rsync does not say when the last byte was there. */
function withRsync(source: string, paths: readonly string[], seed: number): number {
  const [old, next] = [join(scratch, 'rsync-old'), join(scratch, 'rsync-next')];
  rmSync(old, { recursive: true, force: true });
  cpSync(source, old, { recursive: true, preserveTimestamps: true });
  change(source, paths, seed);
  execFileSync('sync', ['-f', scratch]);
  const startedAt = performance.now();
  mkdirSync(next);
  execFileSync('rsync', ['-a', `--link-dest=${old}`, `${source}/`, `${next}/`]);
  execFileSync('sync', ['-f', next]);
  execFileSync('ln', ['-sfn', 'rsync-next', join(scratch, 'rsync-current')]);
  execFileSync('sync', ['-f', scratch]);
  const seconds = (performance.now() - startedAt) / 1000;
  rmSync(next, { recursive: true });
  return seconds;
}
