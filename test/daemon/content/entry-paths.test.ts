// Paths of entries, remembered: the same as the tree's own, however many are asked for, and one is not made again for each chunk of its file.

import { expect, test } from 'vitest';
import { createEntryPaths } from '../../../daemon/content/entry-paths.ts';

/** A tree that counts how often a path was made. */
function counting() {
  let made = 0;
  const path = (position: number): string => {
    made += 1;
    return `d${position}`;
  };
  return { tree: { path }, made: () => made };
}

test('the paths of a thousand entries are those of the tree, in any order and again', () => {
  const { tree } = counting();
  const pathOf = createEntryPaths(tree);
  const order = Array.from({ length: 3_000 }, (_, at) => (at * 617) % 1_000);
  expect(order.map((position) => pathOf(position))).toEqual(order.map((position) => `d${position}`));
});

test('reading chunk after chunk of a few files makes the path of each once', () => {
  const { tree, made } = counting();
  const pathOf = createEntryPaths(tree);
  for (let read = 0; read < 10_000; read += 1) pathOf(read % 8);
  expect(made()).toBe(8);
});
