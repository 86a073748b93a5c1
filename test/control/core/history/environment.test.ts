// What an environment ran, and where it may go back to.

import { describe, expect, it } from 'vitest';
import { historyOf } from '../../../../control/core/history/environment.ts';
import { PipelineWorld, digestOf } from '../../../support/pipeline-world.ts';
import { someHistory } from './some-history.ts';

function pushed(count: number): PipelineWorld {
  const world = new PipelineWorld(['prod']);
  for (let number = 1; number <= count; number += 1) world.push(number);
  return world;
}

function bring(world: PipelineWorld, number: number): void {
  world.promote('prod', number);
  world.settle();
}

describe('going back', () => {
  it('CDS-13 C-1 is possible to whatever succeeded here, and to nothing else', () => {
    const world = pushed(4);
    for (const number of [1, 2]) bring(world, number);
    world.bad.add(digestOf(3));
    bring(world, 3);
    for (const to of [3, 4]) expect(world.try({ kind: 'rollback', promotion: world.id('r'), environment: 'prod', to })).toEqual({ kind: 'refused', code: 'not-found', message: `web@${to} never succeeded in 'prod', so that it cannot go back to it; it can to web@2, web@1; promote it instead` });
    expect(world.try({ kind: 'rollback', promotion: world.id('r'), environment: 'prod', to: 1 }).kind).toBe('accepted');
    world.settle();
    expect(world.runs('prod')).toBe(1);
    // Forward again, to what a rollback left behind: it succeeded here too.
    expect(world.try({ kind: 'rollback', promotion: world.id('r'), environment: 'prod', to: 2 }).kind).toBe('accepted');
    world.settle();
    expect(world.runs('prod')).toBe(2);
  });
});

describe('CDS-13 the history of an environment', () => {
  it('has each deployment once, newest first, with what it can be undone by', () => {
    const world = pushed(2);
    for (const number of [1, 2]) bring(world, number);
    const environment = world.state.environments.get('prod');
    if (environment === undefined) throw new Error('no environment');
    expect(historyOf(world.state, environment).map(({ deployment, from, current, back }) => [deployment.deployment, deployment.number, from?.number, current, back])).toEqual([
      ['prod-2', 2, 1, true, false],
      ['prod-1', 1, undefined, false, true],
    ]);
  });

  it.each([1, 2, 3, 4])('offers to go back only where that is taken, seed %i', (seed) => {
    const world = someHistory(seed, 100);
    for (const environment of world.state.environments.values()) {
      const past = historyOf(world.state, environment);
      expect(past.filter(({ current }) => current).length).toBe(world.runs(environment.environment) === 0 ? 0 : 1);
      expect(past.every(({ deployment, from }) => deployment.from === from?.revision)).toBe(true);
      for (const { deployment, back } of past) {
        const answer = world.state.environments.get(environment.environment)?.activeDeployment === undefined && back ? world.try({ kind: 'rollback', promotion: world.id('r'), environment: environment.environment, to: deployment.number }) : undefined;
        // One rollback at a time.
        if (answer?.kind === 'refused') expect(answer.message).toContain('is under way already');
      }
    }
  });
});
