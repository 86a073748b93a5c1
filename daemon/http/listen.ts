// Where the daemon's servers listen, and what is said when one cannot.

import { DaemonError } from '../errors.ts';

/** An address and a port to listen at; port 0 is any. */
export interface Listener {
  readonly host: string;
  readonly port: number;
}

/** `what` could not listen. */
export function listenFailure(cause: unknown, { host, port }: Listener, what: string): DaemonError {
  if (cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE') {
    return new DaemonError('PORT_IN_USE', `${what}: port ${port} on ${host} is in use; stop what listens there, or choose another port in the configuration`, { cause });
  }
  return new DaemonError('PORT_IN_USE', `${what}: cannot listen on ${host}:${port}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
}
