// Where each chunk of a tree is needed, every place of it; places.ts knows only the first. Numbers in columns: 16 bytes a use.

import type { Tree } from '../../../proto/tree.ts';
import { occurrences } from '../places.ts';

/** One place of a chunk. Uses are numbered so that those of a chunk follow each other. */
export interface Use {
  readonly use: number;
  readonly entry: number;
  readonly offset: number;
}

/** Every use of every chunk. */
export interface ChunkUses {
  readonly count: number;
  of(ordinal: number): readonly Use[];
  /** Number of the use of `ordinal` at this place. */
  find(ordinal: number, entry: number, offset: number): number;
}

/** Looks at every entry twice. */
export function chunkUses(tree: Tree): ChunkUses {
  const starts = new Uint32Array(tree.chunkCount + 1);
  for (const { ordinal } of occurrences(tree)) starts[ordinal + 1] = (starts[ordinal + 1] ?? 0) + 1;
  for (let ordinal = 0; ordinal < tree.chunkCount; ordinal += 1) starts[ordinal + 1] = (starts[ordinal + 1] ?? 0) + (starts[ordinal] ?? 0);
  const count = starts[tree.chunkCount] ?? 0;
  const next = starts.slice();
  const entries = new Uint32Array(count);
  const offsets = new Float64Array(count);
  for (const { position, ordinal, offset } of occurrences(tree)) {
    const use = next[ordinal] ?? 0;
    entries[use] = position;
    offsets[use] = offset;
    next[ordinal] = use + 1;
  }
  const at = (use: number): Use => ({ use, entry: entries[use] ?? 0, offset: offsets[use] ?? 0 });
  return {
    count,
    of(ordinal) {
      const end = starts[ordinal + 1] ?? 0;
      const first = starts[ordinal] ?? 0;
      return Array.from({ length: end - first }, (_, index) => at(first + index));
    },
    find(ordinal, entry, offset) {
      // By entry, then offset, ascending: that is the order in which they were found.
      let low = starts[ordinal] ?? 0;
      let high = starts[ordinal + 1] ?? 0;
      while (low < high) {
        const middle = (low + high) >>> 1;
        const found = at(middle);
        if (found.entry < entry || (found.entry === entry && found.offset < offset)) low = middle + 1;
        else high = middle;
      }
      return low;
    },
  };
}
