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
  readonly trust: Trust;
  readonly metrics: DaemonMetrics;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** The seed of one daemon. */
export interface Seed {
  /** A revision was uploaded here: it is served from now on. */
  add(manifest: Manifest): void;
  /** What environments authorise may have changed, or we have just started: share and bring accordingly. Calls while one runs are one call after it. */
  refresh(): void;
}

/** A seed over one store. */
export function createSeed(deps: SeedDeps): Seed {
  /** Environments that ever authorised a revision while we ran: a rollback must find its content shared still. */
  const visibility = new Map<Digest, Set<string>>();
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
    if (held.isFull) return;
    const wanted = createBitmap(held.size);
    for (const { from, to } of held.missing()) wanted.setRange(from, to);
    await sharing.fetch({
      wanted,
      write: async (ordinal, bytes) => await deps.store.put([{ id: manifest.tree.chunk(ordinal).id, bytes }], { signal: deps.signal }),
      borrows: true,
      signal: deps.signal,
    });
  };

  const refresh = async (): Promise<void> => {
    await (restored ??= restore(deps, pairs, maker?.kept() ?? []));
    learn();
    const shared = deps.library.shared();
    for (const revision of new Set([...(await deps.manifests.list()), ...visibility.keys()])) {
      const environments = environmentsOf(revision);
      if (shared.get(revision)?.join() === environments.join()) continue;
      await share(await deps.library.obtain(revision, environments, { signal: deps.signal }));
    }
    await maker?.want(pairs.wanted(), pairs.targets());
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

  return {
    add(manifest) {
      const share = holdingsOf(deps.store, manifest, fullBitmap(manifest.tree.chunkCount));
      deps.library.share(manifest, environmentsOf(manifest.digest), share);
      pairs.publish(manifest.revision.app, manifest.digest);
      again = true;
      if (!running) void run();
    },
    refresh() {
      again = true;
      if (!running) void run();
    },
  };
}

function holdingsOf(store: ChunkStore, { tree }: Manifest, held: Bitmap): Holdings {
  return { held, read: async (ordinal, options) => await store.get(tree.chunk(ordinal).id, options) };
}

/** What environments name, as far as their roles are held. */
function namedBy(trust: Trust): readonly { readonly environment: string; readonly app: string; readonly revision: Digest }[] {
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

async function heldIn(store: ChunkStore, manifest: Manifest): Promise<Bitmap> {
  const held = createBitmap(manifest.tree.chunkCount);
  for (let from = 0; from < held.size; from += questionIdsMax) {
    const to = Math.min(held.size, from + questionIdsMax);
    const ids = Array.from({ length: to - from }, (_, at) => manifest.tree.chunk(from + at).id);
    (await store.has(ids)).forEach((has, at) => has && held.set(from + at));
  }
  return held;
}
