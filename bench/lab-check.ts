// LAB: whether the lab's shaping is true. One stream of TCP must reach 0.95 of the rate that its cables have, and never more than the rate; the same
// across the link between two zones. Counted is what an application receives, without headers.

import type { StreamInput } from './lab-check-case.ts';
import { runCase } from './lab/case.ts';
import type { LabPlan } from './lab/plan.ts';
import { printRow } from './rows.ts';

const [mbit, borderMbit] = [40, 20];
const plan: LabPlan = {
  borderMbit,
  hosts: [{ name: 'control', zone: 'near' }, ...['a1', 'a2'].map((name) => ({ name, zone: 'near', mbit })), { name: 'b1', zone: 'far', mbit }],
};

for (const { from, to, rate, what } of [
  { from: 'a1', to: 'a2', rate: mbit, what: 'between two hosts' },
  { from: 'a1', to: 'b1', rate: borderMbit, what: 'across the link between zones' },
]) {
  const measured = await runCase<StreamInput, number>(new URL('lab-check-case.ts', import.meta.url), plan, { from, to });
  const share = measured / rate;
  printRow({ row: 'LAB', case: `one stream ${what}, ${rate} Mbit/s`, figure: share, unit: 'of rate', goal: 0.95, moreIsBetter: true, runs: 1 });
  if (share > 1) throw new Error(`${measured.toFixed(2)} Mbit/s came through a cable of ${rate}: the shaping does not hold, and no figure of this lab counts`);
}
