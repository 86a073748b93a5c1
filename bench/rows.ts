// The one form in which benchmarks say what they found: a JSON line for each figure on standard output, and the same for people on standard error.
// What each row means is in README.md; which program makes it is in run.ts.

import { execFileSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';

/** One figure of one case. */
export interface Row {
  /** `P1` to `P14`, as in README.md. */
  readonly row: string;
  readonly case: string;
  /** The median of the runs. */
  readonly figure: number;
  readonly unit: string;
  /** What it should reach; absent when the row only informs. */
  readonly goal?: number;
  /** Whether more is better; less is, when it does not say. */
  readonly moreIsBetter?: boolean;
  /** The same figure of peers in the same run, by name; medians too. */
  readonly peers?: Readonly<Record<string, number>>;
  readonly runs: number;
  /** Everything else that helps to read the figure. */
  readonly details?: Readonly<Record<string, number | string | readonly number[]>>;
}

/** A row as it is printed. */
export interface PrintedRow extends Row {
  readonly met?: boolean;
  readonly commit: string;
  readonly machine: string;
}

/** Where lines go. */
export interface RowSinks {
  readonly out: (line: string) => void;
  readonly people: (line: string) => void;
}

const standard: RowSinks = {
  out: (line) => void process.stdout.write(`${line}\n`),
  people: (line) => void process.stderr.write(`${line}\n`),
};

/** Prints one row. */
export function printRow(row: Row, sinks: RowSinks = standard): PrintedRow {
  const printed = complete(row, commitOf(), machine());
  sinks.out(JSON.stringify(printed));
  sinks.people(forPeople(printed));
  return printed;
}

/** The row with what follows from it. */
export function complete(row: Row, commit: string, on: string): PrintedRow {
  const figure = rounded(row.figure);
  const goal = row.goal === undefined ? undefined : rounded(row.goal);
  const met = goal === undefined ? undefined : row.moreIsBetter === true ? figure >= goal : figure <= goal;
  const peers = row.peers === undefined ? undefined : Object.fromEntries(Object.entries(row.peers).map(([name, value]) => [name, rounded(value)]));
  return { ...row, figure, ...(goal === undefined ? {} : { goal }), ...(met === undefined ? {} : { met }), ...(peers === undefined ? {} : { peers }), commit, machine: on };
}

/** The middle value; the mean of the two middle ones when there is none. @throws {RangeError} when there are no values. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  if (upper === undefined || lower === undefined) throw new RangeError('there is no median of nothing');
  return (upper + lower) / 2;
}

/** Says that something could not be measured, and why, so that nobody takes silence for a figure. */
export function skipped(row: string, what: string, why: string): void {
  standard.people(`SKIPPED ${row}: ${what}: ${why}`);
}

function forPeople({ row, case: name, figure, unit, goal, met, moreIsBetter, peers, runs }: PrintedRow): string {
  const verdict = met === undefined ? '' : met ? '  met' : '  NOT met';
  const aim = goal === undefined ? '' : `  goal ${moreIsBetter === true ? '>=' : '<='} ${goal}`;
  const beside = peers === undefined ? '' : `  (${Object.entries(peers).map(([peer, value]) => `${peer} ${value}`).join(', ')})`;
  return `${row.padEnd(4)} ${name.padEnd(40)} ${String(figure).padStart(10)} ${unit.padEnd(8)}${aim}${verdict}${beside}  ${runs} run${runs === 1 ? '' : 's'}`;
}

/** Four significant digits: more would be noise. */
function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

function commitOf(): string {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const git = (...args: readonly string[]): string => execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    return `${git('rev-parse', '--short=10', 'HEAD')}${git('status', '--porcelain', '--untracked-files=no') === '' ? '' : '+changes'}`;
  } catch {
    return 'unknown';
  }
}

function machine(): string {
  const model = cpus()[0]?.model.replaceAll(/\s+/g, ' ').trim() ?? 'unknown processor';
  return `${cpus().length} cores of ${model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}`;
}
