// Tree indexes: one encoding for a tree in whatever order it was put together, everything back out of it, and nothing else taken.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { limits } from '../../proto/limits.ts';
import { comparePaths } from '../../proto/path.ts';
import { createTreeBuilder, decodeTree, encodeTree, entryInputs, openTree, type EntryInput } from '../../proto/tree-index.ts';
import { chunkOf, digestOf, directoryOf, fileOf, linkOf, mutated, outcome, smallTree, treeArbitrary } from './fixtures.ts';

const sensitive = { caseSensitive: true } as const;
const insensitive = { caseSensitive: false } as const;
const sorted = (entries: readonly EntryInput[]): EntryInput[] => entries.toSorted((a, b) => comparePaths(a.path, b.path));
const encoded = (entries: readonly EntryInput[]) => outcome(() => encodeTree(entries, insensitive));

describe('decodeTree()', () => {
  test('gives back every entry, in order, and the counts', () => {
    fc.assert(
      fc.property(treeArbitrary, (entries) => {
        const tree = decodeTree(encodeTree(entries, sensitive));
        expect([...entryInputs(tree)]).toEqual(sorted(entries));
        expect(tree.entryCount).toBe(entries.length);
        expect(tree.bytes).toBe(entries.reduce((sum, entry) => sum + (entry.kind === 'file' ? entry.size : 0), 0));
        expect(tree.caseSensitive).toBe(true);
      }),
    );
  });

  test('gives single entries in any order', () => {
    const entries = Array.from({ length: 300 }, (_, index) => fileOf(`file ${index}`, [chunkOf(`${index % 7}`, 10)]));
    const tree = decodeTree(encodeTree(entries, insensitive));
    const inOrder = [...tree.entries()];
    for (const index of [299, 0, 1, 31, 32, 33, 31, 64, 5, 5, 298, 150]) expect(tree.entry(index)).toEqual(inOrder[index]);
    const [iterator, other] = [tree.entries(), tree.entries()].map((each) => each[Symbol.iterator]());
    for (const expected of inOrder) expect([iterator?.next().value, other?.next().value]).toEqual([expected, expected]);
  });

  test('numbers the chunks by their first use in the order of paths', () => {
    const tree = decodeTree(encodeTree([fileOf('b', [chunkOf('one', 1)]), fileOf('a', [chunkOf('two', 2)]), fileOf('c', [chunkOf('two', 2)])], insensitive));
    expect([tree.chunk(0), tree.chunk(1)]).toEqual([chunkOf('two', 2), chunkOf('one', 1)]);
    expect([...tree.entries()].map((entry) => entry.kind === 'file' && entry.chunks)).toEqual([[0], [1], [0]]);
    expect(tree.chunkCount).toBe(2);
  });

  test('throws a RangeError for an entry or a chunk that is not there', () => {
    const tree = decodeTree(encodeTree(smallTree, insensitive));
    for (const wrong of [-1, smallTree.length, 0.5, Number.NaN]) for (const ask of ['entry', 'path'] as const) expect(() => tree[ask](wrong)).toThrow(RangeError);
    for (const wrong of [-1, tree.chunkCount, 0.5]) for (const ask of ['chunk', 'chunkLength'] as const) expect(() => tree[ask](wrong)).toThrow(RangeError);
  });

  test('says of single things what it says of the whole', () => {
    fc.assert(
      fc.property(treeArbitrary, (entries) => {
        const tree = decodeTree(encodeTree(entries, sensitive));
        const inOrder = [...tree.entries()];
        expect(inOrder.map((_, index) => tree.path(index))).toEqual(inOrder.map(({ path }) => path));
        expect([...tree.filesOfSeveral()]).toEqual(inOrder.filter((entry) => entry.kind === 'file' && entry.chunks.length > 1));
        for (let ordinal = 0; ordinal < tree.chunkCount; ordinal += 1) expect(tree.chunkLength(ordinal)).toBe(tree.chunk(ordinal).length);
      }),
    );
  });

  test('answers any bytes with a ProtocolError', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => 'code' in outcome(() => decodeTree(bytes))));
    const tail = fc.uint8Array({ maxLength: 60 }).map((bytes) => Uint8Array.from([0x53, 0x54, 0x49, 0x58, 1, 0, ...bytes]));
    fc.assert(fc.property(tail, (bytes) => outcome(() => decodeTree(bytes)) !== undefined), { numRuns: 1000 });
  });

  test('takes a changed index for a ProtocolError or for what encodes to the very same bytes', () => {
    const changed = fc.oneof(
      fc.constantFrom(sensitive, insensitive).chain((options) => mutated(encodeTree(smallTree, options))),
      treeArbitrary.chain((entries) => mutated(encodeTree(entries, sensitive))),
    );
    fc.assert(
      fc.property(changed, (bytes) => {
        const decoded = outcome(() => decodeTree(bytes));
        if ('value' in decoded) expect(encodeTree(entryInputs(decoded.value), decoded.value)).toEqual(bytes);
      }),
      { numRuns: 2000 },
    );
  });

  test('refuses an index above its limit before it looks inside', () => {
    expect(outcome(() => decodeTree(new Uint8Array(limits.indexBytesMax + 1)))).toEqual({ code: 'TOO_LARGE' });
  });

  test('refuses counts that the bytes cannot hold before it allocates for them', () => {
    const head = [0x53, 0x54, 0x49, 0x58, 1, 0];
    expect(() => decodeTree(Uint8Array.from([...head, 0, 0x80, 0xc8, 0xd0, 0x07]))).toThrow('0 bytes are too few for 0 entries and 16000000 chunks');
    expect(() => decodeTree(Uint8Array.from([...head, 0xc0, 0x84, 0x3d, 0]))).toThrow('0 bytes are too few for 1000000 entries and 0 chunks');
  });

  test('refuses files that have too many chunks together', () => {
    const half = [0x80, 0xa4, 0xe8, 0x03];
    const head = [0x53, 0x54, 0x49, 0x58, 1, 0, 2, 1, 0x81, 0xa4, 0x81, 0xa4, 0, 1, 0x61, 0, 1, 0x62, 1];
    const bytes = Uint8Array.from([...head, ...half, 0x81, 0xa4, 0xe8, 0x03, ...new Uint8Array(32)]);
    expect(() => decodeTree(bytes)).toThrow('the files have 16000001 chunks together');
  });
});

describe('openTree()', () => {
  const index = encodeTree([fileOf('a', [chunkOf('one', 1)]), fileOf('b', [chunkOf('two', 65_536), chunkOf('one', 1)])], insensitive);
  const ids = index.length - 2 * 32;

  test('is the whole tree once its identifiers have been filled in', () => {
    const bytes = Uint8Array.from(index).fill(0, ids);
    const open = openTree(bytes);
    expect([...open.tree.entries()].map(({ path }) => path)).toEqual(['a', 'b']);
    bytes.set(index.subarray(ids), ids);
    expect([...entryInputs(open.close())]).toEqual([...entryInputs(decodeTree(index))]);
  });

  test('throws for identifiers that no tree has, when it is closed', () => {
    const open = openTree(Uint8Array.from(index).fill(7, ids));
    expect(() => open.close()).toThrow(expect.objectContaining({ code: 'NOT_CANONICAL' }));
  });
});

describe('a tree builder', () => {
  test('gives the same bytes in whatever order the entries come', () => {
    const shuffled = fc.shuffledSubarray([...smallTree], { minLength: smallTree.length });
    const golden = encodeTree(smallTree, insensitive);
    fc.assert(
      fc.property(shuffled, (entries) => {
        expect(encodeTree(entries, insensitive)).toEqual(golden);
      }),
    );
  });

  test('gives the tree together with its bytes', () => {
    const builder = createTreeBuilder(insensitive);
    for (const entry of smallTree) builder.add(entry);
    const { bytes, tree } = builder.finish();
    expect([...tree.entries()]).toEqual([...decodeTree(bytes).entries()]);
  });

  test.each<{ name: string; entries: readonly EntryInput[]; code: string }>([
    { name: 'a path twice', entries: [directoryOf('a'), fileOf('a', [])], code: 'INVALID_PATH' },
    { name: 'a path without its directory', entries: [fileOf('a/b', [])], code: 'INVALID_PATH' },
    { name: 'a path below a file', entries: [fileOf('a', []), fileOf('a/b', [])], code: 'INVALID_PATH' },
    { name: 'a path below a link', entries: [linkOf('a', 'b'), fileOf('a/b', [])], code: 'INVALID_PATH' },
    { name: 'names that differ in case', entries: [fileOf('README', []), fileOf('readme', [])], code: 'INVALID_PATH' },
    { name: 'a path that leaves', entries: [fileOf('../a', [])], code: 'INVALID_PATH' },
    { name: 'a link that leaves', entries: [linkOf('a', '../b')], code: 'INVALID_PATH' },
    { name: 'a setuid file', entries: [fileOf('a', [], 0o4755)], code: 'MALFORMED' },
    { name: 'a broken mode', entries: [directoryOf('a', 0.5)], code: 'MALFORMED' },
    { name: 'a size that is not its chunks', entries: [{ kind: 'file', path: 'a', mode: 0, size: 2, digest: digestOf('a'), chunks: [chunkOf('a', 1)] }], code: 'MALFORMED' },
    { name: 'a digest that is not its only chunk', entries: [{ kind: 'file', path: 'a', mode: 0, size: 1, digest: digestOf('b'), chunks: [chunkOf('a', 1)] }], code: 'DIGEST_MISMATCH' },
    { name: 'a digest for no bytes', entries: [{ kind: 'file', path: 'a', mode: 0, size: 0, digest: digestOf('b'), chunks: [] }], code: 'DIGEST_MISMATCH' },
    { name: 'a small file in two chunks', entries: [fileOf('a', [chunkOf('a', 1), chunkOf('b', 1)])], code: 'NOT_CANONICAL' },
    { name: 'a chunk with two lengths', entries: [fileOf('a', [chunkOf('a', 1)]), fileOf('b', [chunkOf('a', 2)])], code: 'MALFORMED' },
    { name: 'a chunk above the maximum', entries: [fileOf('a', [chunkOf('a', limits.chunkBytesMax + 1)])], code: 'TOO_LARGE' },
    { name: 'an identifier that is none', entries: [fileOf('a', [{ id: 'a', length: 1 }])], code: 'MALFORMED' },
  ])('refuses $name', ({ entries, code }) => {
    expect(encoded(entries)).toEqual({ code });
  });

  test('lets names differ in case only where the tree is marked for it', () => {
    const entries = [fileOf('README', []), fileOf('readme', [])];
    expect(decodeTree(encodeTree(entries, sensitive)).entryCount).toBe(2);
    expect(() => encodeTree(entries, insensitive)).toThrow('"README" and "readme"');
  });
});
