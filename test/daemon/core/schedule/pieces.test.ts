// Missing chunks packed into pieces, and pieces in order of rarity.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createPieceSet, createPieceTable, pieceBytesFor, putPiece } from '../../../../daemon/core/schedule/state/pieces.ts';
import { swarmBounds } from '../../../../daemon/core/schedule/state/swarm-bounds.ts';

describe('pieceBytesFor()', () => {
  test.each([
    [0, 64 * 1024],
    [8 * 1024 ** 2, 64 * 1024],
    [512 * 1024 ** 2 - 1, 64 * 1024],
    [512 * 1024 ** 2, 128 * 1024],
    [1024 ** 3 + 1, 256 * 1024],
    [8 * 1024 ** 3, 2 * 1024 ** 2],
    [1024 ** 4, 4 * 1024 ** 2],
  ])('%i missing bytes are asked for %i at a time', (missing, expected) => {
    expect(pieceBytesFor(missing)).toBe(expected);
  });
});

describe('createPieceTable()', () => {
  test('packs every missing chunk into one piece, in order, none too large', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(3_000), { maxLength: 2_500 }), fc.integer({ min: 1, max: 200_000 }), (drawn, length) => {
        const missing = drawn.toSorted((a, b) => a - b);
        const table = createPieceTable(3_001, missing, () => length);
        expect([...table.ordinals]).toEqual(missing);
        for (let index = 0; index < table.count; index += 1) {
          const ordinals = table.ordinals.subarray(table.begins[index], table.begins[index + 1]);
          expect([ordinals.length, table.openChunks[index], table.leftChunks[index]]).toEqual(Array.from({ length: 3 }, () => Math.max(1, ordinals.length)));
          expect(ordinals.length).toBeLessThanOrEqual(swarmBounds.pieceChunksMax);
          expect(ordinals.length === 1 || ordinals.length * length <= table.pieceBytes).toBe(true);
          for (const ordinal of ordinals) expect(table.pieceOf(ordinal)).toBe(index);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('visits the free pieces that are offered from rare to common, each once, whatever came and went', () => {
    const some = fc.array(fc.boolean(), { minLength: 70, maxLength: 70 });
    fc.assert(
      fc.property(fc.array(fc.nat(5), { minLength: 70, maxLength: 70 }), some, some, some, fc.double({ min: 0, max: 0.999, noNaN: true }), (holders, open, offered, masked, random) => {
        const table = createPieceTable(70, Array.from({ length: 70 }, (_, ordinal) => ordinal), () => 60_000);
        const [offers, mask] = [createPieceSet(70), createPieceSet(70)];
        for (let index = 0; index < 70; index += 1) {
          table.holders[index] = holders[index] ?? 0;
          putPiece(table.open, index, open[index] === true);
          putPiece(offers, index, offered[index] === true);
          putPiece(mask, index, masked[index] === true);
        }
        const visited: number[] = [];
        const visit = (index: number): boolean => visited.push(index) < 0;
        expect(table.rarestAmong(offers, mask, 'rarest', random, visit)).toBe(false);
        const expected = [...open.keys()].filter((index) => open[index] === true && offered[index] === true && masked[index] === true);
        expect(visited.toSorted((a, b) => a - b)).toEqual(expected);
        const rarity = visited.map((index) => table.holders[index] ?? 0);
        expect(rarity).toEqual(rarity.toSorted((a, b) => a - b));
        const first: number[] = [];
        expect(table.rarestAmong(offers, undefined, 'any', random, (index) => first.push(index) > 0)).toBe(first.length === 1);
        expect(first.every((index) => open[index] === true && offered[index] === true)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});
