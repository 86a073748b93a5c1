// Exit codes: the one table from codes of failures to what a script sees in `$?`, and the words of `starling --help` about it.

import { problemStatuses, type Problem, type ProblemCode } from '../../proto/api/schema.ts';
import { ControlError, type ControlErrorCode } from '../errors.ts';

/** What each exit code means, as `--help` says it. */
export const exitMeanings = {
  0: 'ok',
  1: 'failure',
  2: 'usage: an unknown command or option, a bad value, a bad file',
  3: 'not found',
  4: 'not authenticated, or not allowed',
  5: 'conflict: it exists already, or changed meanwhile',
  6: 'blocked by a gate',
  7: 'the wait timed out',
  8: 'rolled back',
  69: 'the server cannot be reached',
  130: 'interrupted',
} as const;
export type ExitCode = keyof typeof exitMeanings;

const exitCodes: Readonly<Record<ControlErrorCode, ExitCode>> = {
  INVALID_REQUEST: 2,
  NOT_FOUND: 3,
  UNAUTHENTICATED: 4,
  FORBIDDEN: 4,
  CONFLICT: 5,
  PRECONDITION: 5,
  BLOCKED: 6,
  TOO_LARGE: 1,
  TOO_MANY_REQUESTS: 69,
  STORAGE_FAILED: 1,
  DATA_DIRECTORY_IN_USE: 1,
  PORT_IN_USE: 1,
  SIGNING_FAILED: 1,
  CONFIG_INVALID: 2,
  UNREACHABLE: 69,
  TIMED_OUT: 7,
  ROLLED_BACK: 8,
  FAILED: 1,
  ABORTED: 130,
};

/** What a problem of the API is to the caller; a code of a newer server is a failure. */
const problemCodes: Readonly<Record<ProblemCode, ControlErrorCode>> = {
  INVALID_REQUEST: 'INVALID_REQUEST',
  UNAUTHENTICATED: 'UNAUTHENTICATED',
  FORBIDDEN: 'FORBIDDEN',
  NOT_FOUND: 'NOT_FOUND',
  METHOD_NOT_ALLOWED: 'FAILED',
  NOT_ACCEPTABLE: 'FAILED',
  TIMED_OUT: 'UNREACHABLE',
  CONFLICT: 'CONFLICT',
  BLOCKED: 'BLOCKED',
  IN_PROGRESS: 'CONFLICT',
  PRECONDITION: 'PRECONDITION',
  TOO_LARGE: 'TOO_LARGE',
  UNSUPPORTED_MEDIA_TYPE: 'FAILED',
  KEY_REUSED: 'CONFLICT',
  PRECONDITION_REQUIRED: 'PRECONDITION',
  TOO_MANY_REQUESTS: 'TOO_MANY_REQUESTS',
  INTERNAL: 'FAILED',
  SIGNING_FAILED: 'SIGNING_FAILED',
  STORAGE_FAILED: 'STORAGE_FAILED',
  UNAVAILABLE: 'UNREACHABLE',
};

/** The failure that a problem document is, with its blockers and what the sentence leaves out in the message, a line each. */
export function problemError(problem: Pick<Problem, 'code' | 'detail' | 'blockers' | 'errors'>): ControlError {
  const errors = (problem.errors ?? []).filter(({ detail }) => !problem.detail.includes(detail)).map(({ detail }) => `  ${detail}`);
  const blockers = (problem.blockers ?? []).map(({ type, reason }) => `  ${type}: ${reason}`);
  const code = isProblemCode(problem.code) ? problemCodes[problem.code] : 'FAILED';
  return new ControlError(code, [`${problem.detail}${code === 'NOT_FOUND' ? whereToLook(problem.detail) : ''}`, ...errors, ...blockers].join('\n'));
}

/** The command that lists what there is, for those who mistyped a name. Where the message says more than that it is not there, it says that already. */
function whereToLook(detail: string): string {
  const kind = /^there is no ([a-z ]+) '[^']*'$/.exec(detail)?.[1] ?? '';
  const command = listsOf.get(kind);
  return command === undefined ? '' : `; \`starling ${command}\` shows what there is`;
}

const listsOf: ReadonlyMap<string, string> = new Map([
  ['application', 'app list'],
  ['build', 'build list'],
  ['deployment', 'deployment list'],
  ['environment', 'env list'],
  ['freeze', 'freeze list'],
  ['lock', 'lock list'],
  ['pipeline', 'pipeline list'],
  ['promotion', 'promotion list'],
  ['request', 'approval list'],
  ['revision', 'revision list APP'],
  ['request for approval', 'approval list'],
  ['target', 'targets'],
  ['token', 'token list'],
  ['window', 'window list'],
  ['workflow run', 'workflow list'],
]);

/** The exit code of whatever was thrown. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof ControlError) return exitCodes[error.code];
  // Errors of the other floor's ingest, and of the decoders: known by their name, since that floor's errors are not ours to import.
  if (error instanceof Error && error.name === 'ProtocolError') return 2;
  if (error instanceof Error && 'code' in error && error.code === 'ABORTED') return 130;
  return 1;
}

/** What was thrown, as a person reads it: `undefined` when it is a mistake of this program, whose stack is wanted instead. */
export function messageOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  return ['ControlError', 'DaemonError', 'ProtocolError'].includes(error.name) ? error.message : undefined;
}

function isProblemCode(code: string): code is ProblemCode {
  return Object.hasOwn(problemStatuses, code);
}
