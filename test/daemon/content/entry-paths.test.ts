// Paths of entries, remembered: the same as the tree's own, however many are asked for, and an entry is not made again for each chunk of its file.

import { expect, test } from 'vitest';
import { createEntryPaths } from '../../../daemon/content/entry-paths.ts';
import type { Entry } from '../../../proto/tree.ts';

/** A tree of empty directories that counts how often an entry was made. */
function counting() {
  let made = 0;
  const entry = (position: number): Entry => {
    made += 1;
    return { kind: 'directory', path: `d${position}`, mode: 0o755 };
  };
  return { tree: { entry }, made: () => made };
}

test('the paths of a thousand entries are those of the tree, in any order and again', () => {
  const { tree } = counting();
  const pathOf = createEntryPaths(tree);
  const order = Array.from({ length: 3_000 }, (_, at) => (at * 617) % 1_000);
  expect(order.map((position) => pathOf(position))).toEqual(order.map((position) => `d${position}`));
});

test('reading chunk after chunk of a few files makes the entry of each once', () => {
  const { tree, made } = counting();
  const pathOf = createEntryPaths(tree);
  for (let read = 0; read < 10_000; read += 1) pathOf(read % 8);
  expect(made()).toBe(8);
});
