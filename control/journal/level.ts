// The journal on LevelDB, by `level`: one process, synced group commits. Appends that wait while the disk is busy go
// into one synced batch together, in records whose keys are their last entries' numbers. After a failed write LevelDB refuses every other until it is opened anew: we do that.

import { mkdir } from 'node:fs/promises';
import { Level } from 'level';
import type { Chained } from '../../proto/audit-chain.ts';
import type { JournalEntry } from '../../proto/events.ts';
import { ControlError } from '../errors.ts';
import { emptyEnd, endOf, Followers, keyOf, number } from './entries.ts';
import type { JournalEnd } from './entries.ts';
import type { Append, AppendResult, Journal } from './journal.ts';
import { portions } from './reading.ts';
import { openRecord, recordsOf } from './records.ts';

type Operation = { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array } | { readonly type: 'del'; readonly key: Uint8Array };

/** What the journal needs of LevelDB. */
export interface Database extends Pick<Level<Uint8Array, Uint8Array>, 'close' | 'keys' | 'values'> {
  open(): Promise<void>;
  batch(operations: Operation[], options: { readonly sync: true }): Promise<void>;
}

export interface LevelJournalOptions {
  /** Makes the database of a directory; for tests of a disk that fails. */
  readonly database?: (directory: string) => Database;
}

/** Appends that may wait for the disk at once; a caller beyond it is told to come again. */
const waitingMax = 4096;
/** Appends in one synced batch: more would make the first ones wait for the encoding of the last ones. */
const groupMax = 512;

interface Waiting {
  readonly batch: Append;
  readonly expected: number;
  readonly resolve: (result: AppendResult) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Opens the journal in `directory`, and makes it when there is none. Each entry is checked when it is read.
 * @throws {ControlError} DATA_DIRECTORY_IN_USE when another process has it open.
 * @throws {ControlError} STORAGE_FAILED when its last entry is damaged, or the directory cannot be used.
 */
export async function openLevelJournal(directory: string, options: LevelJournalOptions = {}): Promise<Journal> {
  const make = options.database ?? ((path: string) => new Level<Uint8Array, Uint8Array>(path, { keyEncoding: 'view', valueEncoding: 'view' }));
  const database = await opened(directory, make);
  try {
    return new LevelJournal(directory, make, database, await endIn(database, directory));
  } catch (error) {
    await database.close();
    throw error;
  }
}

async function opened(directory: string, make: (path: string) => Database): Promise<Database> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const database = make(directory);
    await database.open();
    return database;
  } catch (cause) {
    if (causes(cause).some((error) => 'code' in error && error.code === 'LEVEL_LOCKED')) {
      throw new ControlError('DATA_DIRECTORY_IN_USE', `'${directory}' is in use by another process; stop that one, or choose another data directory`, { cause });
    }
    throw new ControlError('STORAGE_FAILED', `the journal in '${directory}' could not be opened: ${reasonOf(cause)}`, { cause });
  }
}

/** The error and what caused it: LevelDB's own reason is always one or two below. */
function causes(error: unknown): readonly Error[] {
  return error instanceof Error ? [error, ...causes(error.cause)] : [];
}

function reasonOf(error: unknown): string {
  return causes(error).at(-1)?.message ?? String(error);
}

/** The newest entry. Whether another is there and whole is found out when it is read: a start reads those behind the snapshot, `audit verify` all. */
async function endIn(database: Database, directory: string): Promise<JournalEnd> {
  try {
    const [newest] = await database.values({ reverse: true, limit: 1 }).all();
    if (newest === undefined) return emptyEnd;
    return endOf(openRecord(newest).entries, emptyEnd);
  } catch (cause) {
    if (cause instanceof ControlError) throw cause;
    throw new ControlError('STORAGE_FAILED', `the end of the journal in '${directory}' cannot be read: ${reasonOf(cause)}`, { cause });
  }
}

class LevelJournal implements Journal {
  readonly #directory: string;
  readonly #make: (directory: string) => Database;
  readonly #followers = new Followers();
  readonly #waiting: Waiting[] = [];
  #database: Database | undefined;
  #end: JournalEnd;
  /** Set when a write failed: what was written of it is unknown until the database is opened anew. */
  #suspect = false;
  #writing: Promise<void> | undefined;
  #closed = false;

  constructor(directory: string, make: (directory: string) => Database, database: Database, end: JournalEnd) {
    this.#directory = directory;
    this.#make = make;
    this.#database = database;
    this.#end = end;
  }

  head(): number {
    return this.#end.seq;
  }

  append(batch: Append, expected: number): Promise<AppendResult> {
    if (this.#closed) return Promise.reject(new ControlError('STORAGE_FAILED', 'the journal is closed'));
    if (this.#waiting.length >= waitingMax) {
      return Promise.reject(new ControlError('TOO_MANY_REQUESTS', `${waitingMax} appends are waiting for the disk; come again later`));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ batch, expected, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  async read(after: number, limit: number): Promise<readonly JournalEntry[]> {
    const found: JournalEntry[] = [];
    for await (const entries of this.#entries(after, Math.min(this.#end.seq, after + limit))) found.push(...entries);
    return found;
  }

  scan(after: number): AsyncIterable<readonly JournalEntry[]> {
    return this.#entries(after, this.#end.seq);
  }

  async *#entries(after: number, to: number): AsyncGenerator<readonly JournalEntry[]> {
    if (this.#closed) throw new ControlError('STORAGE_FAILED', 'the journal is closed');
    if (to <= after) return;
    const database = this.#database;
    if (database === undefined) throw new ControlError('STORAGE_FAILED', `the journal in '${this.#directory}' is not open after a failed write; free some space`);
    try {
      yield* portions(database, { after, to, end: this.#end.seq });
    } catch (cause) {
      if (cause instanceof ControlError) throw cause;
      throw new ControlError('STORAGE_FAILED', `entries ${after + 1} to ${to} of the journal could not be read: ${reasonOf(cause)}`, { cause });
    }
  }

  follow(listener: (entries: readonly JournalEntry[]) => void): () => void {
    return this.#followers.add(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#writing;
    const database = this.#database;
    this.#database = undefined;
    await database?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #writeAll(): Promise<void> {
    // Whoever asks in this turn of the event loop goes into the first group.
    await Promise.resolve();
    while (this.#waiting.length > 0) await this.#writeGroup(this.#waiting.splice(0, groupMax));
    this.#writing = undefined;
  }

  /** Never rejects: each append of the group is told how it ended. */
  async #writeGroup(group: readonly Waiting[]): Promise<void> {
    const all: Chained[] = [];
    const accepted: { readonly waiting: Waiting; readonly head: number }[] = [];
    const conflicts: Waiting[] = [];
    let end = this.#end;
    for (const waiting of group) {
      if (waiting.expected === end.seq) {
        end = number(all, waiting.batch, end);
        accepted.push({ waiting, head: end.seq });
      } else conflicts.push(waiting);
    }
    try {
      await this.#write(all);
    } catch (cause) {
      const error = cause instanceof ControlError ? cause : new ControlError('STORAGE_FAILED', `the journal in '${this.#directory}' could not be written: ${reasonOf(cause)}`, { cause });
      for (const { waiting } of accepted) waiting.reject(error);
      for (const waiting of conflicts) waiting.resolve({ kind: 'conflict', head: this.#end.seq });
      return;
    }
    this.#end = end;
    this.#followers.tell(all.map(({ entry }) => entry));
    for (const { waiting, head } of accepted) waiting.resolve({ kind: 'appended', head });
    for (const waiting of conflicts) waiting.resolve({ kind: 'conflict', head: this.#end.seq });
  }

  async #write(all: readonly Chained[]): Promise<void> {
    if (all.length === 0) return;
    const database = this.#suspect || this.#database === undefined ? await this.#reopen() : this.#database;
    try {
      await database.batch(recordsOf(all).map(({ last, value }) => ({ type: 'put', key: keyOf(last), value })), { sync: true });
    } catch (error) {
      this.#suspect = true;
      throw error;
    }
  }

  /**
   * Opens anew and removes what a failed write left above the head, synced, before anything is put there. The old handle
   * serves reads until then. Known hole: when the process dies between such a write and this, the next one cannot tell it
   * from an append whose acknowledgement was lost, and keeps it.
   */
  async #reopen(): Promise<Database> {
    const old = this.#database;
    this.#database = undefined;
    await old?.close();
    const database = await opened(this.#directory, this.#make);
    this.#database = database;
    const leftover = await database.keys({ gt: keyOf(this.#end.seq) }).all();
    if (leftover.length > 0) await database.batch(leftover.map((key) => ({ type: 'del', key })), { sync: true });
    this.#suspect = false;
    return database;
  }
}
