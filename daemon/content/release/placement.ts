// Which bytes of a release under construction are in place: by use of a chunk, by file, by ordinal. Numbers only; no disk.

import { createBitmap, type Bitmap } from '../../../proto/bitmap.ts';
import type { Tree } from '../../../proto/tree.ts';
import { chunkUses, type Use } from './chunk-uses.ts';

/** What is in place. A chunk is held when it is at every place where the tree has it. */
export interface Placement {
  readonly held: Bitmap;
  /** Places that lack the chunk. */
  lacking(ordinal: number): readonly Use[];
  /** A place that has it. */
  somewhere(ordinal: number): Use | undefined;
  /** Says that a use is in place, and gives whether its file is whole by that. */
  placed(ordinal: number, use: Use): boolean;
  /** All chunks of a file are in place. */
  fileIsWhole(entry: number): void;
  /** The chunk at `offset` of a file, which begins there, is in place. */
  found(ordinal: number, entry: number, offset: number): void;
  /** Nothing of a file is in place any more. */
  fileIsGone(entry: number): void;
}

/** Nothing in place yet. */
export function createPlacement(tree: Tree): Placement {
  const uses = chunkUses(tree);
  const inPlace = new Uint8Array(uses.count);
  /** For each chunk, how many of its uses are not in place; for each entry likewise. */
  const chunkLacks = new Uint32Array(tree.chunkCount);
  const entryLacks = new Uint32Array(tree.entryCount);
  const held = createBitmap(tree.chunkCount);
  for (let ordinal = 0; ordinal < tree.chunkCount; ordinal += 1) {
    const all = uses.of(ordinal);
    chunkLacks[ordinal] = all.length;
    for (const { entry } of all) entryLacks[entry] = (entryLacks[entry] ?? 0) + 1;
  }

  const set = (ordinal: number, use: number, entry: number, value: 0 | 1): void => {
    if (inPlace[use] === value) return;
    inPlace[use] = value;
    const change = value === 1 ? -1 : 1;
    chunkLacks[ordinal] = (chunkLacks[ordinal] ?? 0) + change;
    entryLacks[entry] = (entryLacks[entry] ?? 0) + change;
    if (chunkLacks[ordinal] === 0) held.set(ordinal);
    else held.clear(ordinal);
  };
  const setFile = (position: number, value: 0 | 1): void => {
    const entry = tree.entry(position);
    if (entry.kind !== 'file') return;
    let offset = 0;
    for (const ordinal of entry.chunks) {
      set(ordinal, uses.find(ordinal, position, offset), position, value);
      offset += tree.chunkLength(ordinal);
    }
  };

  return {
    held,
    lacking: (ordinal) => uses.of(ordinal).filter(({ use }) => inPlace[use] === 0),
    somewhere: (ordinal) => uses.of(ordinal).find(({ use }) => inPlace[use] === 1),
    placed(ordinal, { use, entry }) {
      set(ordinal, use, entry, 1);
      return entryLacks[entry] === 0;
    },
    fileIsWhole: (entry) => setFile(entry, 1),
    found: (ordinal, entry, offset) => set(ordinal, uses.find(ordinal, entry, offset), entry, 1),
    fileIsGone: (entry) => setFile(entry, 0),
  };
}
