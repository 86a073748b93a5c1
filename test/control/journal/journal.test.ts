// Both journals against their contract, and what only one on a disk can do: survive, refuse, recover.

import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { keyOf } from '../../../control/journal/entries.ts';
import type { Journal } from '../../../control/journal/journal.ts';
import { openLevelJournal, type Database } from '../../../control/journal/level.ts';
import { MemoryJournal } from '../../../control/journal/memory.ts';
import type { JournalEntry } from '../../../proto/events.ts';
import { batch, journalContract, names } from '../../contract/journal-contract.ts';
import { FailingDisk, plainDatabase, temporaryDirectory } from './fixtures.ts';
import type { Failure } from './fixtures.ts';

describe('memory', () => {
  journalContract(async () => new MemoryJournal());
});
describe('level', () => {
  journalContract(async () => await openLevelJournal(await temporaryDirectory()));
});
describe.each<Failure>(['not-applied', 'applied'])('level, after a write failed (%s)', (failure) => {
  journalContract(async () => {
    const disk = new FailingDisk();
    const journal = await openLevelJournal(await temporaryDirectory(), { database: disk.database });
    disk.failNext(failure);
    await expect(journal.append(batch('lost', 'lost-too'), 0)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    return journal;
  });
});

describe('level on its disk', () => {
  it('keeps what was acknowledged when it is opened again, in a directory that it makes', async () => {
    const directory = join(await temporaryDirectory(), 'deep', 'journal');
    {
      await using journal = await openLevelJournal(directory);
      await journal.append(batch('a', 'b'), 0);
    }
    await using journal = await openLevelJournal(directory);
    expect(journal.head()).toBe(2);
    expect(names(await journal.read(0, 10))).toEqual(['a', 'b']);
  });

  it('says that the directory is in use, and names it', async () => {
    const directory = await temporaryDirectory();
    await using _journal = await openLevelJournal(directory);
    await expect(openLevelJournal(directory)).rejects.toMatchObject({ code: 'DATA_DIRECTORY_IN_USE', message: expect.stringContaining(directory) });
  });

  it.each<Failure>(['not-applied', 'applied'])('never reads what a failed write left (%s), and later appends take its place', async (failure) => {
    const directory = await temporaryDirectory();
    const disk = new FailingDisk();
    {
      await using journal = await openLevelJournal(directory, { database: disk.database });
      const seen: string[] = [];
      journal.follow((entries) => seen.push(...names(entries)));
      await journal.append(batch('a'), 0);
      disk.failNext(failure);
      await expect(journal.append(batch('x', 'y', 'z'), 1)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
      expect(journal.head()).toBe(1);
      expect(names(await journal.read(0, 10))).toEqual(['a']);
      expect(await journal.append(batch('b'), 1)).toEqual({ kind: 'appended', head: 2 });
      expect(seen).toEqual(['a', 'b']);
      expect(disk.opened).toBe(2);
    }
    await using journal = await openLevelJournal(directory);
    expect(names(await journal.read(0, 10))).toEqual(['a', 'b']);
  });

  it('works again after the disk stayed full for several tries', async () => {
    const disk = new FailingDisk();
    await using journal = await openLevelJournal(await temporaryDirectory(), { database: disk.database });
    // The second failure meets the removal of what the first one left.
    disk.failNext('applied', 'not-applied', 'applied');
    for (let tries = 0; tries < 3; tries += 1) {
      await expect(journal.append(batch('x'), 0)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    }
    expect(await journal.append(batch('a'), 0)).toEqual({ kind: 'appended', head: 1 });
    expect(names(await journal.read(0, 10))).toEqual(['a']);
  });

  it('tells every append of a failed group, and conflicts stay conflicts', async () => {
    const disk = new FailingDisk();
    await using journal = await openLevelJournal(await temporaryDirectory(), { database: disk.database });
    disk.failNext('not-applied');
    const results = await Promise.allSettled([journal.append(batch('a'), 0), journal.append(batch('b'), 1), journal.append(batch('c'), 9)]);
    expect(results.map((result) => result.status)).toEqual(['rejected', 'rejected', 'fulfilled']);
    expect(journal.head()).toBe(0);
  });

  it('refuses more waiting appends than its bound', async () => {
    await using journal = await openLevelJournal(await temporaryDirectory());
    const results = await Promise.allSettled(Array.from({ length: 4200 }, (_, index) => journal.append(batch('a'), index)));
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused).toHaveLength(4200 - 4096);
    expect(refused[0]).toMatchObject({ reason: { code: 'TOO_MANY_REQUESTS' } });
    expect(journal.head()).toBe(4096);
  });

  it('refuses to be read with an entry missing, and says which', async () => {
    const directory = await filled();
    await changed(directory, async (database) => await database.del(keyOf(2)));
    await expect(readAll(directory)).rejects.toMatchObject({ code: 'STORAGE_FAILED', message: expect.stringContaining('entry 2 is missing') });
    await using journal = await openLevelJournal(directory);
    await expect(journal.read(1, 1)).rejects.toMatchObject({ code: 'STORAGE_FAILED', message: expect.stringContaining('entry 2 is missing') });
    expect(names(await journal.read(2, 1))).toEqual(['c']);
  });

  it('refuses to be read with any bit of an entry flipped, and says which', async () => {
    const directory = await filled();
    let value: Uint8Array = new Uint8Array();
    await changed(directory, async (database) => {
      value = (await database.get(keyOf(2))) ?? value;
    });
    for (let index = 0; index < value.length; index += 5) {
      const damaged = Uint8Array.from(value);
      damaged[index] = (damaged[index] ?? 0) ^ (1 << (index % 8));
      await changed(directory, async (database) => await database.put(keyOf(2), damaged));
      await expect(readAll(directory)).rejects.toMatchObject({ code: 'STORAGE_FAILED', message: expect.stringContaining('entry 2 ') });
    }
    await changed(directory, async (database) => await database.put(keyOf(2), value));
    await using journal = await openLevelJournal(directory);
    expect(journal.head()).toBe(3);
  });

  it('refuses to open when its last entry is damaged', async () => {
    const directory = await filled();
    await changed(directory, async (database) => await database.put(keyOf(3), new Uint8Array(9)));
    await expect(openLevelJournal(directory)).rejects.toMatchObject({ code: 'STORAGE_FAILED', message: expect.stringContaining('last entry') });
  });

  it('says so when the disk fails amid a scan, though nobody waits for it just then', async () => {
    const directory = await temporaryDirectory();
    const database = (path: string): Database => {
      const real = plainDatabase(path);
      const values = real.values.bind(real);
      const failing = (options: object) => {
        const iterator = values(options);
        const nextv = iterator.nextv.bind(iterator);
        let trips = 0;
        const trip = async (size: number) => {
          trips += 1;
          if (trips > 1) throw new Error('IO error: the disk is gone');
          return await nextv(size);
        };
        return Object.defineProperty(iterator, 'nextv', { value: trip });
      };
      return Object.defineProperty(real, 'values', { value: failing });
    };
    await using journal = await openLevelJournal(directory, { database });
    await journal.append(batch(...Array.from({ length: 12_000 }, (_, index) => `n${index}`)), 0);
    const scan = journal.scan(0)[Symbol.asyncIterator]();
    expect((await scan.next()).value?.[0]?.seq).toBe(1);
    for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    await expect(scan.next()).rejects.toMatchObject({ code: 'STORAGE_FAILED', message: expect.stringContaining('the disk is gone') });
  });

  it('reads a journal that has each entry by itself, as it was written once, and goes on with it', async () => {
    const directory = await temporaryDirectory();
    await changed(directory, async (database) => {
      for (const [index, event] of batch('a', 'b').events.entries()) {
        const json = Buffer.from(JSON.stringify({ seq: index + 1, at: 1, actor: 'system', event }));
        const checksum = Buffer.alloc(4);
        checksum.writeUInt32BE(crc32(json));
        await database.put(keyOf(index + 1), Buffer.concat([checksum, json]));
      }
    });
    await using journal = await openLevelJournal(directory);
    expect(await journal.append(batch('c', 'd'), 2)).toEqual({ kind: 'appended', head: 4 });
    expect(names(await readAll(journal))).toEqual(['a', 'b', 'c', 'd']);
  });

  it('puts entries that wait for the disk together into few records, none of them large', async () => {
    const directory = await temporaryDirectory();
    {
      await using journal = await openLevelJournal(directory);
      await Promise.all(Array.from({ length: 200 }, (_, index) => journal.append(batch(`n${index}`), index)));
      const large = 'x'.repeat(40_000);
      await journal.append(batch(large, large, large), 200);
    }
    await changed(directory, async (database) => {
      const keys = await database.keys().all();
      expect(keys.map((key) => Number(Buffer.from(key).readBigUInt64BE()))).toEqual([64, 128, 192, 200, 202, 203]);
    });
  });

  it('refuses a place that is not a directory', async () => {
    await expect(openLevelJournal('/dev/null/journal')).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  });

  it('finishes what waits when it is closed', async () => {
    const directory = await temporaryDirectory();
    const journal = await openLevelJournal(directory);
    const appended = journal.append(batch('a'), 0);
    await journal.close();
    expect(await appended).toEqual({ kind: 'appended', head: 1 });
  });
});

async function filled(): Promise<string> {
  const directory = await temporaryDirectory();
  await using journal = await openLevelJournal(directory);
  for (const [index, name] of ['a', 'b', 'c'].entries()) await journal.append(batch(name), index);
  return directory;
}

/** Every entry, of a journal or of that in a directory. */
async function readAll(from: string | Journal): Promise<readonly JournalEntry[]> {
  if (typeof from !== 'string') {
    const found: JournalEntry[] = [];
    for await (const entries of from.scan(0)) found.push(...entries);
    return found;
  }
  await using journal = await openLevelJournal(from);
  return await readAll(journal);
}

async function changed(directory: string, change: (database: ReturnType<typeof plainDatabase>) => Promise<void>): Promise<void> {
  const database = plainDatabase(directory);
  onTestFinished(async () => await database.close());
  await change(database);
  await database.close();
}
