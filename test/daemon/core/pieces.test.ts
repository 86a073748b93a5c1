// Missing chunks packed into pieces, and pieces in order of rarity.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createPieceTable, pieceBytesFor } from '../../../daemon/core/pieces.ts';
import { swarmBounds } from '../../../daemon/core/swarm-bounds.ts';

describe('pieceBytesFor()', () => {
  test.each([
    [0, 64 * 1024],
    [8 * 1024 ** 2, 64 * 1024],
    [16 * 1024 ** 2 + 1, 128 * 1024],
    [1024 ** 3, 4 * 1024 ** 2],
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
        expect(table.pieces.flatMap(({ ordinals }) => ordinals)).toEqual(missing);
        for (const [index, { ordinals }] of table.pieces.entries()) {
          expect(ordinals.length).toBeLessThanOrEqual(swarmBounds.pieceChunksMax);
          expect(ordinals.length === 1 || ordinals.length * length <= table.pieceBytes).toBe(true);
          for (const ordinal of ordinals) expect(table.pieceOf(ordinal)).toBe(index);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('visits pieces from rare to common, each once, whatever came and went', () => {
    const change = fc.tuple(fc.nat(19), fc.boolean());
    fc.assert(
      fc.property(fc.array(change, { maxLength: 400 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (changes, random) => {
        const table = createPieceTable(20, Array.from({ length: 20 }, (_, ordinal) => ordinal), () => 60_000);
        for (const [index, up] of changes) {
          const piece = table.pieces[index];
          if (piece === undefined || (!up && piece.holders === 0)) continue;
          piece.holders += up ? 1 : -1;
          table.moved(index, up ? 1 : -1);
        }
        const visited: number[] = [];
        table.rarestFirst(random, (index) => {
          visited.push(index);
          return false;
        });
        expect(visited.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, index) => index));
        const holders = visited.map((index) => Math.min(table.pieces[index]?.holders ?? 0, swarmBounds.bucketsMax));
        expect(holders).toEqual(holders.toSorted((a, b) => a - b));
      }),
      { numRuns: 200 },
    );
  });
});
