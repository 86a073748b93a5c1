// The one error of the daemon: an operation that the world refused. A programmer's mistake is an assertion instead.

/** Why an operation failed. Closed; reports and logs carry these words. */
export type DaemonErrorCode =
  // files, stores
  | 'NO_SPACE'
  | 'STORAGE_FAILED'
  | 'CORRUPT_CHUNK'
  | 'CORRUPT_STATE'
  | 'DATA_DIRECTORY_IN_USE'
  | 'UNREADABLE_FILE'
  | 'FILE_CHANGED'
  | 'UNSUPPORTED_FILE'
  | 'INVALID_PATH'
  | 'PATH_COLLISION'
  | 'TREE_TOO_LARGE'
  // swarm
  | 'PEER_REFUSED'
  | 'PEER_GONE'
  | 'NO_HOLDERS'
  | 'PORT_IN_USE'
  // trust
  | 'METADATA_REFUSED'
  | 'METADATA_EXPIRED'
  | 'ROLLBACK_REFUSED'
  | 'STATEMENT_REFUSED'
  | 'WRONG_TRUST_ROOT'
  | 'CLOCK_SUSPECT'
  // control plane
  | 'CONTROL_UNREACHABLE'
  | 'CONTROL_REFUSED'
  // install
  | 'ORDER_REFUSED'
  | 'HOOK_FAILED'
  | 'HOOK_RETRY'
  | 'HEALTH_FAILED'
  | 'ACTIVATION_FAILED'
  | 'INCONSISTENT'
  | 'PROTOCOL'
  // uploads
  | 'UNKNOWN_SESSION'
  | 'TOO_MANY_SESSIONS'
  | 'INCOMPLETE'
  | 'FORBIDDEN'
  // starting
  | 'CONFIG_INVALID'
  | 'ABORTED';

/** An operating failure of the daemon; the message is a sentence with the value, what was expected, and what to do. */
export class DaemonError extends Error {
  readonly code: DaemonErrorCode;

  constructor(code: DaemonErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DaemonError';
    this.code = code;
  }
}
