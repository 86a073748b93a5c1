// The hash chain of the journal: each entry carries the hash of the one before it and its own, over the entry as audits show
// it. What an audit shows holds no secret, so that whoever has the export can check it without the control plane.
// Where entries are kept is control/journal; how they are hashed is handed in.

import { isDigest } from './cid.ts';
import type { Event, JournalEntry } from './events.ts';

/** sha2-256 in hex of a text in UTF-8. */
export type HashText = (text: string) => string;

/** An entry as audits show it: secrets' digests, manifests and signed orders by their own hash. */
export interface AuditLine {
  readonly seq: number;
  readonly at: number;
  readonly actor: string;
  readonly event: Readonly<Record<string, unknown>>;
  readonly prevHash?: string;
  readonly hash?: string;
}

/** A place in the chain: what to keep elsewhere, so that a journal rewritten or cut short is told from the real one. */
export interface Checkpoint {
  readonly seq: number;
  readonly hash: string;
}

/** What the first entry of the chain names as the one before it. */
export const genesisHash = '0'.repeat(64);

/**
 * Fields of events that audits show by their hash. Entries were hashed with exactly these sealed: another field may be added
 * only together with the event that first has it, and none is ever taken away.
 */
export const sealedFields: ReadonlySet<string> = new Set(['secretDigest', 'manifest', 'compact']);

/** The entry as audits show it. */
export function auditLine({ seq, at, actor, event, prevHash, hash }: JournalEntry, digest: HashText): AuditLine {
  const links = { ...(prevHash === undefined ? {} : { prevHash }), ...(hash === undefined ? {} : { hash }) };
  return { seq, at, actor, event: sealed(event, digest), ...links };
}

/** Most events have nothing to seal, and are taken as they are: this runs for each entry that is appended. */
function sealed(event: Event, digest: HashText): Readonly<Record<string, unknown>> {
  if (!('secretDigest' in event || 'manifest' in event || 'compact' in event)) return event;
  const seal = ([key, value]: [string, unknown]): [string, unknown] => [key, sealedFields.has(key) && typeof value === 'string' ? `sha256:${digest(value)}` : value];
  return Object.fromEntries(Object.entries(event).map(seal));
}

/**
 * The hash of a line: over its text as an export writes it, without the hash at its end. Anybody can check that with the line
 * alone: JSON that is read and written again has its keys where they were. The RFC 8785 form, which would bear sorting too, took
 * more time at each append than LevelDB does.
 */
export function hashOf(line: AuditLine, digest: HashText): string {
  return digest(hashedText(line));
}

function hashedText({ seq, at, actor, event, prevHash }: AuditLine): string {
  return JSON.stringify({ seq, at, actor, event, prevHash });
}

/** An entry in the chain. */
export interface Chained {
  readonly entry: JournalEntry;
  /** The entry as JSON, where it had to be made anyhow: nothing in it is sealed. */
  readonly text?: string;
}

/** The entry with its place in the chain after an entry with `prevHash`. */
export function chained({ seq, at, actor, event }: JournalEntry, prevHash: string, digest: HashText): Chained {
  const shown = sealed(event, digest);
  const text = hashedText({ seq, at, actor, event: shown, prevHash });
  const hash = digest(text);
  const entry: JournalEntry = { seq, at, actor, event, prevHash, hash };
  return shown === event ? { entry, text: `${text.slice(0, -1)},"hash":"${hash}"}` } : { entry };
}

/** What is wrong with one entry. */
export interface ChainBreach {
  /** The entry that is not as it was written, or whose predecessor is not. */
  readonly seq: number;
  readonly kind: 'edited' | 'missing' | 'out-of-order' | 'not-linked' | 'not-chained' | 'other-checkpoint';
  /** A sentence for people. */
  readonly reason: string;
}

/** Checks lines one after another; a piece that begins amid the chain is checked from there. */
export class ChainCheck {
  readonly #digest: HashText;
  readonly #checkpoint: Checkpoint | undefined;
  #first: number | undefined;
  #last: number | undefined;
  #chainedFrom: number | undefined;
  #hash: string | undefined;
  #unchained = 0;

  /** `checkpoint` must be found as it is on the way; after `from`, which was found sound, the first line comes. */
  constructor(digest: HashText, { checkpoint, from }: { readonly checkpoint?: Checkpoint; readonly from?: Checkpoint } = {}) {
    this.#digest = digest;
    this.#checkpoint = checkpoint;
    this.#last = from?.seq;
    this.#hash = from?.hash;
  }

  /** First line seen; undefined before any. */
  get first(): number | undefined {
    return this.#first;
  }

  /** The first line that is in the chain; older ones were written before there was one, and nothing vouches for them. */
  get chainedFrom(): number | undefined {
    return this.#chainedFrom;
  }

  /** Lines seen that are in no chain. */
  get unchained(): number {
    return this.#unchained;
  }

  /** The place that was reached. */
  get head(): Checkpoint | undefined {
    return this.#last === undefined || this.#hash === undefined ? undefined : { seq: this.#last, hash: this.#hash };
  }

  /** The breach that the next line shows, or undefined when it fits. Stop at the first: what follows rests on it. */
  take(line: AuditLine): ChainBreach | undefined {
    const breach = this.#order(line) ?? this.#links(line);
    if (breach !== undefined) return breach;
    this.#first ??= line.seq;
    this.#last = line.seq;
    this.#hash = line.hash;
    if (line.hash === undefined) this.#unchained += 1;
    else this.#chainedFrom ??= line.seq;
    const kept = this.#checkpoint;
    if (kept === undefined || kept.seq !== line.seq || kept.hash === line.hash) return undefined;
    return { seq: line.seq, kind: 'other-checkpoint', reason: `entry ${line.seq} has another hash than the checkpoint that was kept (${kept.hash.slice(0, 12)}…): the journal was rewritten` };
  }

  /** What is wrong after the last line. */
  end(): ChainBreach | undefined {
    const kept = this.#checkpoint;
    if (kept === undefined || (this.#last ?? 0) >= kept.seq) return undefined;
    return { seq: kept.seq, kind: 'missing', reason: `entry ${kept.seq}, which the checkpoint names, is missing: what there is ends at ${this.#last ?? 0}` };
  }

  #order({ seq }: AuditLine): ChainBreach | undefined {
    const last = this.#last;
    if (last === undefined || seq === last + 1) return undefined;
    if (seq > last + 1) return { seq: last + 1, kind: 'missing', reason: `entry ${last + 1} is missing: entry ${last} is followed by ${seq}` };
    return { seq, kind: 'out-of-order', reason: `entry ${seq} comes after entry ${last}` };
  }

  #links(line: AuditLine): ChainBreach | undefined {
    const { seq, hash, prevHash } = line;
    if (hash === undefined || prevHash === undefined) {
      if (this.#hash === undefined && hash === undefined && prevHash === undefined) return undefined;
      return { seq, kind: 'not-chained', reason: `entry ${seq} has no hash, though entries before it have` };
    }
    if (hashOf(line, this.#digest) !== hash) return { seq, kind: 'edited', reason: `entry ${seq} is not what was written: its content does not have its hash` };
    const expected = this.#hash ?? (this.#last === undefined && seq > 1 ? prevHash : genesisHash);
    if (prevHash === expected) return undefined;
    const before = this.#last === undefined ? 'the beginning' : `entry ${this.#last}`;
    return { seq, kind: 'not-linked', reason: `entry ${seq} does not follow ${before}: it names another predecessor, so one of the two was replaced` };
  }
}

/** `seq:hash`, as people keep it. */
export function checkpointText({ seq, hash }: Checkpoint): string {
  return `${seq}:${hash}`;
}

/** Undefined when the text is no checkpoint. */
export function parseCheckpoint(text: string): Checkpoint | undefined {
  const [, seq = '', hash = ''] = /^([1-9][0-9]{0,14}):([0-9a-f]{64})$/.exec(text) ?? [];
  return isDigest(hash) ? { seq: Number(seq), hash } : undefined;
}
