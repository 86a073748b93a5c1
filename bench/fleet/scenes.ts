// What is simulated: a fleet of one size, what it fetches, and what goes wrong. The numbers are those of P1: 64 MiB in 256 chunks of the longest that there
// are, 40 Mbit/s for each agent's sending; twice that for receiving and for the origin, as in the tables of the literature.

import { Fleet } from './fleet.ts';
import { memberAt, type Behaviour, type FleetOptions, type Host, type Node } from './hosts.ts';
import { seeded } from './random.ts';

export interface Scene {
  readonly agents: number;
  readonly zones?: number;
  /** Of each origin. */
  readonly originUp?: number;
  /** The zones that they are in: one in the first, unless others are named. */
  readonly origins?: readonly number[];
  readonly down?: number;
  /** Bytes a millisecond across the border of a zone. */
  readonly border?: number;
  readonly chunkCount?: number;
  readonly chunkBytes?: number;
  readonly latencyMs?: number;
  readonly crossMs?: number;
  /** Shares of the agents, drawn one after the other. */
  readonly slow?: { readonly share: number; readonly rate: number };
  readonly dying?: number;
  readonly bad?: { readonly share: number; readonly behaviours: readonly Behaviour[] };
  /** Agents that are in the roster and take no part. */
  readonly idle?: number;
  readonly lostHaves?: number;
  readonly originDiesAfterOne?: boolean;
  /** What single agents hold before, and when they begin. */
  readonly special?: (index: number, random: () => number) => Partial<Pick<Host, 'holds' | 'wantsAt'>> | undefined;
}

/** What a run came to. Copies are multiples of what is fetched. */
export interface Outcome {
  readonly seed: number;
  readonly boundMs: number;
  readonly lastMs: number;
  readonly medianMs: number;
  readonly originCopies: number;
  readonly crossCopies: number;
  /** Bytes that came for nothing, for each byte that was needed. */
  readonly duplicates: number;
  readonly messages: number;
  readonly badStored: number;
  readonly unfinished: readonly string[];
  readonly nodes: readonly Node[];
  readonly events: number;
  /** Of the run's events: one seed gives one digest. */
  readonly digest: number;
  readonly said: Readonly<Record<string, number>>;
}

const up = 5_000;
/** Of its line, what a slow loris sends. */
const dawdlingRate = 0.002;

/** Plays a scene with one seed. */
export function play(scene: Scene, seed: number): Outcome {
  const options = fleetOf(scene, seed);
  const fleet = new Fleet(options);
  fleet.run();
  return outcomeOf(fleet, options);
}

/** T >= max(F / origin, F / slowest line, N F / (all that can be sent)): Kumar and Ross, "Peer-assisted file distribution", 2006; and F / border where one has to be crossed. */
export function fluidBoundMs(bytes: number, hosts: readonly Host[], border = Number.POSITIVE_INFINITY): number {
  const agents = hosts.filter(({ origin, wantsAt }) => !origin && wantsAt !== undefined);
  const origins = hosts.filter(({ origin }) => origin);
  const sum = (of: readonly Host[]): number => of.reduce((total, host) => total + host.up, 0);
  const isCrossed = agents.some(({ zone }) => !origins.some((origin) => origin.zone === zone));
  return Math.max(isCrossed ? bytes / border : 0, bytes / sum(origins), bytes / Math.min(...agents.map(({ down }) => down)), (agents.length * bytes) / (sum(origins) + sum(agents)));
}

/** The hosts and lines of a scene with one seed. */
export function fleetOf(scene: Scene, seed: number): FleetOptions {
  const random = seeded(seed * 7_919 + 1);
  const { chunkCount = 256, chunkBytes = 256 * 1024, latencyMs = 1, zones = 1 } = scene;
  const down = scene.down ?? 2 * up;
  const bytes = chunkCount * chunkBytes;
  const { origins = [0] } = scene;
  const originAt = (zone: number, index: number): Host => ({ member: memberAt(index === 0 ? 0 : scene.agents + index), origin: true, zone, up: scene.originUp ?? 2 * up, down, behaviour: 'honest', holds: 'all', excused: true });
  const [first, ...others] = origins.map(originAt);
  const agents = Array.from({ length: scene.agents }, (_, index): Host => {
    const { bad, slow, dying = 0, idle = 0 } = scene;
    const draw = random();
    const isBad = bad !== undefined && draw < bad.share;
    const isSlow = !isBad && slow !== undefined && random() < slow.share;
    const diesAt = random() < dying ? (random() * bytes) / up : undefined;
    const isIdle = random() < idle;
    const behaviour = isBad ? (bad.behaviours[Math.floor(random() * bad.behaviours.length)] ?? 'honest') : 'honest';
    // The order reaches them one after the other.
    const wantsAt = random() * 20;
    const special = scene.special?.(index, random);
    return {
      member: memberAt(index + 1), origin: false, zone: index % zones, up: isSlow ? up * slow.rate : behaviour === 'dawdling' ? up * dawdlingRate : up, down, behaviour, excused: isBad,
      holds: special?.holds ?? 'none',
      ...(isIdle ? {} : { wantsAt: special?.wantsAt ?? wantsAt }),
      ...(diesAt === undefined ? {} : { diesAt }),
    };
  });
  return {
    seed, hosts: [...(first === undefined ? [] : [first]), ...agents, ...others], chunkCount, chunkBytes, latencyMs, crossMs: scene.crossMs ?? latencyMs, limitMs: (20 * bytes) / up,
    ...(scene.border === undefined ? {} : { border: scene.border }),
    ...(scene.lostHaves === undefined ? {} : { lostHaves: scene.lostHaves }),
    ...(scene.originDiesAfterOne === undefined ? {} : { originDiesAfterOne: scene.originDiesAfterOne }),
  };
}

function outcomeOf(fleet: Fleet, { seed, hosts, chunkCount, chunkBytes, border }: FleetOptions): Outcome {
  const bytes = chunkCount * chunkBytes;
  const counted = fleet.nodes.filter(({ host, isAlive }) => isAlive && !host.excused && host.wantsAt !== undefined);
  const times = counted.map(({ doneAt = Number.POSITIVE_INFINITY, host }) => doneAt - (host.wantsAt ?? 0)).toSorted((a, b) => a - b);
  const total = (of: (node: Node) => number): number => fleet.nodes.reduce((sum, node) => sum + of(node), 0);
  return {
    seed,
    boundMs: fluidBoundMs(bytes, hosts, border),
    lastMs: Math.max(...counted.map(({ doneAt = Number.POSITIVE_INFINITY }) => doneAt)),
    medianMs: times[Math.floor(times.length / 2)] ?? 0,
    originCopies: total(({ host, sentBytes }) => (host.origin ? sentBytes : 0)) / bytes,
    crossCopies: total(({ crossBytes }) => crossBytes) / bytes,
    duplicates: total(({ wastedBytes }) => wastedBytes) / (bytes * Math.max(1, counted.length)),
    messages: total(({ host, messages }) => (host.origin ? 0 : messages)) / Math.max(1, fleet.nodes.length - 1),
    badStored: total(({ badStored }) => badStored),
    unfinished: counted.filter(({ doneAt }) => doneAt === undefined).map(({ host }) => host.member),
    nodes: fleet.nodes,
    events: fleet.events,
    digest: fleet.digest,
    said: fleet.said,
  };
}
