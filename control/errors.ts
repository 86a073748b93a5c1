// The one error of the control plane: an operation that the world refused. Expected refusals of a decision are values in core.

/** Why an operation failed. Closed; one table maps it to HTTP (control/http/problems.ts) and one to exit codes (control/cli/exit.ts). */
export type ControlErrorCode =
  | 'INVALID_REQUEST'
  | 'NOT_FOUND'
  | 'UNAUTHENTICATED'
  | 'FORBIDDEN'
  | 'CONFLICT'
  | 'PRECONDITION'
  | 'BLOCKED'
  | 'TOO_LARGE'
  | 'TOO_MANY_REQUESTS'
  | 'STORAGE_FAILED'
  | 'DATA_DIRECTORY_IN_USE'
  | 'PORT_IN_USE'
  | 'SIGNING_FAILED'
  | 'CONFIG_INVALID'
  | 'UNREACHABLE'
  | 'TIMED_OUT'
  | 'ROLLED_BACK'
  | 'FAILED'
  | 'ABORTED';

/** An operating failure; the message is a sentence with the value, what was expected, and what to do. */
export class ControlError extends Error {
  readonly code: ControlErrorCode;

  constructor(code: ControlErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ControlError';
    this.code = code;
  }
}
