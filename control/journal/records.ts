// How entries lie on a disk: in records of some entries each, one JSON text a line, behind a checksum. Many entries that are appended together
// cost one write, and a start one read. Which records there are, and under which keys, is level.ts.

import { crc32 } from 'node:zlib';
import type { Chained } from '../../proto/audit-chain.ts';
import type { JournalEntry } from '../../proto/events.ts';
import { ControlError } from '../errors.ts';

/** Entries in one record, and the text after which it takes no more: whoever wants one entry reads the whole record. */
export const recordEntriesMax = 64;
const recordCharsMax = 65_536;

const checksumBytes = 4;

/** A record and the number of its last entry. */
export interface JournalRecord {
  readonly last: number;
  readonly value: Uint8Array;
}

/** The records of entries that are appended together. */
export function recordsOf(all: readonly Chained[]): readonly JournalRecord[] {
  const records: JournalRecord[] = [];
  let lines: string[] = [];
  let chars = 0;
  for (const [index, { entry, text = JSON.stringify(entry) }] of all.entries()) {
    lines.push(text);
    chars += text.length;
    if (index < all.length - 1 && lines.length < recordEntriesMax && chars < recordCharsMax) continue;
    records.push({ last: entry.seq, value: encoded(lines.join('\n')) });
    lines = [];
    chars = 0;
  }
  return records;
}

/** CRC-32 of the rest, big-endian, then the lines: LevelDB does not check its blocks on every read. */
function encoded(text: string): Uint8Array {
  const value = Buffer.allocUnsafe(checksumBytes + Buffer.byteLength(text));
  value.write(text, checksumBytes);
  value.writeUInt32BE(crc32(value.subarray(checksumBytes)));
  return value;
}

/** The entries of a record that is whole, and the number of the first. */
export interface OpenedRecord {
  readonly first: number;
  readonly entries: readonly JournalEntry[];
}

/** @throws {ControlError} STORAGE_FAILED when the value is not what was written; `about`: the entry that is looked for. */
export function openRecord(value: Uint8Array, about?: number): OpenedRecord {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
  if (!isWhole(bytes)) throw unreadable(about);
  // All lines at once: they are alike, and reading one after the other took a sixth more. No JSON text has a line's end in it.
  const entries: readonly JournalEntry[] = JSON.parse(`[${bytes.toString('utf8', checksumBytes).replaceAll('\n', ',')}]`);
  const [first] = entries;
  if (first === undefined) throw unreadable(about);
  entries.forEach(({ seq }, index) => {
    if (seq !== first.seq + index) throw unreadable(first.seq + index);
  });
  return { first: first.seq, entries };
}

function isWhole(bytes: Buffer): boolean {
  return bytes.length > checksumBytes && bytes.readUInt32BE() === crc32(bytes.subarray(checksumBytes));
}

/** The error of an entry that is there and damaged. */
function unreadable(seq: number | undefined): ControlError {
  const which = seq === undefined ? 'the last entry of the journal' : `entry ${seq} of the journal`;
  return new ControlError('STORAGE_FAILED', `${which}, or one that was written with it, is damaged: the checksum does not match; restore the data directory from a backup`);
}
