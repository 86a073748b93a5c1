// A tree over the columns of its index: entries are made when asked for, nothing is held per entry but numbers.
// Checking the columns is elsewhere; here they are trusted.

import { type Digest, digestBytes, digestFromBytes } from './cid.ts';
import type { PathColumn } from './tree-index-paths.ts';
import type { Entry, Tree } from './tree.ts';

/** Types and bits of the modes column, as stat has them. */
export const entryTypes = { mask: 0o170000, directory: 0o040000, file: 0o100000, symlink: 0o120000 } as const;
/** The permission bits that an entry may have: nobody but the owner writes, nothing is setuid. */
export const modeMask = 0o755;
/** What stat says of every symbolic link: the one value of the modes column for it. */
export const symlinkMode = 0o120777;
/** sha2-256 of no bytes. */
export const emptyDigest: Digest = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** The columns of an index, read and checked. */
export interface Columns {
  readonly entryCount: number;
  readonly chunkCount: number;
  readonly bytes: number;
  readonly caseSensitive: boolean;
  /** Two bytes for each entry. */
  readonly modes: Uint8Array;
  readonly paths: PathColumn;
  /** The targets of all links, one after the other, and for each link where its target ends in them. */
  readonly targets: Uint8Array;
  readonly targetEnds: Uint32Array;
  /** Of each chunk, in bytes. */
  readonly lengths: Uint32Array;
  /** For each entry and one more: where its chunks begin in `ordinals`. */
  readonly starts: Uint32Array;
  readonly ordinals: Uint32Array;
  /** For each entry: how many before it are links (for a link), or files with a digest of their own (for a file). */
  readonly ranks: Uint32Array;
  /** 32 bytes for each file of more than one chunk. */
  readonly digests: Uint8Array;
  /** 32 bytes for each chunk. */
  readonly ids: Uint8Array;
}

/** The type and permission bits of an entry. */
export function modeAt(modes: Uint8Array, index: number): number {
  return ((modes[index * 2] ?? 0) << 8) | (modes[index * 2 + 1] ?? 0);
}

/** The tree that the columns stand for. */
export function createTree(columns: Columns): Tree {
  const { entryCount, chunkCount, bytes, caseSensitive } = columns;
  const entry = (index: number): Entry => {
    checkPosition(index, entryCount, 'entry');
    return entryAt(columns, index);
  };
  return {
    entryCount,
    chunkCount,
    bytes,
    caseSensitive,
    entry,
    path(index) {
      checkPosition(index, entryCount, 'entry');
      return columns.paths.path(index);
    },
    *entries() {
      for (let index = 0; index < entryCount; index += 1) yield entryAt(columns, index);
    },
    *filesOfSeveral() {
      for (let index = 0; index < entryCount; index += 1) {
        if ((columns.starts[index + 1] ?? 0) - (columns.starts[index] ?? 0) < 2) continue;
        const entry = entryAt(columns, index);
        if (entry.kind === 'file') yield entry;
      }
    },
    chunk(ordinal) {
      checkPosition(ordinal, chunkCount, 'chunk');
      return { id: digestAt(columns.ids, ordinal), length: columns.lengths[ordinal] ?? 0 };
    },
    chunkLength(ordinal) {
      checkPosition(ordinal, chunkCount, 'chunk');
      return columns.lengths[ordinal] ?? 0;
    },
  };
}

function entryAt(columns: Columns, index: number): Entry {
  const path = columns.paths.path(index);
  const mode = modeAt(columns.modes, index);
  const type = mode & entryTypes.mask;
  if (type === entryTypes.directory) return { kind: 'directory', path, mode: mode & modeMask };
  if (type === entryTypes.symlink) return { kind: 'symlink', path, target: targetAt(columns, index) };
  const chunks = Array.from(columns.ordinals.subarray(columns.starts[index], columns.starts[index + 1]));
  const size = chunks.reduce((sum, ordinal) => sum + (columns.lengths[ordinal] ?? 0), 0);
  return { kind: 'file', path, mode: mode & modeMask, size, digest: fileDigest(columns, index, chunks), chunks };
}

function fileDigest(columns: Columns, index: number, chunks: readonly number[]): Digest {
  const [only] = chunks;
  if (only === undefined) return emptyDigest;
  return chunks.length === 1 ? digestAt(columns.ids, only) : digestAt(columns.digests, columns.ranks[index] ?? 0);
}

function targetAt({ targets, targetEnds, ranks }: Columns, index: number): string {
  const rank = ranks[index] ?? 0;
  const begin = rank === 0 ? 0 : (targetEnds[rank - 1] ?? 0);
  const target = targets.subarray(begin, targetEnds[rank]);
  return Buffer.from(target.buffer, target.byteOffset, target.length).toString('utf8');
}

function digestAt(digests: Uint8Array, position: number): Digest {
  return digestFromBytes(digests.subarray(position * digestBytes, (position + 1) * digestBytes));
}

function checkPosition(position: number, count: number, what: string): void {
  if (!(Number.isInteger(position) && position >= 0 && position < count)) {
    throw new RangeError(`there is no ${what} ${position}; the tree has ${count}`);
  }
}
