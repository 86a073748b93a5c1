// P5 and P6: publishing a tree of 393 MB in 21,078 files with a warm page cache, and publishing it again when nothing changed, beside casync, restic
// and borg. P5 is walk, chunk, hash and index, in a process that does nothing else; P6 is the whole command against a real control plane
// and proxy on loopback, its bytes counted where they are sent. `--full` adds how P5 grows from 1,000 to 1,000,000 files.

import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LocalFleet, localNames } from './local-fleet.ts';
import { cost, isInstalled, type Cost } from './measured.ts';
import { startMeter } from './metered.ts';
import { median, printRow, skipped } from './rows.ts';
import { scratchDirectory } from './scratch.ts';
import { applicationTree, writeTree, type TreePlan } from './tree.ts';

const runs = 3;
/** Peers take most of the time. */
const peerRuns = process.argv.includes('--full') ? runs : 1;
const scratch = scratchDirectory('p5');
try {
  const tree = join(scratch, 'app');
  writeTree(tree, applicationTree);
  const peers = await publishBesides(tree);
  publish(tree, `${applicationTree.files} files, 393 MB`, Object.fromEntries(Object.entries(peers).map(([name, { first }]) => [name, median(first.map(({ wallMs }) => wallMs)) / 1000])));
  await publishAgain(tree, Object.fromEntries(Object.entries(peers).map(([name, { again }]) => [name, median(again.map(({ wallMs }) => wallMs)) / 1000])));
  rmSync(tree, { recursive: true });
  const sizes = process.argv.includes('--full') ? [1e3, 1e4, 1e5, 1e6] : process.argv.includes('--growth') ? [1e3, 1e4, 1e5] : [];
  for (const files of sizes) growth(join(scratch, 'grown'), { files, bytes: files * 4_000 });
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

interface Read {
  readonly attempts: readonly (Cost & { readonly bytes: number })[];
  readonly peakMiB: number;
}

function read(directory: string, times: number): Read {
  const program = fileURLToPath(new URL('p5-ingest.ts', import.meta.url));
  return JSON.parse(execFileSync(process.execPath, [program, directory, String(times)], { encoding: 'utf8' })) as Read;
}

function publish(tree: string, name: string, peerSeconds: Readonly<Record<string, number>>): void {
  const fresh = Array.from({ length: runs }, () => read(tree, 1));
  const first = fresh.flatMap(({ attempts }) => attempts);
  const warm = read(tree, 5).attempts.slice(2);
  const seconds = median(first.map(({ wallMs }) => wallMs)) / 1000;
  const fastest = Math.min(...Object.values(peerSeconds));
  printRow({ row: 'P5', case: name, figure: seconds, unit: 's', runs, peers: peerSeconds, details: { peerRuns, peakMiB: Math.round(median(fresh.map(({ peakMiB }) => peakMiB))) }, ...(Number.isFinite(fastest) ? { goal: fastest / 2 } : {}) });
  const rate = (attempts: Read['attempts']): number => median(attempts.map(({ bytes, cpuMs }) => bytes / 1000 / cpuMs));
  printRow({ row: 'P5', case: `${name}, a core`, figure: rate(warm), unit: 'MB/s', goal: 400, moreIsBetter: true, runs: warm.length, details: { inAFreshProcess: Math.round(rate(first)) } });
}

function growth(directory: string, plan: TreePlan): void {
  writeTree(directory, plan);
  const { attempts, peakMiB } = read(directory, plan.files > 1e5 ? 1 : 2);
  const last = attempts.at(-1);
  if (last !== undefined) printRow({ row: 'P5', case: `${plan.files} files of 4 KB on average`, figure: (last.cpuMs * 1000) / plan.files, unit: 'us/file', runs: 1, details: { wallMs: Math.round(last.wallMs), peakMiB: Math.round(peakMiB) } });
  rmSync(directory, { recursive: true });
}

async function publishAgain(tree: string, peerSeconds: Readonly<Record<string, number>>): Promise<void> {
  await using fleet = await LocalFleet.start({ agents: 0, packaged: true });
  const push = ['push', tree, '--app', localNames.app, '-o', 'json'];
  await fleet.starling(push);
  // What is asked on the way is counted by a meter in between; the proxy is reached by its own address and would show there as a request missing here.
  const attempts: { readonly seconds: number; readonly bytes: number; readonly requests: number }[] = [];
  for (let run = 0; run < runs; run += 1) {
    await using meter = await startMeter(fleet.url);
    const startedAt = performance.now();
    const pushed = JSON.parse(await fleet.starling(push, meter.url)) as { readonly created?: boolean; readonly uploadedBytes: number };
    if (pushed.created !== false) throw new Error('the second push made a revision');
    attempts.push({ seconds: (performance.now() - startedAt) / 1000, bytes: meter.sent() + pushed.uploadedBytes, requests: meter.requests() });
  }
  printRow({ row: 'P6', case: 'the whole command, nothing changed', figure: median(attempts.map(({ seconds }) => seconds)), unit: 's', goal: 0.5, runs, peers: peerSeconds });
  printRow({ row: 'P6', case: 'bytes sent, headers included', figure: median(attempts.map(({ bytes }) => bytes)), unit: 'B', goal: 1024, runs });
  printRow({ row: 'P6', case: 'round trips', figure: median(attempts.map(({ requests }) => requests)), unit: '', goal: 1, runs });
}

interface Peer {
  readonly first: readonly Cost[];
  readonly again: readonly Cost[];
}

/** Each peer publishes the tree to a repository on the same disk, anew each time, and once more with nothing changed. */
async function publishBesides(tree: string): Promise<Readonly<Record<string, Peer>>> {
  const home = { HOME: scratch, RESTIC_PASSWORD: 'bench', BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes' };
  const programs: Readonly<Record<string, { readonly before?: (at: string) => string[]; readonly publish: (at: string, nth: number) => string[] }>> = {
    casync: { publish: (at, nth) => ['casync', 'make', '--without=all', `--store=${at}.castr`, `${at}-${nth}.caidx`, tree] },
    restic: { before: (at) => ['restic', 'init', '-q', '-r', at], publish: (at) => ['restic', 'backup', '-q', '-r', at, tree] },
    borg: { before: (at) => ['borg', 'init', '-e', 'none', at], publish: (at, nth) => ['borg', 'create', `${at}::${nth}`, tree] },
  };
  const measured: Record<string, Peer> = {};
  for (const [name, { before, publish: command }] of Object.entries(programs)) {
    if (!isInstalled(name)) {
      skipped('P5', name, 'not installed');
      continue;
    }
    const [first, again]: [Cost[], Cost[]] = [[], []];
    for (let run = 0; run < peerRuns; run += 1) {
      const at = join(scratch, `${name}-${run}`);
      if (before !== undefined) await cost(before(at), home);
      first.push(await cost(command(at, 1), home));
      again.push(await cost(command(at, 2), home));
      for (const left of [at, `${at}.castr`]) rmSync(left, { recursive: true, force: true });
    }
    measured[name] = { first, again };
  }
  return measured;
}
