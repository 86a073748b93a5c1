// What a seed does: shares revisions with those whose environment may have them, brings those that environments name and it lacks (a seed that is not the
// proxy they were uploaded to), and mends what its disk damaged. Which are shared is visibility.ts's, opening and closing shares shares.ts's.

import type { Digest } from '../../../proto/cid.ts';
import type { Manifest, Manifests } from '../../content/manifests.ts';
import type { ChunkStore } from '../../content/store.ts';
import type { Logger } from '../../log.ts';
import type { DaemonMetrics } from '../../metrics.ts';
import type { Trust } from '../../trust/trust.ts';
import { createBringing, type Bringing } from './bringing.ts';
import type { DeltaMaker } from '../delta/make.ts';
import { createDeltaPairs, type DeltaPair, type DeltaPairs } from '../delta/pairs.ts';
import type { Library } from '../library.ts';
import { createSeedShares } from './shares.ts';
import { createVisibility } from './visibility.ts';

/** What seeding needs. */
export interface SeedDeps {
  readonly store: ChunkStore;
  readonly manifests: Manifests;
  readonly library: Library;
  /** Makes deltas of what is published and authorised; none: everything goes plain. */
  readonly deltas?: (environmentsOf: (revision: Digest) => readonly string[]) => DeltaMaker;
  readonly trust: Pick<Trust, 'versions' | 'authorised'>;
  readonly metrics: DaemonMetrics;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** The seed of one daemon. */
export interface Seed {
  /** A revision was uploaded here: it is served from now on. */
  add(manifest: Manifest): void;
  /** A chunk of the store was damaged, and the store has forgotten it: it is brought again for whoever asks. */
  lost(id: Digest): void;
  /** Environments that name a revision, or did since we started. */
  environmentsOf(revision: Digest): readonly string[];
  /** What environments authorise may have changed, or we have just started: share and bring accordingly. Calls while one runs are one call after it. */
  refresh(): void;
}

/** A seed over one store. */
export function createSeed(deps: SeedDeps): Seed {
  const visibility = createVisibility();
  /** Chunks that the store forgot, until all who share them know. */
  const forgotten = new Set<Digest>();
  const pairs = createDeltaPairs();
  let running = false;
  let again = false;
  let restored: Promise<void> | undefined;

  const failed = (cause: unknown): void => {
    deps.metrics.failures.inc({ component: 'seed' });
    deps.log.warn({ err: cause }, 'a revision could not be shared; it is tried again with the next change');
  };
  const maker = deps.deltas?.(visibility.environmentsOf);

  const refresh = async (): Promise<void> => {
    await (restored ??= restore(deps, pairs, maker?.kept() ?? []));
    const named = namedBy(deps.trust);
    visibility.name(named);
    pairs.name(named);
    await mend(deps, bringing, forgotten);
    await bringing.resume();
    await shares.follow();
    // A set of what is not whole yet would be less than it could be.
    const isWhole = (revision: Digest): boolean => !bringing.lacks(revision) && !shares.awaits(revision);
    await maker?.want(pairs.wanted().filter(({ from, to }) => isWhole(from) && isWhole(to)), pairs.targets());
    const { chunks, bytes } = deps.store.usage();
    deps.metrics.storeChunks.set(chunks);
    deps.metrics.storeBytes.set(bytes);
  };

  const run = async (): Promise<void> => {
    running = true;
    do {
      again = false;
      try {
        await refresh();
      } catch (cause) {
        if (deps.signal.aborted) break;
        failed(cause);
      }
    } while (again && !deps.signal.aborted);
    running = false;
  };

  const refreshSoon = (): void => {
    again = true;
    if (!running) void run();
  };
  const bringing = createBringing({ ...deps, isShared: (revision, sharing) => deps.library.sharing(revision) === sharing, onWhole: refreshSoon });
  const shares = createSeedShares({ ...deps, visibility, bringing, onObtained: refreshSoon, onFailed: failed });

  return {
    environmentsOf: visibility.environmentsOf,
    lost(id) {
      forgotten.add(id);
      refreshSoon();
    },
    add(manifest) {
      visibility.upload(manifest.digest);
      shares.add(manifest);
      pairs.publish(manifest.revision.app, manifest.digest);
      refreshSoon();
    },
    refresh: refreshSoon,
  };
}

/** Takes back what was lost of each revision that is shared, and brings it again. */
async function mend({ library, manifests }: SeedDeps, bringing: Bringing, forgotten: Set<Digest>): Promise<void> {
  const ids = new Set(forgotten);
  forgotten.clear();
  try {
    for (const revision of ids.size === 0 ? [] : library.shared().keys()) {
      const manifest = await manifests.get(revision);
      const sharing = library.sharing(revision);
      if (manifest === undefined || sharing === undefined) continue;
      const ordinals = ordinalsOf(manifest, ids);
      if (ordinals.length === 0) continue;
      sharing.lost(ordinals);
      bringing.bring(sharing, manifest, ordinals);
    }
  } catch (cause) {
    for (const id of ids) forgotten.add(id);
    throw cause;
  }
}

/** What environments name, as far as their roles are held. */
function namedBy(trust: SeedDeps['trust']): readonly { readonly environment: string; readonly app: string; readonly revision: Digest }[] {
  return Object.keys(trust.versions())
    .filter((role) => role.startsWith('env-'))
    .map((role) => role.slice('env-'.length))
    .flatMap((environment) => [...(trust.authorised(environment)?.revisions ?? [])].map(([app, { revision }]) => ({ environment, app, revision })));
}

/** Sets made before we were started: what they start from is what targets ran. */
async function restore({ manifests }: SeedDeps, pairs: DeltaPairs, kept: readonly DeltaPair[]): Promise<void> {
  for (const pair of kept) {
    const manifest = await manifests.get(pair.to);
    if (manifest !== undefined) pairs.remember(manifest.revision.app, pair);
  }
}

function ordinalsOf({ tree }: Manifest, ids: ReadonlySet<Digest>): readonly number[] {
  return Array.from({ length: tree.chunkCount }, (_, ordinal) => ordinal).filter((ordinal) => ids.has(tree.chunk(ordinal).id));
}
