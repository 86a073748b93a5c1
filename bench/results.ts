// Rows that are kept: results/rows.jsonl holds the newest figure of each case, one JSON line each. Measuring is the programs', drawing plots.ts's.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { PrintedRow } from './rows.ts';

const folder = new URL('results/', import.meta.url);
const file = new URL('rows.jsonl', folder);

/** The kept rows, by row and case. */
export function keptRows(): readonly PrintedRow[] {
  return existsSync(file) ? parseRows(readFileSync(file, 'utf8')) : [];
}

/** Keeps rows: each takes the place of the one of its case. */
export function keepRows(rows: readonly PrintedRow[]): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, merged(keptRows(), rows).map((row) => `${JSON.stringify(row)}\n`).join(''));
}

/** @throws {SyntaxError} when a line is not JSON. */
export function parseRows(text: string): readonly PrintedRow[] {
  // What printRow wrote.
  return text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as PrintedRow);
}

/** The newer rows, and the older ones of other cases; sorted by row, those of one row as they came. */
export function merged(older: readonly PrintedRow[], newer: readonly PrintedRow[]): readonly PrintedRow[] {
  const key = ({ row, case: name }: PrintedRow): string => JSON.stringify([row, name]);
  const all = new Map([...older, ...newer].map((row) => [key(row), row]));
  return [...all.values()].toSorted((a, b) => a.row.localeCompare(b.row, 'en', { numeric: true }));
}

/** A table in Markdown, and under it where and from what the figures come. */
export function table(rows: readonly PrintedRow[]): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|');
  const lines = rows.map(({ row, case: name, figure, unit, goal, moreIsBetter, met, peers, runs }) => {
    const aim = goal === undefined ? '' : `${moreIsBetter === true ? '≥' : '≤'} ${Number(goal.toPrecision(4))}`;
    const beside = Object.entries(peers ?? {}).map(([peer, value]) => `${peer} ${value}`).join(', ');
    return `| ${[row, name, `${figure} ${unit}`.trim(), aim, met === undefined ? '' : met ? 'yes' : '**no**', beside, String(runs)].map(cell).join(' | ')} |`;
  });
  const machines = [...new Set(rows.map(({ machine }) => machine))].map((machine) => `On ${machine}.`);
  const commits = Map.groupBy(rows, ({ commit }) => commit);
  const from = [...commits].map(([commit, of]) => `${[...new Set(of.map(({ row }) => row))].join(', ')} at \`${commit}\``);
  return ['| row | case | figure | goal | met | beside it | runs |', '|---|---|---|---|---|---|---|', ...lines, '', ...machines, `${from.join('; ')}.`].join('\n');
}
