// The journal as outsiders may read it: every entry as a CloudEvent, without digests of secrets and without large documents.
// The newest ones are kept in memory for those who follow; who is behind reads the journal.

import type { StreamEvent } from '../../proto/api/status.ts';
import type { Event, JournalEntry } from '../../proto/events.ts';
import type { Facts } from '../fleet/facts.ts';
import type { Journal } from '../journal/journal.ts';

/** Entries kept for followers: a follower that is further behind costs a read. */
const recentMax = 2_000;

export class Feed {
  readonly #journal: Journal;
  readonly #source: string;
  readonly #listeners = new Set<() => void>();
  readonly #stop: () => void;
  #recent: JournalEntry[] = [];
  #head: number;

  constructor(facts: Facts, journal: Journal, org: string) {
    this.#journal = journal;
    this.#source = `/starling/${org}`;
    this.#head = facts.state().head;
    this.#stop = facts.onChange((entries) => this.#add(entries));
  }

  /** Sequence number of the newest event. */
  head(): number {
    return this.#head;
  }

  /** Events above `after`, in order, at most `limit`. */
  async read(after: number, limit: number): Promise<readonly StreamEvent[]> {
    const first = this.#recent[0]?.seq ?? Infinity;
    const entries = after + 1 >= first ? this.#recent.slice(after + 1 - first, after + 1 - first + limit) : await this.#journal.read(after, limit);
    // Only now: most of the time nobody follows, and thousands of reports come a second.
    return entries.map((entry) => streamEvent(entry, this.#source));
  }

  /** Calls `listener` when there is more; returns how to stop. */
  follow(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#stop();
  }

  #add(entries: readonly JournalEntry[]): void {
    this.#recent.push(...entries);
    if (this.#recent.length > recentMax) this.#recent = this.#recent.slice(-recentMax / 2);
    this.#head = entries.at(-1)?.seq ?? this.#head;
    for (const listener of this.#listeners) listener();
  }
}

/** What of an event is not for streams: secrets and their digests, manifests of half a megabyte, and orders that only members need. */
const withheld = new Set(['kind', 'secretDigest', 'manifest', 'compact', 'lease']);

/** One journal entry as /v1/events shows it. */
export function streamEvent({ seq, at, actor, event }: JournalEntry, source: string): StreamEvent {
  const subject = subjectOf(event);
  return {
    specversion: '1.0',
    id: String(seq),
    source,
    type: `dev.starling.${event.kind}.v1`,
    ...(subject === undefined ? {} : { subject }),
    time: new Date(at).toISOString(),
    datacontenttype: 'application/json',
    sequence: seq,
    actor,
    data: Object.fromEntries(Object.entries(event).filter(([key]) => !withheld.has(key))),
  };
}

/** The resource that an event is about, as its path under /v1. */
function subjectOf(event: Event): string | undefined {
  if ('deployment' in event) return `deployments/${event.deployment}`;
  if ('promotion' in event) return `promotions/${event.promotion}`;
  if ('environment' in event) return `environments/${event.environment}`;
  if ('member' in event) return `targets/${event.member}`;
  if ('token' in event) return `tokens/${event.token}`;
  if ('app' in event) return `apps/${event.app}`;
  return undefined;
}
