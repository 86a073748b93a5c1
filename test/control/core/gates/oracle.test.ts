// The gates against a slow oracle that was written from the text (test/support/gate-oracle.ts): thousands of random questions, in
// three zones around changes of the clock. All 100,000: `STARLING_FULL=1 vitest run test/control/core/gates`, some minutes.
// A question that fails prints its seed: STARLING_SEED=<seed>, with or without STARLING_FULL as before, asks it again; and it is remembered below.

import { describe, expect, it } from 'vitest';
import { evaluateGates } from '../../../../control/core/gates/gates.ts';
import { gateCase, seasons } from '../../../support/gate-cases.ts';
import type { Season } from '../../../support/gate-cases.ts';
import type { GateCase } from '../../../support/gate-case.ts';
import { oracleAt, oracleChange } from '../../../support/gate-oracle.ts';
import { stateOf } from '../../../support/gate-state.ts';
import { stretches } from '../../../support/window-cases.ts';

const full = process.env['STARLING_FULL'] === '1';
const given = process.env['STARLING_SEED'];
const questions = full ? 100_000 : 3_000;
/** Seconds on a quiet machine; the bound is for one that does other things too. */
const timeoutMs = full ? 3_600_000 : 120_000;
const minuteMs = 60_000;
/** How far ahead the oracle looks at each minute. */
const aheadMinutes = (full ? 4 : 1) * 1440;
/** Seeds of questions that were once answered wrongly. */
const remembered: readonly number[] = [5, 22, 87, 313, 1343, 1344, 1662];
/** The same, of all 100,000. */
const rememberedOfAll: readonly number[] = [11979, 15439, 15615, 17127, 21810, 30297, 37911, 39690, 42230, 42673, 49054, 62115, 64586, 68764, 79047, 86330, 99023];

function known(): readonly [Season, ...Season[]] {
  const [first, ...rest] = seasons(stretches(full ? 6 : 2), full ? 300 : 60);
  if (first === undefined) throw new Error('there is no season');
  return [first, ...rest];
}

/** What the program says of a question, and what is wrong with that; undefined when nothing is. */
function disagreement(one: GateCase): string | undefined {
  const { state, candidate, observed } = stateOf(one);
  const { blockers, nextCheckAt } = evaluateGates(state, candidate, observed);
  const minute = Math.floor(one.nowMs / minuteMs);
  const types = [...new Set<string>(blockers.map(({ type }) => type))].toSorted().join();
  const wanted = oracleAt(one, minute).join();
  if (types !== wanted) return `the gates say [${types}], the oracle [${wanted}]`;
  if (nextCheckAt !== undefined && nextCheckAt <= one.nowMs) return `nextCheckAt is ${one.nowMs - nextCheckAt} ms ago`;
  const limit = Math.min(minute + aheadMinutes, nextCheckAt === undefined ? Infinity : Math.ceil(nextCheckAt / minuteMs));
  const change = oracleChange(one, limit);
  return change === undefined ? undefined : `the answer is [${oracleAt(one, change).join()}] after ${change - minute} minutes, and nextCheckAt is ${nextCheckAt === undefined ? 'never' : `after ${(nextCheckAt - one.nowMs) / minuteMs}`}`;
}

describe('the gates', () => {
  const all = known();
  const seeds = given === undefined ? [...(full ? rememberedOfAll : remembered), ...Array.from({ length: questions }, (_, index) => index + 1)] : [Number(given)];

  it('T-2 P-4 answer as the oracle does, and ask again before time alone makes the answer another', { timeout: timeoutMs }, () => {
    const wrong = seeds.flatMap((seed) => {
      const one = gateCase(seed, all);
      const what = disagreement(one);
      return what === undefined ? [] : [`STARLING_SEED=${seed} (${one.kind}): ${what}`];
    });
    expect(wrong.slice(0, 20), `${wrong.length} of ${seeds.length} questions`).toEqual([]);
  });

  it('are asked about everything: each type of blocker holds often, and often nothing does', { timeout: timeoutMs }, () => {
    const counts = new Map<string, number>();
    for (let seed = 1; seed <= 3000; seed += 1) {
      const one = gateCase(seed, all);
      const types = oracleAt(one, Math.floor(one.nowMs / minuteMs));
      for (const type of types.length === 0 ? ['nothing'] : types) counts.set(type, (counts.get(type) ?? 0) + 1);
    }
    const types = ['nothing', 'pipeline-disabled', 'edge-disabled', 'automation-off', 'veto', 'pin', 'hold', 'same-set', 'downgrade', 'after', 'soak', 'window', 'freeze', 'lock', 'active-deployment', 'no-targets', 'targets-offline', 'min-healthy', 'node-requirement', 'coverage', 'workflow', 'approval', 'compliance'];
    expect(types.filter((type) => (counts.get(type) ?? 0) < 30)).toEqual([]);
  });
});
