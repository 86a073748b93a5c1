// What a seed still lacks of the revisions that it shares: chunks that it never had, and chunks that it lost to its disk. They are brought in the
// background, one fetch for each revision, for as long as it takes until somebody has them; which those are is seed.ts's to say.

import { createBitmap } from '../../../proto/bitmap.ts';
import type { Digest } from '../../../proto/cid.ts';
import type { Manifest } from '../../content/manifests.ts';
import type { ChunkStore } from '../../content/store.ts';
import type { Logger } from '../../log.ts';
import type { DaemonMetrics } from '../../metrics.ts';
import type { Sharing } from '../../swarm/swarm.ts';

export interface BringingDeps {
  readonly store: ChunkStore;
  readonly metrics: Pick<DaemonMetrics, 'failures'>;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Whether the revision is shared by this, and not by another or none. */
  readonly isShared: (revision: Digest, sharing: Sharing) => boolean;
  /** A revision is whole again. */
  readonly onWhole: () => void;
}

/** Chunk ids asked of the store at once: bounds the memory of a question about a million chunks. */
const questionIdsMax = 8192;

/** Which of these ordinals the store holds. */
export async function heldOf(store: Pick<ChunkStore, 'has'>, { tree }: Pick<Manifest, 'tree'>, ordinals: readonly number[]): Promise<readonly number[]> {
  const held: number[] = [];
  for (let from = 0; from < ordinals.length; from += questionIdsMax) {
    const asked = ordinals.slice(from, from + questionIdsMax);
    const has = await store.has(asked.map((ordinal) => tree.chunk(ordinal).id));
    for (const [at, ordinal] of asked.entries()) if (has[at] === true) held.push(ordinal);
  }
  return held;
}

/** Fetches under way, one for each revision at most. */
export interface Bringing {
  /** Brings these ordinals too; `sharing` is that of the revision from now on. */
  bring(sharing: Sharing, manifest: Manifest, ordinals: readonly number[]): void;
  /** Whether the revision still lacks chunks. */
  lacks(revision: Digest): boolean;
  /** Goes on with what failed, and lets go what has come into the store in another way. */
  resume(): Promise<void>;
}

interface Lacking {
  readonly manifest: Manifest;
  readonly ordinals: Set<number>;
  sharing: Sharing;
  /** Ends the fetch under way; none: it failed. */
  running: AbortController | undefined;
}

/** Nothing under way. */
export function createBringing({ store, metrics, log, signal, isShared, onWhole }: BringingDeps): Bringing {
  const lacking = new Map<Digest, Lacking>();

  const fetch = async (entry: Lacking, abort: AbortController): Promise<void> => {
    const { manifest, ordinals, sharing } = entry;
    const wanted = createBitmap(manifest.tree.chunkCount);
    for (const ordinal of ordinals) wanted.set(ordinal);
    await sharing.fetch({
      wanted,
      write: async (ordinal, bytes) => await store.put([{ id: manifest.tree.chunk(ordinal).id, bytes }], { signal }),
      borrows: true,
      signal: AbortSignal.any([signal, abort.signal]),
    });
  };
  const run = async (entry: Lacking): Promise<void> => {
    const { digest } = entry.manifest;
    for (;;) {
      const abort = new AbortController();
      entry.running = abort;
      try {
        await fetch(entry, abort);
        if (abort.signal.aborted) continue;
        lacking.delete(digest);
        return onWhole();
      } catch (cause) {
        if (signal.aborted) return;
        if (abort.signal.aborted) continue;
        if (!isShared(digest, entry.sharing)) return void lacking.delete(digest);
        entry.running = undefined;
        metrics.failures.inc({ component: 'seed' });
        return log.warn({ err: cause, revision: digest }, 'what a revision lacks could not be brought; it is tried again with the next change');
      }
    }
  };
  /** The one that runs begins again with all that is lacking now. */
  const restart = (entry: Lacking): void => {
    if (entry.running === undefined) void run(entry);
    else entry.running.abort();
  };
  return {
    bring(sharing, manifest, ordinals) {
      const entry = lacking.get(manifest.digest) ?? { manifest, ordinals: new Set<number>(), sharing, running: undefined };
      lacking.set(manifest.digest, entry);
      for (const ordinal of ordinals) entry.ordinals.add(ordinal);
      entry.sharing = sharing;
      restart(entry);
    },
    lacks: (revision) => lacking.has(revision),
    async resume() {
      for (const entry of lacking.values()) {
        const held = await heldOf(store, entry.manifest, [...entry.ordinals]);
        for (const ordinal of held) entry.ordinals.delete(ordinal);
        entry.sharing.gained(held);
        if (held.length > 0 || entry.running === undefined) restart(entry);
      }
    },
  };
}
