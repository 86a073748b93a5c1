// The delta sets that this member has, open to neighbours: found for those who ask, and each with a topic whose chunks are its parts.
// Making them is make.ts's, using them use.ts's; both put theirs here.

import type { Bitmap } from '../../../proto/bitmap.ts';
import type { Digest } from '../../../proto/cid.ts';
import { payloadBytes } from '../../../proto/delta-set.ts';
import type { Transfer } from '../../../proto/fleet.ts';
import type { Logger } from '../../log.ts';
import type { DeltaQuestion, DeltaSource, Sharing, Swarm, Topic } from '../../swarm/swarm.ts';
import { bytesKept, type DeltaDraft, type DeltaFiles, type DeltaLabel, type KeptDelta } from './files.ts';

/** Each has a topic, and a neighbour accepts `limits.exchangeTopicsMax`, most of which are the library's; an origin only answers those who ask. */
export const setsMax = { agent: 12, origin: 48 } as const;
/** Bytes on disk; the oldest go first. A set of 40 MiB is one for a large application. */
const bytesMax = 2 * 1024 ** 3;

/** The question that the swarm passes on, answered by whoever says so later: the swarm is there before the roles. */
export interface DeltaDesk {
  readonly source: DeltaSource;
  answerWith(source: DeltaSource): void;
}

export function createDeltaDesk(): DeltaDesk {
  let answer: DeltaSource | undefined;
  return {
    source: async (question, options) => await answer?.(question, options),
    answerWith(source) {
      answer = source;
    },
  };
}

export interface DeltaShelf {
  list(): readonly KeptDelta[];
  get(digest: Digest): KeptDelta | undefined;
  /** The best set for a question: the whole before an index alone, then the shortest. */
  best(question: DeltaQuestion): KeptDelta | undefined;
  environments(digest: Digest): readonly string[];
  draft(): Promise<DeltaDraft>;
  /** Sets that there may be. */
  readonly setsMax: number;
  /** Shares a set, anew when the environments are others, and lets the oldest go where there are too many. Gives those. */
  put(delta: KeptDelta, environments: readonly string[]): Promise<readonly KeptDelta[]>;
  /** A set that a neighbour offered. */
  adopt(label: DeltaLabel, environments: readonly string[]): Promise<KeptDelta>;
  /** Brings parts; those that are held are left out. As {@link Sharing.fetch}. */
  fetch(delta: KeptDelta, options: { readonly wanted: Bitmap; readonly onPart: (ordinal: number) => Promise<void>; readonly signal: AbortSignal; readonly urgent?: AbortSignal }): Promise<Transfer>;
  part(delta: KeptDelta, ordinal: number): Promise<Uint8Array | undefined>;
  drop(digest: Digest): Promise<void>;
  close(): void;
}

interface OnShelf {
  readonly delta: KeptDelta;
  readonly environments: readonly string[];
  readonly sharing: Sharing;
}

/** A shelf with what is on disk; nothing of it is shared before it is put. */
export function createDeltaShelf({ files, swarm, log, setsMax }: { readonly files: DeltaFiles; readonly swarm: Pick<Swarm, 'share'>; readonly log: Logger; readonly setsMax: number }): DeltaShelf {
  const shelf = new Map<Digest, OnShelf>();
  const unshared = new Map(files.found.map((delta) => [delta.digest, delta]));

  const drop = async (digest: Digest): Promise<void> => {
    const delta = shelf.get(digest)?.delta ?? unshared.get(digest);
    shelf.get(digest)?.sharing.close();
    shelf.delete(digest);
    unshared.delete(digest);
    if (delta !== undefined) await files.drop(delta);
  };
  const list = (): KeptDelta[] => [...unshared.values(), ...[...shelf.values()].map(({ delta }) => delta)].toSorted((a, b) => a.serial - b.serial);

  const put = async (delta: KeptDelta, environments: readonly string[]): Promise<readonly KeptDelta[]> => {
    const open = shelf.get(delta.digest);
    if (open !== undefined && open.environments.join() === environments.join()) return [];
    open?.sharing.close();
    unshared.delete(delta.digest);
    const { digest } = delta;
    const sharing = swarm.share(topicOf(delta, environments), { held: delta.held, read: async (ordinal) => await files.read(delta, ordinal) });
    shelf.set(digest, { delta, environments, sharing });
    const gone = superfluous(list(), digest, setsMax);
    for (const oldest of gone) {
      log.info({ revision: oldest.set.to, from: oldest.set.from }, 'a delta set made room for another');
      await drop(oldest.digest);
    }
    return gone;
  };

  return {
    setsMax,
    list,
    get: (digest) => shelf.get(digest)?.delta,
    best: ({ to, bases }) =>
      [...shelf.values()]
        .map(({ delta }) => delta)
        .filter(({ set }) => set.to === to && bases.includes(set.from))
        .toSorted((a, b) => Number(b.set.segments.length > 0) - Number(a.set.segments.length > 0) || payloadBytes(a.set) - payloadBytes(b.set))
        .at(0),
    environments: (digest) => shelf.get(digest)?.environments ?? [],
    draft: async () => await files.draft(),
    put,
    async adopt(label, environments) {
      const delta = await files.adopt(label);
      await put(delta, environments);
      return delta;
    },
    async fetch(delta, { wanted, onPart, signal, urgent }) {
      const open = shelf.get(delta.digest);
      if (open === undefined) throw new Error(`the delta set ${delta.digest} is not on the shelf`);
      return await open.sharing.fetch({
        wanted,
        write: async (ordinal, part, placed) => {
          await files.write(delta, ordinal, part);
          // What is made of it may wait for the disk much longer.
          placed();
          await onPart(ordinal);
        },
        borrows: true,
        signal,
        ...(urgent === undefined ? {} : { urgent }),
      });
    },
    part: async (delta, ordinal) => await files.read(delta, ordinal),
    drop,
    close() {
      for (const { sharing } of shelf.values()) sharing.close();
      shelf.clear();
    },
  };
}

/** Its parts, in a topic under the digest of the set. */
function topicOf({ digest, set }: KeptDelta, environments: readonly string[]): Topic {
  return {
    revision: digest,
    blob: 'delta',
    chunkCount: set.parts.length,
    chunk: (ordinal) => {
      const part = set.parts[ordinal];
      if (part === undefined) throw new RangeError(`the delta set ${digest} has no part ${ordinal}`);
      return part;
    },
    environments,
  };
}

/** What has to go for the rest to be within the bounds: indexes alone first, then the oldest; never the newest. */
function superfluous(kept: readonly KeptDelta[], newest: Digest, setsMax: number): readonly KeptDelta[] {
  let count = kept.length;
  let bytes = kept.reduce((sum, delta) => sum + bytesKept(delta), 0);
  const order = kept.filter(({ digest }) => digest !== newest).toSorted((a, b) => Number(a.extent === 'all') - Number(b.extent === 'all') || a.serial - b.serial);
  return order.filter((delta) => {
    if (count <= setsMax && bytes <= bytesMax) return false;
    count -= 1;
    bytes -= bytesKept(delta);
    return true;
  });
}
