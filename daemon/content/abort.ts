// How an aborted call ends on this floor: with our own error, whatever reason the signal carries.

import { DaemonError } from '../errors.ts';

/** @throws {DaemonError} ABORTED when the signal has fired, or the signal's reason when that is one of ours. */
export function throwIfAborted(signal: AbortSignal, what: string): void {
  if (!signal.aborted) return;
  if (signal.reason instanceof DaemonError) throw signal.reason;
  throw new DaemonError('ABORTED', `${what} was interrupted`, { cause: signal.reason });
}
