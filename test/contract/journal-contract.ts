// The executable contract of control/journal/journal.ts: every implementation passes it, and so does the fake that fails.

import { hash } from 'node:crypto';
import { expect, it } from 'vitest';
import type { Journal } from '../../control/journal/journal.ts';
import { auditLine, ChainCheck } from '../../proto/audit-chain.ts';
import type { Event, JournalEntry } from '../../proto/events.ts';

export function event(name: string): Event {
  return { kind: 'app.created', app: name, project: 'p' };
}

export function batch(...names: readonly string[]) {
  return { actor: 'system', at: 1000, events: names.map(event) };
}

/** Names of the applications in some entries. */
export function names(entries: readonly JournalEntry[]): readonly string[] {
  return entries.map((entry) => (entry.event.kind === 'app.created' ? entry.event.app : entry.event.kind));
}

/** Names of all applications that a scan finds. */
async function scanned(journal: Journal, after: number): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const entries of journal.scan(after)) found.push(...names(entries));
  return found;
}

/** Runs the contract; `open` gives an empty journal, closed by the test that asked for it. */
export function journalContract(open: () => Promise<Journal>): void {
  it('is empty at first', async () => {
    await using journal = await open();
    expect(journal.head()).toBe(0);
    expect(await journal.read(0, 10)).toEqual([]);
  });

  it('numbers entries from 1 without gaps, and reads them back as they were', async () => {
    await using journal = await open();
    expect(await journal.append(batch('a', 'b'), 0)).toEqual({ kind: 'appended', head: 2 });
    expect(await journal.append({ actor: 'token:t', at: 2000, events: [event('ü')] }, 2)).toEqual({ kind: 'appended', head: 3 });
    expect(await journal.read(0, 10)).toMatchObject([
      { seq: 1, at: 1000, actor: 'system', event: event('a') },
      { seq: 2, at: 1000, actor: 'system', event: event('b') },
      { seq: 3, at: 2000, actor: 'token:t', event: event('ü') },
    ]);
  });

  it('O-1 chains each entry to the one before it, whichever append brought it', async () => {
    await using journal = await open();
    // Both wait for the disk together.
    await Promise.all([journal.append(batch('a', 'b'), 0), journal.append(batch('c'), 2)]);
    expect(await journal.append(batch('lost'), 1)).toEqual({ kind: 'conflict', head: 3 });
    await journal.append(batch('d'), 3);
    const check = new ChainCheck((text) => hash('sha256', text));
    for (const entry of await journal.read(0, 10)) expect(check.take(auditLine(entry, (text) => hash('sha256', text)))).toBeUndefined();
    expect(check).toMatchObject({ first: 1, chainedFrom: 1, head: { seq: 4 } });
  });

  it('answers a conflict and appends nothing when the head is not the expected one', async () => {
    await using journal = await open();
    await journal.append(batch('a'), 0);
    expect(await journal.append(batch('b'), 0)).toEqual({ kind: 'conflict', head: 1 });
    expect(await journal.append(batch('b'), 2)).toEqual({ kind: 'conflict', head: 1 });
    expect(names(await journal.read(0, 10))).toEqual(['a']);
  });

  it('lets exactly one of many simultaneous appends with the same expectation through', async () => {
    await using journal = await open();
    const results = await Promise.all(Array.from({ length: 50 }, (_, index) => journal.append(batch(`n${index}`), 0)));
    expect(results.filter((result) => result.kind === 'appended')).toHaveLength(1);
    expect(journal.head()).toBe(1);
  });

  it('lets simultaneous appends that follow one another all through', async () => {
    await using journal = await open();
    const results = await Promise.all(Array.from({ length: 50 }, (_, index) => journal.append(batch(`n${index}`), index)));
    expect(results.map((result) => result.head)).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
    expect(names(await journal.read(48, 10))).toEqual(['n48', 'n49']);
  });

  it('appends nothing when there is nothing to append, and still checks the expectation', async () => {
    await using journal = await open();
    expect(await journal.append(batch(), 0)).toEqual({ kind: 'appended', head: 0 });
    expect(await journal.append(batch(), 5)).toEqual({ kind: 'conflict', head: 0 });
  });

  it('reads at most as many as asked for, after a position, and nothing beyond the end', async () => {
    await using journal = await open();
    await journal.append(batch(...'abcdefghijkl'.split('')), 0);
    expect(names(await journal.read(9, 2))).toEqual(['j', 'k']);
    expect(await journal.read(12, 5)).toEqual([]);
    expect(await journal.read(99, 5)).toEqual([]);
    expect(await journal.read(3, 0)).toEqual([]);
  });

  it('scans everything above a position in order, in portions, up to the head as it was when it was asked', async () => {
    await using journal = await open();
    const all = Array.from({ length: 3_000 }, (_, index) => `n${index}`);
    // As appends come: many entries at once, and one after the other.
    await journal.append(batch(...all.slice(0, 2_900)), 0);
    for (const [index, name] of all.slice(2_900).entries()) await journal.append(batch(name), 2_900 + index);
    expect(await scanned(journal, 0)).toEqual(all);
    for (const after of [1, 63, 64, 65, 2_899, 2_900, 2_901, 2_999, 3_000, 9_999]) expect(await scanned(journal, after)).toEqual(all.slice(after));
    const scan = journal.scan(2_998)[Symbol.asyncIterator]();
    const first = scan.next();
    await journal.append(batch('later'), 3_000);
    expect(names((await first).value ?? [])).toEqual(['n2998', 'n2999']);
    expect(await scan.next()).toMatchObject({ done: true });
  });

  it('can be left amid a scan', async () => {
    await using journal = await open();
    for (let from = 0; from < 12_000; from += 3_000) await journal.append(batch(...Array.from({ length: 3_000 }, (_, index) => `n${from + index}`)), from);
    for await (const entries of journal.scan(0)) {
      expect(entries[0]?.seq).toBe(1);
      break;
    }
    expect(await journal.append(batch('after'), 12_000)).toEqual({ kind: 'appended', head: 12_001 });
  });

  it('reads the same entries whatever was appended with them', async () => {
    await using journal = await open();
    const all = Array.from({ length: 400 }, (_, index) => `n${index}`);
    for (let from = 0, size = 1; from < all.length; from += size, size = (size * 7) % 151) await journal.append(batch(...all.slice(from, from + size)), from);
    for (let after = 0; after < 400; after += 7) {
      for (const limit of [1, 2, 64, 200]) expect(names(await journal.read(after, limit))).toEqual(all.slice(after, after + limit));
    }
  });

  it('tells followers of each durable batch in order, once it can be read, until they stop', async () => {
    await using journal = await open();
    const seen: string[] = [];
    const heads: number[] = [];
    const stop = journal.follow((entries) => {
      seen.push(...names(entries));
      heads.push(journal.head());
    });
    await Promise.all([journal.append(batch('a', 'b'), 0), journal.append(batch('c'), 2), journal.append(batch('x'), 7)]);
    expect(seen).toEqual(['a', 'b', 'c']);
    expect(heads.at(-1)).toBe(3);
    stop();
    await journal.append(batch('d'), 3);
    expect(seen).toEqual(['a', 'b', 'c']);
  });

  it('is not changed by what a caller does to its events afterwards', async () => {
    await using journal = await open();
    const event: { kind: 'app.created'; app: string; project: string } = { kind: 'app.created', app: 'a', project: 'p' };
    await journal.append({ actor: 'system', at: 1, events: [event] }, 0);
    event.app = 'changed';
    expect(names(await journal.read(0, 1))).toEqual(['a']);
  });

  it('refuses everything after it was closed', async () => {
    const journal = await open();
    await journal.append(batch('a'), 0);
    await journal.close();
    await expect(journal.append(batch('b'), 1)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    await expect(scanned(journal, 0)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    await expect(journal.read(0, 1)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    await journal.close();
  });
}
