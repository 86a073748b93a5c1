// What a seed does: shares every revision it keeps with those whose environment may have it, and brings the revisions that
// environments name and it lacks (a seed that is not the proxy they were uploaded to).

import { createBitmap, type Bitmap } from '../../proto/bitmap.ts';
import type { Digest } from '../../proto/cid.ts';
import type { Manifest, Manifests } from '../content/manifests.ts';
import type { ChunkStore } from '../content/store.ts';
import type { Logger } from '../log.ts';
import type { DaemonMetrics } from '../metrics.ts';
import type { Trust } from '../trust/trust.ts';
import type { DeltaMaker, DeltaPair } from './delta-make.ts';
import type { Library } from './library.ts';

/** Chunk ids asked of the store at once. */
const questionIdsMax = 8192;

/** Bases from which sets are made to one revision: what the stages of a pipeline run, and what a rollout is leaving. */
const basesMax = 4;

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
  /** By application: revisions that environments authorised while we ran, newest first; and the last two published here. */
  const ran = new Map<string, readonly Digest[]>();
  const published = new Map<string, readonly Digest[]>();
  /** What environments name now. */
  let named: ReadonlySet<Digest> = new Set();
  let running = false;
  let again = false;

  const learn = (): void => {
    const now = new Set<Digest>();
    for (const role of Object.keys(deps.trust.versions())) {
      if (!role.startsWith('env-')) continue;
      const environment = role.slice('env-'.length);
      for (const [app, { revision }] of deps.trust.authorised(environment)?.revisions ?? []) {
        now.add(revision);
        const known = ran.get(app) ?? [];
        ran.set(app, [revision, ...known.filter((other) => other !== revision)].slice(0, basesMax * 2));
        visibility.set(revision, (visibility.get(revision) ?? new Set()).add(environment));
      }
    }
    named = now;
  };
  const environmentsOf = (revision: Digest): string[] => [...(visibility.get(revision) ?? [])].toSorted();

  const maker = deps.deltas?.(environmentsOf);
  /** To what was published last and to what environments name, from what they name or named, and from what was published before it. */
  const wantDeltas = async (): Promise<void> => {
    const pairs: DeltaPair[] = [];
    for (const app of new Set([...published.keys(), ...ran.keys()])) {
      const known = ran.get(app) ?? [];
      const [last, before] = published.get(app) ?? [];
      for (const to of new Set([...(last === undefined ? [] : [last]), ...known.filter((revision) => named.has(revision))])) {
        const bases = new Set([...known, ...(to === last && before !== undefined ? [before] : [])]);
        bases.delete(to);
        pairs.push(...[...bases].slice(0, basesMax).map((from) => ({ from, to })));
      }
    }
    await maker?.want(pairs);
  };

  const share = async (manifest: Manifest): Promise<void> => {
    const held = await heldIn(deps.store, manifest);
    const holdings = { held, read: async (ordinal: number, options: { readonly signal: AbortSignal }) => await deps.store.get(manifest.tree.chunk(ordinal).id, options) };
    const sharing = deps.library.share(manifest, environmentsOf(manifest.digest), holdings);
    if (held.isFull) return;
    const wanted = createBitmap(held.size);
    for (const { from, to } of held.missing()) wanted.setRange(from, to);
    await sharing.fetch({
      wanted,
      write: async (ordinal, bytes) => await deps.store.put([{ id: manifest.tree.chunk(ordinal).id, bytes }], { signal: deps.signal }),
      signal: deps.signal,
    });
  };

  const refresh = async (): Promise<void> => {
    learn();
    const shared = deps.library.shared();
    for (const revision of new Set([...(await deps.manifests.list()), ...visibility.keys()])) {
      const environments = environmentsOf(revision);
      if (shared.get(revision)?.join() === environments.join()) continue;
      await share(await deps.library.obtain(revision, environments, { signal: deps.signal }));
    }
    await wantDeltas();
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
      const share = fullHoldings(deps.store, manifest);
      deps.library.share(manifest, environmentsOf(manifest.digest), share);
      const { app } = manifest.revision;
      published.set(app, [manifest.digest, ...(published.get(app) ?? []).filter((other) => other !== manifest.digest)].slice(0, 2));
      again = true;
      if (!running) void run();
    },
    refresh() {
      again = true;
      if (!running) void run();
    },
  };
}

function fullHoldings(store: ChunkStore, manifest: Manifest) {
  const held = createBitmap(manifest.tree.chunkCount);
  held.setRange(0, held.size);
  return { held, read: async (ordinal: number, options: { readonly signal: AbortSignal }) => await store.get(manifest.tree.chunk(ordinal).id, options) };
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
