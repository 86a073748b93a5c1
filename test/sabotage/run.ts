// `npm run sabotage`: takes out one check after another in a copy of the tree, and runs the test that must notice. A sabotage
// that no test notices is a test to be written; one whose text is gone is to be brought up to date. Exit 1 on either.
// --list shows the table, --only ID (or a part of it, such as `T-`) runs a part, --keep-going is the default.

import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { sabotaged, staleness } from './sabotage.ts';
import type { Sabotage } from './sabotage.ts';
import { sabotages } from './tables.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
/** What a test needs; not the history, and not what others left in the folder. */
const copied = ['proto', 'daemon', 'control', 'test', 'bench', '.ci', 'package.json', 'package-lock.json', 'tsconfig.json', 'vitest.config.ts'] as const;
/** One test file: a sabotage that makes the program hang was noticed too. */
const testTimeoutMs = 240_000;

type Outcome = 'noticed' | 'survived' | 'stale' | 'broken';

const { values } = parseArgs({ options: { only: { type: 'string', multiple: true }, list: { type: 'boolean' } } });
const chosen = sabotages.filter(({ id }) => values.only === undefined || values.only.some((part) => id.startsWith(part)));

if (values.list === true) {
  for (const { id, file, test, name } of chosen) process.stdout.write(`${id.padEnd(28)} ${file} → ${test}${name === undefined ? '' : ` (${name})`}\n`);
} else process.exitCode = await runAll(chosen);

async function runAll(all: readonly Sabotage[]): Promise<number> {
  const tree = await mkdtemp(join(tmpdir(), 'starling-sabotage-'));
  const counts: Record<Outcome, number> = { noticed: 0, survived: 0, stale: 0, broken: 0 };
  try {
    for (const name of copied) await cp(join(root, name), join(tree, name), { recursive: true });
    await symlink(join(root, 'node_modules'), join(tree, 'node_modules'));
    for (const one of all) {
      const { outcome, detail } = await runOne(tree, one);
      counts[outcome] += 1;
      process.stdout.write(`${outcome.padEnd(8)} ${one.id.padEnd(28)} ${detail}\n`);
    }
  } finally {
    await rm(tree, { recursive: true, force: true });
  }
  const rest = Object.entries(counts).flatMap(([outcome, count]) => (outcome === 'noticed' || count === 0 ? [] : [`${count} ${outcome}`]));
  process.stdout.write(`${counts.noticed} of ${all.length} sabotages were noticed${rest.length === 0 ? '' : `; ${rest.join(', ')}`}\n`);
  return counts.noticed === all.length && all.length > 0 ? 0 : 1;
}

async function runOne(tree: string, sabotage: Sabotage): Promise<{ readonly outcome: Outcome; readonly detail: string }> {
  const path = join(tree, sabotage.file);
  const text = await readFile(path, 'utf8').catch(() => undefined);
  const stale = staleness(sabotage, text);
  if (stale !== undefined || text === undefined) return { outcome: 'stale', detail: stale ?? '' };
  await writeFile(path, sabotaged(sabotage, text));
  try {
    return await judged(tree, sabotage);
  } finally {
    await writeFile(path, text);
  }
}

interface Report {
  readonly numFailedTests: number;
  readonly numPassedTests: number;
  readonly testResults: readonly { readonly assertionResults: readonly { readonly status: string; readonly title: string }[] }[];
}

/** Noticed is what a failing test says: a file that could not even be loaded says nothing. */
async function judged(tree: string, { test, name }: Sabotage): Promise<{ readonly outcome: Outcome; readonly detail: string }> {
  const output = join(tree, 'sabotage-report.json');
  await rm(output, { force: true });
  const args = ['node_modules/vitest/vitest.mjs', 'run', test, '--project', 'unit', '--bail', '1', '--reporter=json', `--outputFile=${output}`, ...(name === undefined ? [] : ['-t', name])];
  const ended = await promisify(execFile)(process.execPath, args, { cwd: tree, timeout: testTimeoutMs, killSignal: 'SIGKILL', maxBuffer: 64 * 1024 * 1024 }).then(
    () => 'ended' as const,
    (error: unknown) => (error instanceof Error && 'killed' in error && error.killed === true ? ('hung' as const) : ('failed' as const)),
  );
  if (ended === 'hung') return { outcome: 'noticed', detail: `${test} never ended` };
  const written = await readFile(output, 'utf8').catch(() => undefined);
  if (written === undefined) return { outcome: 'broken', detail: `${test} could not be run` };
  const report: Report = JSON.parse(written);
  const failed = report.testResults.flatMap(({ assertionResults }) => assertionResults.filter(({ status }) => status === 'failed'));
  const first = failed[0];
  if (first !== undefined) return { outcome: 'noticed', detail: first.title };
  return report.numPassedTests === 0 ? { outcome: 'broken', detail: `${test} ran no test` } : { outcome: 'survived', detail: `${test}: ${report.numPassedTests} tests passed without the check` };
}
