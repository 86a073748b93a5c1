// Many histories of a pipeline: people push, promote, veto, pin, lock, freeze, vote and change their minds, workflows end well
// and badly, revisions turn out bad, switches go on and off, commands come twice, and time jumps. Every fact is checked.
// 10,000 histories with STARLING_FULL=1; run one again with STARLING_SEED=<seed>.

import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { decide } from '../../control/core/decide.ts';
import { evolveAll, initialState } from '../../control/core/evolve/evolve.ts';
import { evaluateGates } from '../../control/core/gates/gates.ts';
import { environments, randomCommand, randomPipeline } from '../support/pipeline-commands.ts';
import { brokenBy } from '../support/pipeline-invariants.ts';
import { PipelineWorld, digestOf, hourMs, minuteMs } from '../support/pipeline-world.ts';
import { seeded } from '../support/random.ts';

const histories = process.env['STARLING_FULL'] === '1' ? 10_000 : 300;
const events = 200;
const given = process.env['STARLING_SEED'];
const perTest = 20;

/** A world that checks each fact as it is folded. */
class CheckedWorld extends PipelineWorld {
  override append(...[facts, actor]: Parameters<PipelineWorld['append']>): void {
    for (const fact of facts) {
      const before = this.state;
      super.append([fact], actor);
      const entry = this.journal.at(-1);
      const broken = entry === undefined ? [] : brokenBy({ before, entry, after: this.state });
      if (broken.length > 0) throw new Error(broken.join('\n'));
    }
  }
}

function history(seed: number): CheckedWorld {
  const random = seeded(seed);
  const world = new CheckedWorld(environments);
  world.apply(randomPipeline(random));
  let number = 0;
  for (let step = 0; step < events; step += 1) {
    const what = random.next();
    if (what < 0.12 || number === 0) {
      number += 1;
      world.push(number);
      if (random.chance(0.25)) world.bad.add(digestOf(number));
    } else if (what < 0.6) {
      const command = randomCommand(world, random);
      if (command !== undefined) {
        world.try(command);
        // Said twice, by an impatient client: it is one (P-1).
        if (random.chance(0.2)) world.try(command);
      }
    } else if (what < 0.75) world.now += random.pick([1, minuteMs, hourMs, 5 * hourMs]);
    else if (what < 0.8) world.working = random.chance(0.7);
    else if (what < 0.9) world.step();
    else world.settle();
  }
  world.working = true;
  world.settle();
  return world;
}

describe('a pipeline under random use', () => {
  const seeds = given === undefined ? Array.from({ length: Math.ceil(histories / perTest) }, (_, index) => index * perTest + 1) : [Number(given)];

  it.each(seeds)('keeps T-1 T-5 T-6 T-7 L-2 L-3 L-5 A-1 A-6 S-2 V-3 R-6 in every history, and folds to the same, seeds from %i', (first) => {
    for (let seed = first; seed < first + (given === undefined ? perTest : 1); seed += 1) {
      try {
        const world = history(seed);
        const folded = evolveAll(initialState(), world.journal);
        expect(isDeepStrictEqual(folded, world.state)).toBe(true);
        atRest(world);
      } catch (error) {
        throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
      }
    }
  }, 60_000);
});

/** P-4 and P-1: what waits has a reason; nothing is done twice; asked again, nothing is new. */
function atRest(world: PipelineWorld): void {
  const decision = decide(world.state, world.observed);
  expect([decision.events, decision.effects]).toEqual([[], []]);
  for (const environment of world.state.environments.values()) {
    for (const id of environment.waiting) {
      const promotion = world.state.promotions.get(id);
      if (promotion === undefined) throw new Error(`${id} waits and is not there`);
      expect(evaluateGates(world.state, promotion, world.observed).blockers.length, `P-4: ${id} waits for nothing`).toBeGreaterThan(0);
    }
  }
  const started = world.facts('deployment.started').filter((fact) => fact.type !== 'catch-up').map((fact) => fact.promotion);
  expect(new Set(started).size).toBe(started.length);
}
