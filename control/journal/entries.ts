// What every journal needs: numbering entries, their form on disk, and telling followers.

import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { chained, genesisHash, type Chained } from '../../proto/audit-chain.ts';
import type { JournalEntry } from '../../proto/events.ts';
import { ControlError } from '../errors.ts';
import type { Append } from './journal.ts';

/** The end of a journal: what the next entry comes after. */
export interface JournalEnd {
  readonly seq: number;
  /** Of the last entry; undefined when it was written before there was a chain, which the next one then begins. */
  readonly hash?: string;
}

/** Before the first entry. */
export const emptyEnd: JournalEnd = { seq: 0 };

/** The entries that an append makes after `end`, each with its place in the hash chain. */
export function numbered({ actor, at, events }: Append, end: JournalEnd): readonly Chained[] {
  let prevHash = end.hash ?? genesisHash;
  return events.map((event, index) => {
    const made = chained({ seq: end.seq + 1 + index, at, actor, event }, prevHash, sha256);
    prevHash = made.entry.hash ?? genesisHash;
    return made;
  });
}

/** The end that these entries make; `before` when there are none. */
export function endOf(entries: readonly JournalEntry[], before: JournalEnd): JournalEnd {
  const last = entries.at(-1);
  return last === undefined ? before : { seq: last.seq, ...(last.hash === undefined ? {} : { hash: last.hash }) };
}

function sha256(text: string): string {
  return hash('sha256', text);
}

/** Big-endian, so that the order of keys is the order of entries. */
export function keyOf(seq: number): Uint8Array {
  const key = Buffer.alloc(8);
  key.writeBigUInt64BE(BigInt(seq));
  return key;
}

/** The entry's number in a key. */
export function seqOf(key: Uint8Array): number {
  return Number(Buffer.from(key.buffer, key.byteOffset, key.length).readBigUInt64BE());
}

const checksumBytes = 4;

/** CRC-32 of the rest, big-endian, then the entry as JSON: LevelDB does not check its blocks on every read. `text`: the JSON, where it is known. */
export function encodeEntry(entry: JournalEntry, text: string = JSON.stringify(entry)): Uint8Array {
  const json = Buffer.from(text, 'utf8');
  const value = Buffer.alloc(checksumBytes + json.length);
  value.writeUInt32BE(crc32(json));
  json.copy(value, checksumBytes);
  return value;
}

/** Whether a value is whole. */
export function isWhole(value: Uint8Array): boolean {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
  return bytes.length > checksumBytes && bytes.readUInt32BE() === crc32(bytes.subarray(checksumBytes));
}

/** @throws {ControlError} STORAGE_FAILED when the value is not what was written as entry `seq`. */
export function decodeEntry(seq: number, value: Uint8Array): JournalEntry {
  if (!isWhole(value)) throw unreadable(seq);
  const json = Buffer.from(value.buffer, value.byteOffset + checksumBytes, value.length - checksumBytes).toString('utf8');
  const entry: JournalEntry = JSON.parse(json);
  if (entry.seq !== seq) throw unreadable(seq);
  return entry;
}

/** The error of an entry that is there and damaged. */
export function unreadable(seq: number): ControlError {
  return new ControlError('STORAGE_FAILED', `entry ${seq} of the journal is damaged: its checksum does not match; restore the data directory from a backup`);
}

type Listener = (entries: readonly JournalEntry[]) => void;

/** Who wants to know of new entries. */
export class Followers {
  readonly #listeners = new Set<Listener>();

  add(listener: Listener): () => void {
    // Wrapped, so that the same function may follow twice and each stop for itself.
    const own: Listener = (entries) => listener(entries);
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  tell(entries: readonly JournalEntry[]): void {
    if (entries.length === 0) return;
    for (const listener of this.#listeners) {
      try {
        listener(entries);
      } catch (error) {
        // A listener that throws is a mistake in the program; it must not make a durable append look failed.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
