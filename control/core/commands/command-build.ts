// What people, workers and the watch of branches ask of builds, as data. What becomes of it is answers/build.ts.

import type { BuildSettings } from '../../../proto/events-build.ts';
import type { ChangeRecord } from '../../../proto/events-pipeline.ts';

export type ConfigureBuild = { readonly kind: 'configure-build'; readonly app: string; readonly settings: BuildSettings };
/** The branch has moved to `commit`; `changes` are those since the newest that a build was asked for, oldest first. `build`: the id of a new one. */
export type NoticeChanges = { readonly kind: 'notice-changes'; readonly app: string; readonly build: string; readonly commit: string; readonly since?: string; readonly changes: readonly ChangeRecord[] };
/** `head`: the commit is the newest of the branch, so that the watch need not ask for it again. */
export type RequestBuild = { readonly kind: 'request-build'; readonly app: string; readonly build: string; readonly commit: string; readonly changes: readonly ChangeRecord[]; readonly head?: true };
export type RetryBuild = { readonly kind: 'retry-build'; readonly build: string; readonly of: string };
export type CancelBuild = { readonly kind: 'cancel-build'; readonly build: string; readonly reason: string };
export type BeginBuild = { readonly kind: 'begin-build'; readonly build: string; readonly lease: string; readonly worker: string };
export type EndBuild = {
  readonly kind: 'end-build';
  readonly build: string;
  readonly attempt: number;
  readonly lease: string;
  readonly end: 'succeeded' | 'failed' | 'errored' | 'timed-out';
  /** Digest of what was pushed; of `succeeded`. */
  readonly revision?: string;
  readonly detail?: string;
};

export type BuildCommand = ConfigureBuild | NoticeChanges | RequestBuild | RetryBuild | CancelBuild | BeginBuild | EndBuild;

const kinds: Readonly<Record<BuildCommand['kind'], true>> = {
  'configure-build': true,
  'notice-changes': true,
  'request-build': true,
  'retry-build': true,
  'cancel-build': true,
  'begin-build': true,
  'end-build': true,
};

/** Whether a command is one of these. */
export function isBuildCommand(command: { readonly kind: string }): command is BuildCommand {
  return Object.hasOwn(kinds, command.kind);
}
