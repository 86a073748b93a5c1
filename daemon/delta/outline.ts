// The outline of a tree index: the index without what the chunks of a set's segments tell anyway, which is most of what is new in it. The
// identifiers of those chunks are left out, and the digests of files that hold one are zeros. Filling it in takes the chunks, and for such
// files the unchanged chunks between them. Where the columns lie is in proto/tree-index.ts.

import { createHash, hash } from 'node:crypto';
import { digestBytes } from '../../proto/cid.ts';
import { ProtocolError } from '../../proto/errors.ts';
import type { OrdinalRange } from '../../proto/exchange.ts';
import { limits } from '../../proto/limits.ts';
import { createByteReader } from '../../proto/tree-index-bytes.ts';
import { openTree } from '../../proto/tree-index.ts';
import type { FileEntry, Tree } from '../../proto/tree.ts';

/** Magic, version and flags of an index. */
const headBytes = 6;

/** The outline of `index`, whose tree is `tree`, without what the chunks of `out` tell. */
export function outlineOf(index: Uint8Array, tree: Tree, out: readonly OrdinalRange[]): Uint8Array {
  const outline = Uint8Array.from(index);
  for (const { at } of openDigests(tree, out, index.length)) outline.fill(0, at, at + digestBytes);
  const ids = index.length - tree.chunkCount * digestBytes;
  const pieces = [outline.subarray(0, ids)];
  let next = 0;
  for (const { from, to } of [...out].sort((a, b) => a.from - b.from)) {
    pieces.push(outline.subarray(ids + next * digestBytes, ids + from * digestBytes));
    next = to;
  }
  pieces.push(outline.subarray(ids + next * digestBytes));
  return Buffer.concat(pieces);
}

/** An outline whose chunks are known by length only. */
export interface OpenIndex {
  /** Entries and lengths are those of the whole index; the identifiers of the chunks left out and some digests are not, before it is filled. */
  readonly tree: Tree;
  /**
   * The whole index; `undefined` when a chunk is not there. Once only: nothing says yet that it is the right one, and it stays what it is.
   * `chunk` gives the bytes of any chunk that a file with a chunk left out has.
   */
  fill(chunk: (ordinal: number) => Promise<Uint8Array | undefined>): Promise<Uint8Array | undefined>;
  /** The tree of the whole index. @throws {ProtocolError} when there is no such tree. */
  close(): Tree;
}

/** @throws {ProtocolError} when no index has this outline. */
export function openOutline(outline: Uint8Array, out: readonly OrdinalRange[]): OpenIndex {
  const chunkCount = chunkCountOf(outline);
  const count = out.reduce((sum, { from, to }) => sum + to - from, 0);
  const index = new Uint8Array(outline.length + count * digestBytes);
  const ids = index.length - chunkCount * digestBytes;
  if (ids < 0 || out.some(({ to }) => to > chunkCount)) {
    throw new ProtocolError('MALFORMED', `an outline of ${outline.length} bytes and ${chunkCount} chunks leaves out ${count} others`);
  }
  index.set(outline.subarray(0, ids));
  let read = ids;
  let next = 0;
  const keep = (to: number): void => {
    index.set(outline.subarray(read, read + (to - next) * digestBytes), ids + next * digestBytes);
    read += (to - next) * digestBytes;
  };
  for (const { from, to } of [...out].sort((a, b) => a.from - b.from)) {
    keep(from);
    next = to;
  }
  keep(chunkCount);
  const open = openTree(index);
  return {
    tree: open.tree,
    close: () => open.close(),
    async fill(chunk) {
      for (const { from, to } of out) {
        for (let ordinal = from; ordinal < to; ordinal += 1) {
          const bytes = await chunk(ordinal);
          if (bytes === undefined) return undefined;
          index.set(hash('sha256', bytes, 'buffer'), ids + ordinal * digestBytes);
        }
      }
      for (const { at, file } of openDigests(open.tree, out, index.length)) {
        const digest = await digestOfFile(file, chunk);
        if (digest === undefined) return undefined;
        index.set(digest, at);
      }
      return index;
    },
  };
}

/** As the head of an index states it. */
function chunkCountOf(outline: Uint8Array): number {
  const reader = createByteReader(outline);
  reader.bytes(headBytes);
  reader.number('the number of entries', limits.treeEntriesMax);
  return reader.number('the number of chunks', limits.treeChunksMax);
}

async function digestOfFile(file: FileEntry, chunk: (ordinal: number) => Promise<Uint8Array | undefined>): Promise<Uint8Array | undefined> {
  const sum = createHash('sha256');
  for (const ordinal of file.chunks) {
    const bytes = await chunk(ordinal);
    if (bytes === undefined) return undefined;
    sum.update(bytes);
  }
  return sum.digest();
}

/** Files of several chunks of which one is left out, and where the digest of each lies in the index. */
function openDigests(tree: Tree, out: readonly OrdinalRange[], indexBytes: number): readonly { readonly at: number; readonly file: FileEntry }[] {
  const left = new Uint8Array(tree.chunkCount);
  for (const { from, to } of out) left.fill(1, from, to);
  const found: { rank: number; file: FileEntry }[] = [];
  let digests = 0;
  for (const file of tree.filesOfSeveral()) {
    if (file.chunks.some((ordinal) => left[ordinal] === 1)) found.push({ rank: digests, file });
    digests += 1;
  }
  const begin = indexBytes - (tree.chunkCount + digests) * digestBytes;
  return found.map(({ rank, file }) => ({ at: begin + rank * digestBytes, file }));
}
