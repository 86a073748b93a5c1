// Lets go of what a seed keeps for nobody: revisions beyond those that it is to keep, and chunks that no revision and no upload under way names.
// How chunks go from disk is daemon/content/pack/collect.ts's.

import type { Digest } from '../../../proto/cid.ts';
import type { Clock } from '../../clock.ts';
import type { Collect, DigestSet } from '../../content/store.ts';
import type { Manifests } from '../../content/manifests.ts';
import { expendableRevisions } from '../../core/release/retain.ts';
import { DaemonError } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import type { DaemonMetrics } from '../../metrics.ts';
import type { Library } from '../library.ts';

/** Garbage waits: it costs disk alone, and looking for it costs a walk over the index. */
const everyMs = 6 * 60 * 60_000;
/** Identifiers gathered between turns of the event loop: some milliseconds. */
const turnIds = 16_384;

export interface CollectorDeps {
  readonly store: Collect;
  readonly manifests: Pick<Manifests, 'get' | 'list' | 'listByAge' | 'drop'>;
  readonly library: Pick<Library, 'unshare'>;
  /** Takes the identifiers of everything that is named. */
  readonly createSet: () => DigestSet;
  /** Of uploads under way. */
  readonly chunksInUse: () => Iterable<Digest>;
  readonly environmentsOf: (revision: Digest) => readonly string[];
  /** A chunk was found damaged on the way. */
  readonly onDamaged: (id: Digest) => void;
  readonly keepRevisions: number | undefined;
  readonly clock: Clock;
  readonly metrics: Pick<DaemonMetrics, 'collectedBytes' | 'failures'>;
  readonly log: Logger;
}

export interface Collector {
  /** Collects again and again until the signal fires. Never throws. */
  run(signal: AbortSignal): Promise<void>;
  /** Once. @throws {DaemonError} ABORTED, NO_SPACE, STORAGE_FAILED; CORRUPT_STATE when a kept manifest cannot be read, and then nothing is collected. */
  collect(signal: AbortSignal): Promise<void>;
}

/** A collector over one store. */
export function createCollector(deps: CollectorDeps): Collector {
  const { store, clock, metrics, log } = deps;
  const collect = async (signal: AbortSignal): Promise<void> => {
    await letGo(deps);
    const { damaged, ...collected } = await store.collect({ names: async () => await namedBy(deps), signal });
    for (const id of damaged) deps.onDamaged(id);
    metrics.collectedBytes.inc(collected.forgottenBytes);
    if (collected.forgottenChunks > 0 || collected.removedPacks > 0) log.info(collected, 'chunks that nobody names were removed');
  };
  return {
    collect,
    async run(signal) {
      while (!signal.aborted) {
        await clock.wait(everyMs, { signal }).catch(() => undefined);
        try {
          if (!signal.aborted) await collect(signal);
        } catch (cause) {
          if (signal.aborted) return;
          metrics.failures.inc({ component: 'collect' });
          log.warn({ err: cause }, 'garbage could not be collected; it waits for the next time');
        }
      }
    },
  };
}

/** Drops manifests of revisions that are not to be kept: their chunks are garbage then. */
async function letGo({ manifests, library, environmentsOf, keepRevisions, log }: CollectorDeps): Promise<void> {
  if (keepRevisions === undefined) return;
  const kept = [];
  for (const revision of await manifests.listByAge()) {
    const manifest = await manifests.get(revision);
    if (manifest !== undefined) kept.push({ revision, app: manifest.revision.app, named: environmentsOf(revision).length > 0 });
  }
  for (const revision of expendableRevisions(kept, keepRevisions)) {
    library.unshare(revision);
    await manifests.drop(revision);
    log.info({ revision, keepRevisions }, 'a revision that no environment names was let go; to promote it, push it again');
  }
}

async function namedBy({ manifests, chunksInUse, createSet }: CollectorDeps): Promise<(id: Digest) => boolean> {
  const named = createSet();
  let added = 0;
  const add = async (id: Digest): Promise<void> => {
    named.add(id);
    added += 1;
    if (added % turnIds === 0) await new Promise((resolve) => setImmediate(resolve));
  };
  // Uploads first: one that ends between the two is a kept revision by then. None begins meanwhile without asking the store, which spares what is asked for.
  const inUse = Array.from(chunksInUse());
  for (const id of inUse) await add(id);
  for (const revision of await manifests.list()) {
    const manifest = await manifests.get(revision);
    if (manifest === undefined) throw new DaemonError('CORRUPT_STATE', `the manifest of revision ${revision} cannot be read, so nobody knows which chunks are its own; nothing is removed`);
    for (const { id } of manifest.revision.indexChunks) await add(id);
    for (let ordinal = 0; ordinal < manifest.tree.chunkCount; ordinal += 1) await add(manifest.tree.chunk(ordinal).id);
  }
  return (id) => named.has(id);
}
