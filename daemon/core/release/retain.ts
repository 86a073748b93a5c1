// Which releases may go (agent.md, step 8). Pure: deleting is in daemon/install.

import type { ReleaseId } from './activate.ts';

/** A release as the choice sees it. */
export interface Keepable {
  readonly id: ReleaseId;
  readonly revisionNumber: number;
  /** It failed here before, so it is kept only when it is protected. */
  readonly bad: boolean;
}

/** What must stay whatever its age: removing the new or the stable directory was CodeDeploy's bug #57. */
export interface Protected {
  readonly current?: string | undefined;
  readonly previous?: ReleaseId | undefined;
  readonly stable?: ReleaseId | undefined;
  readonly inFlight?: readonly (ReleaseId | undefined)[];
}

/** A revision that a seed keeps; what is `named` some environment has, or had not long ago. */
export interface KeepableRevision {
  readonly revision: string;
  readonly app: string;
  readonly named: boolean;
}

/** Revisions that a seed lets go so that the newest `keep` of each application remain, and all that are named. `revisions`: the oldest first; so is the result. */
export function expendableRevisions(revisions: readonly KeepableRevision[], keep: number): readonly string[] {
  const newer = new Map<string, number>();
  return revisions.toReversed().filter(({ app, named }) => {
    const count = newer.get(app) ?? 0;
    newer.set(app, count + 1);
    return count >= keep && !named;
  }).map(({ revision }) => revision).toReversed();
}

/** Releases to delete so that `keep` remain, newest revisions first; more remain when more are protected. Oldest first. */
export function expendable(releases: readonly Keepable[], keep: number, protect: Protected): readonly ReleaseId[] {
  const safe = new Set<string | undefined>([protect.current, protect.previous, protect.stable, ...(protect.inFlight ?? [])]);
  const kept = releases.filter(({ id }) => safe.has(id)).length;
  const candidates = releases.filter(({ id }) => !safe.has(id)).toSorted((a, b) => a.revisionNumber - b.revisionNumber);
  const good = candidates.filter(({ bad }) => !bad);
  const staying = new Set(good.slice(Math.max(0, good.length - Math.max(0, keep - kept))).map(({ id }) => id));
  return candidates.filter(({ id }) => !staying.has(id)).map(({ id }) => id);
}
