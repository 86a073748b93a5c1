// R1 and R2: what a deployment does when the origin is killed after every piece has left it once, and when the control plane is killed at any moment. The
// figure is the share of targets that became whole, byte for byte; anything below 1 is a failure. In a network slow enough for the kill to fall amid the work.

import { fluidBoundMs } from './lab/bound.ts';
import { runCase } from './lab/case.ts';
import type { LabPlan } from './lab/plan.ts';
import { median, printRow } from './rows.ts';
import type { Killing, RobustInput, Survived } from './robust-case.ts';

const MiB = 1024 * 1024;
const isFull = process.argv.includes('--full');
const mib = 24;
const mbit = 20;
// An origin that is faster than its targets is done long before they are.
const originMbit = 80;
const agents = Array.from({ length: 8 }, (_, at) => `a${at + 1}`);
const bytes = mib * MiB;
const boundMs = fluidBoundMs({ bytes, originMbit, targetMbit: agents.map(() => mbit) });
const plan: LabPlan = { hosts: [{ name: 'control', zone: 'one' }, { name: 'origin', zone: 'one', mbit: originMbit }, ...agents.map((name) => ({ name, zone: 'one', mbit }))] };
const moments = isFull ? [0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.97] : [0, 0.5, 0.9];
const killings: readonly Killing[] = [...moments.map((atShare) => ({ kind: 'control', atShare }) as const), { kind: 'control-at-once' }, { kind: 'origin' }];

const input: RobustInput = { agents, bytes, killings, timeoutMs: 10 * boundMs + 60_000 };
const survived = await runCase<RobustInput, readonly Survived[]>(new URL('robust-case.ts', import.meta.url), plan, input);
const report = (row: string, what: string, of: readonly Survived[]): void => {
  const rounded = (pick: (one: Survived) => number, digits: number): readonly number[] => of.map((one) => Number(pick(one).toFixed(digits)));
  printRow({
    row, case: `${what}, ${mib} MiB, ${agents.length} targets`, figure: Math.min(...of.map(({ whole }) => whole)) / agents.length, unit: 'of the targets whole', goal: 1, moreIsBetter: true, runs: of.length,
    details: { killedMs: rounded(({ killedMs }) => killedMs, 0), shareAtKill: rounded(({ shareAtKill }) => shareAtKill, 3), originCopies: rounded(({ originCopies }) => originCopies, 3), withoutOrder: rounded(({ withoutOrder }) => withoutOrder, 0), lastOverBound: median(of.map(({ lastMs }) => lastMs / boundMs)) },
  });
};
report('R1', 'origin killed when each piece has left', survived.filter(({ killing }) => killing.kind === 'origin'));
report('R2', 'control plane killed', survived.filter(({ killing }) => killing.kind !== 'origin'));
