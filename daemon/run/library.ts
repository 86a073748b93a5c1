// The revisions that this member takes part in: brings manifests and indexes, and shares what is held of each.
// Building a release from them is build.ts's, deciding what to bring is orders.ts's and seed.ts's.

import { hash } from 'node:crypto';
import { createBitmap, fullBitmap } from '../../proto/bitmap.ts';
import type { Digest } from '../../proto/cid.ts';
import { decodeRevision } from '../../proto/revision-codec.ts';
import type { Revision } from '../../proto/revision.ts';
import type { Manifest, Manifests } from '../content/manifests.ts';
import { DaemonError } from '../errors.ts';
import type { Link } from '../link/link.ts';
import type { Logger } from '../log.ts';
import type { Holdings, Sharing, Swarm } from '../swarm/swarm.ts';
import { createShared } from './shared.ts';

interface Waiting {
  readonly signal: AbortSignal;
}

/** Another way to have the index of a revision than chunk by chunk; `undefined` when there is none. */
export type IndexElsewhere = (digest: Digest, revision: Revision, environments: readonly string[], options: Waiting) => Promise<Uint8Array | undefined>;

interface Obtaining extends Waiting {
  readonly indexFrom?: IndexElsewhere;
}

/** Kept indexes whose parts are looked through for those of a new one. */
const indexesReusedMax = 8;

/**
 * Revisions shared at once; beyond, the oldest shares are let go. An agent opens its topics towards its neighbours, who accept a bounded number
 * (`limits.exchangeTopicsMax`), two for each revision. An origin only answers those who ask; each costs it the memory of a tree.
 */
export const revisionsSharedMax = { agent: 24, origin: 512 } as const;

/** Manifests that came with orders, until they are obtained: those of a few answers, 16 KiB each at most. */
const manifestsAtHandMax = 32;

/** What the library needs. */
export interface LibraryDeps {
  readonly manifests: Manifests;
  readonly swarm: Swarm;
  readonly link: Link;
  readonly log: Logger;
  /** Whether this is a seed or a proxy. */
  readonly origin: boolean;
}

interface Shared {
  readonly environments: readonly string[];
  readonly tree: Sharing;
  readonly index: Sharing;
}

/** One revision open to neighbours. */
export interface Library {
  /**
   * The whole manifest: kept, or brought from the control plane or a neighbour, index by the swarm. Kept when it resolves. Who asks for one that is on its way
   * waits for the same; it goes on until nobody waits.
   */
  obtain(revision: Digest, environments: readonly string[], options: Obtaining): Promise<Manifest>;
  /** Shares a revision; one that is shared already for the same environments stays as it is. */
  share(manifest: Manifest, environments: readonly string[], holdings: Holdings): Sharing;
  /** The sharing of a revision's tree, if any. */
  sharing(revision: Digest): Sharing | undefined;
  unshare(revision: Digest): void;
  /** Keeps encoded manifests at hand that came unasked, the newest {@link manifestsAtHandMax}: what nobody obtains is forgotten. */
  expect(manifests: readonly Uint8Array[]): void;
  shared(): ReadonlyMap<Digest, readonly string[]>;
  close(): void;
}

/** A library over the swarm. */
export function createLibrary(deps: LibraryDeps): Library {
  const sharedMax = revisionsSharedMax[deps.origin ? 'origin' : 'agent'];
  const shared = new Map<Digest, Shared>();
  const underWay = createShared<Digest, Manifest>();
  const atHand = new Map<Digest, Uint8Array>();

  const unshare = (revision: Digest): void => {
    const open = shared.get(revision);
    shared.delete(revision);
    open?.tree.close();
    open?.index.close();
  };

  return {
    async obtain(revision, environments, { signal, indexFrom }) {
      return await underWay.join(revision, signal, async (all) => {
        const bytes = atHand.get(revision);
        atHand.delete(revision);
        return await obtain(deps, revision, environments, { signal: all, atHand: bytes, ...(indexFrom === undefined ? {} : { indexFrom }) });
      });
    },
    share(manifest, environments, holdings) {
      const open = shared.get(manifest.digest);
      if (open !== undefined && open.environments.join() === environments.join()) return open.tree;
      unshare(manifest.digest);
      const [oldest] = shared.keys();
      if (shared.size >= sharedMax && oldest !== undefined) unshare(oldest);
      const tree = deps.swarm.share(
        { revision: manifest.digest, blob: 'tree', chunkCount: manifest.tree.chunkCount, chunk: (ordinal) => manifest.tree.chunk(ordinal), environments },
        holdings,
      );
      shared.set(manifest.digest, { environments, tree, index: shareIndex(deps.swarm, manifest, environments) });
      return tree;
    },
    sharing: (revision) => shared.get(revision)?.tree,
    unshare,
    expect(manifests) {
      for (const bytes of manifests) {
        const digest = hash('sha256', bytes);
        atHand.delete(digest);
        atHand.set(digest, bytes);
        const [oldest] = atHand.keys();
        if (atHand.size > manifestsAtHandMax && oldest !== undefined) atHand.delete(oldest);
      }
    },
    shared: () => new Map([...shared].map(([revision, { environments }]) => [revision, environments])),
    close() {
      for (const revision of shared.keys()) unshare(revision);
    },
  };
}

function shareIndex(swarm: Swarm, manifest: Manifest, environments: readonly string[]): Sharing {
  const parts = indexParts(manifest.revision, manifest.index);
  return swarm.share(indexTopic(manifest.digest, manifest.revision, environments), {
    held: fullBitmap(parts.length),
    read: async (ordinal) => await Promise.resolve(parts[ordinal]),
  });
}

function indexTopic(digest: Digest, revision: Revision, environments: readonly string[]) {
  return {
    revision: digest,
    blob: 'index',
    chunkCount: revision.indexChunks.length,
    chunk: (ordinal: number) => {
      const chunk = revision.indexChunks[ordinal];
      if (chunk === undefined) throw new RangeError(`the index of ${digest} has no chunk ${ordinal}`);
      return chunk;
    },
    environments,
  } as const;
}

function indexParts(revision: Revision, index: Uint8Array): Uint8Array[] {
  let offset = 0;
  return revision.indexChunks.map(({ length }) => index.subarray(offset, (offset += length)));
}

async function obtain(deps: LibraryDeps, digest: Digest, environments: readonly string[], { signal, indexFrom, atHand }: Obtaining & { readonly atHand: Uint8Array | undefined }): Promise<Manifest> {
  const kept = await deps.manifests.get(digest);
  if (kept !== undefined) return kept;
  const bytes = atHand ?? (await manifestBytes(deps, digest, signal));
  const revision = decodeRevision(bytes);
  const made = await indexFrom?.(digest, revision, environments, { signal });
  const index = made ?? (await indexByChunks(deps, digest, revision, environments, { signal }));
  const manifest = deps.manifests.assemble(digest, bytes, index);
  await deps.manifests.keep(manifest);
  return manifest;
}

/** Chunk by chunk from neighbours, except for those that a kept index has too. */
async function indexByChunks(deps: LibraryDeps, digest: Digest, revision: Revision, environments: readonly string[], { signal }: Waiting): Promise<Uint8Array> {
  const parts = await partsAtHand(deps.manifests, revision);
  const held = createBitmap(parts.length);
  for (const [ordinal, part] of parts.entries()) if (part !== undefined) held.set(ordinal);
  const sharing = deps.swarm.share(indexTopic(digest, revision, environments), {
    held,
    read: async (ordinal) => await Promise.resolve(parts[ordinal]),
  });
  try {
    await sharing.fetch({
      wanted: fullBitmap(parts.length),
      write: async (ordinal, part) => {
        parts[ordinal] = part;
        await Promise.resolve();
      },
      signal,
    });
  } finally {
    sharing.close();
  }
  return Buffer.concat(parts.map((part) => part ?? new Uint8Array()));
}

async function partsAtHand(manifests: Manifests, revision: Revision): Promise<(Uint8Array | undefined)[]> {
  const found = new Map<Digest, Uint8Array>();
  for (const digest of (await manifests.list()).slice(-indexesReusedMax)) {
    const kept = await manifests.get(digest);
    if (kept?.revision.app !== revision.app) continue;
    const parts = indexParts(kept.revision, kept.index);
    for (const [ordinal, { id }] of kept.revision.indexChunks.entries()) {
      const part = parts[ordinal];
      if (part !== undefined) found.set(id, part);
    }
  }
  return revision.indexChunks.map(({ id }) => found.get(id));
}

/** From the control plane, or when it is out of reach or does not know it, from a neighbour. */
async function manifestBytes(deps: LibraryDeps, digest: Digest, signal: AbortSignal): Promise<Uint8Array> {
  try {
    const bytes = await deps.link.manifest(digest, { signal });
    if (bytes !== undefined && hash('sha256', bytes) === digest) return bytes;
    if (bytes !== undefined) deps.log.warn({ revision: digest }, 'the control plane sent another manifest than was asked for');
  } catch (cause) {
    if (!(cause instanceof DaemonError) || signal.aborted) throw cause;
    deps.log.info({ revision: digest, reason: cause.message }, 'the manifest is asked of the neighbours');
  }
  return await deps.swarm.fetchManifest(digest, { signal });
}
