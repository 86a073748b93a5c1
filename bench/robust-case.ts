// Inside of a lab: a member that everybody seems to need is killed amid a deployment, and the targets have to become whole without it. Whole is what each
// target says of itself while the control plane is dead, and what lies on its disk, byte for byte, when the deployment has ended.

import { createHash } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { onCase } from './lab/case.ts';
import { writeRandomTree } from './lab/content.ts';
import type { Fetched } from './lab/fetched.ts';
import { fleetNames, LabFleet } from './lab/fleet.ts';

/** Who is killed, and when. */
export type Killing =
  /** The origin, for good, when it has given out one copy and is silent: when every piece has left it. */
  | { readonly kind: 'origin' }
  /** The control plane, when the targets together have this share of what they need; it comes back when all are whole that had their order. */
  | { readonly kind: 'control'; readonly atShare: number }
  /** The control plane, right after it has accepted the promotion; it comes back two seconds later. */
  | { readonly kind: 'control-at-once' };

export interface RobustInput {
  readonly agents: readonly string[];
  readonly bytes: number;
  /** One deployment each, in one fleet, in this order: nothing comes after the origin. */
  readonly killings: readonly Killing[];
  readonly timeoutMs: number;
}

/** How one deployment went on. */
export interface Survived {
  readonly killing: Killing;
  /** Targets that hold the revision byte for byte. */
  readonly whole: number;
  /** From the promotion to the kill, and to the last whole target. */
  readonly killedMs: number;
  readonly lastMs: number;
  /** Copies that the targets had from the origin at the kill, and of all that they needed. */
  readonly originCopies: number;
  readonly shareAtKill: number;
  /** Targets whose order the control plane had not given out yet: they get it when it is back. */
  readonly withoutOrder: number;
}

const silenceMs = 300;
/** Nobody has taken in anything for so long: who is not whole now will not be. In one zone nobody waits for longer: a quarantine takes 30 s. */
const restMs = 40_000;

await onCase<RobustInput, readonly Survived[]>(async (lab, input) => {
  const scratch = await lab.directory('robust');
  try {
    await using fleet = await LabFleet.start(lab, { agents: input.agents });
    const survived: Survived[] = [];
    for (const [at, killing] of input.killings.entries()) survived.push(await survive(fleet, killing, join(scratch, `tree-${at}`), input));
    return survived;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
});

async function survive(fleet: LabFleet, killing: Killing, tree: string, { agents, bytes, timeoutMs }: RobustInput): Promise<Survived> {
  await writeRandomTree(tree, bytes);
  const { revision, number } = await fleet.push(tree);
  await fleet.synced();
  const before = await all(fleet);
  const startedAt = performance.now();
  const sinceStart = (): number => performance.now() - startedAt;
  const promotion = await fleet.begin(revision);
  const now = async (): Promise<Standing> => standing(before, await all(fleet), bytes * agents.length, bytes);
  const until = async (what: string, isSo: (standing: Standing) => boolean): Promise<Standing> => {
    for (;;) {
      const seen = await now();
      if (isSo(seen)) return seen;
      if (sinceStart() > timeoutMs) throw new Error(`${what}: not within ${timeoutMs / 1000} s; ${seen.whole} of ${agents.length} targets are whole, ${(seen.share * 100).toFixed(1)} % is there`);
      await wait(20);
    }
  };
  const atKill = await until('the moment of the kill', isDue(killing));
  await fleet.kill(killing.kind === 'origin' ? fleetNames.origin : fleetNames.control);
  const killedMs = sinceStart();
  if (atKill.whole === agents.length) throw new Error('everybody was whole before the kill: it shows nothing');
  if (killing.kind === 'control-at-once') {
    await wait(2_000);
    fleet.restart(fleetNames.control);
  }
  let withoutOrder = 0;
  if (killing.kind === 'control') {
    const isAtRest = unchangedFor(restMs, ({ share }) => share);
    const { unfinished } = await until('all targets that have an order are whole', (seen) => seen.whole === agents.length || isAtRest(seen));
    await mustLackOrder(fleet, unfinished.map((at) => agents[at] ?? ''), number);
    withoutOrder = unfinished.length;
    fleet.restart(fleetNames.control);
  }
  await until('all targets are whole', ({ whole }) => whole === agents.length);
  const lastMs = sinceStart();
  await fleet.ended(promotion);
  const expected = await digests(tree);
  const found = await Promise.all(agents.map(async (agent) => await digests(join(fleet.directory, agent, 'app', 'current'))));
  await rm(tree, { recursive: true });
  return { killing, whole: found.filter((one) => one === expected).length, killedMs, lastMs, originCopies: atKill.originCopies, shareAtKill: atKill.share, withoutOrder };

  async function all(of: LabFleet): Promise<readonly Fetched[]> {
    return await Promise.all(agents.map(async (name) => await of.fetched(name)));
  }
}

/** @throws {Error} when one of these was told to bring the revision: it had to do so without a control plane. */
async function mustLackOrder(fleet: LabFleet, unfinished: readonly string[], revision: number): Promise<void> {
  for (const name of unfinished) {
    const lines = (await fleet.log(name)).split('\n');
    const order = lines.find((line) => line.includes('"order accepted"') && line.includes(`"revision":${revision},`));
    if (order !== undefined) throw new Error(`${name} stopped amid its work when the control plane was killed; it had its order: ${order}`);
  }
}

function isDue(killing: Killing): (seen: Standing) => boolean {
  // A copy's worth of bytes may hold one piece twice and lack another: that the origin has nothing more to give shows in its silence.
  const isSilent = unchangedFor(silenceMs, ({ originCopies }) => originCopies);
  switch (killing.kind) {
    case 'origin':
      return (seen) => isSilent(seen) && seen.originCopies >= 1;
    case 'control':
      return ({ share }) => share > killing.atShare;
    case 'control-at-once':
      return () => true;
  }
}

function unchangedFor(ms: number, of: (seen: Standing) => number): (seen: Standing) => boolean {
  let [last, changedAt] = [Number.NaN, 0];
  return (seen) => {
    if (of(seen) !== last) [last, changedAt] = [of(seen), performance.now()];
    return performance.now() - changedAt > ms;
  };
}

interface Standing {
  readonly whole: number;
  /** Which targets are not, by their place in the input. */
  readonly unfinished: readonly number[];
  /** Of the bytes that all targets together need. */
  readonly share: number;
  readonly originCopies: number;
}

function standing(before: readonly Fetched[], after: readonly Fetched[], needed: number, bytes: number): Standing {
  const unfinished = after.flatMap(({ revisions }, at) => (revisions > (before[at]?.revisions ?? 0) ? [] : [at]));
  const sum = (of: (one: Fetched) => number): number => after.reduce((total, one) => total + of(one), 0) - before.reduce((total, one) => total + of(one), 0);
  return {
    whole: after.length - unfinished.length,
    unfinished,
    share: sum(({ originBytes, peerBytes }) => originBytes + peerBytes) / needed,
    originCopies: sum(({ originBytes }) => originBytes) / bytes,
  };
}

/** Of all names and contents below a directory. */
async function digests(directory: string): Promise<string> {
  const hash = createHash('sha256');
  for (const name of (await readdir(directory, { recursive: true })).toSorted()) hash.update(`${name}\0`).update(await readFile(join(directory, name)));
  return hash.digest('hex');
}
