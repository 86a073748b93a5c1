// Reading records in order: the next ones are on their way from the disk while some are looked at, and none may be missing.

import type { Level } from 'level';
import type { JournalEntry } from '../../proto/events.ts';
import { ControlError } from '../errors.ts';
import { keyOf } from './entries.ts';
import { openRecord } from './records.ts';

/** Bytes that one trip to the disk brings: at 16 KiB, as it comes, a start waits for the disk more than it works. */
const tripBytes = 1 << 20;
/** Bytes that an entry takes, about: whoever wants few is not brought a megabyte. */
const entryBytes = 512;
/** Records that one trip brings at most. */
const tripRecordsMax = 4096;

/** Which entries: above `after`, up to `to`, which is above that and not above the head. */
export interface Range {
  readonly after: number;
  readonly to: number;
  /** The head: what is above it was never acknowledged, whatever the disk says. */
  readonly end: number;
}

/** The entries, in portions of about {@link tripBytes}. @throws {ControlError} STORAGE_FAILED when one is missing or damaged. */
export async function* portions(database: Pick<Level<Uint8Array, Uint8Array>, 'values'>, { after, to, end }: Range): AsyncGenerator<readonly JournalEntry[]> {
  const highWaterMarkBytes = Math.min(tripBytes, (to - after) * entryBytes);
  const iterator = database.values({ gt: keyOf(after), lte: keyOf(end), highWaterMarkBytes, fillCache: false });
  const trip = async () => await iterator.nextv(Math.min(tripRecordsMax, to - after));
  let reached = after;
  let coming: Promise<Uint8Array[]> | undefined;
  try {
    while (reached < to) {
      const values: readonly Uint8Array[] = await (coming ?? trip());
      if (values.length === 0) throw missing(reached + 1);
      // On its way while these are looked at; a record holds one entry at least.
      coming = to - after > tripRecordsMax ? trip() : undefined;
      // It may fail before anybody waits for it, or when nobody does any more.
      coming?.catch(() => undefined);
      const found: JournalEntry[] = [];
      for (const value of values) {
        const { first, entries } = openRecord(value, reached + 1);
        if (first > reached + 1) throw missing(reached + 1, first);
        found.push(...entries.slice(reached + 1 - first, to + 1 - first));
        reached = first + entries.length - 1;
        if (reached >= to) break;
      }
      yield found;
    }
  } finally {
    await iterator.close();
  }
}

function missing(seq: number, next?: number): ControlError {
  const on = next === undefined ? '' : `, which goes on with ${next}`;
  return new ControlError('STORAGE_FAILED', `entry ${seq} is missing from the journal${on}; restore the data directory from a backup`);
}
