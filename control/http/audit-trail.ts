// The journal as an audit reads it: pages with filters, what a change of configuration was before, and the check of the chain.
// What entries mean is core/history; every walk over the journal is bounded by entries looked at.

import { hash } from 'node:crypto';
import type { AuditEntry, AuditVerdict } from '../../proto/api/audit.ts';
import { auditLine, ChainCheck, type AuditLine, type Checkpoint } from '../../proto/audit-chain.ts';
import type { JournalEntry } from '../../proto/events.ts';
import { configuredBy, objectOf, reasonOf, touches, undoOf } from '../core/history/audit.ts';
import { differences } from '../core/history/difference.ts';
import type { State } from '../core/model/model.ts';
import { ControlError } from '../errors.ts';
import type { Facts } from '../fleet/facts.ts';
import type { Journal } from '../journal/journal.ts';

/** Entries read at once: few enough that a walk lets others have their turn. */
const readEntries = 500;
/** Entries that one page looks at: a filter that matches little says `next` instead of holding the request. */
const lookedAtMax = 20_000;
/** Entries that one call of verify checks: some 5 s of hashing. The caller goes on from where it ended. */
const checkedMax = 300_000;
/** Walks of verify at once: each is processor time of the one thread that decides. */
const verifiesMax = 1;

export interface AuditFilter {
  readonly actor?: string;
  readonly object?: string;
  readonly action?: string;
  /** Milliseconds since 1970. */
  readonly since?: number;
}

export interface AuditPage {
  readonly items: AuditEntry[];
  /** The last entry looked at, when there may be more. */
  readonly lookedAt?: number;
}

export class AuditTrail {
  readonly #journal: Pick<Journal, 'head' | 'read'>;
  readonly #facts: Facts;
  /** Entries that set each piece of configuration, in order; filled up to {@link #indexed}. */
  readonly #configured = new Map<string, number[]>();
  #indexed = 0;
  #indexing: Promise<void> | undefined;
  #verifies = 0;

  constructor(journal: Pick<Journal, 'head' | 'read'>, facts: Facts) {
    this.#journal = journal;
    this.#facts = facts;
  }

  /** Entries above `after`, oldest first. */
  async after(after: number, limit: number, filter: AuditFilter): Promise<AuditPage> {
    const end = Math.min(this.#journal.head(), after + lookedAtMax);
    const found: JournalEntry[] = [];
    let at = after;
    while (at < end && found.length < limit) {
      for (const entry of await this.#journal.read(at, Math.min(readEntries, end - at))) {
        at = entry.seq;
        if (this.#wanted(entry, filter)) found.push(entry);
        if (found.length === limit) break;
      }
    }
    return { items: await this.#shown(found), ...(at < this.#journal.head() ? { lookedAt: at } : {}) };
  }

  /** Entries below `before`, newest first. Ends at the first one older than `since`, since the journal is in the order of time. */
  async before(before: number, limit: number, filter: AuditFilter): Promise<AuditPage> {
    const end = Math.max(0, before - 1 - lookedAtMax);
    const found: JournalEntry[] = [];
    let at = before;
    while (at - 1 > end && found.length < limit) {
      const from = Math.max(end, at - 1 - readEntries);
      for (const entry of (await this.#journal.read(from, at - 1 - from)).toReversed()) {
        if (filter.since !== undefined && entry.at < filter.since) return { items: await this.#shown(found) };
        at = entry.seq;
        if (this.#wanted(entry, filter)) found.push(entry);
        if (found.length === limit) break;
      }
    }
    return { items: await this.#shown(found), ...(at > 1 ? { lookedAt: at } : {}) };
  }

  /** Entries as they are hashed. */
  async lines(after: number, limit: number): Promise<readonly AuditLine[]> {
    return (await this.#journal.read(after, limit)).map((entry) => auditLine(entry, sha256));
  }

  /** Checks the chain from the beginning, or from a place that was found sound. @throws {ControlError} TOO_MANY_REQUESTS. */
  async verify(from: Checkpoint | undefined, checkpoint: Checkpoint | undefined): Promise<AuditVerdict> {
    if (this.#verifies >= verifiesMax) throw new ControlError('TOO_MANY_REQUESTS', 'the journal is being verified for somebody else: try again when that is done');
    this.#verifies += 1;
    try {
      return await this.#check(from, checkpoint);
    } finally {
      this.#verifies -= 1;
    }
  }

  async #check(from: Checkpoint | undefined, checkpoint: Checkpoint | undefined): Promise<AuditVerdict> {
    const check = new ChainCheck(sha256, { ...(checkpoint === undefined ? {} : { checkpoint }), ...(from === undefined ? {} : { from }) });
    const head = this.#journal.head();
    const start = from?.seq ?? 0;
    const end = Math.min(head, start + checkedMax);
    let at = start;
    while (at < end) {
      for (const entry of await this.#journal.read(at, Math.min(readEntries, end - at))) {
        const breach = check.take(auditLine(entry, sha256));
        if (breach !== undefined) return verdict(check, at - start, true, breach);
        at = entry.seq;
      }
    }
    return verdict(check, at - start, end === head, end === head ? check.end() : undefined);
  }

  #wanted({ actor, at, event }: JournalEntry, filter: AuditFilter): boolean {
    if (filter.since !== undefined && at < filter.since) return false;
    if (filter.action !== undefined && event.kind !== filter.action && !event.kind.startsWith(`${filter.action}.`)) return false;
    if (filter.actor !== undefined && actor !== filter.actor && nameOf(this.#facts.state(), actor) !== filter.actor) return false;
    return filter.object === undefined || touches(event, filter.object);
  }

  async #shown(entries: readonly JournalEntry[]): Promise<AuditEntry[]> {
    const shown: AuditEntry[] = [];
    for (const entry of entries) shown.push(await this.#entry(entry));
    return shown;
  }

  async #entry(entry: JournalEntry): Promise<AuditEntry> {
    const { seq, at, actor, event, hash: own } = entry;
    const name = nameOf(this.#facts.state(), actor);
    const reason = reasonOf(event);
    const undo = undoOf(event);
    const configured = configuredBy(event);
    const all = configured === undefined ? undefined : differences(await this.#beforeThat(configured.key, seq), configured.value);
    // A description replaces the parts that it names, and leaves the others.
    const changes = event.kind === 'revision.described' ? all?.filter((change) => change.after !== undefined) : all;
    return {
      seq, at, actor,
      action: event.kind,
      object: objectOf(event),
      data: Object.fromEntries(Object.entries(auditLine(entry, sha256).event).filter(([key]) => key !== 'kind')),
      ...(name === undefined ? {} : { actorName: name }),
      ...(reason === undefined ? {} : { reason }),
      ...(changes === undefined ? {} : { changes: changes.map((change) => ({ ...change })) }),
      ...(undo === undefined ? {} : { undo }),
      ...(own === undefined ? {} : { hash: own }),
    };
  }

  /** What a piece of configuration was before entry `seq`: what the newest entry below that set. */
  async #beforeThat(key: string, seq: number): Promise<unknown> {
    await this.#index(seq);
    const before = this.#configured.get(key)?.findLast((one) => one < seq);
    if (before === undefined) return undefined;
    const [entry] = await this.#journal.read(before - 1, 1);
    return entry === undefined ? undefined : configuredBy(entry.event)?.value;
  }

  /** Brings the index up to an entry. The first time it reads the whole journal, once; nobody does that twice at the same time. */
  async #index(seq: number): Promise<void> {
    while (this.#indexed < seq) {
      this.#indexing ??= this.#indexAll().finally(() => (this.#indexing = undefined));
      await this.#indexing;
    }
  }

  async #indexAll(): Promise<void> {
    const head = this.#journal.head();
    while (this.#indexed < head) {
      for (const { seq, event } of await this.#journal.read(this.#indexed, readEntries)) {
        const key = configuredBy(event)?.key;
        if (key !== undefined) this.#configured.set(key, [...(this.#configured.get(key) ?? []), seq]);
        this.#indexed = seq;
      }
    }
  }
}

function verdict(check: ChainCheck, entries: number, complete: boolean, breach: AuditVerdict['breach']): AuditVerdict {
  return { whole: breach === undefined, entries, unchained: check.unchained, complete, ...(check.head === undefined ? {} : { head: { ...check.head } }), ...(breach === undefined ? {} : { breach: { ...breach } }) };
}

/** The name of the token or the member that an actor is. */
function nameOf(state: State, actor: string): string | undefined {
  const at = actor.indexOf(':');
  const id = actor.slice(at + 1);
  if (actor.startsWith('token:')) return state.tokens.get(id)?.name;
  return actor.startsWith('member:') ? state.members.get(id)?.name : undefined;
}

function sha256(text: string): string {
  return hash('sha256', text);
}
