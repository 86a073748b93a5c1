// Inside of a lab: a member that everybody seems to need is killed amid a deployment, and the targets have to become whole without it. Whole is what each
// target says of itself while the control plane is dead, and what lies on its disk, byte for byte, when the deployment has ended.

import { createHash } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { onCase } from './lab/case.ts';
import { writeRandomTree } from './lab/content.ts';
import { fleetNames, LabFleet, type Fetched } from './lab/fleet.ts';

/** Who is killed, and when. */
export type Killing =
  /** The origin, for good, when it has given out one copy and is silent: when every piece has left it. */
  | { readonly kind: 'origin' }
  /** The control plane, when the targets together have this share of what they need; it comes back when all are whole. */
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
}

const silenceMs = 300;

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
  const { revision } = await fleet.push(tree);
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
  // A copy's worth of bytes may hold one piece twice and lack another: that the origin has nothing more to give shows in its silence.
  let [last, changedMs] = [0, 0];
  const isSilent = ({ originCopies }: Standing): boolean => {
    if (originCopies !== last) [last, changedMs] = [originCopies, sinceStart()];
    return sinceStart() - changedMs > silenceMs;
  };
  const due: (seen: Standing) => boolean = killing.kind === 'origin' ? (seen) => isSilent(seen) && seen.originCopies >= 1 : killing.kind === 'control' ? (seen) => seen.share > killing.atShare : () => true;
  const atKill = await until('the moment of the kill', due);
  await fleet.kill(killing.kind === 'origin' ? fleetNames.origin : fleetNames.control);
  const killedMs = sinceStart();
  if (atKill.whole === agents.length) throw new Error('everybody was whole before the kill: it shows nothing');
  if (killing.kind === 'control-at-once') {
    await wait(2_000);
    fleet.restart(fleetNames.control);
  }
  await until('all targets are whole', ({ whole }) => whole === agents.length);
  const lastMs = sinceStart();
  if (killing.kind === 'control') fleet.restart(fleetNames.control);
  await fleet.ended(promotion);
  const expected = await digests(tree);
  const found = await Promise.all(agents.map(async (agent) => await digests(join(fleet.directory, agent, 'app', 'current'))));
  await rm(tree, { recursive: true });
  return { killing, whole: found.filter((one) => one === expected).length, killedMs, lastMs, originCopies: atKill.originCopies, shareAtKill: atKill.share };

  async function all(of: LabFleet): Promise<readonly Fetched[]> {
    return await Promise.all(agents.map(async (name) => await of.fetched(name)));
  }
}

interface Standing {
  readonly whole: number;
  /** Of the bytes that all targets together need. */
  readonly share: number;
  readonly originCopies: number;
}

function standing(before: readonly Fetched[], after: readonly Fetched[], needed: number, bytes: number): Standing {
  const sum = (of: (one: Fetched) => number): number => after.reduce((total, one) => total + of(one), 0) - before.reduce((total, one) => total + of(one), 0);
  return {
    whole: after.filter(({ revisions }, at) => revisions > (before[at]?.revisions ?? 0)).length,
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
