// What is worth looking for in old bytes, and what is new throughout.

import { expect, test } from 'vitest';
import { createDiffer } from '../../../daemon/delta/bsdiff.ts';
import { encodeSegment, openSegment } from '../../../daemon/delta/codec.ts';
import { createLikeness } from '../../../daemon/delta/likeness.ts';
import { noise } from './revisions.ts';

const isAlike = createLikeness();
const [base, fresh] = [noise(7, 1_000_000), noise(8, 600_000)];

/** `fresh` with every `every`-th stretch of so many bytes taken from somewhere in the base. */
function mixed(stretchBytes: number, every: number): Uint8Array {
  const out = Uint8Array.from(fresh);
  for (let at = 0, number = 0; at + stretchBytes <= out.length; at += stretchBytes, number += 1) {
    if (number % every === 0) out.set(base.subarray((at * 7 + 3) % (base.length - stretchBytes), ((at * 7 + 3) % (base.length - stretchBytes)) + stretchBytes), at);
  }
  return out;
}

test('bytes that are new throughout are not alike, and bytes a quarter of which is old are', () => {
  expect(isAlike(base, fresh)).toBe(false);
  for (const stretchBytes of [32, 100, 4_096, 100_001]) expect([stretchBytes, isAlike(base, mixed(stretchBytes, 4))]).toEqual([stretchBytes, true]);
});

test('what is short is looked at in any case', () => {
  expect(isAlike(base, fresh.subarray(0, 10_000))).toBe(true);
  expect(isAlike(base.subarray(0, 10_000), fresh)).toBe(true);
});

test('a segment that is new throughout is not looked for in its base; digests in another order, and text like no other, are made small', () => {
  const looked: boolean[] = [];
  const lookers = { differ: createDiffer(), isAlike: (one: Uint8Array, other: Uint8Array) => (looked.push(isAlike(one, other)), looked.at(-1) === true) };
  const made = (out: Uint8Array): readonly [string, boolean] => {
    const { codec, bytes } = encodeSegment(base, out, 9, lookers);
    expect(Buffer.compare(openSegment(codec, base.length, bytes, out.length)?.make(base) ?? Buffer.alloc(0), out)).toBe(0);
    return [codec, bytes.length < out.length / 2];
  };
  expect(made(fresh)).toEqual(['zstd', false]);
  const digests = Buffer.concat(Array.from({ length: 20_000 }, (_, at) => base.subarray(32 * ((at * 7_919) % 30_000), 32 * ((at * 7_919) % 30_000) + 32)));
  expect(made(digests)).toEqual(['zstd-dict', true]);
  expect(made(Buffer.from('what nobody has said before, '.repeat(20_000)))[1]).toBe(true);
  expect(looked).toEqual([false, true, false]);
});
