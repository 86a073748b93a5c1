// What is remembered of a window's occurrences, against a copy of the window that nobody asked about before.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { occurrencesBetween, occurrencesMax } from '../../../../control/core/windows/occurrences.ts';
import type { TimeWindow } from '../../../../proto/window.ts';
import { firstDays, windowsIn } from '../../../support/window-cases.ts';

const dayMs = 86_400_000;

it('T-2 what was asked before changes no answer, in whatever order stretches are asked for', () => {
  // So few days that some are asked for again, and more stretches of them than are remembered.
  const questions = fc.array(fc.record({ fromMs: fc.integer({ min: 0, max: 10 * dayMs }), forMs: fc.integer({ min: 1, max: 3 * dayMs }) }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(windowsIn(firstDays), questions, (windows, asked) => {
      for (const window of windows) {
        for (const { fromMs, forMs } of asked) {
          const [from, to] = [firstDays.from + fromMs, firstDays.from + fromMs + forMs];
          const { occurrences, knownTo } = occurrencesBetween(window, from, to);
          expect({ occurrences, knownTo }).toEqual(occurrencesBetween(structuredClone(window), from, to));
          expect(occurrences.filter((one) => one.to <= from || one.from >= to)).toEqual([]);
        }
      }
    }),
    { numRuns: 100 },
  );
});

it('a window that comes so often that a day holds more than one answer may look at is answered as far as it goes, from where it was asked', () => {
  const window: TimeWindow = { window: 'often', kind: 'allow', timeZone: 'UTC', schedule: { kind: 'cron', expression: '* * * * *', durationMs: 30_000 }, onClose: 'pause' };
  const from = Date.parse('2026-06-01T18:00Z');
  const { occurrences, knownTo } = occurrencesBetween(window, from, from + 2 * dayMs);
  expect(occurrences[0]).toEqual({ from, to: from + 30_000 });
  expect(occurrences).toHaveLength(occurrencesMax);
  expect(knownTo).toBeGreaterThan(from);
});
