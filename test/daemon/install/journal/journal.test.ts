// The journal file against torn ends and changed bytes, and the reports that are folded from it.
// What the records make the installer do is tested in recovery.test.ts.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemDisk } from '../../../../daemon/install/machine/disk.ts';
import { decodeJournal, encodeEntry, Journal, type JournalEntry } from '../../../../daemon/install/journal/journal.ts';
import { Ledger } from '../../../../daemon/install/journal/ledger.ts';
import { installLimits } from '../../../../daemon/install/limits.ts';
import { systemClock } from '../../../../daemon/clock.ts';
import { DaemonError } from '../../../../daemon/errors.ts';

let directory = '';
let path = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'starling-journal-'));
  path = join(directory, 'journal.jsonl');
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

const order = { app: 'web', environment: 'prod', stage: 'prod', deployment: 'd', seq: 1, revision: 'a'.repeat(64), revisionNumber: 1 };
const subject = { app: 'web', environment: 'prod', deployment: 'd', seq: 1 };
const entries: readonly JournalEntry[] = [
  { step: { kind: 'begin', order, to: '1-aaaaaaaaaaaa', rollback: false } },
  { step: { kind: 'staged' } },
  { step: { kind: 'roll-back', code: 'HEALTH_FAILED', detail: 'ünanswered\nquestion' } },
  { step: { kind: 'end', result: 'rolled-back', code: 'HEALTH_FAILED' } },
];
const text = entries.map(encodeEntry).join('');

describe('decodeJournal()', () => {
  it('reads back what was written', () => {
    expect(decodeJournal(text)).toEqual({ entries, wholeBytes: Buffer.byteLength(text), damaged: false });
  });

  it('cut at any byte gives the whole records before the cut', () => {
    const bytes = Buffer.from(text);
    for (let length = 0; length < bytes.length; length += 1) {
      const { entries: read, damaged, wholeBytes } = decodeJournal(bytes.toString('utf8', 0, length));
      expect(damaged).toBe(false);
      expect(read).toEqual(entries.slice(0, read.length));
      expect(wholeBytes).toBe(Buffer.byteLength(read.map(encodeEntry).join('')));
      expect(wholeBytes).toBeLessThanOrEqual(length);
    }
  });

  it('with any byte changed before the last record says that it is damaged', () => {
    const bytes = Buffer.from(text);
    const last = Buffer.byteLength(encodeEntry(entries.at(-1) ?? {}));
    // Without the line's end before the last record, the two read as one torn append: no telling them apart.
    for (let at = 0; at < bytes.length - last - 1; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 0x01;
      expect({ at, damaged: decodeJournal(changed.toString('utf8')).damaged }).toEqual({ at, damaged: true });
    }
  });

  it('refuses a record of another shape although its checksum fits', () => {
    const forged = encodeEntry({ step: { kind: 'begin', order, to: '1-aaaaaaaaaaaa', rollback: false } }).replace('"rollback":false', '"rollback":"no"');
    expect(decodeJournal(forged).entries).toEqual([]);
  });
});

describe('Journal', () => {
  it('cuts a torn end off when it is opened, so that the next record is whole', async () => {
    await writeFile(path, text + '12345678 {"step"');
    const journal = new Journal(systemDisk, path);
    expect((await journal.open()).entries).toEqual(entries);
    await journal.append({ step: { kind: 'staged' } });
    expect(decodeJournal(await readFile(path, 'utf8'))).toMatchObject({ damaged: false, entries: [...entries, { step: { kind: 'staged' } }] });
  });

  it('puts a damaged file aside', async () => {
    await writeFile(path, text.replace('staged', 'stagef'));
    expect(await new Journal(systemDisk, path).open()).toMatchObject({ damaged: true, entries: entries.slice(0, 1) });
    expect(await readFile(`${path}.damaged`, 'utf8')).toContain('stagef');
    expect(await new Journal(systemDisk, path).open()).toMatchObject({ damaged: false });
  });

  it('refuses everything after a failed append until it is opened again', async () => {
    let fails = true;
    const disk = { ...systemDisk, appendSynced: async (to: string, line: string) => {
      await systemDisk.appendSynced(to, fails ? line.slice(0, 5) : line);
      if (fails) throw new Error('EIO');
    } };
    const journal = new Journal(disk, path);
    await journal.open();
    await expect(journal.append({ step: { kind: 'staged' } })).rejects.toThrow('EIO');
    fails = false;
    await expect(journal.append({ step: { kind: 'staged' } })).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    expect((await journal.open()).entries).toEqual([]);
    await journal.append({ step: { kind: 'staged' } });
    expect((await journal.open()).entries).toHaveLength(1);
  });
});

describe('reports', () => {
  const ledger = async () => {
    const opened = new Ledger(systemDisk, path, systemClock);
    await opened.open();
    return opened;
  };

  it('are numbered on across restarts and acknowledgements', async () => {
    const first = await ledger();
    await Promise.all([1, 2, 3].map(async () => await first.report({ subject, phase: 'downloading' })));
    expect(first.pending().map(({ reportNo }) => reportNo)).toEqual([1, 2, 3]);
    await first.acknowledged('d', 3);
    const second = await ledger();
    expect(second.pending()).toEqual([]);
    expect((await second.report({ subject, phase: 'verified' })).reportNo).toBe(4);
  });

  it('that are not acknowledged are there again, as they were', async () => {
    const first = await ledger();
    for (const phase of ['downloading', 'verified', 'staged'] as const) await first.report({ subject, phase, details: { detail: phase } });
    await first.acknowledged('d', 1);
    const second = await ledger();
    expect(second.pending()).toEqual(first.pending());
    expect(second.pending().map(({ phase }) => phase)).toEqual(['verified', 'staged']);
  });

  it('are held up to a bound, the latest', async () => {
    const first = await ledger();
    for (let count = 0; count < installLimits.reportsHeldMax + 5; count += 1) await first.report({ subject, phase: 'downloading' });
    const numbers = first.pending().map(({ reportNo }) => reportNo);
    expect([numbers.length, numbers[0], numbers.at(-1)]).toEqual([installLimits.reportsHeldMax, 6, installLimits.reportsHeldMax + 5]);
  });

  it('are told though the disk has no room for a shorter journal, which is made when it has', async () => {
    let isFull = true;
    const disk = { ...systemDisk, writeSynced: async (to: string, content: string) => {
      await systemDisk.writeSynced(to, content);
      if (isFull) throw new DaemonError('NO_SPACE', 'no space');
    } };
    const full = new Ledger(disk, path, systemClock);
    await full.open();
    const output = 'x'.repeat(10_000);
    const tell = async (): Promise<void> => await full.acknowledged('d', (await full.report({ subject, phase: 'downloading', details: { output } })).reportNo);
    while ((await systemDisk.size(path)) <= installLimits.journalBytesMax) await tell();
    await tell();
    expect(await systemDisk.kind(`${path}.new`)).toBeUndefined();
    isFull = false;
    await tell();
    expect(await systemDisk.size(path)).toBeLessThan(20_000);
  });

  it('survive the rewriting of a journal that has grown long', async () => {
    const first = await ledger();
    await first.record({ kind: 'begin', order, to: '1-aaaaaaaaaaaa', rollback: false });
    await first.record({ kind: 'end', result: 'committed' });
    const output = 'x'.repeat(10_000);
    for (let count = 0; count < 150; count += 1) {
      const { reportNo } = await first.report({ subject, phase: 'downloading', details: { output } });
      if (reportNo < 148) await first.acknowledged('d', reportNo);
    }
    expect((await readFile(path)).length).toBeLessThan(installLimits.journalBytesMax);
    const second = await ledger();
    expect(second.pending()).toEqual(first.pending());
    expect(second.state.last).toEqual(first.state.last);
    expect((await second.report({ subject, phase: 'verified' })).reportNo).toBe(151);
  });
});
