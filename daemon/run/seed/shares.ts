// The shares of a seed: opens and closes them as they are wanted, and brings what it lacks of each. Which are wanted is visibility.ts's.

import { createBitmap, fullBitmap, type Bitmap } from '../../../proto/bitmap.ts';
import type { Digest } from '../../../proto/cid.ts';
import type { Manifest, Manifests } from '../../content/manifests.ts';
import type { ChunkStore } from '../../content/store.ts';
import type { Holdings } from '../../swarm/swarm.ts';
import { heldOf, type Bringing } from './bringing.ts';
import type { Library } from '../library.ts';
import type { Visibility } from './visibility.ts';

export interface SeedSharesDeps {
  readonly store: ChunkStore;
  readonly manifests: Pick<Manifests, 'get'>;
  readonly library: Library;
  readonly visibility: Pick<Visibility, 'environmentsOf' | 'wanted'>;
  readonly bringing: Bringing;
  readonly signal: AbortSignal;
  /** A manifest that was lacking is kept now. */
  readonly onObtained: () => void;
  readonly onFailed: (cause: unknown) => void;
}

export interface SeedShares {
  /** Shares one that is held whole. */
  add(manifest: Manifest): void;
  /** Shares what is wanted now, and nothing else. What is not here yet is asked for, and shared when it is. */
  follow(): Promise<void>;
  /** Whether the manifest of a revision is still asked for. */
  awaits(revision: Digest): boolean;
}

/** Nothing shared yet. */
export function createSeedShares({ store, manifests, library, visibility, bringing, signal, onObtained, onFailed }: SeedSharesDeps): SeedShares {
  /** Shared here; an agent beside us shares its own. */
  const mine = new Set<Digest>();
  /** Each is waited for by itself: perhaps nobody has it, and the others are shared meanwhile. */
  const obtaining = new Map<Digest, AbortController>();

  const obtain = async (revision: Digest): Promise<void> => {
    const abort = new AbortController();
    obtaining.set(revision, abort);
    try {
      await library.obtain(revision, visibility.environmentsOf(revision), { signal: AbortSignal.any([signal, abort.signal]) });
      onObtained();
    } catch (cause) {
      if (!signal.aborted && !abort.signal.aborted) onFailed(cause);
    } finally {
      obtaining.delete(revision);
    }
  };
  const share = async (manifest: Manifest): Promise<void> => {
    const held = await heldIn(store, manifest);
    const sharing = library.share(manifest, visibility.environmentsOf(manifest.digest), holdingsOf(store, manifest, held));
    mine.add(manifest.digest);
    if (!held.isFull) bringing.bring(sharing, manifest, held.missing().flatMap(({ from, to }) => Array.from({ length: to - from }, (_, at) => from + at)));
  };

  return {
    awaits: (revision) => obtaining.has(revision),
    add(manifest) {
      library.share(manifest, visibility.environmentsOf(manifest.digest), holdingsOf(store, manifest, fullBitmap(manifest.tree.chunkCount)));
      mine.add(manifest.digest);
    },
    async follow() {
      const wanted = visibility.wanted();
      for (const revision of mine) {
        if (wanted.has(revision)) continue;
        mine.delete(revision);
        library.unshare(revision);
      }
      for (const [revision, abort] of obtaining) if (!wanted.has(revision)) abort.abort();
      for (const revision of wanted) {
        const environments = visibility.environmentsOf(revision);
        if (library.shared().get(revision)?.join() === environments.join()) continue;
        const kept = await manifests.get(revision);
        if (kept !== undefined) await share(kept);
        // What was uploaded and let go is not brought again for nobody.
        else if (environments.length > 0 && !obtaining.has(revision)) void obtain(revision);
      }
    },
  };
}

function holdingsOf(store: ChunkStore, { tree }: Manifest, held: Bitmap): Holdings {
  return { held, read: async (ordinal, options) => await store.get(tree.chunk(ordinal).id, options) };
}

async function heldIn(store: ChunkStore, manifest: Manifest): Promise<Bitmap> {
  const held = createBitmap(manifest.tree.chunkCount);
  for (const ordinal of await heldOf(store, manifest, Array.from({ length: held.size }, (_, at) => at))) held.set(ordinal);
  return held;
}
