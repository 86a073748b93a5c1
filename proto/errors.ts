// The one error of what is said: bytes or text from outside that are not what the protocol allows.
// Operating failures of a program are its floor's own error.

/** Why something from outside was refused. Closed: a new reason is a new code. */
export type ProtocolErrorCode =
  | 'TOO_LARGE'
  | 'TRUNCATED'
  | 'MALFORMED'
  | 'UNSUPPORTED_VERSION'
  | 'INVALID_PATH'
  | 'INVALID_NAME'
  | 'DIGEST_MISMATCH'
  | 'NOT_CANONICAL';

/** Untrusted input that a decoder refused. The message says what was found and what was expected. */
export class ProtocolError extends Error {
  readonly code: ProtocolErrorCode;

  constructor(code: ProtocolErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ProtocolError';
    this.code = code;
  }
}
