// Time windows against a slow oracle that knows only what the wall clock shows, minute by minute.
// 10,000 random cases here; 100,000 with STARLING_FULL=1. A failing run prints its seed: repeat it with STARLING_SEED=<seed>.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluateWindows, isOpenAt } from '../../../../control/core/windows/evaluate.ts';
import type { WindowUse } from '../../../../control/core/windows/evaluate.ts';
import { windowProblems } from '../../../../control/core/windows/problems.ts';
import { openMinutes } from '../../../support/window-oracle.ts';
import { skipMinutes, stretches, windowsIn } from '../../../support/window-cases.ts';
import type { Stretch } from '../../../support/window-cases.ts';

const full = process.env['STARLING_FULL'] === '1';
const seed = process.env['STARLING_SEED'];
const instantsEach = 20;
const runs = (full ? 100_000 : 10_000) / instantsEach;
/** Seconds on a quiet machine; the bound is for one that does other things too. */
const timeoutMs = full ? 3_600_000 : 300_000;

const use: WindowUse = { environment: 'prod', starts: [], lifted: new Set() };
const minuteMs = 60_000;

function at(known: readonly Stretch[], index: number): Stretch {
  const stretch = known[index];
  if (stretch === undefined) throw new Error(`there is no stretch ${index}`);
  return stretch;
}

describe('T-3 windows by instants', () => {
  const known = stretches();

  it('agree with the oracle on open, on the next change, and on nothing in between, over three zones and both changes of the clock', () => {
    // By its index: a counterexample must be readable, and wall clocks are long.
    const cases = fc.nat(known.length - 1).chain((index) =>
      fc.record({
        index: fc.constant(index),
        windows: windowsIn(at(known, index)),
        minutes: fc.array(fc.nat(at(known, index).minutes - 1), { minLength: instantsEach, maxLength: instantsEach }),
        withinMs: fc.integer({ min: 0, max: minuteMs - 1 }),
      }),
    );
    fc.assert(
      fc.property(cases, ({ index, windows, minutes, withinMs }) => {
        const stretch = at(known, index);
        expect(windows.flatMap(windowProblems)).toEqual([]);
        const open = openMinutes(windows, stretch.clocks, skipMinutes);
        for (const minute of minutes) {
          const instant = stretch.from + minute * minuteMs;
          const verdict = evaluateWindows(windows, use, instant + withinMs);
          expect(verdict.open).toBe(open[minute]);
          expect(isOpenAt(windows, use, instant)).toBe(open[minute]);
          expect(verdict.holds.length > 0).toBe(!verdict.open);
          const change = open.findIndex((is, index) => index > minute && is !== open[minute]);
          // Beyond the stretch the oracle knows nothing.
          if (change >= 0) expect(verdict.changesAt).toBe(stretch.from + change * minuteMs);
          else expect(verdict.changesAt ?? Infinity).toBeGreaterThanOrEqual(stretch.from + open.length * minuteMs);
        }
      }),
      { numRuns: runs, ...(seed === undefined ? {} : { seed: Number(seed) }) },
    );
  }, timeoutMs);
});
