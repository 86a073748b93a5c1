// The checks that every TUF file goes through, each a sentence of the specification. Which of them, and in which order, is in trusted-set.ts.

import type { Metadata, Root, Targets } from '@tufjs/models';
import { DaemonError, type DaemonErrorCode } from '../../errors.ts';
import { describes, type Signed, type TufFile } from './tuf-file.ts';

/** Its length and hashes are those announced by the file above it. @throws {DaemonError} METADATA_REFUSED. */
export function checkDescribed(name: string, text: string, entry: Parameters<typeof describes>[0]): void {
  if (!describes(entry, text)) throw refused('METADATA_REFUSED', name, 'is not the file that was announced: its length or sha256 is another');
}

/** Its version is the one announced. @throws {DaemonError} METADATA_REFUSED. */
export function checkVersion(file: TufFile<Signed>, version: number): void {
  if (file.version !== version) throw refused('METADATA_REFUSED', file.name, `has version ${file.version}, announced was ${version}`);
}

/** It expires after `now`, in milliseconds since 1970. @throws {DaemonError} METADATA_EXPIRED. */
export function checkFresh(file: TufFile<Signed>, now: number): void {
  if (file.expiresAt > now) return;
  throw refused('METADATA_EXPIRED', file.name, `expired at ${new Date(file.expiresAt).toISOString()}, here it is ${new Date(now).toISOString()}: check this machine's clock and the control plane`);
}

/** A threshold of the keys that the delegator names for `role` signed it. @throws {DaemonError} METADATA_REFUSED. */
export function checkSigned(delegator: Metadata<Root> | Metadata<Targets>, role: string, file: TufFile<Signed>): void {
  try {
    delegator.verifyDelegate(role, file.metadata);
  } catch (cause) {
    throw refused('METADATA_REFUSED', file.name, `is not signed as required: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
}

/** The same as a question. */
export function isSigned(delegator: Metadata<Root> | Metadata<Targets>, role: string, file: TufFile<Signed>): boolean {
  try {
    delegator.verifyDelegate(role, file.metadata);
    return true;
  } catch {
    return false;
  }
}

/** The error for a version below one that was seen. */
export function wentBack(what: string, found: number, held: number): DaemonError {
  return refused('ROLLBACK_REFUSED', what, `has version ${found}, version ${held} was seen before`);
}

/** An error about one file: its name, then the rest of the sentence. */
export function refused(code: DaemonErrorCode, what: string, why: string, cause?: unknown): DaemonError {
  return new DaemonError(code, `${what} ${why}`, cause === undefined ? {} : { cause });
}
