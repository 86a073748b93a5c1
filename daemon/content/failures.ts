// How calls here fail: with our own errors, whatever reason a signal carries and whatever the system says.

import { DaemonError } from '../errors.ts';

/** @throws {DaemonError} ABORTED when the signal has fired, or the signal's reason when that is one of ours. */
export function throwIfAborted(signal: AbortSignal, what: string): void {
  if (!signal.aborted) return;
  if (signal.reason instanceof DaemonError) throw signal.reason;
  throw new DaemonError('ABORTED', `${what} was interrupted`, { cause: signal.reason });
}

/** What a full or failing disk is to the daemon. */
export function storageFailure(what: string, cause: unknown): DaemonError {
  const text = cause instanceof Error ? `${cause.message} ${cause.cause instanceof Error ? cause.cause.message : ''}` : String(cause);
  if (/ENOSPC|No space left/.test(text)) return new DaemonError('NO_SPACE', `${what}: the disk is full; free some space and try again`, { cause });
  return new DaemonError('STORAGE_FAILED', `${what}: ${text.trim()}`, { cause });
}

/** The code of a system error, such as ENOENT. */
export function systemCode(cause: unknown): string | undefined {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
}
