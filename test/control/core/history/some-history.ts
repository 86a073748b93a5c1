// Random histories of a pipeline from alpha over beta to prod: what gets far, what fails, what is rolled back and what waits.
// For tests of what is told about the past; the faults on the way are in test/simulation.

import { PipelineWorld, digestOf, edge, hourMs, minuteMs, pipeline, place } from '../../../support/pipeline-world.ts';
import { seeded } from '../../../support/random.ts';

const environments = ['alpha', 'beta', 'prod'] as const;
const spec = pipeline({
  stages: environments.map((environment) => ({ stage: environment, environments: [place(environment)] })),
  edges: [
    edge('web', 'alpha'),
    edge('alpha', 'beta', { soakMs: hourMs }),
    edge('beta', 'prod', { approval: { rules: [{ group: 'qa', count: 1 }], preventSelfApproval: false } }),
  ],
});

export interface HistoryOptions {
  /** Sees the world after each step. */
  readonly look?: (world: PipelineWorld) => void;
  readonly world?: (environments: readonly string[]) => PipelineWorld;
}

/** So many steps of one seed. */
export function someHistory(seed: number, steps: number, { look = () => undefined, world: make = (names) => new PipelineWorld(names) }: HistoryOptions = {}): PipelineWorld {
  const random = seeded(seed);
  const world = make(environments);
  world.apply(spec);
  let pushed = 0;
  for (let step = 0; step < steps; step += 1) {
    const what = random.next();
    const number = 1 + random.below(Math.max(1, pushed));
    const environment = random.pick(environments);
    if (what < 0.2 || pushed === 0) {
      pushed += 1;
      world.push(pushed);
      if (random.chance(0.3)) world.bad.add(digestOf(pushed));
      // Some revisions say what changed, some of them what an older one said too, and some nothing.
      const commits = [`c${pushed}`, ...(random.chance(0.3) ? [`d${pushed}`, `c${number}`] : [])];
      if (random.chance(0.7)) world.ask({ kind: 'describe-revision', app: 'web', revision: String(pushed), description: { changes: commits.map((commit) => ({ commit, author: random.pick(['ada', 'eve']), message: commit, checkedInAt: world.now - minuteMs })) } });
    } else if (what < 0.35) world.try({ kind: 'promote', promotion: world.id('p'), environment, revision: String(number), ...(random.chance(0.3) ? { cause: 'hotfix', reason: 'now' } : {}) });
    else if (what < 0.43) world.rollback(environment);
    else if (what < 0.55) world.requests().slice(0, 1).forEach((request) => world.vote(request, 'quinn', ['qa'], random.chance(0.8) ? 'approve' : 'reject'));
    else if (what < 0.6) for (const held of [...world.state.holds.keys()].slice(0, 1)) world.ask({ kind: 'release-hold', edge: held });
    else if (what < 0.64) world.try({ kind: 'place-veto', app: 'web', revision: String(number), reason: 'x' });
    else if (what < 0.7) world.working = random.chance(0.7);
    else if (what < 0.8) world.now += random.pick([1, minuteMs, hourMs, 5 * hourMs]);
    else if (what < 0.9) world.step();
    else world.settle();
    look(world);
  }
  return world;
}
