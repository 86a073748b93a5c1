// A state that was written down and read again: it is the one that the journal folds to, now and after whatever comes next, or it is left aside.

import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isMap } from '../../../control/core/model/shared-map.ts';
import { evolveAll, initialState } from '../../../control/core/evolve/evolve.ts';
import type { State } from '../../../control/core/model/model.ts';
import { MemoryJournal } from '../../../control/journal/memory.ts';
import { programDigest } from '../../../control/journal/program.ts';
import { loadSnapshot, saveSnapshot } from '../../../control/journal/snapshot.ts';
import type { Event, JournalEntry } from '../../../proto/events.ts';
import { HistoryWorld } from '../../support/history-world.ts';
import { manyDeployments } from '../../support/many-deployments.ts';

let directory = '';
beforeAll(async () => void (directory = await mkdtemp(join(tmpdir(), 'snapshot-'))));
afterAll(async () => await rm(directory, { recursive: true }));

async function journalOf(entries: readonly JournalEntry[]): Promise<MemoryJournal> {
  const journal = new MemoryJournal();
  for (const { at, actor, event } of entries) await journal.append({ actor, at, events: [event] }, journal.head());
  return journal;
}

/** The state at `head`, by way of a file. */
async function reread(journal: MemoryJournal, head: number): Promise<{ readonly before: State; readonly after: State }> {
  const entries = await journal.read(0, journal.head());
  const before = evolveAll(initialState(), entries.slice(0, head));
  const file = join(directory, 'state');
  const entry = entries[head - 1];
  if (entry === undefined) throw new Error(`there is no entry ${head}`);
  await saveSnapshot(file, { program: 'this', entry }, before);
  const loaded = await loadSnapshot(file, 'this', journal);
  if (loaded.kind !== 'state') throw new Error(loaded.why);
  return { before, after: loaded.state };
}

/** With plain maps, so that what is compared is what they hold. */
function plain<Value>(value: Value): Value {
  return isMap(value) ? (new Map([...value].map(([key, one]) => [key, plain(one)])) as Value) : isRecord(value) ? (Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)])) as Value) : value;
}

const isRecord = (value: unknown): value is object => typeof value === 'object' && value !== null && !Array.isArray(value);

describe('a snapshot', () => {
  test('is the state, and what follows from it is what follows from the whole journal', async () => {
    for (const seed of [3, 14, 15]) {
      const world = new HistoryWorld(seed);
      await world.live(120);
      const journal = await journalOf(world.entries);
      const entries = await journal.read(0, journal.head());
      for (const share of [0.3, 0.6, 1]) {
        const head = Math.ceil(entries.length * share);
        const { before, after } = await reread(journal, head);
        expect(after, `seed ${seed} at ${head}`).toEqual(before);
        expect(evolveAll(after, entries.slice(head)), `seed ${seed} from ${head}`).toEqual(evolveAll(initialState(), entries));
      }
    }
  });

  test('has all of a fleet whose maps are kept as changes over others', async () => {
    const names = Array.from({ length: 700 }, (_, index) => `m${index}`);
    const joined = names.map((member): Event => ({ kind: 'member.enrolled', member, name: member, publicKey: 'key', roles: ['agent'], environments: ['prod'], labels: {}, attributes: {}, serial: 1, token: 'none' }));
    const entries = [...joined, ...manyDeployments({ deployments: 3, targets: names }).map(({ event }) => event)].map((event, index): JournalEntry => ({ seq: index + 1, at: index, actor: 'system', event }));
    const journal = await journalOf(entries);
    const { before, after } = await reread(journal, entries.length - 100);
    expect(plain(before)).not.toBe(before);
    expect(after).toEqual(plain(before));
    expect(after.targets.get('prod')?.[0]).toBe(after.members.get(after.targets.get('prod')?.[0]?.member ?? ''));
    const all = await journal.read(0, entries.length);
    expect(plain(evolveAll(after, all))).toEqual(plain(evolveAll(initialState(), all)));
  });
});

describe('a snapshot is left aside, and why is said,', () => {
  const file = (): string => join(directory, 'left');
  const events = [{ kind: 'app.created', app: 'web', project: 'shop' }, { kind: 'app.created', app: 'api', project: 'shop' }] as const;

  async function saved(): Promise<MemoryJournal> {
    const journal = await journalOf(events.map((event, index) => ({ seq: index + 1, at: 1, actor: 'system', event })));
    const entries = await journal.read(0, 2);
    const last = entries.at(-1);
    if (last !== undefined) await saveSnapshot(file(), { program: 'this', entry: last }, evolveAll(initialState(), entries));
    return journal;
  }

  test('of which there is none, without a word', async () => {
    expect(await loadSnapshot(join(directory, 'nothing'), 'this', new MemoryJournal())).toEqual({ kind: 'none' });
  });

  test('when it is of another program', async () => {
    expect(await loadSnapshot(file(), 'other', await saved())).toMatchObject({ kind: 'none', why: expect.stringContaining('another version') });
  });

  test('when its program is another, before anything else of it is read', async () => {
    const journal = await saved();
    await writeFile(file(), sealed([JSON.stringify({ program: 'other' }), 'what a later version of the runtime writes']));
    expect(await loadSnapshot(file(), 'this', journal)).toMatchObject({ why: expect.stringContaining('another version') });
    await writeFile(file(), sealed(['no label']));
    expect(await loadSnapshot(file(), 'this', journal)).toMatchObject({ why: expect.stringContaining('another version') });
  });

  test('when it cannot be read though it is whole', async () => {
    const journal = await saved();
    const [entry] = await journal.read(1, 1);
    await writeFile(file(), sealed([JSON.stringify({ program: 'this', entry }), 'what nobody wrote']));
    expect(await loadSnapshot(file(), 'this', journal)).toMatchObject({ why: expect.stringContaining('cannot be read') });
  });

  test('when a byte of it is another, or the end is missing', async () => {
    const journal = await saved();
    const bytes = await readFile(file());
    await writeFile(file(), bytes.with(bytes.length - 9, (bytes.at(-9) ?? 0) ^ 1));
    expect(await loadSnapshot(file(), 'this', journal)).toMatchObject({ why: 'it is damaged' });
    await writeFile(file(), bytes.subarray(0, 20));
    expect(await loadSnapshot(file(), 'this', journal)).toMatchObject({ why: 'it is damaged' });
  });

  test('when a backup was put back that is older, or went another way', async () => {
    await saved();
    const older = await journalOf([{ seq: 1, at: 1, actor: 'system', event: events[0] }]);
    expect(await loadSnapshot(file(), 'this', older)).toMatchObject({ why: expect.stringContaining('entry 2 is not the same') });
    const other = await journalOf([events[1], events[0]].map((event, index) => ({ seq: index + 1, at: 1, actor: 'system', event })));
    expect(await loadSnapshot(file(), 'this', other)).toMatchObject({ why: expect.stringContaining('another journal') });
  });
});

describe('a snapshot that cannot be written', () => {
  test('leaves the one before, and nothing of itself', async () => {
    const folder = await mkdtemp(join(directory, 'full-'));
    const file = join(folder, 'state');
    const journal = await journalOf(Array.from({ length: 2 }, (_, index) => ({ seq: index + 1, at: 1, actor: 'system', event: { kind: 'app.created', app: `app-${index}`, project: 'shop' } })));
    const [first, second] = await journal.read(0, 2);
    if (first === undefined || second === undefined) throw new Error('the journal is empty');
    const before = evolveAll(initialState(), [first]);
    // What a crash left.
    await writeFile(`${file}.tmp`, 'half', { mode: 0o400 });
    await saveSnapshot(file, { program: 'this', entry: first }, before);
    const full = saveSnapshot(file, { program: 'this', entry: second }, evolveAll(before, [second]), { freeBytes: async () => 1 << 20 });
    await expect(full).rejects.toThrow('less than 64 MiB are free');
    expect(await readdir(folder)).toEqual(['state']);
    expect(await loadSnapshot(file, 'this', journal)).toMatchObject({ state: { head: 1 } });
  });
});

/** A file of these blocks. */
function sealed(blocks: readonly string[]): Buffer {
  const framed = Buffer.concat(blocks.flatMap((block) => [Buffer.from([0, 0, block.length >> 8, block.length & 255]), Buffer.from(block)]));
  return Buffer.concat([framed, createHash('sha256').update(framed).digest()]);
}

test('a program is known by its sources and its runtime', async () => {
  expect(await programDigest('v24')).toMatch(/^[0-9a-f]{64}$/);
  expect(await programDigest('v24')).toBe(await programDigest('v24'));
  expect(await programDigest('v25')).not.toBe(await programDigest('v24'));
});
