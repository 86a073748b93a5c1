// Where the chunks of a tree lie in its files.

import type { FileEntry, Tree } from '../../proto/tree.ts';

/** A chunk's bytes within a file of the tree. */
export interface Place {
  /** Position of the file among the tree's entries. */
  readonly entry: number;
  /** In bytes from the start of the file. */
  readonly offset: number;
}

/** Where each chunk comes first: by ordinal, 12 bytes a chunk. */
export interface FirstPlaces {
  of(ordinal: number): Place;
}

/** Looks at every entry once. */
export function firstPlaces(tree: Tree): FirstPlaces {
  const entries = new Uint32Array(tree.chunkCount);
  const offsets = new Float64Array(tree.chunkCount);
  let next = 0;
  for (const { position, ordinal, offset } of occurrences(tree)) {
    if (ordinal !== next) continue;
    entries[next] = position;
    offsets[next] = offset;
    next += 1;
  }
  return { of: (ordinal) => ({ entry: entries[ordinal] ?? 0, offset: offsets[ordinal] ?? 0 }) };
}

/** Every use of every chunk, in path order. */
export function* occurrences(tree: Tree): Generator<{ readonly position: number; readonly file: FileEntry; readonly ordinal: number; readonly offset: number }> {
  for (let position = 0; position < tree.entryCount; position += 1) {
    const file = tree.entry(position);
    if (file.kind !== 'file') continue;
    let offset = 0;
    for (const ordinal of file.chunks) {
      yield { position, file, ordinal, offset };
      offset += tree.chunkLength(ordinal);
    }
  }
}
