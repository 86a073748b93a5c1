// P1 and P2: fresh bytes to all targets of a fleet behind shaped cables: the time to the last one against the fluid bound, and the copies that
// left the origin, beside nginx and libtorrent in the same lab.

import type { FreshInput, FreshOutput } from './p1-case.ts';
import { runCase } from './lab/case.ts';
import { fluidBoundMs } from './lab/bound.ts';
import { largeFileBytes } from './lab/content.ts';
import type { LabPlan } from './lab/plan.ts';
import { median, printRow } from './rows.ts';

const MiB = 1024 * 1024;

interface Case {
  readonly targets: number;
  readonly mib: number;
  readonly runs: number;
  readonly peers: FreshInput['peers'];
}

/** `--full` measures how it grows; the short set is the case that the goal names. */
const cases: readonly Case[] = process.argv.includes('--full')
  ? [
      { targets: 16, mib: 64, runs: 5, peers: ['libtorrent', 'libtorrent-super', 'nginx'] },
      { targets: 16, mib: 256, runs: 5, peers: ['libtorrent'] },
      { targets: 4, mib: 64, runs: 5, peers: ['libtorrent'] },
      { targets: 8, mib: 64, runs: 5, peers: ['libtorrent'] },
      { targets: 32, mib: 64, runs: 5, peers: ['libtorrent'] },
    ]
  : [{ targets: 16, mib: 64, runs: 3, peers: ['libtorrent'] }];
const mbit = Number(process.env['STARLING_LAB_MBIT'] ?? 40);
const fileBytes = Number(process.env['STARLING_LAB_FILE_KIB'] ?? largeFileBytes / 1024) * 1024;

for (const { targets, mib, runs, peers } of chosen()) {
  const bytes = mib * MiB;
  const agents = Array.from({ length: targets }, (_, at) => `a${at + 1}`);
  const plan: LabPlan = { hosts: [{ name: 'control', zone: 'one' }, ...['origin', ...agents].map((name) => ({ name, zone: 'one', mbit }))] };
  const boundMs = fluidBoundMs({ bytes, originMbit: mbit, targetMbit: agents.map(() => mbit) });
  const input: FreshInput = { agents, bytes, fileBytes, boundMs, runs, peers, timeoutMs: 40 * boundMs + 30_000 };
  const { starling, peers: others } = await runCase<FreshInput, FreshOutput>(new URL('p1-case.ts', import.meta.url), plan, input);
  const name = `${mib} MiB, ${targets} targets, ${mbit} Mbit/s${fileBytes === largeFileBytes ? '' : `, files of ${fileBytes / 1024} KiB`}`;
  const times = starling.map(({ lastMs }) => lastMs / boundMs);
  const of = (value: (attempt: FreshOutput['starling'][number]) => number): Record<string, number> =>
    Object.fromEntries(Object.entries(others).map(([peer, attempts]) => [peer, median(attempts.map(value))]));
  printRow({
    row: 'P1', case: name, figure: median(times), unit: 'x bound', goal: mib >= 256 ? 1.08 : 1.15, runs,
    peers: of(({ lastMs }) => lastMs / boundMs),
    details: {
      boundMs: Math.round(boundMs),
      times: times.map((time) => Number(time.toFixed(3))),
      cpuSeconds: Number(median(starling.map(({ cpuSeconds = 0 }) => cpuSeconds)).toFixed(1)),
      cpu: starling.map(({ cpuSeconds = 0 }) => Number(cpuSeconds.toFixed(1))),
      besideCpu: starling.map(({ besideCpuSeconds = 0 }) => Number(besideCpuSeconds.toFixed(1))),
    },
  });
  printRow({
    row: 'P2', case: name, figure: median(starling.map(({ originBytes }) => originBytes / bytes)), unit: 'copies', goal: 1.03, runs,
    peers: of(({ originBytes }) => originBytes / bytes),
    details: { copies: starling.map(({ originBytes }) => Number((originBytes / bytes).toFixed(3))), chunkCopies: starling.map(({ originCopies = Number.NaN }) => Number(originCopies.toFixed(4))) },
  });
}

/** `STARLING_LAB_ONLY=targets,MiB,runs` measures one case alone, while somebody works on it; with `,libtorrent` beside that peer. */
function chosen(): readonly Case[] {
  const only = process.env['STARLING_LAB_ONLY']?.split(',');
  if (only === undefined) return cases;
  const [targets = 16, mib = 64, runs = 1] = only.slice(0, 3).map(Number);
  return [{ targets, mib, runs, peers: only[3] === 'libtorrent' ? ['libtorrent'] : [] }];
}
