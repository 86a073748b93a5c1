// A network of shaped hosts on this machine: each is a network namespace of its own, its cable a veth pair with a token bucket at both ends.
// Touches only namespaces whose names begin with the lab's prefix, and removes them however it ends: leftovers go when the next lab begins.

import { execFile, spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { promisify } from 'node:util';
import { borderOf, commandsFor, place, prefix, switchNamespace, zonesOf, type Host, type LabPlan } from './plan.ts';

const run = promisify(execFile);

/** Bytes at an interface since the lab began, headers of Ethernet included. */
export interface Counters {
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

/** A lab that stands. */
export interface Lab extends AsyncDisposable {
  readonly hosts: readonly Host[];
  host(name: string): Host;
  /** Starts a program on a host; it is killed with the lab. */
  spawn(host: string, argv: readonly string[], options?: SpawnOptions): ChildProcess;
  /** What each host has sent and received, by its name. */
  counters(): Promise<ReadonlyMap<string, Counters>>;
  /** What has crossed from the first zone to the others, and back; in bytes. */
  borderBytes(): Promise<number>;
  /** Takes the cable of a host out, or puts it back. */
  cut(host: string, isCut: boolean): Promise<void>;
}

/** What is missing to build a lab, in a sentence; nothing when it can be built. */
export async function labMissing(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'network namespaces need root: run it as root';
  for (const [command, debian] of [['ip', 'iproute2'], ['tc', 'iproute2'], ['ethtool', 'ethtool']] as const) {
    try {
      await run('sh', ['-c', `command -v ${command}`]);
    } catch {
      return `${command} is missing: run bench/setup, or install the package ${debian}`;
    }
  }
  return undefined;
}

/** Builds it. @throws {Error} with what a command said when one fails; nothing is left then. */
export async function createLab(plan: LabPlan): Promise<Lab> {
  await clearLeftovers();
  try {
    for (const [command, ...args] of commandsFor(plan)) await run(command ?? '', args);
  } catch (cause) {
    await clearLeftovers();
    throw cause;
  }
  const lab = attachLab(plan);
  return { ...lab, [Symbol.asyncDispose]: clearLeftovers };
}

/** A lab that another process has built, and will remove: disposing of it only ends what was started here. */
export function attachLab(plan: LabPlan): Lab {
  const hosts = place(plan);
  const children = new Set<ChildProcess>();
  const find = (name: string): Host => {
    const host = hosts.find((candidate) => candidate.name === name);
    if (host === undefined) throw new RangeError(`no host is called '${name}': there are ${hosts.map((known) => known.name).join(', ')}`);
    return host;
  };
  return {
    hosts,
    host: find,
    spawn(name, argv, options = {}) {
      const child = spawn('ip', ['netns', 'exec', find(name).namespace, ...argv], options);
      children.add(child);
      child.once('exit', () => children.delete(child));
      return child;
    },
    async counters() {
      const links = await statistics();
      return new Map(hosts.map(({ name, port }) => [name, { sentBytes: links.get(port)?.receivedBytes ?? 0, receivedBytes: links.get(port)?.sentBytes ?? 0 }]));
    },
    async borderBytes() {
      const links = await statistics();
      return zonesOf(plan).slice(1).reduce((sum, _, at) => {
        const link = links.get(borderOf(at + 1).near);
        return sum + (link === undefined ? 0 : link.receivedBytes + link.sentBytes);
      }, 0);
    },
    async cut(name, isCut) {
      await run('ip', ['-n', switchNamespace, 'link', 'set', find(name).port, isCut ? 'down' : 'up']);
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) child.kill('SIGKILL');
      await Promise.resolve();
    },
  };
}

/** Ends every process in the namespaces of a lab, and removes them. */
export async function clearLeftovers(): Promise<void> {
  const { stdout } = await run('ip', ['netns', 'list']);
  const left = stdout.split('\n').map((line) => line.split(' ')[0] ?? '').filter((name) => name.startsWith(prefix));
  for (const name of left) {
    const { stdout: pids } = await run('ip', ['netns', 'pids', name]);
    for (const pid of pids.split('\n').map(Number)) {
      // Whoever measures may live in the lab itself.
      if (pid > 0 && pid !== process.pid && pid !== process.ppid) kill(pid);
    }
    await run('ip', ['netns', 'delete', name]);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

async function statistics(): Promise<ReadonlyMap<string, Counters>> {
  const { stdout } = await run('ip', ['-n', switchNamespace, '-s', '-j', 'link'], { maxBuffer: 16 * 1024 * 1024 });
  const links: unknown = JSON.parse(stdout);
  if (!Array.isArray(links)) throw new Error(`not what 'ip -s -j link' prints: ${stdout.slice(0, 200)}`);
  return new Map(links.map((link: { ifname: string; stats64: { rx: { bytes: number }; tx: { bytes: number } } }) => [link.ifname, { sentBytes: link.stats64.tx.bytes, receivedBytes: link.stats64.rx.bytes }]));
}
