// What is told to those who would wait for a set that is being made.

import { expect, test } from 'vitest';
import { createDeltaProgress } from '../../../../daemon/run/delta/progress.ts';

const MiB = 1024 * 1024;

test('who asks before enough is encoded to say is told to ask again soon', () => {
  const progress = createDeltaProgress(1_000);
  expect(progress.restMs(1_500)).toBe(1_500);
  progress.planned(64 * MiB, 1_600);
  expect(progress.restMs(1_600)).toBeLessThan(500);
  // What is tried first may all be in vain, and then the set is over.
  progress.encoded(12 * MiB);
  expect(progress.restMs(1_900)).toBeLessThan(500);
});

test('who asks later is told how fast it goes', () => {
  const progress = createDeltaProgress(0);
  progress.planned(64 * MiB, 1_000);
  progress.encoded(16 * MiB);
  expect(progress.restMs(2_000)).toBe(3_000);
  // Nothing more is encoded by others' work: the rest is as far away as before, and further.
  expect(progress.restMs(3_000)).toBe(6_000);
  progress.encoded(48 * MiB);
  expect(progress.restMs(4_000)).toBe(0);
});
