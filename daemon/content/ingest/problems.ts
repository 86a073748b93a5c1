// What can be wrong with a directory that somebody wants to publish, as sentences. Several are collected, so that a person
// mends them in one go; beyond a few the rest would only be noise.

import { quoted } from '../../../proto/path.ts';
import { DaemonError, type DaemonErrorCode } from '../../errors.ts';
import { systemCode } from '../failures.ts';

/** Problems listed before the walk gives up. */
const problemsMax = 20;

/** Collects problems of a walk. */
export interface Problems {
  /** @throws {DaemonError} with all problems when there are too many to go on. */
  add(code: DaemonErrorCode, message: string): void;
  /** @throws {DaemonError} when there are any; its code is the first one's, its message all of them, a line each. */
  throwIfAny(): void;
  count(): number;
}

/** An empty collection. */
export function createProblems(): Problems {
  const found: { readonly code: DaemonErrorCode; readonly message: string }[] = [];
  const throwIfAny = (): void => {
    const [first] = found;
    const more = found.length < problemsMax ? [] : [`reading stopped after ${problemsMax} problems; there may be more`];
    if (first !== undefined) throw new DaemonError(first.code, [...found.map(({ message }) => message), ...more].join('\n'));
  };
  return {
    add(code, message) {
      found.push({ code, message });
      if (found.length >= problemsMax) throwIfAny();
    },
    throwIfAny,
    count: () => found.length,
  };
}

/** What reading `path` failed with, for the person who publishes it. */
export function readFailure(path: string, cause: unknown): { readonly code: DaemonErrorCode; readonly message: string } {
  const code = systemCode(cause);
  if (code === 'ENOENT') return { code: 'FILE_CHANGED', message: `${quoted(path)} vanished while the directory was read: publish a directory that nobody writes to` };
  if (code === 'EACCES' || code === 'EPERM') return { code: 'UNREADABLE_FILE', message: `${quoted(path)} cannot be read (${code}): give yourself the right to read it, or leave it out` };
  if (code === 'ELOOP') return { code: 'FILE_CHANGED', message: `${quoted(path)} became a symbolic link while the directory was read: publish a directory that nobody writes to` };
  return { code: 'UNREADABLE_FILE', message: `${quoted(path)} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}` };
}
