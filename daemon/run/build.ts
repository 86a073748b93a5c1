// Builds a release in its staging directory: what this machine holds is taken from disk, the rest comes from the swarm, and
// everything is shared with neighbours from the first chunk on.

import { createBitmap, type Bitmap } from '../../proto/bitmap.ts';
import type { Digest } from '../../proto/cid.ts';
import type { Transfer } from '../../proto/fleet.ts';
import type { Order } from '../../proto/statement.ts';
import type { Manifest, Manifests } from '../content/manifests.ts';
import type { ChunkSource, InstalledTrees, Materialize, ReadRun, ReleaseBuild, Seals, TreeOnDisk } from '../content/store.ts';
import type { InstalledApp, Installer } from '../install/installer.ts';
import type { Logger } from '../log.ts';
import type { FetchOptions, Sharing } from '../swarm/swarm.ts';
import { mergeTransfers } from './delta/transfer.ts';
import type { DeltaUse } from './delta/use.ts';
import type { Library } from './library.ts';
import type { Builder } from './orders.ts';

/** What building needs. */
export interface BuilderDeps {
  readonly installer: Pick<Installer, 'status'>;
  readonly installed: InstalledTrees;
  readonly materialize: Materialize;
  readonly manifests: Manifests;
  readonly library: Library;
  /** None: every chunk comes plain. */
  readonly deltas?: DeltaUse;
  /** What a seed in the same daemon holds. No neighbour of ours may have it, and we are none of our own; its shares and manifests are left to it. */
  readonly seed?: ChunkSource | undefined;
  readonly log: Logger;
}

/** Builds whose end is remembered until they are installed: more than a machine has applications that are built at once. */
const sealsMax = 16;

/** A builder over the releases of one machine. */
export function createBuilder(deps: BuilderDeps): Builder {
  /** Of releases built and not yet seen in their place, by their last name. */
  const seals = new Map<string, Seals>();

  return {
    manifest: async (order, { signal }) => await deps.library.obtain(order.revision, [order.environment], { signal, ...(deps.deltas === undefined ? {} : { indexFrom: deps.deltas.index }) }),

    async build(order, manifest, directory, { signal, urgent, onProgress }) {
      const previous = await previousRelease(deps, order);
      await using release = await deps.materialize({ tree: manifest.tree, directory, local: deps.seed === undefined ? deps.installed : either(deps.installed, deps.seed), ...(previous === undefined ? {} : { previous }), links: manifest.revision.spec.install.links ?? 'auto', signal });
      const held = release.held();
      const seeds = deps.seed !== undefined && held.isFull ? deps.library.sharing(manifest.digest) : undefined;
      // An earlier attempt's sharing reads from a build that is no more.
      if (seeds === undefined) deps.library.unshare(manifest.digest);
      const sharing = seeds ?? deps.library.share(manifest, [order.environment], {
        held,
        read: async (ordinal, options) => (await deps.installed.get(manifest.tree.chunk(ordinal).id, options)) ?? (await release.read(ordinal, options)),
        readRun: async (ordinals, places, options) => (await runsOf(deps.installed, manifest)(ordinals, places, options)) || (await release.readRun(ordinals, places, options)),
      });
      const reusedBytes = bytesOf(manifest, held);
      const totalBytes = bytesOf(manifest, undefined);
      try {
        let haveBytes = reusedBytes;
        const write: FetchOptions['write'] = async (ordinal, bytes, placed) =>
          await release.write(ordinal, bytes, () => {
            haveBytes += bytes.length;
            onProgress({ haveBytes, totalBytes });
            placed();
          });
        const transfer = await bring(deps, manifest, [order.environment], { release, sharing, write, signal, urgent });
        await release.finish({ signal });
        seals.set(directory.replace(/\.tmp$/, ''), release.seals);
        // One that was built and never installed is forgotten in the end: its files are hashed if it is installed after all.
        for (const oldest of [...seals.keys()].slice(0, -sealsMax)) seals.delete(oldest);
        return { ...transfer, reusedBytes };
      } catch (cause) {
        if (seeds === undefined) deps.library.unshare(manifest.digest);
        throw cause;
      }
    },

    refresh: sharingInstalled(deps, seals),
  };
}

interface Bringing {
  readonly release: Pick<ReleaseBuild, 'held'>;
  readonly sharing: Sharing;
  readonly write: FetchOptions['write'];
  readonly signal: AbortSignal;
  readonly urgent: AbortSignal | undefined;
}

/** What a delta set can make is made while the rest comes plain; what it then did not make comes plain after all. */
async function bring(deps: BuilderDeps, manifest: Manifest, environments: readonly string[], { release, sharing, write, signal, urgent }: Bringing): Promise<Transfer> {
  const waiting = urgent === undefined ? {} : { urgent };
  const plain = async (wanted: Bitmap, until: AbortSignal): Promise<Transfer> => await sharing.fetch({ wanted, write, borrows: true, signal: until, ...waiting });
  const delta = await deps.deltas?.open(manifest, environments, complement(release.held()), { signal });
  if (delta === undefined) {
    const transfer = await plain(complement(release.held()), signal);
    deps.deltas?.measured(transfer);
    return transfer;
  }
  // Both have ended when this does: the caller may then remove what they wrote to.
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const giveUp = (cause: unknown): never => {
    failed.abort(cause);
    throw cause;
  };
  const made = delta.bring({
    write: async (ordinal, bytes) => await write(ordinal, bytes, () => sharing.gained([ordinal])),
    signal: either,
    ...waiting,
  }).catch(giveUp);
  const [other, outcome] = await Promise.allSettled([plain(without(complement(release.held()), delta.covered), either).catch(giveUp), made]);
  if (other.status === 'rejected' || outcome.status === 'rejected') throw failed.signal.reason;
  const { transfer, deltaBytes, savedBytes } = outcome.value;
  const both = transfer === undefined ? other.value : mergeTransfers(other.value, transfer, 'together');
  const rest = complement(release.held());
  const all = rest.count === 0 ? both : mergeTransfers(both, await plain(rest, signal), 'sequence');
  return { ...all, deltaBytes, savedBytes };
}

function without(bitmap: Bitmap, others: Bitmap): Bitmap {
  for (const { from, to } of others.ranges()) for (let ordinal = from; ordinal < to; ordinal += 1) bitmap.clear(ordinal);
  return bitmap;
}

/** Shares what is installed by now and no longer what has gone. `seals` is of releases that were built here, until they are seen. */
function sharingInstalled(deps: BuilderDeps, seals: Map<string, Seals>): () => Promise<void> {
  /** Directories whose trees are in the location index, with their revision. */
  const known = new Map<string, Digest>();
  return async () => {
    const apps = await deps.installer.status();
    const present = new Map(apps.flatMap(({ releases }) => releases.map((release) => [release.directory, release] as const)));
    for (const [directory, revision] of known) {
      if (present.has(directory)) continue;
      known.delete(directory);
      deps.installed.remove(directory);
      if (deps.seed !== undefined) continue;
      deps.library.unshare(revision);
      await deps.manifests.drop(revision);
    }
    for (const [directory, { revision, environment }] of present) {
      if (known.has(directory)) continue;
      const manifest = await deps.manifests.get(revision);
      if (manifest === undefined) {
        deps.log.warn({ directory }, 'the manifest of a release is gone; it is not shared until it is installed anew');
        continue;
      }
      known.set(directory, revision);
      await deps.installed.add(manifest.tree, directory, { except: replacedPaths(manifest), seals: seals.get(directory) });
      seals.delete(directory);
      if (deps.seed !== undefined && deps.library.sharing(revision) !== undefined) continue;
      deps.library.share(manifest, [environment], {
        held: complement(createBitmap(manifest.tree.chunkCount)),
        read: async (ordinal, options) => await deps.installed.get(manifest.tree.chunk(ordinal).id, options),
        readRun: runsOf(deps.installed, manifest),
      });
    }
  };
}

/** Chunks of a revision by their ordinals, several at once. */
function runsOf(installed: InstalledTrees, { tree }: Manifest): ReadRun<number> {
  return async (ordinals, places, options) => await installed.getRun(ordinals.map((ordinal) => tree.chunk(ordinal).id), places, options);
}

/** The first that has it. */
function either(first: ChunkSource, second: ChunkSource): ChunkSource {
  return {
    async has(ids) {
      const others = await second.has(ids);
      return (await first.has(ids)).map((has, at) => has || others[at] === true);
    },
    get: async (id, options) => (await first.get(id, options)) ?? (await second.get(id, options)),
  };
}

/** The release that runs now: most of what is wanted is likely to be in it. */
async function previousRelease(deps: BuilderDeps, order: Order): Promise<TreeOnDisk | undefined> {
  const app: InstalledApp | undefined = (await deps.installer.status()).find((candidate) => candidate.app === order.app);
  if (app?.current === undefined) return undefined;
  const manifest = await deps.manifests.get(app.current.revision);
  return manifest === undefined ? undefined : { tree: manifest.tree, directory: app.current.directory, except: replacedPaths(manifest) };
}

/** Paths that the installer puts links to shared files and directories in place of. */
export function replacedPaths({ revision }: Manifest): readonly string[] {
  const { shared } = revision.spec.install;
  return [...(shared?.directories ?? []), ...(shared?.files ?? [])];
}

function complement(held: Bitmap): Bitmap {
  const rest = createBitmap(held.size);
  for (const { from, to } of held.missing()) rest.setRange(from, to);
  return rest;
}

/** Bytes of the given ordinals, or of all distinct chunks. */
function bytesOf({ tree }: Manifest, ordinals: Bitmap | undefined): number {
  let bytes = 0;
  for (const { from, to } of ordinals?.ranges() ?? [{ from: 0, to: tree.chunkCount }]) {
    for (let ordinal = from; ordinal < to; ordinal += 1) bytes += tree.chunkLength(ordinal);
  }
  return bytes;
}
