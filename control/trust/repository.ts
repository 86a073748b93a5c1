// The port of trust: the TUF repository of one organisation and the keys that sign for it. Implementation: file-repository.ts.
// What is signed was decided elsewhere (control/core); how agents check it is daemon/trust.

import type { Digest } from '../../proto/cid.ts';
import type { Certificate, Grant, Order, Roster } from '../../proto/statement.ts';

/** One revision as the role of an environment names it. */
export interface RoleEntry {
  readonly revision: Digest;
  /** Length of the encoded revision manifest in bytes. */
  readonly bytes: number;
  /** The revision's number in its application. */
  readonly number: number;
}

/** What an environment's role says: one revision of each application, all of them at one version. */
export interface RoleContent {
  readonly version: number;
  readonly revisions: Readonly<Record<string, RoleEntry>>;
}

export interface TrustRepository {
  /** sha2-256 of the bytes of `1.root.json`: what `starlingd join` pins. */
  rootDigest(): Digest;
  /** The text of `1.root.json`. */
  rootFile(): string;
  /**
   * The files that a member lacks, by the names of SyncReply.metadata. `newerThan` are the versions that it holds, by role
   * name; the roles of `environments` alone are given to it, `all` for seeds and proxies. Synchronous and from memory.
   */
  files(newerThan: Readonly<Record<string, number>>, environments: readonly string[] | 'all'): Readonly<Record<string, string>>;
  /** What the environment's role says now; absent before the first {@link publish}. */
  role(environment: string): RoleContent | undefined;
  /**
   * Makes the environment's role say exactly `revisions`, with a new snapshot and timestamp; durable when it resolves. Says the
   * role's version, which stays when nothing changes. Calls queue behind one another.
   * @throws {ControlError} STORAGE_FAILED when the disk refused (nothing changed); SIGNING_FAILED when a bound would be broken.
   */
  publish(environment: string, revisions: Readonly<Record<string, RoleEntry>>): Promise<{ readonly version: number }>;
  /**
   * Signs again what is due: the timestamp after 10 minutes, every other role after half its life. Call it each minute.
   * Says the names of the roles signed. @throws {ControlError} STORAGE_FAILED, SIGNING_FAILED.
   */
  refresh(): Promise<readonly string[]>;
  /** A compact JWS. @throws {ControlError} SIGNING_FAILED when it breaks its schema or is longer than its readers accept. */
  signOrder(order: Order): string;
  signCertificate(certificate: Certificate): string;
  signGrant(grant: Grant): string;
  signRoster(roster: Roster): string;
  /** The grant that a proxy shows when it hands over. @throws {ControlError} UNAUTHENTICATED when it is not ours or its time is over. */
  verifyGrant(compact: string): Grant;
}
