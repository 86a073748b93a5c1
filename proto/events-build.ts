// The facts of automatic builds: which branch makes an application's revisions, what was asked to be built, and what became of it.
// Part of Event (events.ts); folded by control/core/evolve/build.ts.

import type { Digest } from './cid.ts';
import type { ChangeRecord } from './events-pipeline.ts';

/** Where an application's revisions come from by themselves. */
export interface BuildSettings {
  readonly repo: {
    readonly url: string;
    readonly branch: string;
    /** Only changes in these: git's glob pathspecs, such as `src/**`; empty: all. */
    readonly paths: readonly string[];
  };
  /** Whether the branch is watched. What a person asks for is built all the same. */
  readonly enabled: boolean;
  /** Between two looks at the branch. */
  readonly intervalMs: number;
  /** Whether changes join the build that waits; else each is built by itself. */
  readonly coalesce: boolean;
  /** For a POSIX shell in the checkout. */
  readonly command: string;
  /** The directory that it leaves, relative to the checkout: what is pushed. */
  readonly output: string;
  readonly timeoutMs: number;
  /** What a worker must be. */
  readonly role: string;
}

export type BuildTrigger = 'check-in' | 'manual' | 'retry';
export type BuildEnd = 'succeeded' | 'failed' | 'cancelled';

export type BuildEvent =
  | { readonly kind: 'build.configured'; readonly app: string; readonly settings: BuildSettings }
  /** `changes`: oldest first; of a check-in with those of the failed build that it makes up for. `head`: asked for by a person, of the branch's newest. */
  | { readonly kind: 'build.requested'; readonly build: string; readonly app: string; readonly trigger: BuildTrigger; readonly commit: string; readonly changes: readonly ChangeRecord[]; readonly retryOf?: string; readonly head?: true }
  /** More changes came before it began (B-3). */
  | { readonly kind: 'build.extended'; readonly build: string; readonly app: string; readonly commit: string; readonly changes: readonly ChangeRecord[] }
  | { readonly kind: 'build.started'; readonly build: string; readonly app: string; readonly number: number; readonly attempt: number; readonly lease: string; readonly worker: string }
  /** The machinery failed: another attempt is made of the same commit. */
  | { readonly kind: 'build.errored'; readonly build: string; readonly app: string; readonly attempt: number; readonly reason: string }
  | { readonly kind: 'build.finished'; readonly build: string; readonly app: string; readonly end: BuildEnd; readonly revision?: Digest; readonly reason?: string };

const kinds: Readonly<Record<BuildEvent['kind'], true>> = {
  'build.configured': true,
  'build.requested': true,
  'build.extended': true,
  'build.started': true,
  'build.errored': true,
  'build.finished': true,
};

/** Whether a fact is one of these. */
export function isBuildEvent(event: { readonly kind: string }): event is BuildEvent {
  return Object.hasOwn(kinds, event.kind);
}
