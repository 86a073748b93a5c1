// The manifests and tree indexes that this machine keeps: one pair of files for each revision, written atomically and synced.
// The chunks themselves are in a store or in the installed trees; what a kept revision is for is its owner's business.

import { open, mkdir, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { hash } from 'node:crypto';
import { join } from 'node:path';
import { isDigest, type Digest } from '../../proto/cid.ts';
import type { Revision } from '../../proto/revision.ts';
import { decodeRevision } from '../../proto/revision-codec.ts';
import { decodeTree } from '../../proto/tree-index.ts';
import type { Tree } from '../../proto/tree.ts';
import { DaemonError } from '../errors.ts';

/** A revision with everything but its chunks. */
export interface Manifest {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
  readonly revision: Revision;
  readonly index: Uint8Array;
  readonly tree: Tree;
}

/** Kept manifests, by revision. */
export interface Manifests {
  /** Digests of what is kept, in no order. */
  list(): Promise<readonly Digest[]>;
  /** The same, the one that was kept first at the beginning. */
  listByAge(): Promise<readonly Digest[]>;
  /** The kept manifest, verified anew against its digests; `undefined` when there is none or its files are damaged. */
  get(revision: Digest): Promise<Manifest | undefined>;
  /** The encoded manifest alone, checked against its digest, and no index read for it: what neighbours ask for, as often as they like. */
  bytes(revision: Digest): Promise<Uint8Array | undefined>;
  /** Resolves when both files are synced. @throws {DaemonError} NO_SPACE or STORAGE_FAILED. */
  keep(manifest: Manifest): Promise<void>;
  drop(revision: Digest): Promise<void>;
  /**
   * Checks a manifest and an index against each other and against the digest asked for, and decodes both; keeps nothing.
   * @throws {DaemonError} CORRUPT_STATE when they do not belong together. @throws {ProtocolError} what the decoders say.
   */
  assemble(digest: Digest, bytes: Uint8Array, index: Uint8Array): Manifest;
}

function assemble(digest: Digest, bytes: Uint8Array, index: Uint8Array): Manifest {
  const revision = decodeRevision(bytes);
  if (hash('sha256', bytes) !== digest) throw new DaemonError('CORRUPT_STATE', `a revision manifest hashes to ${hash('sha256', bytes)}, not to ${digest}`);
  if (hash('sha256', index) !== revision.tree) throw new DaemonError('CORRUPT_STATE', `the tree index of revision ${digest} hashes to ${hash('sha256', index)}, not to ${revision.tree}`);
  const tree = decodeTree(index);
  if (tree.chunkCount !== revision.chunks || tree.entryCount !== revision.entries || tree.bytes !== revision.bytes) {
    throw new DaemonError('CORRUPT_STATE', `revision ${digest} states ${revision.entries} entries, ${revision.chunks} chunks and ${revision.bytes} bytes; its tree has ${tree.entryCount}, ${tree.chunkCount} and ${tree.bytes}`);
  }
  return { digest, bytes, revision, index, tree };
}

/** Manifests as files in `directory`, which is made when it is missing. */
export async function openManifests(directory: string): Promise<Manifests> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = (revision: Digest, kind: 'manifest' | 'index'): string => join(directory, `${revision}.${kind}`);
  const list = async (): Promise<readonly Digest[]> => {
    const names = await readdir(directory);
    return names.filter((name) => name.endsWith('.manifest')).map((name) => name.slice(0, -'.manifest'.length)).filter(isDigest);
  };
  /** Under way: the same files are not written twice at once. */
  const keeping = new Map<Digest, Promise<void>>();
  const write = async ({ digest, index, bytes }: Manifest): Promise<void> => {
    // The manifest goes last: a pair is kept when its manifest is there.
    await writeSynced(file(digest, 'index'), index);
    await writeSynced(file(digest, 'manifest'), bytes);
    await syncDirectory(directory);
  };
  return {
    assemble,
    list,
    async listByAge() {
      const found: { readonly revision: Digest; readonly at: number }[] = [];
      for (const revision of await list()) {
        const at = (await stat(file(revision, 'manifest')).catch(() => undefined))?.mtimeMs;
        if (at !== undefined) found.push({ revision, at });
      }
      return found.toSorted((a, b) => a.at - b.at).map(({ revision }) => revision);
    },
    async get(revision) {
      try {
        return assemble(revision, await readFile(file(revision, 'manifest')), await readFile(file(revision, 'index')));
      } catch {
        // Absent, torn or damaged: all the same to the caller, who fetches it again.
        return undefined;
      }
    },
    async bytes(revision) {
      const bytes = await readFile(file(revision, 'manifest')).catch(() => undefined);
      return bytes !== undefined && hash('sha256', bytes) === revision ? bytes : undefined;
    },
    async keep(manifest) {
      const { digest } = manifest;
      const kept = keeping.get(digest) ?? write(manifest).finally(() => keeping.delete(digest));
      keeping.set(digest, kept);
      await kept;
    },
    async drop(revision) {
      await rm(file(revision, 'manifest'), { force: true });
      await rm(file(revision, 'index'), { force: true });
      await syncDirectory(directory);
    },
  };
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    const handle = await open(temporary, 'w', 0o600);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    const full = cause instanceof Error && 'code' in cause && cause.code === 'ENOSPC';
    throw new DaemonError(full ? 'NO_SPACE' : 'STORAGE_FAILED', `cannot write ${bytes.length} bytes to ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
