// Between which revisions deltas are wanted: to what was published last and to what environments name, from what they run or were told to run before.
// No effects; make.ts makes them.

import type { Digest } from '../../../proto/cid.ts';

/** Bases from which sets are made to one revision: what the stages of a pipeline run, and what a rollout is leaving. */
const basesMax = 4;
/** Revisions of an application that are remembered. */
const rememberedMax = 8;

export interface DeltaPair {
  readonly from: Digest;
  readonly to: Digest;
}

export interface DeltaPairs {
  /** All that environments name now, with its application. What they named before stays a base: targets still run it. */
  name(revisions: readonly { readonly app: string; readonly revision: Digest }[]): void;
  publish(app: string, revision: Digest): void;
  /** A set that is there already says what was a base before we were started. */
  remember(app: string, pair: DeltaPair): void;
  /** Revisions to which sets are wanted. */
  targets(): ReadonlySet<Digest>;
  /** Dearest first: of each application in turn, to the newest, from the newest. */
  wanted(): readonly DeltaPair[];
}

export function createDeltaPairs(): DeltaPairs {
  /** By application, newest first. */
  const ran = new Map<string, readonly Digest[]>();
  const published = new Map<string, readonly Digest[]>();
  let named: ReadonlySet<Digest> = new Set();

  const targetsOf = (app: string): ReadonlySet<Digest> => new Set([...(published.get(app) ?? []).slice(0, 1), ...(ran.get(app) ?? []).filter((revision) => named.has(revision))]);
  const apps = (): ReadonlySet<string> => new Set([...published.keys(), ...ran.keys()]);
  return {
    name(revisions) {
      named = new Set(revisions.map(({ revision }) => revision));
      for (const { app, revision } of revisions) if (ran.get(app)?.includes(revision) !== true) push(ran, app, revision);
    },
    publish: (app, revision) => push(published, app, revision),
    remember(app, { from, to }) {
      if (ran.get(app)?.includes(from) !== true) ran.set(app, [...(ran.get(app) ?? []), from].slice(0, rememberedMax));
      push(published, app, to);
    },
    targets: () => new Set([...apps()].flatMap((app) => [...targetsOf(app)])),
    wanted() {
      const ofApps = [...apps()].map((app) =>
        [...targetsOf(app)].flatMap((to) => {
          const [last, before] = published.get(app) ?? [];
          const bases = new Set([...(ran.get(app) ?? []), ...(to === last && before !== undefined ? [before] : [])]);
          bases.delete(to);
          return [...bases].slice(0, basesMax).map((from) => ({ from, to }));
        }));
      const most = Math.max(0, ...ofApps.map(({ length }) => length));
      return Array.from({ length: most }, (_, rank) => ofApps.flatMap((pairs) => pairs.slice(rank, rank + 1))).flat();
    },
  };
}

function push(lists: Map<string, readonly Digest[]>, app: string, revision: Digest): void {
  lists.set(app, [revision, ...(lists.get(app) ?? []).filter((other) => other !== revision)].slice(0, rememberedMax));
}
