// What a file tree is: entries in path order, and the table of its distinct chunks.
// The bytes of an index are in tree-index.ts, the rules for paths in path.ts.

import type { Digest } from './cid.ts';

/** A piece of content: its identifier and its length in bytes. */
export interface ChunkRef {
  readonly id: Digest;
  readonly length: number;
}

/** A directory. `mode` holds permission bits only, at most 0o755. */
export interface DirectoryEntry {
  readonly kind: 'directory';
  readonly path: string;
  readonly mode: number;
}

/** A file: its bytes are its chunks in order; no chunk when it is empty. */
export interface FileEntry {
  readonly kind: 'file';
  readonly path: string;
  readonly mode: number;
  readonly size: number;
  /** sha2-256 of the whole file. */
  readonly digest: Digest;
  /** Ordinals into the tree's chunk table, in file order; the same ordinal may come again. */
  readonly chunks: readonly number[];
}

/** A symbolic link; `target` is relative and stays inside the tree. */
export interface SymlinkEntry {
  readonly kind: 'symlink';
  readonly path: string;
  readonly target: string;
}

export type Entry = DirectoryEntry | FileEntry | SymlinkEntry;

/**
 * A whole tree, read-only. Entries are in ascending order of their path's UTF-8 bytes, so a directory comes
 * before what is in it; every parent is declared. The chunk table lists each distinct chunk once, in order of first
 * appearance: its position is the chunk's *ordinal*, the unit of bitmaps and requests.
 */
export interface Tree {
  readonly entryCount: number;
  readonly chunkCount: number;
  /** Sum of the sizes of all files, in bytes. */
  readonly bytes: number;
  /** Whether names that differ only in case may stand side by side. */
  readonly caseSensitive: boolean;
  entry(index: number): Entry;
  /** That of {@link entry}, which takes longer the more chunks a file has. */
  path(index: number): string;
  entries(): Iterable<Entry>;
  /** Files of several chunks, in order: those whose digest is not a chunk's. Takes no time for all others. */
  filesOfSeveral(): Iterable<FileEntry>;
  chunk(ordinal: number): ChunkRef;
  /** That of {@link chunk}, for those who count: an identifier costs more than the rest. */
  chunkLength(ordinal: number): number;
}
