// P10: what an agent costs that has nothing to do: resident memory, and processor time over 60 s, among 17 members on loopback. aria2 and syncthing stand
// idle beside it without any neighbour, which is less than what the agent has to keep up.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { runtimeOptions } from '../control/bundle/runtime-options.ts';
import { freePort, LocalFleet } from './local-fleet.ts';
import { isInstalled } from './measured.ts';
import { median, printRow, skipped } from './rows.ts';
import { scratchDirectory } from './scratch.ts';

const agents = 16;
/** What the start left is collected by then (daemon/daemon-rest.ts). */
const [settleMs, spanMs] = [30_000, 60_000];
/** Options of the runtime: those of `starlingd`, or others to try, as `STARLING_P10_RUNTIME="--max-semi-space-size=1"`. */
const runtime = process.env['STARLING_P10_RUNTIME'] ?.split(' ') ?? runtimeOptions('daemon');
const scratch = scratchDirectory('p10');
const others: { readonly name: string; readonly pid: number; readonly end: () => Promise<void> }[] = [];
try {
  await using fleet = await LocalFleet.start({ agents, packaged: true, runtime });
  for (const [name, command] of Object.entries(await idlePeers())) {
    if (!isInstalled(command[0] ?? '')) {
      skipped('P10', name, 'not installed');
      continue;
    }
    const child = spawn(command[0] ?? '', command.slice(1), { stdio: 'ignore', detached: true, env: { ...process.env, HOME: scratch } });
    others.push({ name, pid: child.pid ?? 0, end: async () => {
      const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
      // The group: syncthing's monitor is not the one that works.
      if (ended !== undefined && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      await ended;
    } });
  }
  await wait(settleMs);
  const members = [...fleet.agents.map((name) => ({ name, pid: fleet.pid(name) })), ...others];
  const before = members.map(({ pid }) => cpuMs(pid));
  await wait(spanMs);
  const found = members.map(({ name, pid }, at) => ({ name, residentMiB: residentMiB(pid), ownMiB: residentMiB(pid, 'RssAnon'), share: ((cpuMs(pid) - (before[at] ?? 0)) / spanMs) * 100 }));
  const ours = found.slice(0, agents);
  const beside = (pick: (one: (typeof found)[number]) => number): Record<string, number> => Object.fromEntries(found.slice(agents).map((one) => [one.name, pick(one)]));
  const neighbours = await Promise.all(fleet.agents.map(async (name) => await neighboursOf(join(fleet.directory, name))));
  const details = { neighbours, load: Number(loadavg()[0]?.toFixed(1)), runtime: runtime.join(' ') };
  printRow({ row: 'P10', case: `resident, ${agents + 1} members`, figure: median(ours.map(({ residentMiB: mib }) => mib)), unit: 'MiB', goal: 90, runs: agents, peers: beside(({ residentMiB: mib }) => mib), details: { ...details, ownMiB: median(ours.map(({ ownMiB }) => ownMiB)) } });
  printRow({ row: 'P10', case: `processor over ${spanMs / 1000} s`, figure: median(ours.map(({ share }) => share)), unit: '% core', goal: 0.2, runs: agents, peers: beside(({ share }) => share), details });
} finally {
  for (const { end } of others) await end();
  rmSync(scratch, { recursive: true, force: true });
}

async function idlePeers(): Promise<Readonly<Record<string, readonly string[]>>> {
  return {
    aria2: ['aria2c', '--enable-rpc', `--rpc-listen-port=${await freePort()}`, `--dir=${scratch}`],
    syncthing: ['syncthing', 'serve', '--no-browser', '--no-restart', `--home=${join(scratch, 'syncthing')}`, `--gui-address=127.0.0.1:${await freePort()}`],
  };
}

/** How many an agent has now, by its own word. */
async function neighboursOf(dataDir: string): Promise<number> {
  const url = readFileSync(join(dataDir, 'http.url'), 'utf8').trim();
  const status = (await (await fetch(`${url}/v1/status`)).json()) as { readonly neighbours: readonly unknown[] };
  return status.neighbours.length;
}

/** A process and all that it started: syncthing is a monitor and the process that works. */
function family(pid: number): readonly number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter((text) => text !== '').map(Number));
  return [pid, ...children.flatMap((child) => family(child))];
}

/** `RssAnon`: without the pages of programs, which all processes of one program share. */
function residentMiB(pid: number, of: 'VmRSS' | 'RssAnon' = 'VmRSS'): number {
  return family(pid).reduce((sum, one) => sum + Number(new RegExp(`${of}:\\s+(\\d+)`).exec(readFileSync(`/proc/${one}/status`, 'utf8'))?.[1] ?? 0) / 1024, 0);
}

/** Of all threads, in milliseconds: the ticks of /proc/PID/stat are too coarse for an idle process. */
function cpuMs(pid: number): number {
  return family(pid).reduce((total, one) => readdirSync(`/proc/${one}/task`).reduce((sum, task) => sum + Number(readFileSync(`/proc/${one}/task/${task}/schedstat`, 'utf8').split(' ')[0]) / 1e6, total), 0);
}
