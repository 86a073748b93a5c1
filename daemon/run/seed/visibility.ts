// Which revisions a seed shares, and with whom: what environments name or did, and what was uploaded last. No effects; shares.ts shares them.

import type { Digest } from '../../../proto/cid.ts';
import { revisionsSharedMax } from '../library.ts';

/** Shared still though no environment names it any more, the newest: whoever is late with one, or goes back to it, finds it here. */
export const formerMax = 24;
/** Uploaded here and named by nobody yet, the newest: other origins may know sooner than we that an environment names it. */
export const uploadedMax = 24;

/** What an environment names. */
export interface Named {
  readonly environment: string;
  readonly revision: Digest;
}

export interface Visibility {
  /** All that environments name now. What they named before they may go back to. */
  name(named: readonly Named[]): void;
  upload(revision: Digest): void;
  /** Environments that name a revision, or did since we started, ascending. */
  readonly environmentsOf: (revision: Digest) => readonly string[];
  /** Revisions to be shared: of those that are named now at most what a library shares, and a few more. */
  wanted(): ReadonlySet<Digest>;
}

/** Nothing named yet. */
export function createVisibility(): Visibility {
  /** By revision; what is named now is at the end. */
  const visible = new Map<Digest, Set<string>>();
  const uploaded = new Set<Digest>();
  let namedNow = 0;
  return {
    name(named) {
      for (const { revision, environment } of named) {
        const environments = (visible.get(revision) ?? new Set()).add(environment);
        visible.delete(revision);
        visible.set(revision, environments);
      }
      namedNow = new Set(named.map(({ revision }) => revision)).size;
    },
    upload(revision) {
      uploaded.add(revision);
      for (const oldest of [...uploaded].slice(0, -uploadedMax)) uploaded.delete(oldest);
    },
    environmentsOf: (revision) => [...(visible.get(revision) ?? [])].toSorted(),
    wanted: () => new Set([...uploaded, ...[...visible.keys()].slice(-(namedNow + formerMax))].slice(-revisionsSharedMax.origin)),
  };
}
