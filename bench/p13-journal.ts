// P13: the journal on LevelDB. Appends that are synced, many waiting at once and one after the other, beside LevelDB itself writing the same entries as JSON, a key each,
// without checksums or a chain, in the same groups; and starting with a journal of a million facts: every entry read, checked and folded. The facts are those of rollouts (decided-fleet.ts).

import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Level } from 'level';
import { keyOf } from '../control/journal/entries.ts';
import { openLevelJournal } from '../control/journal/level.ts';
import { programDigest } from '../control/journal/program.ts';
import { loadSnapshot, saveSnapshot } from '../control/journal/snapshot.ts';
import { openProjection } from '../control/run/projection.ts';
import type { Event } from '../proto/events.ts';
import { DecidedFleet, now } from './decided-fleet.ts';
import { median, printRow } from './rows.ts';
import { scratchDirectory } from './scratch.ts';

const full = process.argv.includes('--full');
/** Short and many: what else the machine does comes and goes within one, and the median of the ratios leaves it out. */
const rounds = 25;
/** Appends that wait together, as the reports of a fleet do: the journal's own bound on a group. */
const together = 512;
const appends = { together: 10_240, alone: 200 } as const;
const actor = 'member:12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo';

/** Events written in a second, `size` of them waiting at once, each an append of its own. */
async function journalRate(directory: string, events: readonly Event[], size: number): Promise<number> {
  await using journal = await openLevelJournal(directory);
  const startedAt = performance.now();
  for (let from = 0; from < events.length; from += size) {
    const head = journal.head();
    await Promise.all(events.slice(from, from + size).map(async (event, index) => await journal.append({ actor, at: now, events: [event] }, head + index)));
  }
  return (events.length / (performance.now() - startedAt)) * 1000;
}

/** The same entries by LevelDB alone: batches of `size`, synced. */
async function rawRate(directory: string, events: readonly Event[], size: number): Promise<number> {
  const database = new Level<Uint8Array, Uint8Array>(directory, { keyEncoding: 'view', valueEncoding: 'view' });
  await database.open();
  const startedAt = performance.now();
  for (let from = 0; from < events.length; from += size) {
    const group = events.slice(from, from + size).map((event, index) => ({ seq: from + index + 1, at: now, actor, event }));
    await database.batch(group.map((entry) => ({ type: 'put' as const, key: keyOf(entry.seq), value: Buffer.from(JSON.stringify(entry)) })), { sync: true });
  }
  const rate = (events.length / (performance.now() - startedAt)) * 1000;
  await database.close();
  return rate;
}

/** A fleet's history of at least `count` facts. */
function* history(count: number): Generator<readonly Event[]> {
  let made: Event[] = [];
  let total = 0;
  const fleet = new DecidedFleet(2_000, (facts) => void made.push(...facts));
  for (let revision = 1; total < count; revision += 1) {
    fleet.deploy(revision);
    total += made.length;
    yield made;
    made = [];
  }
}

async function commits(root: string): Promise<void> {
  const facts = [...history(appends.together)].flat().slice(-appends.together);
  for (const [name, size, count] of [[`${together} appends waiting at once`, together, appends.together], ['one append after the other', 1, appends.alone]] as const) {
    const events = facts.slice(0, count);
    const ours: number[] = [];
    const raw: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const both = [async () => void raw.push(await rawRate(join(root, `raw-${size}-${round}`), events, size)), async () => void ours.push(await journalRate(join(root, `journal-${size}-${round}`), events, size))];
      // Each is first in every other round: who comes second finds the disk busy with what the first left.
      for (const one of round % 2 === 0 ? both : both.toReversed()) await one();
    }
    printRow({ row: 'P13', case: `${name}, of raw LevelDB`, figure: median(ours.map((rate, round) => rate / (raw[round] ?? 1))), unit: 'x', goal: 0.8, moreIsBetter: true, runs: rounds, details: { 'events/s': Math.round(median(ours)), 'raw events/s': Math.round(median(raw)) } });
  }
}

async function replay(root: string, count: number): Promise<void> {
  const directory = join(root, 'replay');
  let written = 0;
  {
    await using journal = await openLevelJournal(directory);
    for (const events of history(count)) {
      await journal.append({ actor, at: now, events: events.slice(0, count - written) }, journal.head());
      written = journal.head();
    }
  }
  const times: number[] = [];
  const processor: number[] = [];
  for (let run = 0; run < 3; run += 1) {
    const startedAt = performance.now();
    const usedBefore = process.cpuUsage();
    await using journal = await openLevelJournal(directory);
    const projection = await openProjection(journal, () => now);
    times.push((performance.now() - startedAt) / 1000);
    const { user, system } = process.cpuUsage(usedBefore);
    processor.push((user + system) / 1e6);
    await projection.close();
  }
  printRow({ row: 'P13', case: `start with ${written} facts`, figure: median(times), unit: 's', goal: 5, runs: times.length, details: { 'processor time, s': Number(median(processor).toFixed(2)) } });
  await fromSnapshot(root, directory);
}

/** The same start from a snapshot that was made at the last of its facts. */
async function fromSnapshot(root: string, directory: string): Promise<void> {
  const file = join(root, 'state.snapshot');
  const times: number[] = [];
  const program = await programDigest(process.version);
  await using journal = await openLevelJournal(directory);
  const projection = await openProjection(journal, () => now);
  const [last] = await journal.read(journal.head() - 1, 1);
  if (last === undefined) throw new Error('the journal is empty');
  const savedAt = performance.now();
  const turnMs = await longestTurn(async () => await saveSnapshot(file, { program, entry: last }, projection.state()));
  const saveMs = performance.now() - savedAt;
  for (let run = 0; run < 3; run += 1) {
    const startedAt = performance.now();
    const loaded = await loadSnapshot(file, await programDigest(process.version), journal);
    if (loaded.kind !== 'state') throw new Error(`the snapshot was left aside: ${loaded.why}`);
    const next = await openProjection(journal, () => now, loaded.state);
    times.push((performance.now() - startedAt) / 1000);
    await next.close();
  }
  await projection.close();
  const { size } = await stat(file);
  printRow({ row: 'P13', case: `start with ${journal.head()} facts, from a snapshot`, figure: median(times), unit: 's', runs: times.length, details: { 'written in, ms': Math.round(saveMs), 'longest turn of it, ms': Number(turnMs.toFixed(1)), MiB: Number((size / 2 ** 20).toFixed(1)) } });
}

/** Milliseconds for which nobody else had a turn, at most, while something went on. */
async function longestTurn(work: () => Promise<void>): Promise<number> {
  let longest = 0;
  let last = performance.now();
  let isOver = false;
  const look = (): void => {
    const at = performance.now();
    longest = Math.max(longest, at - last);
    last = at;
    if (!isOver) setImmediate(look);
  };
  setImmediate(look);
  await work();
  isOver = true;
  return longest;
}

const root = scratchDirectory('p13');
try {
  await commits(root);
  for (const count of full ? [100_000, 1_000_000] : [1_000_000]) {
    await rm(join(root, 'replay'), { recursive: true, force: true });
    await replay(root, count);
  }
} finally {
  await rm(root, { recursive: true, force: true });
}
