// The port of trust: what this member may believe, and what it remembers of it. Implementation: file-trust.ts.
// Nothing from the network or a neighbour is acted upon before it has passed here; fetching it is not done here.

import type { Digest } from '../../proto/cid.ts';
import type { RosterChange } from '../../proto/roster-change.ts';
import type { Certificate, Grant, Order, Roster } from '../../proto/statement.ts';
import type { DaemonError } from '../errors.ts';

/**
 * How far the newest timestamp reaches: AGING past half its life, STALE when it or what it vouches for has expired (nothing new
 * is installed), CLOCK_SUSPECT when the local clock is behind a time that has certainly been (treated as STALE).
 */
export type Freshness = 'FRESH' | 'AGING' | 'STALE' | 'CLOCK_SUSPECT';

export interface AuthorisedRevision {
  readonly revision: Digest;
  /** Length of the encoded revision manifest in bytes. */
  readonly bytes: number;
  readonly number: number;
}

/** What the role of an environment authorises, by application. */
export interface Authorised {
  readonly version: number;
  readonly revisions: ReadonlyMap<string, AuthorisedRevision>;
  readonly freshness: Freshness;
}

/** For whom an order must be: this member and the environments of its certificate. */
export interface Audience {
  readonly member: string;
  readonly environments: readonly string[];
}

/** Files that are now believed, by name, and why the first of the others was not. A refusal is an answer: what was good stays. */
export interface UpdateOutcome {
  readonly changed: readonly string[];
  readonly refused: DaemonError | undefined;
}

export interface Trust {
  /** Whether a root has been pinned: nothing else works before. */
  isPinned(): boolean;
  /** Starts from `1.root.json`. @throws {DaemonError} WRONG_TRUST_ROOT when its sha2-256 is not the pin, METADATA_REFUSED. */
  pinRoot(bytes: Uint8Array): Promise<void>;
  /** Takes the files of a SyncReply or of a neighbour; durable when it resolves. @throws {DaemonError} STORAGE_FAILED. */
  update(files: Readonly<Record<string, string>>): Promise<UpdateOutcome>;
  /** Versions held, by role name, for SyncRequest.metadata. */
  versions(): Readonly<Record<string, number>>;
  /** The files held that are newer than `newerThan`, for a neighbour. */
  files(newerThan: Readonly<Record<string, number>>): Readonly<Record<string, string>>;
  freshness(): Freshness;
  /** `undefined` while the role is not held at the version that the snapshot names. */
  authorised(environment: string): Authorised | undefined;
  /**
   * An order that may be carried out now, except that its `seq` is left to {@link acceptOrder}. @throws {DaemonError} STATEMENT_REFUSED
   * (form, signature, time), ORDER_REFUSED (not for us, or not what the role authorises), METADATA_EXPIRED, CLOCK_SUSPECT.
   */
  verifyOrder(compact: string, audience: Audience): Promise<Order>;
  /** Highest order accepted, by environment. */
  seqSeen(): Readonly<Record<string, number>>;
  /** Synced when it resolves: call it before acting. @throws {DaemonError} ROLLBACK_REFUSED when `seq` is not above the highest seen. */
  acceptOrder(order: Order): Promise<void>;
  /** The last order accepted of each environment and application: what to resume after a crash. */
  acceptedOrders(): readonly Order[];
  /** @throws {DaemonError} STATEMENT_REFUSED, also when it is not `peerId`'s. Whether it is revoked is in the roster. */
  verifyCertificate(compact: string, peerId: string): Promise<Certificate>;
  verifyGrant(compact: string): Promise<Grant>;
  verifyRoster(compact: string): Promise<Roster>;
  /** Verifies and keeps it for the next start. @throws {DaemonError} STATEMENT_REFUSED; ROLLBACK_REFUSED for an older epoch. */
  acceptRoster(compact: string): Promise<Roster>;
  /** The same for the roster that a change makes of the one accepted last. @throws {DaemonError} also STATEMENT_REFUSED when it starts from another. */
  acceptRosterChange(change: RosterChange): Promise<Roster>;
  /** The roster accepted last. */
  roster(): Roster | undefined;
}
