// P3: fresh bytes to two zones of eight targets with a narrow link between: what crosses it, both ways and with all headers, against the size of what is
// deployed; beside libtorrent. `STARLING_LAB_ALONE=1` leaves the peer out, for those who work on it.

import { fluidBoundMs } from './lab/bound.ts';
import { runCase } from './lab/case.ts';
import type { LabPlan } from './lab/plan.ts';
import type { FreshInput, FreshOutput } from './p1-case.ts';
import { median, printRow } from './rows.ts';

const MiB = 1024 * 1024;
const mbit = 40;
const borderMbit = 20;
const perZone = 8;
const isFull = process.argv.includes('--full');
const runs = isFull ? 5 : 1;
const mib = 64;

const near = Array.from({ length: perZone }, (_, at) => `a${at + 1}`);
const far = Array.from({ length: perZone }, (_, at) => `b${at + 1}`);
const bytes = mib * MiB;
// One copy has to cross the link, whatever the rest does.
const boundMs = Math.max(fluidBoundMs({ bytes, originMbit: mbit, targetMbit: [...near, ...far].map(() => mbit) }), (bytes * 8) / (borderMbit * 1000));
const plan: LabPlan = {
  borderMbit,
  hosts: [{ name: 'control', zone: 'near' }, ...['origin', ...near].map((name) => ({ name, zone: 'near', mbit })), ...far.map((name) => ({ name, zone: 'far', mbit }))],
};
const input: FreshInput = { agents: [...near, ...far], bytes, boundMs, runs, peers: process.env['STARLING_LAB_ALONE'] === undefined ? ['libtorrent'] : [], timeoutMs: 20 * boundMs };
const { starling, peers } = await runCase<FreshInput, FreshOutput>(new URL('p1-case.ts', import.meta.url), plan, input);
const others = (of: (attempt: FreshOutput['starling'][number]) => number): Record<string, number> =>
  Object.fromEntries(Object.entries(peers).map(([peer, attempts]) => [peer, median(attempts.map(of))]));
const name = `${mib} MiB, 2 zones of ${perZone}, ${borderMbit} Mbit/s between`;
printRow({
  row: 'P3', case: `${name}: bytes across`, figure: median(starling.map(({ borderBytes }) => borderBytes / bytes)), unit: 'copies', goal: 1.05, runs,
  peers: others(({ borderBytes }) => borderBytes / bytes),
  details: {
    copies: starling.map(({ borderBytes }) => Number((borderBytes / bytes).toFixed(3))),
    chunks: starling.map(({ borderCopies = 0 }) => Number(borderCopies.toFixed(3))),
    origin: median(starling.map(({ originBytes }) => originBytes / bytes)),
  },
});
printRow({ row: 'P3', case: `${name}: time`, figure: median(starling.map(({ lastMs }) => lastMs / boundMs)), unit: 'x bound', runs, peers: others(({ lastMs }) => lastMs / boundMs) });
