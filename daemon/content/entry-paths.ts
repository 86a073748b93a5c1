// Paths of a tree's entries for readers of single chunks, who ask for the same one again and again: a path takes up to 32 steps of front coding.
// Only paths are remembered here; nothing is read.

import type { Tree } from '../../proto/tree.ts';

/** Files that are read from at once are as many as neighbours that are served, and then some. */
const rememberedMax = 64;

/** The path of an entry by its position, as the tree has it. */
export function createEntryPaths(tree: Pick<Tree, 'path'>): (position: number) => string {
  const known = new Map<number, string>();
  return (position) => {
    const found = known.get(position);
    if (found !== undefined) return found;
    const path = tree.path(position);
    if (known.size >= rememberedMax) known.clear();
    known.set(position, path);
    return path;
  };
}
