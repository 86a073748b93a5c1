// The journal's port: one append-only log, appended conditionally, read by position.
// Implementations: memory.ts, level.ts. What entries mean is proto/events.ts and control/core.

import type { Event, JournalEntry } from '../../proto/events.ts';

/** Entries to append, all or none. */
export interface Append {
  readonly actor: string;
  readonly at: number;
  readonly events: readonly Event[];
}

/** Outcome of a conditional append. A conflict is an answer, not an error: read on and decide again. */
export type AppendResult =
  | { readonly kind: 'appended'; readonly head: number }
  | { readonly kind: 'conflict'; readonly head: number };

/** Keeps every entry for ever: nothing is ever taken out, and there is no archive. */
export interface Journal extends AsyncDisposable {
  /** Sequence number of the newest durable entry; 0 when there is none. */
  head(): number;
  /**
   * Appends when `head()` is still `expected`; resolves when every entry is synced to disk. One that was asked for before the one
   * before it was answered counts on that one: where that conflicts or fails, this conflicts, whatever stands at its number by then.
   * @throws {ControlError} STORAGE_FAILED when the disk refused; nothing of it will ever be read.
   */
  append(batch: Append, expected: number): Promise<AppendResult>;
  /** Entries with `seq > after` in order, at most `limit`. */
  read(after: number, limit: number): Promise<readonly JournalEntry[]>;
  /**
   * Entries with `seq > after` up to the head as it is now, in order, in portions of some thousands, each on its way while the one before it is looked at.
   * @throws {ControlError} STORAGE_FAILED when one is missing or damaged.
   */
  scan(after: number): AsyncIterable<readonly JournalEntry[]>;
  /** Calls `listener` with each durable batch, in order, after the append that made it; returns how to stop. */
  follow(listener: (entries: readonly JournalEntry[]) => void): () => void;
  close(): Promise<void>;
}
