// What every journal needs: numbering entries, their place in the chain, and telling followers.

import { hash } from 'node:crypto';
import { chained, genesisHash, type Chained } from '../../proto/audit-chain.ts';
import type { JournalEntry } from '../../proto/events.ts';
import type { Append } from './journal.ts';

/** The end of a journal: what the next entry comes after. */
export interface JournalEnd {
  readonly seq: number;
  /** Of the last entry; undefined when it was written before there was a chain, which the next one then begins. */
  readonly hash?: string;
}

/** Before the first entry. */
export const emptyEnd: JournalEnd = { seq: 0 };

/** Adds to `to` the entries that an append makes after `end`, each with its place in the hash chain. The end that they make. */
export function number(to: Chained[], { actor, at, events }: Append, end: JournalEnd): JournalEnd {
  let { seq, hash: prevHash = genesisHash } = end;
  for (const event of events) {
    seq += 1;
    const made = chained({ seq, at, actor, event }, prevHash, sha256);
    prevHash = made.entry.hash ?? genesisHash;
    to.push(made);
  }
  return events.length === 0 ? end : { seq, hash: prevHash };
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
