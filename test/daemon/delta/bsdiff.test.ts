// Differences of machine code: what went in comes out, and a difference from outside makes the result or nothing.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createDiffer } from '../../../daemon/delta/bsdiff.ts';
import { patch, readStretches, usesOf } from '../../../daemon/delta/bspatch.ts';
import { encodeSegment, openSegment } from '../../../daemon/delta/codec.ts';
import { code, edited, noise } from './revisions.ts';

const differ = createDiffer();

/** Pieces of the base in any order, with new bytes between them and some bytes changed. */
const pieces = fc.array(
  fc.oneof(
    fc.record({ from: fc.nat(40_000), length: fc.nat(6_000), edits: fc.array(fc.nat(6_000), { maxLength: 5 }) }),
    fc.record({ fresh: fc.uint8Array({ maxLength: 300 }) }),
  ),
  { maxLength: 8 },
);

test('patch() makes of the base and the difference what the difference was of', () => {
  fc.assert(
    fc.property(fc.constantFrom(code(3, 40_000), noise(4, 40_000), new Uint8Array(40_000), new Uint8Array(0), noise(5, 11)), pieces, (base, parts) => {
      const out = Uint8Array.from(
        Buffer.concat(parts.map((part) => ('fresh' in part ? part.fresh : edited(base.subarray(part.from, part.from + part.length), part.edits.filter((place) => place < base.length - part.from && place < part.length))))),
      );
      const difference = differ(base, out);
      expect(Buffer.compare(patch(base, difference, out.length) ?? Buffer.from('nothing'), out)).toBe(0);
      expect(patch(base, difference, out.length + 1)).toBeUndefined();
      if (out.length > 0) expect(patch(base, difference, out.length - 1)).toBeUndefined();
    }),
  );
});

test('a difference is small where only addresses moved', () => {
  const { control, additions } = differ(code(9, 500_000), code(9, 500_000, 4_096));
  expect(control.length).toBeLessThan(500);
  expect(additions.length).toBeLessThan(500);
});

test('a difference that lies makes its length or nothing, and never more', () => {
  const base = code(6, 5_000);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 200 }), fc.nat(400), (control, changes, additions, length) => {
      const made = patch(base, { control, changes, additions }, length);
      if (made !== undefined) expect(made).toHaveLength(length);
    }),
    { numRuns: 2_000 },
  );
  for (const control of [[0, 0, 1, 1, 0, 0], [0x88, 0x27 + 0x80, 0, 0, 0], [1, 0, 0]]) {
    expect(patch(new Uint8Array(3), { control: Uint8Array.from(control), changes: new Uint8Array(0), additions: new Uint8Array(9) }, 1)).toBeUndefined();
  }
});

test('a step before the base, or past its end, makes nothing', () => {
  const difference = { changes: Uint8Array.of(1, 1), additions: new Uint8Array(0) };
  expect(patch(new Uint8Array(4), { ...difference, control: Uint8Array.of(1, 0, 4, 1, 0, 0) }, 2)).toEqual(Uint8Array.of(1, 1));
  expect(patch(new Uint8Array(4), { ...difference, control: Uint8Array.of(1, 0, 3, 1, 0, 0) }, 2)).toBeUndefined();
  expect(patch(new Uint8Array(4), { ...difference, control: Uint8Array.of(1, 0, 6, 1, 0, 0) }, 2)).toBeUndefined();
});

test('what a difference does not look at need not be there', () => {
  const base = code(3, 40_000);
  fc.assert(
    fc.property(pieces, (parts) => {
      const out = Uint8Array.from(Buffer.concat(parts.map((part) => ('fresh' in part ? part.fresh : base.subarray(part.from, part.from + part.length)))));
      const difference = differ(base, out);
      const stretches = readStretches(difference, base.length, out.length);
      const needs = stretches && usesOf(stretches, base.length);
      const lacking = Uint8Array.from(base);
      for (let at = 0; at < base.length; at += 700) if (needs?.(at, Math.min(base.length, at + 700)) === false) lacking.fill(0x5a, at, at + 700);
      expect(Buffer.compare(patch(lacking, difference, out.length) ?? Buffer.from('nothing'), out)).toBe(0);
    }),
  );
  const stretches = readStretches({ control: Uint8Array.of(2, 0, 0), changes: new Uint8Array(2), additions: new Uint8Array(0) }, 10_000, 2);
  expect(stretches && [[0, 1], [0, 0], [600, 10_000]].map(([begin = 0, end = 0]) => usesOf(stretches, 10_000)(begin, end))).toEqual([true, false, false]);
});

test('a segment of machine code, damaged anywhere, makes its length or nothing', () => {
  const [base, out] = [code(9, 60_000), code(9, 60_000, 4_096)];
  const { codec, bytes } = encodeSegment(base, out, 9, { differ, isAlike: () => true });
  expect(codec).toBe('bsdiff');
  expect(Buffer.compare(openSegment(codec, base.length, bytes, out.length)?.make(base) ?? Buffer.alloc(0), out)).toBe(0);
  for (let at = 0; at < bytes.length; at += 7) {
    const made = openSegment(codec, base.length, edited(bytes, [at]), out.length)?.make(base);
    if (made !== undefined) expect(made).toHaveLength(out.length);
    expect(openSegment(codec, base.length, bytes.subarray(0, at), out.length)?.make(base)).toBeUndefined();
  }
});
