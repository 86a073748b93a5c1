// What somebody takes back does harm no further, though the rollback fails: it is brought to nobody, nothing goes back to it, and it goes nowhere else.

import { expect, it } from 'vitest';
import { digestOf, edge, hourMs, pipeline, PipelineWorld } from '../../../support/pipeline-world.ts';

/** Revision 2 runs in alpha and is to go on to prod in two hours, where 1 runs. */
function running(): PipelineWorld {
  const world = new PipelineWorld(['alpha', 'prod']);
  world.apply(pipeline({ edges: [edge('web', 'alpha'), edge('alpha', 'prod', { soakMs: 2 * hourMs })] }));
  const agreed = (): void => {
    world.settle();
    for (const request of world.requests()) world.vote(request, 'user:ada');
    world.settle();
  };
  world.push(1);
  agreed();
  world.wait(2 * hourMs);
  world.push(2);
  agreed();
  expect([world.runs('alpha'), world.runs('prod')]).toEqual([2, 1]);
  return world;
}

/** Then somebody takes it back, and the first machine cannot go. */
function failed(): PipelineWorld {
  const world = running();
  world.wait(hourMs);
  world.bad.add(digestOf(1));
  expect(world.rollback('alpha').kind).toBe('accepted');
  world.settle();
  expect(newest(world)).toMatchObject({ type: 'rollback', phase: 'failed' });
  return world;
}

const newest = (world: PipelineWorld) => world.state.deployments.get(world.state.environments.get('alpha')?.newestDeployment ?? '');
const runs = (world: PipelineWorld, name: string) => [...world.state.members.values()].find((member) => member.name === name)?.running['web']?.number;

it('R-4 leaves the others where they are, for people to decide', () => {
  const world = failed();
  const head = world.state.head;
  world.wait(24 * hourMs);
  expect([runs(world, 'alpha-1'), runs(world, 'alpha-2')]).toEqual([2, 2]);
  expect(world.journal.slice(head).filter(({ event }) => event.kind === 'order.issued')).toEqual([]);
});

it('is not promoted from there by automation', () => {
  const world = failed();
  world.wait(24 * hourMs);
  expect(world.runs('prod')).toBe(1);
});

it('is not promoted from there while it is being taken back', () => {
  const world = running();
  world.wait(1.5 * hourMs);
  world.working = false;
  world.rollback('alpha');
  world.settle();
  world.wait(0.75 * hourMs);
  expect(newest(world)).toMatchObject({ type: 'rollback', phase: 'running' });
  expect(world.facts('deployment.started').filter(({ environment, number }) => environment === 'prod' && number === 2)).toEqual([]);
});

it('is not what a late joiner gets, which is what was gone back to', () => {
  const world = failed();
  world.bad.clear();
  world.enrol('alpha', 'alpha-3');
  world.settle();
  expect([runs(world, 'alpha-3'), newest(world)?.type, newest(world)?.phase]).toEqual([1, 'catch-up', 'succeeded']);
  expect([runs(world, 'alpha-1'), runs(world, 'alpha-2')]).toEqual([2, 2]);
});

it('is not what a later deployment goes back to by itself', () => {
  const world = failed();
  world.bad.clear();
  world.bad.add(digestOf(3));
  world.push(3);
  world.promote('alpha', 3);
  world.settle();
  expect(newest(world)).toMatchObject({ number: 3, phase: 'rolled-back', rollback: { number: 1 } });
});

it('is taken back by the next try, which needs no name', () => {
  const world = failed();
  world.bad.clear();
  expect(world.rollback('alpha').kind).toBe('accepted');
  world.settle();
  expect([world.runs('alpha'), runs(world, 'alpha-1'), runs(world, 'alpha-2')]).toEqual([1, 1, 1]);
});
