// What an index of a large tree takes: bytes for each file, and that nothing is held per entry but numbers.

import { expect, test } from 'vitest';
import { findDuplicate } from '../../proto/tree-index-unique.ts';
import { createTreeBuilder, decodeTree } from '../../proto/tree-index.ts';
import { chunkOf, directoryOf, fileOf, outcome } from './fixtures.ts';

const packages = 1_000;
const filesPerPackage = 95;
const folders = ['', 'dist', 'dist/esm', 'lib', 'lib/internal', 'src', 'types'];
const words = ['index', 'parse', 'stringify', 'stream', 'options', 'constants', 'validate', 'createServer', 'README', 'helpers'];

/** The shape of an installed JavaScript application: many packages, few folders each, one file in six of more than one chunk's worth. */
function largeIndex(): Uint8Array {
  const builder = createTreeBuilder({ caseSensitive: false });
  builder.add(directoryOf('node_modules'));
  for (let number = 0; number < packages; number += 1) {
    const home = `node_modules/${words[number % words.length]}-${(number * 7919).toString(36)}`;
    for (const folder of folders) builder.add(directoryOf(folder === '' ? home : `${home}/${folder}`));
    for (let file = 0; file < filesPerPackage; file += 1) {
      const folder = folders[file % folders.length];
      const path = [home, folder, `${words[file % words.length]}-${file}.d.ts`].filter(Boolean).join('/');
      const content = `${number}:${file}`;
      const large = file % 24 === 0;
      const chunks = large ? [0, 1, 2, 3, 4].map((part) => chunkOf(`${content}:${part}`, 70_000 + file)) : [chunkOf(content, 200 + ((file * 613) % 30_000))];
      builder.add(fileOf(path, chunks));
    }
  }
  return builder.finish().bytes;
}

test('an index of 100,000 entries takes at most 80 bytes an entry', { timeout: 60_000 }, () => {
  const bytes = largeIndex();
  const tree = decodeTree(bytes);
  expect(tree.entryCount).toBe(1 + packages * (folders.length + filesPerPackage));
  expect(bytes.length / (packages * filesPerPackage)).toBeLessThanOrEqual(80);
  expect(bytes.length / (packages * filesPerPackage)).toBeGreaterThan(40);
  let before = '';
  for (const { path } of tree.entries()) {
    expect(before < path).toBe(true);
    before = path;
  }
});

test('findDuplicate() confirms what only shares a fingerprint, and refuses to compare a crowd', () => {
  const values = ['a', 'b', 'c', 'b'];
  const equal = (earlier: number, later: number): boolean => values[earlier] === values[later];
  expect(findDuplicate(Float64Array.of(1, 2, 3, 2), equal)).toEqual([1, 3]);
  expect(findDuplicate(Float64Array.of(7, 7, 7, 7), equal)).toEqual([1, 3]);
  expect(findDuplicate(Float64Array.of(1, 2, 2, 4), equal)).toBeUndefined();
  expect(outcome(() => findDuplicate(new Float64Array(18), () => false))).toEqual({ code: 'MALFORMED' });
});
