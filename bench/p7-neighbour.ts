// P7: one neighbour brings 1 GiB to one agent, verified and written, through the real swarm and the real release on disk; beside it, in turn, what the
// transport could do at most (node:tls, out of memory into nothing), a js-libp2p stream, the swarm without its bulk channel, and rsync over ssh.
//
// Source and target lie in memory (/dev/shm) where there is such a thing: the disk is not what is measured. `STARLING_P7=MiB,runs` is for working on it;
// `STARLING_P7_PROF=directory` keeps processor profiles of the swarm's ends, `STARLING_P7_RUNTIME="--no-opt"` gives the runtime of all ends options.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { copyByRsync } from './peers/rsync.ts';
import { median, printRow, skipped } from './rows.ts';
import { memory, scratchDirectory } from './scratch.ts';
import { touchedShare, touchMemory } from './touch.ts';

/** What one transfer took. */
interface Took {
  readonly seconds: number;
  /** Of both ends. */
  readonly cpuSeconds: number;
  readonly details?: Readonly<Record<string, number>>;
}

const MiB = 1024 * 1024;
const [mib = 1024, runs = 3] = (process.env['STARLING_P7'] ?? '').split(',').filter((text) => text !== '').map(Number);
const profiles = process.env['STARLING_P7_PROF'];
const bytes = mib * MiB;
const scratch = scratchDirectory('p7', memory);
const ways = (process.env['STARLING_P7_WAYS'] ?? 'bulk,tls,noise,stream,rsync').split(',');

// Killed amid a run, it would leave gigabytes of memory taken.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    rmSync(scratch, { recursive: true, force: true });
    process.exit(1);
  });
}

try {
  const source = join(scratch, 'source');
  await writeSource(source);
  const took = new Map<string, Took[]>(ways.map((way) => [way, []]));
  // In turn, so that what else the machine does meets all of them.
  for (let run = 0; run < runs; run += 1) {
    for (const way of ways) {
      // What no goal goes by is measured once: together these take twice as long as the rest.
      if (run > 0 && way !== 'bulk' && way !== 'tls') continue;
      const target = join(scratch, 'target');
      mkdirSync(target);
      if (way === 'rsync') await touchMemory(scratch, 'touch', bytes * touchedShare);
      const one = way === 'rsync' ? await copyByRsync(source, target, scratch) : await between(way, source, target);
      if (one === undefined) skipped('P7', 'rsync', 'rsync or sshd is not installed');
      else took.get(way)?.push(one);
      rmSync(target, { recursive: true });
    }
  }
  report(took);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

function report(took: ReadonlyMap<string, readonly Took[]>): void {
  const gib = bytes / 2 ** 30;
  const rates = new Map<string, number>();
  const costs = new Map<string, number>();
  for (const [way, all] of took) {
    if (all.length === 0) continue;
    rates.set(way, bytes / 1e6 / median(all.map(({ seconds }) => seconds)));
    costs.set(way, median(all.map(({ cpuSeconds }) => cpuSeconds)) / (gib * 1.073741824));
  }
  const names: Readonly<Record<string, string>> = { tls: 'node:tls', stream: 'libp2p stream', noise: 'swarm without bulk channel', rsync: 'rsync over ssh' };
  const others = (values: ReadonlyMap<string, number>): Record<string, number> => Object.fromEntries([...values].flatMap(([way, value]) => (names[way] === undefined ? [] : [[names[way], value]])));
  const name = `${mib} MiB, one neighbour to one agent`;
  const own = rates.get('bulk') ?? 0;
  const raw = rates.get('tls');
  printRow({ row: 'P7', case: name, figure: own, unit: 'MB/s', moreIsBetter: true, peers: others(rates), runs, details: { ...took.get('bulk')?.at(-1)?.details } });
  if (raw !== undefined) printRow({ row: 'P7', case: `${name}, against raw node:tls`, figure: own / raw, unit: 'x', goal: 0.5, moreIsBetter: true, runs });
  printRow({ row: 'P7', case: `${name}, processor time of both ends`, figure: costs.get('bulk') ?? 0, unit: 's/GB', goal: 2.5, peers: others(costs), runs });
}

/** Files of 8 MiB, of bytes that do not compress. */
async function writeSource(directory: string): Promise<void> {
  mkdirSync(directory);
  const block = 8 * MiB;
  for (let at = 0; at < bytes / block; at += 1) {
    const file = await open(join(directory, `part-${at}`), 'w', 0o644);
    await file.write(randomBytes(Math.min(block, bytes - at * block)));
    await file.close();
  }
}

/** Two processes, one at each end. */
async function between(way: string, source: string, target: string): Promise<Took> {
  const server = end(way, 'serve', source);
  try {
    const { address } = await server.line();
    await touchMemory(scratch, 'touch', bytes * touchedShare);
    const client = end(way, 'fetch', target, String(address));
    const { seconds, cpuSeconds, ...details } = await client.line();
    await client.over;
    server.finish();
    const { cpuSeconds: ofServer } = await server.line();
    return { seconds: Number(seconds), cpuSeconds: Number(cpuSeconds) + Number(ofServer), details: { ...details, fetchCpuSeconds: Number(cpuSeconds), serveCpuSeconds: Number(ofServer) } };
  } finally {
    server.finish();
    await server.over;
  }
}

function end(way: string, role: 'serve' | 'fetch', directory: string, ...address: readonly string[]) {
  const profile = profiles === undefined || (way !== 'bulk' && way !== 'noise') ? [] : ['--cpu-prof', `--cpu-prof-dir=${profiles}`, `--cpu-prof-name=${way}-${role}.cpuprofile`];
  const options = (process.env['STARLING_P7_RUNTIME'] ?? '').split(' ').filter((option) => option !== '');
  const child = spawn(process.execPath, [...options, ...profile, fileURLToPath(new URL('p7-end.ts', import.meta.url)), way, role, directory, String(bytes), ...address], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async line(): Promise<Record<string, number>> {
      const { value, done } = await lines.next();
      if (done === true || typeof value !== 'string') throw new Error(`the ${role} end of '${way}' ended with ${child.exitCode ?? child.signalCode}`);
      return JSON.parse(value) as Record<string, number>;
    },
    finish: () => child.stdin.end(),
    over: once(child, 'exit'),
  };
}
