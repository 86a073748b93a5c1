// Pieces of a value: together they are the value, whatever is in it and whatever happens while they are taken, and none is large.

import fc from 'fast-check';
import { isDeepStrictEqual } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import { describe, expect, test } from 'vitest';
import { editable, withChanges } from '../../../control/core/model/shared-map.ts';
import { piecesOf, rebuilt } from '../../../control/journal/pieces-codec.ts';

const through = (value: object): unknown => rebuilt([...piecesOf(value)].map((piece) => deserialize(serialize(piece))));

const text = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'toString', '0'));
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null), fc.constant(undefined)),
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.array(fc.tuple(text, tie('tree')), { maxLength: 4 }).map((entries) => new Map(entries)),
    fc.array(fc.tuple(text, tie('tree')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
  ),
}));

/** Around it as much as makes every value on the way to it large enough to be opened. */
const among = (value: unknown) => ({ many: Array.from({ length: 300 }, (_, index) => ({ index })), deep: { ['__proto__']: [...Array.from({ length: 300 }, String), value] } });

describe('pieces', () => {
  test('are the whole again, with keys of any name', () => {
    fc.assert(fc.property(tree, (value) => isDeepStrictEqual(through(among(value)), among(value))), { numRuns: 100 });
    fc.assert(fc.property(tree, (value) => isDeepStrictEqual(through({ value }), { value })), { numRuns: 200 });
  });

  test('hold few values each, however much is in one place', () => {
    const ids = Array.from({ length: 20_000 }, (_, index) => `member-${index}`);
    const pieces = [...piecesOf({ list: ids, map: new Map(ids.map((id) => [id, { id, of: { a: 1 } }])), batches: [{ phase: 'running', targets: ids }] })];
    expect(Math.max(...pieces.map((piece) => serialize(piece).length))).toBeLessThan(256 << 10);
    expect(pieces.length).toBeGreaterThan(40);
  });

  test('are of the value as it was at the first, though others are made of it meanwhile', () => {
    const before = editable(new Map(Array.from({ length: 5000 }, (_, index) => [`m${index}`, { index }])));
    const held = new Map(before);
    const pieces = piecesOf({ before });
    const taken = [pieces.next().value ?? []];
    let after = withChanges(before, new Map([['m4000', { index: -1 }], ['m4001', undefined], ['later', { index: 1 }]]));
    for (const piece of pieces) {
      taken.push(piece);
      after = withChanges(after, new Map([[`new ${taken.length}`, { index: taken.length }], ['m4999', { index: taken.length }]]));
    }
    expect(rebuilt(taken)).toEqual({ before: held });
  });

  test('are refused when the end is missing, or they are of nothing', () => {
    const pieces = [...piecesOf({ list: Array.from({ length: 9000 }, (_, index) => index) })];
    expect(() => rebuilt(pieces.slice(0, -1))).toThrow('the end is missing');
    expect(() => rebuilt([])).toThrow('the end is missing');
    expect(() => rebuilt([[1, undefined, 'set']])).toThrow("'set' is no kind of value");
    expect(() => rebuilt([...pieces, [2, 2]])).toThrow('after the end');
  });
});
