// P1 and P2, inside of a lab: the same bytes to the same hosts by Starling, by libtorrent and by nginx, one after the other.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { onCase } from './lab/case.ts';
import { writeRandomTree } from './lab/content.ts';
import type { Receipt } from '../proto/api/swarm.ts';
import { fleetNames, LabFleet } from './lab/fleet.ts';
import type { Lab } from './lab/lab.ts';
import { downloadAll } from './peers/nginx.ts';
import { torrent } from './peers/libtorrent.ts';
import { touchedShare } from './touch.ts';

/** What to measure. */
export interface FreshInput {
  readonly agents: readonly string[];
  readonly bytes: number;
  /** Of which each file has at most so many; large files when it is left out. */
  readonly fileBytes?: number;
  /** The fluid bound: nobody can be whole before. */
  readonly boundMs: number;
  readonly runs: number;
  readonly peers: readonly ('libtorrent' | 'libtorrent-super' | 'nginx')[];
  readonly timeoutMs: number;
}

/** One way of bringing the bytes, once. */
export interface Attempt {
  /** From the start to the last target, and to each, ascending. */
  readonly lastMs: number;
  readonly eachMs: readonly number[];
  /** That left the origin's cable, headers included. */
  readonly originBytes: number;
  /** Chunks that the targets had from the origin, by the deployment's receipt, as a multiple of the artifact; the rest of what left is headers, words and the index. */
  readonly originCopies?: number;
  readonly borderBytes: number;
  /** As with the origin: chunks that came to targets from another zone. */
  readonly borderCopies?: number;
  /** Of all agents and the origin together. */
  readonly cpuSeconds?: number;
  /** Of the control plane and of what measures, on the same processors. */
  readonly besideCpuSeconds?: number;
}

export interface FreshOutput {
  readonly starling: readonly Attempt[];
  readonly peers: Readonly<Record<string, readonly Attempt[]>>;
}

await onCase<FreshInput, FreshOutput>(async (lab, input) => {
  const scratch = await lab.directory('fresh');
  try {
    const starling = await withStarling(lab, input, scratch);
    const peers: Record<string, Attempt[]> = {};
    for (const peer of input.peers) {
      const attempts: Attempt[] = [];
      // A peer that takes sixteen times as long is measured once: it does not vary.
      for (let run = 0; run < (peer === 'nginx' ? 1 : input.runs); run += 1) {
        attempts.push(await around(lab, input, async () => {
          if (peer === 'nginx') return await downloadAll(lab, input, scratch);
          return await torrent(lab, { ...input, isSuperSeeding: peer === 'libtorrent-super' }, scratch);
        }));
      }
      peers[peer] = attempts;
    }
    return { starling, peers };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
});

async function withStarling(lab: Lab, { agents, bytes, fileBytes, boundMs, runs, timeoutMs }: FreshInput, scratch: string): Promise<readonly Attempt[]> {
  await using fleet = await LabFleet.start(lab, { agents });
  const members = [fleetNames.origin, ...agents];
  const cpu = async (): Promise<number> => (await Promise.all(members.map(async (name) => await fleet.cpuSeconds(name)))).reduce((sum, one) => sum + one, 0);
  const beside = async (): Promise<number> => (await fleet.cpuSeconds(fleetNames.control)) + process.cpuUsage().user / 1e6 + process.cpuUsage().system / 1e6;
  const attempts: Attempt[] = [];
  for (let run = 0; run < runs; run += 1) {
    const tree = join(scratch, `tree-${run}`);
    await writeRandomTree(tree, bytes, fileBytes);
    const { revision } = await fleet.push(tree);
    await rm(tree, { recursive: true });
    const [before, besideBefore] = [await cpu(), await beside()];
    let deployment = '';
    const attempt = await around(lab, { agents, bytes }, async () => {
      const promoted = await fleet.promote(revision, { boundMs, timeoutMs });
      deployment = promoted.deployment.deployment;
      return [...promoted.completion.values()];
    });
    const [cpuSeconds, besideCpuSeconds] = [(await cpu()) - before, (await beside()) - besideBefore];
    await fleet.settled(deployment);
    const { originBytes, crossZoneBytes } = await received(fleet, deployment);
    attempts.push({ ...attempt, cpuSeconds, besideCpuSeconds, originCopies: originBytes / bytes, borderCopies: crossZoneBytes / bytes });
  }
  return attempts;
}

/** By the deployment's receipt, in bytes of chunks. */
async function received(fleet: LabFleet, deployment: string): Promise<Receipt['bytes']> {
  return ((await fleet.api('GET', `/v1/deployments/${deployment}/receipt`)) as Receipt).bytes;
}

/** What the network counted meanwhile. Memory is touched before, for every program alike. */
async function around(lab: Lab, { agents, bytes }: Pick<FreshInput, 'agents' | 'bytes'>, bring: () => Promise<readonly number[]>): Promise<Attempt> {
  await lab.touchMemory(bytes * agents.length * touchedShare);
  const [before, border] = [await lab.counters(), await lab.borderBytes()];
  const eachMs = (await bring()).toSorted((a, b) => a - b);
  const after = await lab.counters();
  const sent = (counters: typeof before): number => counters.get(fleetNames.origin)?.sentBytes ?? 0;
  return { lastMs: eachMs.at(-1) ?? 0, eachMs, originBytes: sent(after) - sent(before), borderBytes: (await lab.borderBytes()) - border };
}
