// A network of shaped hosts on this machine: each is a network namespace of its own, its cable a veth pair with a token bucket at both ends.
// Namespaces and directories carry who made them; a lab removes its own when it ends, and those of labs whose makers are dead when it begins. Others it never touches.

import { execFile, spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { touchMemory } from '../touch.ts';
import { borderOf, commandsFor, inside, namespaceOf, ownerOf, place, zonesOf, type Host, type LabPlan, type Owner } from './plan.ts';

const run = promisify(execFile);
const memory = '/dev/shm';

/** Bytes that have passed the buckets of a shaped cable since the lab began, the headers of every packet included. */
export interface Counters {
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

/** What one host has sent to another one, in bytes of IP, since {@link Lab.watchFlows}. */
export interface Flow {
  readonly from: string;
  readonly to: string;
  readonly bytes: number;
}

/** A lab that stands. */
export interface Lab extends AsyncDisposable {
  readonly owner: Owner;
  readonly hosts: readonly Host[];
  host(name: string): Host;
  /** Starts a program on a host; it is killed with the lab. */
  spawn(host: string, argv: readonly string[], options?: SpawnOptions): ChildProcess;
  /** What each host with a shaped cable has sent and received, by its name. */
  counters(): Promise<ReadonlyMap<string, Counters>>;
  /** What has crossed from the first zone to the others, and back; in bytes. */
  borderBytes(): Promise<number>;
  /** Begins to count who sends to whom, whatever the program. @throws {Error} when nftables cannot, with what it said. */
  watchFlows(): Promise<void>;
  flows(): Promise<readonly Flow[]>;
  /** A new directory in memory, since the network is measured and not the disk; it goes with the lab at the latest, up to 8 letters say what for. */
  directory(what: string): Promise<string>;
  /**
   * Has the machine touch that much of its memory, and gives it back: what is written in the next seconds lands in pages that it has had before. A virtual
   * machine fetches each new page from its host, 2.5 processor seconds a gigabyte on the one this was made on, five times what writing takes, and the sixteen
   * hosts of a lab pay for that on one machine's cores what each would pay on its own.
   */
  touchMemory(bytes: number): Promise<void>;
  /** Takes the cable of a host out, or puts it back. */
  cut(host: string, isCut: boolean): Promise<void>;
}

/** What is missing to build a lab, in a sentence; nothing when it can be built. */
export async function labMissing(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'network namespaces need root: run it as root';
  for (const [command, debian] of [['ip', 'iproute2'], ['tc', 'iproute2'], ['ethtool', 'ethtool'], ['nft', 'nftables'], ['sysctl', 'procps']] as const) {
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
  const owner = ownerHere();
  try {
    for (const [command, ...args] of commandsFor(plan, owner)) await run(command ?? '', args);
  } catch (cause) {
    await clearLab(owner);
    throw cause;
  }
  return { ...attachLab(plan, owner), [Symbol.asyncDispose]: async () => await clearLab(owner) };
}

/** A lab that another process has built, and will remove: disposing of it only ends what was started here. */
export function attachLab(plan: LabPlan, owner: Owner): Lab {
  const hosts = place(plan, owner);
  const switchNamespace = namespaceOf(owner);
  const children = new Set<ChildProcess>();
  const find = (name: string): Host => {
    const host = hosts.find((candidate) => candidate.name === name);
    if (host === undefined) throw new RangeError(`no host is called '${name}': there are ${hosts.map((known) => known.name).join(', ')}`);
    return host;
  };
  return {
    owner,
    hosts,
    host: find,
    spawn(name, argv, options = {}) {
      const child = spawn('ip', ['netns', 'exec', find(name).namespace, ...argv], options);
      children.add(child);
      child.once('exit', () => children.delete(child));
      return child;
    },
    async counters() {
      const received = await passed(switchNamespace);
      const shaped = hosts.filter(({ mbit }) => mbit !== undefined);
      return new Map(await Promise.all(shaped.map(async ({ name, namespace, port }) => [name, { sentBytes: (await passed(namespace)).get(inside) ?? 0, receivedBytes: received.get(port) ?? 0 }] as const)));
    },
    async borderBytes() {
      const bytes = await passed(switchNamespace);
      return zonesOf(plan).slice(1).reduce((sum, _, at) => {
        const { near, far } = borderOf(at + 1);
        return sum + (bytes.get(near) ?? 0) + (bytes.get(far) ?? 0);
      }, 0);
    },
    async watchFlows() {
      await run('ip', ['netns', 'exec', switchNamespace, 'nft', flowTable]);
    },
    async flows() {
      const { stdout } = await run('ip', ['netns', 'exec', switchNamespace, 'nft', '-j', 'list', 'set', 'bridge', 'lab', 'flows'], { maxBuffer: 16 * 1024 * 1024 });
      const names = new Map(hosts.map(({ address, name }) => [address, name]));
      // What nft prints: `elem` is absent while the set is empty.
      const { nftables } = JSON.parse(stdout) as { readonly nftables: readonly { readonly set?: { readonly elem?: readonly FlowElement[] } }[] };
      return nftables.flatMap(({ set }) => set?.elem ?? []).map(({ elem: { val: { concat: [from, to] }, counter: { bytes } } }) => ({ from: names.get(from) ?? from, to: names.get(to) ?? to, bytes }));
    },
    directory: async (what) => await mkdtemp(join(memory, `${namespaceOf(owner, what)}.`)),
    touchMemory: async (bytes) => await touchMemory(memory, namespaceOf(owner, 'touch'), bytes),
    async cut(name, isCut) {
      await run('ip', ['-n', switchNamespace, 'link', 'set', find(name).port, isCut ? 'down' : 'up']);
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) child.kill('SIGKILL');
      await Promise.resolve();
    },
  };
}

/** This process, as the owner of labs. */
export function ownerHere(): Owner {
  return { pid: process.pid, startedAt: startOf(process.pid) ?? 0 };
}

/** Whether the process that made a lab still runs. */
export function isAlive({ pid, startedAt }: Owner): boolean {
  return startOf(pid) === startedAt;
}

/** Removes what labs whose makers are dead have left: their processes, namespaces and directories. */
export async function clearLeftovers(): Promise<void> {
  for (const namespace of await namespaces()) {
    const owner = ownerOf(namespace);
    if (owner !== undefined && !isAlive(owner)) await clearNamespace(namespace);
  }
  await clearMemory((owner) => !isAlive(owner));
}

/** Ends every process in the namespaces of one lab, except the one that calls, and removes them and its directories. */
export async function clearLab(owner: Owner): Promise<void> {
  for (const namespace of await namespaces()) {
    const of = ownerOf(namespace);
    if (of?.pid === owner.pid && of.startedAt === owner.startedAt) await clearNamespace(namespace);
  }
  await clearMemory(({ pid, startedAt }) => pid === owner.pid && startedAt === owner.startedAt);
}

/** Directories of labs that are over: a fleet leaves a gigabyte when its case is killed. */
async function clearMemory(isOver: (owner: Owner) => boolean): Promise<void> {
  for (const name of await readdir(memory)) {
    const owner = ownerOf(name.split('.')[0] ?? '');
    if (owner !== undefined && isOver(owner)) await rm(join(memory, name), { recursive: true, force: true, maxRetries: 5 });
  }
}

async function namespaces(): Promise<readonly string[]> {
  const { stdout } = await run('ip', ['netns', 'list']);
  return stdout.split('\n').map((line) => line.split(' ')[0] ?? '').filter((name) => name !== '');
}

async function clearNamespace(name: string): Promise<void> {
  const { stdout: pids } = await run('ip', ['netns', 'pids', name]);
  for (const pid of pids.split('\n').map(Number)) if (pid > 0 && pid !== process.pid) kill(pid);
  await run('ip', ['netns', 'delete', name]);
}

/** When a process started, in ticks since the machine did; nothing when it does not run. */
function startOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  } catch {
    return undefined;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

/** By interface, what its bucket has let pass. The interface itself counts the headers of a super-packet once. */
async function passed(namespace: string): Promise<ReadonlyMap<string, number>> {
  const { stdout } = await run('tc', ['-n', namespace, '-s', '-j', 'qdisc', 'show'], { maxBuffer: 16 * 1024 * 1024 });
  const buckets: unknown = JSON.parse(stdout);
  if (!Array.isArray(buckets)) throw new Error(`not what 'tc -s -j qdisc show' prints: ${stdout.slice(0, 200)}`);
  return new Map(buckets.flatMap(({ kind, dev, bytes }: { readonly kind: string; readonly dev: string; readonly bytes: number }) => (kind === 'tbf' ? [[dev, bytes] as const] : [])));
}

interface FlowElement {
  readonly elem: { readonly val: { readonly concat: readonly [string, string] }; readonly counter: { readonly bytes: number } };
}

/** Counts by pair of addresses what passes through a bridge. A frame that crosses from zone to zone passes through two: the far one is left out. */
const flowTable = [
  'table bridge lab {',
  'set flows { type ipv4_addr . ipv4_addr; flags dynamic; size 65535; counter; }',
  'chain forward { type filter hook forward priority 0; policy accept; iifname "b-*" accept; update @flows { ip saddr . ip daddr }; }',
  '}',
].join('\n');
