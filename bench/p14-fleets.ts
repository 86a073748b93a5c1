// P14: whole fleets in virtual time, the scheduler of daemon/core in every member: how long until the last one is whole, over the fluid bound; the copies that leave
// the origin; how the loss grows with the fleet; and what the bad, the slow and the dying cost. `STARLING_P14_AGENTS`, `_SEEDS` and `_CASES` (numbers, from
// cases.ts) choose other sizes, more seeds, fewer scenes; `_PIECES` another number of pieces, for which the goal over the bound does not hold.

import { cases, type Case } from './fleet/cases.ts';
import { play, type Outcome } from './fleet/scenes.ts';
import { median, printRow } from './rows.ts';

interface Run extends Outcome {
  readonly seconds: number;
  readonly cpuSeconds: number;
}

const isFull = process.argv.includes('--full');
const numbers = (name: string, otherwise: readonly number[]): readonly number[] => process.env[name]?.split(',').map(Number) ?? otherwise;
const [seedsAsked] = numbers('STARLING_P14_SEEDS', []);
const sizes = numbers('STARLING_P14_AGENTS', isFull ? [100, 1_000, 10_000] : [100, 1_000]);
const chosen = numbers('STARLING_P14_CASES', isFull ? [...cases.keys()] : [0]);
const [piecesAsked] = numbers('STARLING_P14_PIECES', []);
const piecesUsual = 256;
/** Ten thousand fetch so many: what the last one loses is much the same number of pieces' times however many there are, and 256 take minutes more of a processor. */
const piecesFew = 64;
/** What the goal over the bound is for the usual number of pieces. */
const lostGoal = 0.09 * piecesUsual;
/**
 * Each doubling of a fleet puts one more hop between the origin and the last agent, and a piece takes its time for each. A loss that grows like that is a
 * logarithm of the fleet, the same for any number of pieces, whatever part of the bound it is.
 */
const growthGoal = 1;
/** Scenes with something wrong in them are played in fleets up to this size: ten thousand tell no more, and take ten times as long. */
const wrongMax = 1_000;
/** Ten thousand are of use to whoever changes a rule if they take no longer than that, in seconds. */
const secondsGoal = 120;

/** Twenty seeds where that takes minutes, three where something is wrong with a thousand, one of ten thousand: those take minutes each. */
function seedCount(one: Case, agents: number): number {
  if (seedsAsked !== undefined) return seedsAsked;
  if (!isFull || agents > wrongMax) return 1;
  return agents === wrongMax && one !== cases[0] ? 3 : 20;
}

function measure(one: Case, agents: number, pieces: number, seeds = seedCount(one, agents)): readonly Run[] {
  return Array.from({ length: seeds }, (_, index) => {
    const startedAt = performance.now();
    const before = process.cpuUsage();
    const outcome = play({ agents, ...(one.scene.special === undefined ? { chunkCount: pieces } : {}), ...one.scene }, index + 1);
    const { user, system } = process.cpuUsage(before);
    process.stderr.write(`${one.name}, ${agents} agents, ${pieces} pieces, seed ${index + 1}: ${(outcome.lastMs / 1000).toFixed(1)} s, ${outcome.unfinished.length} unfinished, digest ${outcome.digest.toString(16)}\n`);
    // Without the members: those of ten seeds of 10,000 fill 4 GB.
    return { ...outcome, nodes: [], seconds: (performance.now() - startedAt) / 1000, cpuSeconds: (user + system) / 1e6 };
  });
}

function print(one: Case, agents: number, pieces: number, runs: readonly Run[], honest: readonly Run[] | undefined): void {
  const figure = (of: (run: Run, index: number) => number): number => median(runs.map(of));
  const sum = (of: (run: Run) => number): number => runs.reduce((total, run) => total + of(run), 0);
  const details = {
    duplicates: figure(({ duplicates }) => duplicates), crossCopies: figure(({ crossCopies }) => crossCopies), medianOverBound: figure(({ medianMs, boundMs }) => medianMs / boundMs),
    worstSeed: Math.max(...runs.map(({ lastMs, boundMs }) => lastMs / boundMs)), messagesEach: figure(({ messages }) => messages), badStored: sum(({ badStored }) => badStored),
    unfinished: sum(({ unfinished }) => unfinished.length), cpuSeconds: figure(({ cpuSeconds }) => cpuSeconds), firstDigest: (runs[0]?.digest ?? 0).toString(16),
  };
  const name = `${one.name}, ${agents} agents${pieces === piecesUsual ? '' : `, ${pieces} pieces`}`;
  const goal = (value: number | undefined): { goal?: number } => (value === undefined ? {} : { goal: value });
  printRow({ row: 'P14', case: `${name}: last`, figure: figure(({ lastMs, boundMs }) => lastMs / boundMs), unit: 'x bound', runs: runs.length, ...goal(pieces < piecesUsual ? undefined : one.boundGoal), details });
  if (one === cases[0]) printRow({ row: 'P14', case: `${name}: lost`, figure: lostPieceTimes(runs, pieces), unit: 'piece times', runs: runs.length, goal: lostGoal });
  printRow({ row: 'P14', case: `${name}: origin`, figure: figure(({ originCopies }) => originCopies), unit: 'copies', runs: runs.length, ...goal(one.originGoal) });
  if (agents > wrongMax) printRow({ row: 'P14', case: `${name}: took`, figure: figure(({ seconds }) => seconds), unit: 's', runs: runs.length, goal: secondsGoal });
  if (one.honestGoal === undefined || honest === undefined) return;
  printRow({ row: 'P14', case: `${name}: last, beside honest ones`, figure: figure(({ lastMs }, index) => lastMs / (honest[index]?.lastMs ?? Number.NaN)), unit: 'x honest', runs: runs.length, goal: one.honestGoal });
}

/** What the last agent loses on the bound, in the time that one piece takes. */
function lostPieceTimes(runs: readonly Run[], pieces: number): number {
  return median(runs.map(({ lastMs, boundMs }) => (lastMs / boundMs - 1) * pieces));
}

/** `bySize`: what the last one loses in fleets of these sizes. */
function printGrowth(pieces: number, bySize: ReadonlyMap<number, number>): void {
  const [smallest, largest] = [Math.min(...bySize.keys()), Math.max(...bySize.keys())];
  if (bySize.size < 2) return;
  const figure = ((bySize.get(largest) ?? Number.NaN) - (bySize.get(smallest) ?? Number.NaN)) / Math.log2(largest / smallest);
  const details = Object.fromEntries([...bySize].map(([agents, lost]) => [`lostBy${agents}`, lost]));
  printRow({ row: 'P14', case: `honest, ${smallest} to ${largest} agents, ${pieces} pieces: growth`, figure, unit: 'piece times a doubling', runs: seedsAsked ?? 1, goal: growthGoal, details });
}

const lost = { usual: new Map<number, number>(), few: new Map<number, number>() };
for (const agents of sizes) {
  const pieces = piecesAsked ?? (agents > wrongMax ? piecesFew : piecesUsual);
  let honest: readonly Run[] | undefined;
  for (const index of chosen) {
    const one = cases[index];
    if (one === undefined || (index > 0 && agents > wrongMax)) continue;
    const runs = measure(one, agents, pieces);
    if (index === 0) {
      honest = runs;
      lost[pieces === piecesFew ? 'few' : 'usual'].set(agents, lostPieceTimes(runs, pieces));
    }
    print(one, agents, pieces, runs, honest);
  }
}
const [honestCase] = cases;
if (lost.few.size === 1 && honestCase !== undefined) for (const agents of lost.usual.keys()) lost.few.set(agents, lostPieceTimes(measure(honestCase, agents, piecesFew, 1), piecesFew));
printGrowth(piecesAsked ?? piecesUsual, lost.usual);
printGrowth(piecesFew, lost.few);
