// The part of the state that automatic builds add: how each application is built, and every build that was asked for.

import type { Digest } from '../../../proto/cid.ts';
import type { BuildEnd, BuildSettings, BuildTrigger } from '../../../proto/events-build.ts';
import type { ChangeRecord } from '../../../proto/events-pipeline.ts';

/** How an application is built by itself. */
export interface AutoBuild {
  readonly app: string;
  readonly settings: BuildSettings;
  /** The newest commit of the branch that a build was asked for. */
  readonly newest?: string;
  /** Builds that began: the number of the last. */
  readonly begun: number;
}

/** `open`: changes may join it; `pending`: it has begun before, and waits for another worker. */
export type BuildPhase = 'open' | 'running' | 'pending' | BuildEnd;

export interface Build {
  readonly build: string;
  readonly app: string;
  readonly trigger: BuildTrigger;
  readonly commit: string;
  /** Oldest first. */
  readonly changes: readonly ChangeRecord[];
  readonly retryOf?: string;
  readonly phase: BuildPhase;
  readonly createdAt: number;
  readonly createdBy: string;
  /** Of the application's builds, from 1; absent before it began. */
  readonly number?: number;
  readonly attempt: number;
  readonly lease?: string;
  readonly worker?: string;
  readonly startedAt?: number;
  readonly finishedAt?: number;
  readonly revision?: Digest;
  readonly reason?: string;
}

/** What builds add to the state. Maps are keyed by the id in the value. */
export interface Building {
  readonly autoBuilds: ReadonlyMap<string, AutoBuild>;
  readonly builds: ReadonlyMap<string, Build>;
}

/** Whether a build is over. */
export function isBuilt({ phase }: Build): boolean {
  return phase === 'succeeded' || phase === 'failed' || phase === 'cancelled';
}
