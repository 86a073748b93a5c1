// `npm run bench`: which program makes which rows, and running those that are asked for, one after the other, so that they do not disturb one another.
// Rows go to standard output as JSON lines, everything for people to standard error.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { clearLeftovers, labMissing } from './lab/lab.ts';
import { keepRows, parseRows } from './results.ts';
import type { PrintedRow } from './rows.ts';
import { clearScratch } from './scratch.ts';

/** One program and the rows that it prints. */
interface Program {
  readonly rows: readonly string[];
  readonly file: string;
  readonly what: string;
  /** Minutes on two cores, in the short set and in all; 0 when it has no part in the short one. */
  readonly minutes: { readonly short: number; readonly full: number };
}

/** In the order in which they run: what needs a quiet machine most comes first. */
export const programs: readonly Program[] = [
  { rows: ['LAB'], file: 'lab-check.ts', what: 'whether the shaping of the lab is true', minutes: { short: 1, full: 1 } },
  { rows: ['P1', 'P2'], file: 'p1-fresh-tree.ts', what: 'fresh bytes to a shaped fleet, and the copies that leave the origin', minutes: { short: 3, full: 30 } },
  { rows: ['P3'], file: 'p3-zones.ts', what: 'the same over two zones with a narrow link between', minutes: { short: 2, full: 10 } },
  { rows: ['P4'], file: 'p4-deltas.ts', what: 'bytes that must move between nine pairs of versions', minutes: { short: 0, full: 20 } },
  { rows: ['P5', 'P6'], file: 'p5-publish.ts', what: 'publishing a tree of 21,078 files, and publishing it again', minutes: { short: 2, full: 10 } },
  { rows: ['P7'], file: 'p7-neighbour.ts', what: 'one neighbour to one agent', minutes: { short: 2, full: 2 } },
  { rows: ['P8'], file: 'p8-activate.ts', what: 'from the last byte to the switch', minutes: { short: 1, full: 1 } },
  { rows: ['P9'], file: 'p9-one-line.ts', what: 'one changed line, from push to healthy', minutes: { short: 1, full: 1 } },
  { rows: ['P11'], file: 'p11-control.ts', what: 'a control plane and its light agents', minutes: { short: 1, full: 10 } },
  { rows: ['P12'], file: 'p12-decide.ts', what: 'one event decided upon, 10,000 targets in 50 environments', minutes: { short: 1, full: 1 } },
  { rows: ['P13'], file: 'p13-journal.ts', what: 'the journal: synced appends, and a start with a million facts', minutes: { short: 1, full: 2 } },
  { rows: ['P10'], file: 'p10-idle.ts', what: 'an idle agent among sixteen neighbours', minutes: { short: 0, full: 3 } },
  { rows: ['P14'], file: 'p14-fleets.ts', what: 'simulated fleets of 100 to 10,000 with the real scheduler, honest and not', minutes: { short: 1, full: 70 } },
  { rows: ['FEED'], file: 'feed.ts', what: 'who fed whom in one deployment', minutes: { short: 0, full: 2 } },
  { rows: ['R1', 'R2'], file: 'robust.ts', what: 'the origin or the control plane killed amid a deployment', minutes: { short: 0, full: 5 } },
];

const usage = `usage: npm run bench -- [--only P1,P2] [--full] [--record] [--list]

  --only ROWS  only the programs that make these rows
  --full       every case of every program; without it, the short set in under ten minutes
  --record     keeps the rows in bench/results, from which bench/report.ts makes the tables and plots
  --list       says what there is

JSON lines on standard output, the same for people on standard error. bench/setup installs the peers that are measured beside;
bench/README.md says what each row means.
`;

/** What the command line asks for. */
export interface Chosen {
  readonly programs: readonly Program[];
  readonly full: boolean;
  readonly record: boolean;
}

/** @throws {Error} in words for people, when it asks for what there is not. */
export function choose(args: readonly string[]): Chosen | 'list' {
  const { values } = parseArgs({ args: [...args], options: { only: { type: 'string' }, full: { type: 'boolean', default: false }, record: { type: 'boolean', default: false }, list: { type: 'boolean', default: false } } });
  if (values.list) return 'list';
  if (values.only === undefined) return { programs: programs.filter(({ minutes }) => values.full || minutes.short > 0), full: values.full, record: values.record };
  const wanted = new Set(values.only.split(',').map((row) => row.trim().toUpperCase()));
  const known = new Set(programs.flatMap(({ rows }) => rows));
  const unknown = [...wanted].filter((row) => !known.has(row));
  if (unknown.length > 0) throw new Error(`there is no row ${unknown.join(', ')}: the rows are ${[...known].join(', ')}`);
  return { programs: programs.filter(({ rows }) => rows.some((row) => wanted.has(row))), full: values.full, record: values.record };
}

async function run({ programs: chosen, full, record }: Chosen): Promise<number> {
  const failed: string[] = [];
  let interrupted = false;
  for (const { rows, file, what, minutes } of chosen) {
    const startedAt = performance.now();
    process.stderr.write(`\n== ${rows.join(', ')}: ${what}\n`);
    const args = [fileURLToPath(new URL(file, import.meta.url)), ...(full ? ['--full'] : []), ...(record ? ['--record'] : [])];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    // What is asked to end is not to leave half of a fleet behind: the program ends first, and what it left is removed.
    const interrupt = (signal: NodeJS.Signals): void => {
      interrupted = true;
      child.kill(signal);
    };
    process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
    const printed: PrintedRow[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      process.stdout.write(`${line}\n`);
      printed.push(...parseRows(line));
    }
    await ended;
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    clearScratch();
    process.stderr.write(`-- ${rows.join(', ')} took ${((performance.now() - startedAt) / 60_000).toFixed(1)} min of ${full ? minutes.full : minutes.short}\n`);
    if (child.exitCode !== 0) failed.push(`${rows.join(', ')} ended with ${child.exitCode ?? child.signalCode}`);
    // What was measured before a program failed is worth as much.
    if (record) keepRows(printed);
    if (interrupted) break;
  }
  if ((await labMissing()) === undefined) await clearLeftovers();
  for (const line of failed) process.stderr.write(`FAILED: ${line}\n`);
  return failed.length === 0 ? 0 : 1;
}

async function main(): Promise<void> {
  let chosen: Chosen | 'list';
  try {
    chosen = choose(process.argv.slice(2));
  } catch (cause) {
    process.stderr.write(`starling bench: ${cause instanceof Error ? cause.message : String(cause)}\n\n${usage}`);
    process.exitCode = 2;
    return;
  }
  if (chosen === 'list') {
    for (const { rows, what, minutes } of programs) process.stdout.write(`${rows.join(', ').padEnd(8)} ${what} (${minutes.short === 0 ? 'only --full' : `about ${minutes.short} min`}, ${minutes.full} min with --full)\n`);
    return;
  }
  process.exitCode = await run(chosen);
}

if (import.meta.main) await main();
