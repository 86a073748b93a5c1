// What people do to a deployment under way, and to one that has ended: pause, resume, next batch, retry.

import { describe, expect, it } from 'vitest';
import type { DeploymentCommand } from '../../../../control/core/commands/command-deployment.ts';
import { explain } from '../../../../control/core/explain/explain.ts';
import type { Deployment } from '../../../../control/core/model/deployment.ts';
import { config, hourMs, minuteMs, PipelineWorld } from '../../../support/pipeline-world.ts';

/** Two machines in prod, one a batch, with half an hour between; revision 1 runs, and revision 2 is on its way to the second. */
function baking(): PipelineWorld {
  const world = new PipelineWorld(['prod']);
  world.ask({ kind: 'change-environment', environment: 'prod', selector: { env: 'prod' }, config: { ...config, bakeMs: 30 * minuteMs } });
  world.push(1);
  world.promote('prod', 1);
  world.settle();
  world.wait(hourMs);
  world.push(2);
  world.promote('prod', 2);
  world.settle();
  expect(newest(world).phase).toBe('baking');
  return world;
}

function newest(world: PipelineWorld): Deployment {
  const deployment = world.state.deployments.get(world.state.environments.get('prod')?.newestDeployment ?? '');
  if (deployment === undefined) throw new Error('nothing was deployed');
  return deployment;
}

function order(world: PipelineWorld, kind: Exclude<DeploymentCommand['kind'], 'retry-deployment' | 'measure-deployment'>, deployment = newest(world).deployment) {
  return world.try({ kind, deployment });
}

const activated = (world: PipelineWorld): number => world.facts('order.issued').filter((one) => one.action === 'activate' && one.deployment === newest(world).deployment).flatMap((one) => one.targets).length;

describe('a deployment paused by hand', () => {
  it('activates nothing more, goes on baking, and goes on when it is resumed', () => {
    const world = baking();
    world.ask({ kind: 'pause-deployment', deployment: 'prod-2', reason: 'looking at graphs' });
    world.wait(2 * hourMs);
    expect([activated(world), newest(world).batches.map((batch) => batch.phase)]).toEqual([1, ['succeeded', 'pending']]);
    expect(explain(world.state, world.observed, 'prod')?.waits[0]?.reason).toMatch(/looking at graphs; `starling deployment resume prod-2`/);
    order(world, 'resume-deployment');
    world.settle();
    expect([activated(world), newest(world).phase, world.runs('prod')]).toEqual([2, 'succeeded', 2]);
  });

  it('R-11 counts no paused time to a deadline, and all the rest', () => {
    const world = baking();
    world.working = false;
    world.wait(30 * minuteMs);
    expect(activated(world)).toBe(2);
    world.wait(50 * minuteMs);
    order(world, 'pause-deployment');
    world.wait(5 * hourMs);
    expect(newest(world).phase).toBe('running');
    order(world, 'resume-deployment');
    world.wait(9 * minuteMs);
    expect(newest(world).phase).toBe('running');
    world.wait(2 * minuteMs);
    expect(newest(world).reason).toMatch(/made no progress for 3600 s/);
  });

  it('is paused and resumed any number of times, and only while there is something to pause', () => {
    const world = baking();
    order(world, 'pause-deployment');
    const { head } = world.state;
    expect(order(world, 'pause-deployment')).toMatchObject({ kind: 'accepted', events: [] });
    order(world, 'resume-deployment');
    expect(order(world, 'resume-deployment')).toMatchObject({ kind: 'accepted', events: [] });
    expect(world.state.head).toBe(head + 1);
    expect(order(world, 'pause-deployment', 'prod-1')).toMatchObject({ code: 'conflict', message: expect.stringContaining('has ended already') });
    expect(order(world, 'pause-deployment', 'prod-9')).toMatchObject({ code: 'not-found' });
  });

  it('still rolls back when its targets fail', () => {
    const world = baking();
    order(world, 'pause-deployment');
    world.try({ kind: 'report', member: 'prod-1', report: { deployment: 'prod-2', environment: 'prod', app: 'web', seq: world.state.environments.get('prod')?.orderSeq ?? 0, reportNo: 99, phase: 'inconsistent', at: world.now } });
    world.settle();
    expect(newest(world).phase).toMatch(/rolled-back|rollback-failed/);
  });
});

describe('the next batch', () => {
  it('R-3 begins before the bake has ended only where somebody said so', () => {
    const world = baking();
    world.wait(29 * minuteMs);
    expect(activated(world)).toBe(1);
    world.ask({ kind: 'next-batch', deployment: 'prod-2', reason: 'seen enough' });
    world.settle();
    expect([activated(world), newest(world).phase]).toEqual([2, 'succeeded']);
    expect(world.facts('bake.skipped')).toEqual([{ kind: 'bake.skipped', deployment: 'prod-2', batch: 0, reason: 'seen enough' }]);
  });

  it('is refused in the middle of one, and resumes what is paused between two', () => {
    const world = baking();
    order(world, 'pause-deployment');
    world.wait(hourMs);
    world.working = false;
    order(world, 'next-batch');
    world.settle();
    expect(newest(world).batches[1]?.phase).toBe('running');
    expect(order(world, 'next-batch')).toMatchObject({ code: 'conflict', message: expect.stringContaining('in the middle of batch 2 of 2') });
  });
});

describe('a retry', () => {
  function failed(): PipelineWorld {
    const world = baking();
    world.ask({ kind: 'change-environment', environment: 'prod', selector: { env: 'prod' }, config: { ...config, autoRollback: false } });
    world.wait(hourMs);
    world.push(3);
    world.bad.add(world.state.apps.get('web')?.revisions[2]?.revision ?? '');
    world.promote('prod', 3);
    world.settle();
    expect(newest(world).phase).toBe('failed');
    world.bad.clear();
    return world;
  }

  it('P-1 is a promotion and a deployment of its own, of those that lack the set', () => {
    const world = failed();
    world.ask({ kind: 'retry-deployment', deployment: 'prod-3', promotion: 'again' });
    world.settle();
    expect(world.state.promotions.get('again')).toMatchObject({ phase: 'succeeded', retryOf: 'prod-3', attempt: 2, deployment: 'prod-4' });
    expect(newest(world)).toMatchObject({ type: 'promote', phase: 'succeeded', number: 3 });
    expect(world.state.deployments.get('prod-3')?.phase).toBe('failed');
    expect(world.try({ kind: 'retry-deployment', deployment: 'prod-3', promotion: 'again' })).toMatchObject({ kind: 'accepted', events: [] });
  });

  it('leaves alone whoever runs the set already', () => {
    const world = new PipelineWorld(['prod']);
    world.ask({ kind: 'change-environment', environment: 'prod', selector: { env: 'prod' }, config: { ...config, batches: [1, '100%'], bakeMs: 30 * minuteMs } });
    world.push(1);
    world.promote('prod', 1);
    world.settle();
    world.ask({ kind: 'abort', deployment: 'prod-1' });
    world.ask({ kind: 'retry-deployment', deployment: 'prod-1', promotion: 'again' });
    world.settle();
    expect([...newest(world).targets.values()].map((target) => target.phase).toSorted()).toEqual(['already-current', 'committed']);
  });

  it('is refused while there is nothing to try again, and where something newer came', () => {
    const world = failed();
    expect(world.try({ kind: 'retry-deployment', deployment: 'prod-2', promotion: 'old' })).toMatchObject({ code: 'conflict', message: expect.stringContaining("'prod-3' of web@3") });
    world.ask({ kind: 'retry-deployment', deployment: 'prod-3', promotion: 'again' });
    world.settle();
    expect(world.try({ kind: 'retry-deployment', deployment: 'prod-4', promotion: 'more' })).toMatchObject({ code: 'conflict', message: expect.stringContaining('nothing to try again') });
  });
});
