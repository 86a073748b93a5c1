// The journal in memory: for tests, and for whoever wants a control plane that forgets.

import type { Chained } from '../../proto/audit-chain.ts';
import type { JournalEntry } from '../../proto/events.ts';
import { ControlError } from '../errors.ts';
import { emptyEnd, endOf, Followers, number } from './entries.ts';
import type { Append, AppendResult, Journal } from './journal.ts';

/** Entries in a portion of a scan. */
const scanEntries = 1000;

/** A journal whose entries last as long as the object. */
export class MemoryJournal implements Journal {
  readonly #entries: JournalEntry[] = [];
  readonly #followers = new Followers();
  #closed = false;

  head(): number {
    return this.#entries.length;
  }

  async append(batch: Append, expected: number): Promise<AppendResult> {
    this.#assertOpen();
    if (expected !== this.head()) return { kind: 'conflict', head: this.head() };
    // Entries are copied, as a disk would: a caller who changes its event later must not change history.
    const made: Chained[] = [];
    number(made, batch, endOf(this.#entries.slice(-1), emptyEnd));
    const entries = structuredClone(made.map(({ entry }) => entry));
    this.#entries.push(...entries);
    this.#followers.tell(entries);
    return { kind: 'appended', head: this.head() };
  }

  async read(after: number, limit: number): Promise<readonly JournalEntry[]> {
    this.#assertOpen();
    return this.#entries.slice(after, after + limit);
  }

  async *scan(after: number): AsyncGenerator<readonly JournalEntry[]> {
    this.#assertOpen();
    const end = this.head();
    for (let from = after; from < end; from += scanEntries) yield this.#entries.slice(from, Math.min(from + scanEntries, end));
  }

  follow(listener: (entries: readonly JournalEntry[]) => void): () => void {
    return this.#followers.add(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #assertOpen(): void {
    if (this.#closed) throw new ControlError('STORAGE_FAILED', 'the journal is closed');
  }
}
