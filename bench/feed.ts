// FEED: who fed whom in one deployment, from the origin's first byte to the last target, as the network sees it. The row is the share of bytes that targets
// had from each other. With `--record`, what it was like over time is kept in results/feed.json, from which plots.ts draws it.
// `STARLING_LAB_ONLY=targets,MiB` and `STARLING_LAB_MBIT` are for working on it: fewer bytes a second leave more of the processor to look.

import { mkdirSync, writeFileSync } from 'node:fs';
import { fluidBoundMs } from './lab/bound.ts';
import { runCase } from './lab/case.ts';
import type { LabPlan } from './lab/plan.ts';
import type { Feed, FeedInput } from './feed-case.ts';
import { printRow } from './rows.ts';

const MiB = 1024 * 1024;
const [targets = 16, mib = 64] = (process.env['STARLING_LAB_ONLY'] ?? '').split(',').filter((text) => text !== '').map(Number);
const mbit = Number(process.env['STARLING_LAB_MBIT'] ?? 40);
const agents = Array.from({ length: targets }, (_, at) => `a${at + 1}`);
const bytes = mib * MiB;
const boundMs = fluidBoundMs({ bytes, originMbit: mbit, targetMbit: agents.map(() => mbit) });
const plan: LabPlan = { hosts: [{ name: 'control', zone: 'one' }, ...['origin', ...agents].map((name) => ({ name, zone: 'one', mbit }))] };

const feed = await runCase<FeedInput, Feed>(new URL('feed-case.ts', import.meta.url), plan, { agents, bytes, boundMs, timeoutMs: 40 * boundMs });
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const all = sum(feed.matrix.map(sum));
const row = printRow({
  row: 'FEED', case: `${mib} MiB, ${targets} targets, ${mbit} Mbit/s`, figure: (all - sum(feed.matrix[0] ?? [])) / all, unit: 'from peers', runs: 1,
  details: { controlBytes: feed.controlBytes, links: feed.matrix.flat().filter((value) => value > bytes / 1000).length, lastOverBound: Number(((feed.wholeMs.at(-1) ?? 0) / boundMs).toFixed(2)) },
});
if (process.argv.includes('--record')) {
  const file = new URL('results/feed.json', import.meta.url);
  mkdirSync(new URL('.', file), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ case: row.case, commit: row.commit, machine: row.machine, mbit, boundMs: Math.round(boundMs), ...feed })}\n`);
}
for (const [at, atMs] of feed.atMs.entries()) if (process.env['STARLING_LAB_SHOW'] !== undefined) process.stderr.write(`${String(atMs).padStart(6)} ms ${(feed.sent[at] ?? []).map((some) => String(Math.round(some / 1000)).padStart(5)).join(' ')} KB\n`);
