// What a seed does: shares every revision it keeps with those whose environment may have it, and brings the revisions that
// environments name and it lacks (a seed that is not the proxy they were uploaded to).

import { createBitmap, fullBitmap, type Bitmap } from '../../proto/bitmap.ts';
import type { Digest } from '../../proto/cid.ts';
import type { Manifest, Manifests } from '../content/manifests.ts';
import type { ChunkStore } from '../content/store.ts';
import type { Logger } from '../log.ts';
import type { DaemonMetrics } from '../metrics.ts';
import type { Holdings } from '../swarm/swarm.ts';
import type { Trust } from '../trust/trust.ts';
import { createBringing, type Bringing } from './bringing.ts';
import type { DeltaMaker } from './delta-make.ts';
import { createDeltaPairs, type DeltaPair, type DeltaPairs } from './delta-pairs.ts';
import type { Library } from './library.ts';

/** Chunk ids asked of the store at once. */
const questionIdsMax = 8192;

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
  /** Environments that ever authorised a revision while we ran: a rollback must find its content shared still. */
  const visibility = new Map<Digest, Set<string>>();
  /** Chunks that the store forgot, until all who share them know. */
  const forgotten = new Set<Digest>();
  const pairs = createDeltaPairs();
  let running = false;
  let again = false;
  let restored: Promise<void> | undefined;

  const learn = (): void => {
    const named = namedBy(deps.trust);
    for (const { revision, environment } of named) visibility.set(revision, (visibility.get(revision) ?? new Set()).add(environment));
    pairs.name(named);
  };
  const environmentsOf = (revision: Digest): string[] => [...(visibility.get(revision) ?? [])].toSorted();

  const maker = deps.deltas?.(environmentsOf);
  const share = async (manifest: Manifest): Promise<void> => {
    const held = await heldIn(deps.store, manifest);
    const sharing = deps.library.share(manifest, environmentsOf(manifest.digest), holdingsOf(deps.store, manifest, held));
    if (!held.isFull) bringing.bring(sharing, manifest, held.missing().flatMap(({ from, to }) => Array.from({ length: to - from }, (_, at) => from + at)));
  };

  const refresh = async (): Promise<void> => {
    await (restored ??= restore(deps, pairs, maker?.kept() ?? []));
    learn();
    await mend(deps, bringing, forgotten);
    await bringing.resume();
    const shared = deps.library.shared();
    for (const revision of new Set([...(await deps.manifests.list()), ...visibility.keys()])) {
      const environments = environmentsOf(revision);
      if (shared.get(revision)?.join() === environments.join()) continue;
      await share(await deps.library.obtain(revision, environments, { signal: deps.signal }));
    }
    // A set of what is not whole yet would be less than it could be.
    await maker?.want(pairs.wanted().filter(({ from, to }) => !bringing.lacks(from) && !bringing.lacks(to)), pairs.targets());
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
        deps.metrics.failures.inc({ component: 'seed' });
        deps.log.warn({ err: cause }, 'a revision could not be shared; it is tried again with the next change');
      }
    } while (again && !deps.signal.aborted);
    running = false;
  };

  const refreshSoon = (): void => {
    again = true;
    if (!running) void run();
  };
  const bringing = createBringing({ ...deps, isShared: (revision, sharing) => deps.library.sharing(revision) === sharing, onWhole: refreshSoon });

  return {
    environmentsOf,
    lost(id) {
      forgotten.add(id);
      refreshSoon();
    },
    add(manifest) {
      const share = holdingsOf(deps.store, manifest, fullBitmap(manifest.tree.chunkCount));
      deps.library.share(manifest, environmentsOf(manifest.digest), share);
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
  for (const revision of ids.size === 0 ? [] : library.shared().keys()) {
    const manifest = await manifests.get(revision);
    const sharing = library.sharing(revision);
    if (manifest === undefined || sharing === undefined) continue;
    const ordinals = ordinalsOf(manifest, ids);
    if (ordinals.length === 0) continue;
    sharing.lost(ordinals);
    bringing.bring(sharing, manifest, ordinals);
  }
}

function holdingsOf(store: ChunkStore, { tree }: Manifest, held: Bitmap): Holdings {
  return { held, read: async (ordinal, options) => await store.get(tree.chunk(ordinal).id, options) };
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

async function heldIn(store: ChunkStore, manifest: Manifest): Promise<Bitmap> {
  const held = createBitmap(manifest.tree.chunkCount);
  for (let from = 0; from < held.size; from += questionIdsMax) {
    const to = Math.min(held.size, from + questionIdsMax);
    const ids = Array.from({ length: to - from }, (_, at) => manifest.tree.chunk(from + at).id);
    (await store.has(ids)).forEach((has, at) => has && held.set(from + at));
  }
  return held;
}
