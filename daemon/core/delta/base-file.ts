// Which file of an old tree a changed file of a new tree most likely came from: the same path, else one whose path differs in its version or
// its hash, else one of the same name somewhere else. A guess costs bytes when it is wrong, never correctness.

import { comparePaths } from '../../../proto/path.ts';
import type { FileEntry, Tree } from '../../../proto/tree.ts';

/** Candidates looked at for one file: names like `index.js` come a thousand times. */
const candidatesMax = 64;

/** For each of the files (positions of entries in `to`, ascending): the position of its base in `from`. */
export function baseFiles(from: Tree, to: Tree, files: readonly number[]): ReadonlyMap<number, number> {
  const bases = new Map<number, number>();
  const rest: number[] = [];
  let position = 0;
  for (const index of files) {
    const path = to.path(index);
    while (position < from.entryCount && comparePaths(from.path(position), path) < 0) position += 1;
    const there = position < from.entryCount ? from.entry(position) : undefined;
    if (there?.kind === 'file' && there.path === path && there.size > 0) bases.set(index, position);
    else rest.push(index);
  }
  if (rest.length > 0) findMoved(from, to, rest, bases);
  return bases;
}

function findMoved(from: Tree, to: Tree, files: readonly number[], bases: Map<number, number>): void {
  const candidates = new Map<string, number[]>();
  for (const index of files) for (const key of keysOf(to.path(index))) candidates.set(key, []);
  for (let index = 0; index < from.entryCount; index += 1) {
    const entry = from.entry(index);
    if (entry.kind !== 'file' || entry.size === 0) continue;
    for (const key of keysOf(entry.path)) {
      const list = candidates.get(key);
      if (list !== undefined && list.length < candidatesMax) list.push(index);
    }
  }
  for (const index of files) {
    const file = to.entry(index);
    if (file.kind !== 'file') continue;
    for (const key of keysOf(file.path)) {
      const best = bestOf(from, file, candidates.get(key) ?? []);
      if (best === undefined) continue;
      bases.set(index, best);
      break;
    }
  }
}

function bestOf(from: Tree, file: FileEntry, candidates: readonly number[]): number | undefined {
  let best: number | undefined;
  let bestScore = 0;
  for (const index of candidates) {
    const entry = from.entry(index);
    if (entry.kind !== 'file') continue;
    const score = similarity(entry, file);
    if (score > bestScore) {
      best = index;
      bestScore = score;
    }
  }
  return best;
}

/** What a path is looked up by, the most telling first: itself without versions and hashes, then its last part without them. */
function keysOf(path: string): readonly [string, string] {
  const stable = path.replaceAll(/[0-9a-f]{8,}|\d+/gi, '#');
  return [stable, `*/${stable.slice(stable.lastIndexOf('/') + 1)}`];
}

/** Path parts shared at both ends, and less than one for the ratio of the sizes. 0 when the sizes are too far apart to be of use. */
function similarity(a: FileEntry, b: FileEntry): number {
  const ratio = Math.min(a.size, b.size) / Math.max(a.size, b.size, 1);
  if (ratio < 0.05) return 0;
  const left = a.path.split('/');
  const right = b.path.split('/');
  const shorter = Math.min(left.length, right.length);
  let begin = 0;
  while (begin < shorter && left[begin] === right[begin]) begin += 1;
  let end = 0;
  while (end < shorter - begin && left.at(-1 - end) === right.at(-1 - end)) end += 1;
  return begin + end + ratio * 0.9;
}
