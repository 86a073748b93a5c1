// Whose each chunk is, as far as agents of different versions have to agree.

import { expect, test } from 'vitest';
import { blockOf } from '../../../../daemon/core/schedule/owners/ownership.ts';

// These numbers are what agents in the field reckon with: whoever changes them has two agents bring the same chunk from the origin, and nobody another.
test.each([
  [400, 1],
  [512, 1],
  [513, 2],
  [906, 2],
  [10_000, 20],
  [5_000_000, 9_766],
])('of %i chunks each block has %i, however much is asked for at a time', (chunkCount, chunks) => {
  const some = [0, chunks - 1, chunks, 2 * chunks - 1, 2 * chunks, chunkCount - 1];
  expect(some.map((ordinal) => blockOf(chunkCount, ordinal))).toEqual(some.map((ordinal) => Math.floor(ordinal / chunks)));
});
