// A fleet on one virtual clock: whole swarms over the memory network, made-up blobs, faults by hook. Time passes only when nothing is left to do.

import type { Clock } from '../../daemon/clock.ts';
import { createSwarm } from '../../daemon/swarm/exchange/exchange.ts';
import { createMemoryHub, type MemoryHub, type MemoryHubOptions } from '../../daemon/swarm/memory/memory-network.ts';
import type { Swarm } from '../../daemon/swarm/swarm.ts';
import type { Role, Roster } from '../../proto/statement.ts';
import { certificateOf, counts, keptLog, type Counts, type KeptLog } from '../daemon/swarm/swarm-fixture.ts';
import { seeded } from '../support/random.ts';

interface Alarm {
  readonly at: number;
  readonly order: number;
  readonly ring: () => void;
}

/** A clock that jumps from one alarm to the next. */
export class VirtualClock implements Clock {
  readonly #alarms: Alarm[] = [];
  #now = 0;
  #order = 0;

  now(): number {
    return 1_800_000_000_000 + this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  async wait(ms: number, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#order += 1;
    this.#push({ at: this.#now + ms, order: this.#order, ring: resolve });
    const onAbort = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Runs until `isDone`, or throws after `limitMs` of virtual time. Returns the virtual time that it took. */
  async run(isDone: () => boolean, limitMs: number): Promise<number> {
    const begin = this.#now;
    for (;;) {
      // Promises that only wait for one another settle within one turn of the event loop.
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      if (isDone()) return this.#now - begin;
      const next = this.#pop();
      if (next === undefined) throw new Error(`nothing happens any more at ${this.#now} ms`);
      this.#now = Math.max(this.#now, next.at);
      if (this.#now - begin > limitMs) throw new Error(`not done after ${limitMs} ms of virtual time`);
      next.ring();
      for (let same = this.#alarms[0]; same !== undefined && same.at <= this.#now; same = this.#alarms[0]) this.#pop()?.ring();
    }
  }

  #push(alarm: Alarm): void {
    const heap = this.#alarms;
    heap.push(alarm);
    for (let child = heap.length - 1; child > 0; ) {
      const parent = (child - 1) >> 1;
      if (!before(heap[child], heap[parent])) break;
      swap(heap, child, parent);
      child = parent;
    }
  }

  #pop(): Alarm | undefined {
    const heap = this.#alarms;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    heap[0] = last;
    for (let parent = 0; ; ) {
      const left = 2 * parent + 1;
      const smaller = before(heap[left + 1], heap[left]) ? left + 1 : left;
      if (!before(heap[smaller], heap[parent])) break;
      swap(heap, parent, smaller);
      parent = smaller;
    }
    return top;
  }
}

function before(a: Alarm | undefined, b: Alarm | undefined): boolean {
  return a !== undefined && b !== undefined && (a.at < b.at || (a.at === b.at && a.order < b.order));
}

function swap(heap: Alarm[], a: number, b: number): void {
  const [first, second] = [heap[a], heap[b]];
  if (first === undefined || second === undefined) return;
  heap[a] = second;
  heap[b] = first;
}

export interface WorldMember {
  readonly name: string;
  readonly member: string;
  readonly swarm: Swarm;
  readonly counts: Counts;
  readonly log: KeptLog;
}

export interface World {
  readonly clock: VirtualClock;
  readonly hub: MemoryHub;
  readonly seeds: readonly WorldMember[];
  readonly agents: readonly WorldMember[];
  readonly roster: Roster;
  readonly random: () => number;
}

export interface WorldOptions {
  readonly seed: number;
  readonly agents: number;
  readonly seeds?: number;
  /** Bytes a millisecond that each member can send. */
  readonly uplink?: number;
  readonly latencyMs?: number;
  /** Zone of a member, by its name; all are in one when absent. */
  readonly zone?: (name: string) => string;
  readonly fault?: MemoryHubOptions['fault'];
  readonly reachable?: MemoryHubOptions['reachable'];
}

/** A fleet that has its roster; its connections come with time. */
export function createWorld(options: WorldOptions): World {
  const clock = new VirtualClock();
  const uplink = options.uplink ?? 5_000;
  const hub = createMemoryHub({ clock, latencyMs: options.latencyMs ?? 1, uplink: () => uplink, ...(options.fault === undefined ? {} : { fault: options.fault }), ...(options.reachable === undefined ? {} : { reachable: options.reachable }) });
  const enter = (name: string, roles: readonly Role[], index: number): WorldMember => {
    const metrics = counts();
    const log = keptLog();
    const certificate = { ...certificateOf(name, name, roles), notBefore: 0, notAfter: 253402300799 };
    const network = hub.join(name, certificate);
    const swarm = createSwarm({ network, roles, manifests: async () => await Promise.resolve(undefined), metrics, clock, random: seeded(options.seed * 1000 + index).next, log });
    return { name, member: name, swarm, counts: metrics, log };
  };
  const seeds = Array.from({ length: options.seeds ?? 1 }, (_, index) => enter(`seed${index}`, ['seed'], 900 + index));
  const agents = Array.from({ length: options.agents }, (_, index) => enter(`agent${String(index).padStart(3, '0')}`, ['agent'], index));
  const rostered = [...seeds.map(({ member }) => ({ member, roles: ['seed' as const] })), ...agents.map(({ member }) => ({ member, roles: ['agent' as const] }))];
  const roster: Roster = {
    epoch: 1,
    members: rostered.map(({ member, roles }) => ({ member, roles, addresses: [`/memory/${member}`], environments: ['prod'], zone: options.zone?.(member) ?? 'a' })).toSorted((a, b) => (a.member < b.member ? -1 : 1)),
    revoked: [],
  };
  for (const { swarm } of [...seeds, ...agents]) swarm.setRoster(roster);
  return { clock, hub, seeds, agents, roster, random: seeded(options.seed).next };
}

export async function closeWorld({ seeds, agents }: World): Promise<void> {
  await Promise.all([...seeds, ...agents].map(async ({ swarm }) => await swarm.close()));
}
