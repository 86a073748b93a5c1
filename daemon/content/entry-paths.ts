// Paths of a tree's entries for readers of single chunks. Making an entry of a file takes as long as the file has chunks: for one of 256 MiB twice what reading
// one of its chunks takes. Only paths are remembered here; nothing is read.

import type { Tree } from '../../proto/tree.ts';

/** Files that are read from at once are as many as neighbours that are served, and then some. */
const rememberedMax = 64;

/** The path of an entry by its position, as the tree has it. */
export function createEntryPaths(tree: Pick<Tree, 'entry'>): (position: number) => string {
  const known = new Map<number, string>();
  return (position) => {
    const found = known.get(position);
    if (found !== undefined) return found;
    const { path } = tree.entry(position);
    if (known.size >= rememberedMax) known.clear();
    known.set(position, path);
    return path;
  };
}
