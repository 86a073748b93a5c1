// The rules of a roll-out by their names (control-plane.md, section 6), where no other file names them: the arithmetic as
// properties, the rest as what happens. That they hold in every history under faults is test/simulation/rollout.test.ts.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allowed, cutBatches, downAtOnceOf, maxParallelOf, minHealthyOf } from '../../../../control/core/batches/arithmetic.ts';
import type { Balance } from '../../../../control/core/batches/arithmetic.ts';
import type { UnsignedOrder } from '../../../../control/core/effects.ts';
import type { Deployment } from '../../../../control/core/model/deployment.ts';
import { deploymentProgress } from '../../../../control/core/model/select.ts';
import { deploymentDefaults } from '../../../../proto/api/environments.ts';
import type { DeploymentConfig } from '../../../../proto/events.ts';
import type { Share } from '../../../../proto/rollout-config.ts';
import { config, digestOf, hourMs, PipelineWorld } from '../../../support/pipeline-world.ts';

const share: fc.Arbitrary<Share> = fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 99 }).map((percent): Share => `${percent}%`));
const members = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `m${index}`);

/** A deployment of some targets: who serves, who changes, and who could be told to. */
const situation = fc.record({ total: fc.integer({ min: 1, max: 30 }), maxParallel: share, minHealthy: share, states: fc.infiniteStream(fc.constantFrom('idle', 'idle', 'down', 'changing', 'inherited')) }).map(({ total, maxParallel, minHealthy, states }) => {
  const each = new Map(members(total).map((member) => [member, states.next().value]));
  const who = (...wanted: readonly string[]): ReadonlySet<string> => new Set([...each].flatMap(([member, state]) => (wanted.includes(String(state)) ? [member] : [])));
  const balance: Balance = { total, serving: who('idle'), inFlight: who('changing'), inherited: who('inherited') };
  const settings: DeploymentConfig = { ...config, maxParallel, minHealthy };
  return { balance, settings, deployment: { config: settings } as Deployment };
});

/** Revision 1 runs on both machines of prod, and revision 2 is promoted, one machine after the other. */
function world(more: Partial<DeploymentConfig> = {}): PipelineWorld {
  const made = new PipelineWorld(['prod']);
  made.push(1);
  made.promote('prod', 1);
  made.settle();
  made.ask({ kind: 'change-environment', environment: 'prod', selector: { env: 'prod' }, config: { ...config, ...more } });
  made.push(2);
  return made;
}

const orders = (made: PipelineWorld, deployment: string) => made.facts('order.issued').filter((one) => one.deployment === deployment);

describe('who may be changed now', () => {
  it('R-1 never leaves fewer serving than must, though more fail', () => {
    fc.assert(
      fc.property(situation, ({ balance, settings, deployment }) => {
        const chosen = allowed(deployment, balance, members(balance.total));
        const taken = chosen.filter((member) => balance.serving.has(member)).length;
        const left = balance.serving.size - taken;
        return taken === 0 || left >= minHealthyOf(settings, balance.total);
      }),
    );
  });

  it.each<[Share, number, number, number, number]>([
    // Of two of which one is dead the other may go back; of ten with two left, one at a time though two could be missing.
    ['75%', 2, 1, 0, 1],
    ['75%', 10, 10, 0, 2],
    ['75%', 10, 8, 0, 2],
    ['75%', 10, 2, 0, 1],
    ['75%', 10, 1, 1, 1],
    [8, 10, 8, 0, 1],
    [8, 10, 10, 0, 2],
    [10, 10, 8, 0, 0],
  ])('R-1 on the way back: %s of %i, of whom %i serve and %i were taken down, leaves %i that may be down at once', (minHealthy, total, serving, takenDown, expected) => {
    expect(downAtOnceOf({ ...config, minHealthy }, { total, serving: new Set(members(serving)), inFlight: new Set(), inherited: new Set(), takenDown })).toBe(expected);
  });

  it.each<[Share, number, number]>([
    ['75%', 1, 0],
    ['75%', 2, 1],
    ['75%', 3, 2],
    ['75%', 8, 6],
    ['99%', 8, 7],
    ['100%', 3, 3],
    [3, 3, 3],
    ['75%', 0, 0],
  ])('R-1 %s of %i targets are %i: below all of them, one may always change', (minHealthy, total, expected) => {
    expect(minHealthyOf({ ...config, minHealthy }, total)).toBe(expected);
  });

  it('R-1 two machines with what is the default go one after the other', () => {
    const made = world({ minHealthy: deploymentDefaults.minHealthy, maxParallel: deploymentDefaults.maxParallel });
    made.promote('prod', 2);
    made.settle();
    expect([...made.state.members.values()].map((member) => member.running['web']?.revision)).toEqual([digestOf(2), digestOf(2)]);
  });

  it('R-2 never adds to more at once than may change', () => {
    fc.assert(
      fc.property(situation, ({ balance, settings, deployment }) => {
        const chosen = allowed(deployment, balance, members(balance.total));
        const fresh = chosen.filter((member) => !balance.inFlight.has(member) && !balance.inherited.has(member)).length;
        const most = maxParallelOf(settings, balance.total);
        return fresh === 0 || fresh + balance.inFlight.size + balance.inherited.size <= most;
      }),
    );
  });

  it('R-1 R-2 always somebody, when nobody changes and one more may be missing', () => {
    fc.assert(
      fc.property(situation, ({ balance, settings, deployment }) => {
        const still = { ...balance, inFlight: new Set<string>(), inherited: new Set<string>() };
        const may = still.serving.size > minHealthyOf(settings, still.total) || still.serving.size < still.total;
        return !may || allowed(deployment, still, members(still.total)).length > 0;
      }),
    );
  });

  it('R-9 every target is in exactly one batch, and none is empty', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.array(share, { maxLength: 6 }), (total, sizes) => {
        const batches = cutBatches(members(total), sizes);
        expect(batches.flat()).toEqual(members(total));
        expect(batches.every((batch) => batch.length > 0)).toBe(true);
      }),
    );
  });
});

describe('a deployment', () => {
  it('R-3 begins no batch before the one before it has baked', () => {
    const made = world({ bakeMs: hourMs });
    made.promote('prod', 2);
    made.settle();
    made.wait(hourMs - 1);
    expect(orders(made, 'prod-2').filter(({ action }) => action === 'activate')).toHaveLength(1);
    made.wait(1);
    expect(orders(made, 'prod-2').filter(({ action }) => action === 'activate')).toHaveLength(2);
  });

  it('R-4 activates nobody any more once enough have failed', () => {
    const made = world({ autoRollback: false });
    made.bad.add(digestOf(2));
    made.promote('prod', 2);
    made.settle();
    made.wait(5 * hourMs);
    expect(orders(made, 'prod-2').filter(({ action }) => action === 'activate').flatMap(({ targets }) => targets)).toHaveLength(1);
    expect(made.state.deployments.get('prod-2')).toMatchObject({ phase: 'failed', reason: expect.stringContaining('1 of 2 targets failed') });
  });

  it('R-8 goes back without fetching: nobody is told to, by itself or on request', () => {
    const bad = world({ bakeMs: hourMs });
    bad.promote('prod', 2);
    bad.settle();
    // The first machine runs it; on the second it fails.
    bad.bad.add(digestOf(2));
    bad.wait(hourMs);
    expect([bad.state.deployments.get('prod-2')?.phase, orders(bad, 'prod-2').map(({ action }) => action)]).toEqual(['rolled-back', ['prefetch', 'activate', 'activate', 'rollback']]);
    const good = world();
    good.promote('prod', 2);
    good.settle();
    expect(good.rollback('prod').kind).toBe('accepted');
    good.settle();
    expect([good.runs('prod'), orders(good, 'prod-3').map(({ action }) => action)]).toEqual([1, ['activate']]);
  });

  it('R-9 counts add up to its targets when it has ended, whatever came of each', () => {
    const made = world({ autoRollback: false });
    made.bad.add(digestOf(2));
    made.promote('prod', 2);
    made.settle();
    const deployment = made.state.deployments.get('prod-2');
    if (deployment === undefined) throw new Error('nothing was deployed');
    const { byPhase, total, done } = deploymentProgress(deployment);
    expect([byPhase, done, total]).toEqual([{ 'rolled-back': 1, cancelled: 1 }, 2, 2]);
  });

  it('R-10 names in an order only targets of the batch that runs: nobody else acts while the control plane is away', () => {
    const made = world({ bakeMs: hourMs });
    made.promote('prod', 2);
    made.settle();
    made.wait(hourMs);
    const batches = made.state.deployments.get('prod-2')?.batches ?? [];
    const activations = orders(made, 'prod-2').filter(({ action }) => action === 'activate').map(({ compact }): UnsignedOrder => JSON.parse(compact));
    expect(activations.map(({ batch, targets }) => [batch, targets])).toEqual(batches.map(({ targets }, index) => [index, targets]));
  });
});
