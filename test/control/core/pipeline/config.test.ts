// The finer points of a deployment's configuration: what each does, and what is refused when it is saved.

import { describe, expect, it } from 'vitest';
import { allowed, inTurn } from '../../../../control/core/batches/arithmetic.ts';
import { configProblems } from '../../../../control/core/pipeline/config.ts';
import type { UnsignedOrder } from '../../../../control/core/effects.ts';
import { explain } from '../../../../control/core/explain/explain.ts';
import type { Deployment, TargetDeployment } from '../../../../control/core/model/deployment.ts';
import { stepRollout } from '../../../../control/core/rollout/rollout.ts';
import { goingBack } from '../../../../control/core/rollout/rollback.ts';
import type { DeploymentConfig } from '../../../../proto/events.ts';
import { config, digestOf, hourMs, minuteMs, PipelineWorld } from '../../../support/pipeline-world.ts';

/** Prod's two machines with this configuration; revision 1 runs. */
function world(more: Partial<DeploymentConfig>): PipelineWorld {
  const made = new PipelineWorld(['prod']);
  made.push(1);
  made.promote('prod', 1);
  made.settle();
  made.ask({ kind: 'change-environment', environment: 'prod', selector: { env: 'prod' }, config: { ...config, ...more } });
  made.push(2);
  return made;
}

function newest(made: PipelineWorld): Deployment {
  const deployment = made.state.deployments.get(made.state.environments.get('prod')?.newestDeployment ?? '');
  if (deployment === undefined) throw new Error('nothing was deployed');
  return deployment;
}

const phases = (made: PipelineWorld): readonly string[] => newest(made).batches.map((batch) => batch.phase);

/** A machine says something of the newest order. */
function says(made: PipelineWorld, member: string, phase: TargetDeployment['phase'], code?: string): void {
  const { deployment, targets } = newest(made);
  const target = targets.get(member);
  const report = { deployment, environment: 'prod', app: 'web', seq: target?.order?.seq ?? 0, reportNo: (target?.reportNo ?? 0) + 1, phase, at: made.now, ...(code === undefined ? {} : { code }) };
  made.ask({ kind: 'report', member, report });
}

/** The deployment of revision 2 with both machines told to activate, which have not answered. */
function activating(more: Partial<DeploymentConfig>): PipelineWorld {
  const made = world({ batches: ['100%'], ...more });
  made.promote('prod', 2);
  made.working = false;
  made.settle();
  for (const member of ['prod-1', 'prod-2']) says(made, member, 'verified');
  made.settle();
  expect([...newest(made).targets.values()].map((target) => target.order?.action)).toEqual(['activate', 'activate']);
  return made;
}

describe('a batch', () => {
  it('R-3 bakes for as long as it says itself, and is called by its name', () => {
    const made = world({ bakeMs: hourMs, batches: [{ name: 'one-box', size: 1, bakeMs: 10 * minuteMs }, { name: 'rest', size: '100%', bakeMs: 5 * minuteMs }] });
    made.promote('prod', 2);
    made.settle();
    expect(explain(made.state, made.observed, 'prod')?.waits[0]?.reason).toBe('batch 1 of 2 (one-box) is baking');
    made.wait(9 * minuteMs);
    expect(phases(made)).toEqual(['baking', 'pending']);
    made.wait(minuteMs);
    expect(phases(made)).toEqual(['succeeded', 'baking']);
    made.wait(5 * minuteMs);
    expect(newest(made).phase).toBe('succeeded');
  });

  it('that pauses waits for somebody when it has baked', () => {
    const made = world({ batches: [{ name: 'one-box', size: 1, pause: true }, '100%'] });
    made.promote('prod', 2);
    made.settle();
    made.wait(5 * hourMs);
    expect([phases(made), newest(made).paused?.reason]).toEqual([['succeeded', 'pending'], 'somebody is to look at batch 1 of 2 (one-box) before the next']);
    made.ask({ kind: 'next-batch', deployment: newest(made).deployment });
    made.settle();
    expect(newest(made).phase).toBe('succeeded');
  });

  it('that is a canary stops the deployment with one failure', () => {
    const made = world({ batches: [{ size: 1, canary: true }, '100%'], failureThreshold: { count: 2, percent: 100 } });
    made.bad.add(digestOf(2));
    made.promote('prod', 2);
    made.settle();
    expect([newest(made).phase, phases(made)]).toEqual(['rolled-back', ['failed', 'skipped']]);
  });
});

describe('health', () => {
  it('R-1 a target that has just come up does not count as healthy yet', () => {
    const made = world({ batches: ['100%'], minHealthy: 1, minHealthyTimeMs: 10_000 });
    made.promote('prod', 2);
    made.settle();
    const switched = () => [...newest(made).targets.values()].filter((target) => target.phase === 'committed').length;
    expect(switched()).toBe(1);
    made.wait(9000);
    expect(switched()).toBe(1);
    made.wait(1000);
    expect(switched()).toBe(2);
    expect(newest(made).finishedAt).toBeUndefined();
    made.wait(10_000);
    expect(newest(made).phase).toBe('succeeded');
  });

  it('R-11 a target that is stuck while it is switched fails after healthyDeadlineMs, but for paused time', () => {
    const made = activating({ healthyDeadlineMs: 5 * minuteMs });
    for (const member of ['prod-1', 'prod-2']) says(made, member, 'health-checking');
    made.ask({ kind: 'pause-deployment', deployment: newest(made).deployment });
    made.wait(hourMs);
    expect(newest(made).phase).toBe('running');
    made.ask({ kind: 'resume-deployment', deployment: newest(made).deployment });
    made.wait(4 * minuteMs);
    expect(newest(made).phase).toBe('running');
    made.wait(minuteMs);
    expect(newest(made)).toMatchObject({ reason: expect.stringContaining('HEALTHY_DEADLINE'), rollback: { number: 1 } });
    expect(newest(made).targets.get('prod-1')).toMatchObject({ phase: 'lost', code: 'HEALTHY_DEADLINE' });
  });
});

describe('R-7 machines that fail', () => {
  it('do not take a set back, unless that is configured', () => {
    for (const [onError, phase] of [[false, 'failed'], [true, 'rolling-back']] as const) {
      const made = activating({ autoRollback: { onHealth: true, onError, onVerification: [] } });
      says(made, 'prod-1', 'failed', 'NO_SPACE');
      made.settle();
      expect(newest(made).phase).toBe(phase);
    }
  });

  it('do take it back together with one that says that the set is bad', () => {
    const made = activating({ failureThreshold: { count: 2, percent: 100 } });
    says(made, 'prod-1', 'failed', 'NO_SPACE');
    says(made, 'prod-2', 'rolled-back', 'HEALTH_FAILED');
    made.settle();
    expect(newest(made).phase).toBe('rolled-back');
  });

  it('may be missing up to a share that does not count', () => {
    for (const [tolerate, phase] of [[0, 'failed'], [1, 'succeeded']] as const) {
      const made = activating({ unreachable: { tolerate, afterMs: 15 * minuteMs } });
      says(made, 'prod-1', 'committed');
      const silent = { ...made.observed, lastSeen: new Map(), now: made.now + 16 * minuteMs };
      made.now = silent.now;
      Object.defineProperty(made, 'observed', { get: () => ({ ...silent, now: made.now }) });
      made.settle();
      expect(newest(made).phase).toBe(phase);
    }
  });
});

describe('a rollback by hand', () => {
  it('goes in one batch, and with its canary and bake where that is configured', () => {
    for (const [rollback, batches] of [[{}, 1], [{ skipCanary: false, skipBake: false }, 2]] as const) {
      const made = world({ batches: [{ size: 1, canary: true, bakeMs: 10 * minuteMs }, '100%'], rollback });
      made.promote('prod', 2);
      made.settle();
      made.wait(hourMs);
      made.rollback('prod');
      made.settle();
      expect(newest(made)).toMatchObject({ type: 'rollback', phase: batches === 1 ? 'succeeded' : 'baking' });
      expect(phases(made)).toHaveLength(batches);
    }
  });
});

describe('a configuration that cannot work', () => {
  it.each<[Partial<DeploymentConfig>, string]>([
    [{ minHealthy: 2 }, 'minHealthy: 2 of the 2 targets there are is all of them'],
    [{ batches: [{ name: 'a', size: 1 }, { name: 'a', size: 1 }] }, "two of them are called 'a'"],
    [{ batches: [1, { size: '100%', pause: true }] }, 'nothing comes after the last one, so that it cannot pause'],
    [{ batches: [{ size: 0 }] }, "batches[0]: '0' is neither a number of targets from 1"],
    [{ batches: [{ size: 1, bakeMs: -1 }] }, 'batches[0].bakeMs: -1 is not'],
    [{ minHealthyTimeMs: hourMs }, 'is not below progressDeadlineMs'],
    [{ unreachable: { tolerate: '100%' } }, 'a deployment would succeed that no target has heard of'],
    [{ rollback: { skipCanary: false } }, 'no batch is a canary'],
    [{ healthChecks: [{ name: 'a', path: 'x' }] }, "healthChecks[0].path: 'x' is not a path such as /healthz"],
    [{ healthChecks: [{ name: 'a', path: '/' }, { name: 'a', path: '/x' }] }, "two of them are called 'a'"],
    [{ healthyDeadlineMs: minuteMs, healthChecks: [{ name: 'a', path: '/', timeoutMs: minuteMs }] }, 'is not below healthyDeadlineMs (60000)'],
    [{ healthChecks: [{ name: 'a', path: '/' }], batches: [{ size: 1, check: 'a', verify: 'w' }] }, "here by 'w' and 'a'"],
    [{ batches: [{ size: 1, check: 'b' }] }, "batches[0].check: there is no health check 'b'"],
    [{ stripeBy: 'Rack!' }, "'Rack!' is not the key of a label"],
  ])('%j is refused when it is saved', (more, expected) => {
    expect(configProblems({ ...config, ...more }, 2).join('; ')).toContain(expected);
  });
});

describe('what a deployment under way waits for', () => {
  it('names a target that is at work and says nothing any more', () => {
    const made = activating({});
    const now = made.now + minuteMs;
    const reasons = (silent: string): readonly (string | undefined)[] => {
      const lastSeen = new Map([...made.state.members.values()].map((one) => [one.member, one.name === silent ? made.now : now]));
      return explain(made.state, { ...made.observed, now, lastSeen }, 'prod')?.waits.map((wait) => wait.reason) ?? [];
    };
    expect(reasons('nobody')).toEqual(['prod-1 is verified', 'prod-2 is verified']);
    expect(reasons('prod-2')).toEqual(['prod-1 is verified', 'prod-2 is verified, and was not heard for 60 s: see whether starlingd runs there']);
  });
});

describe('the order of targets', () => {
  it('takes turns by the label that stripeBy names, and by the zone otherwise', () => {
    const made = new PipelineWorld(['prod']);
    const [one] = made.state.members.values();
    if (one === undefined) throw new Error('no member');
    const machines = ['a', 'b', 'c', 'd'].map((name, index) => ({ ...one, member: name, name, labels: { rack: index < 2 ? 'r1' : 'r2' }, attributes: { zone: index % 2 === 0 ? 'z1' : 'z2' } }));
    expect(inTurn(machines, 'web', { stripeBy: 'rack' })).toEqual(['a', 'c', 'b', 'd']);
    expect(inTurn(machines, 'web')).toEqual(['a', 'b', 'c', 'd']);
    expect(inTurn(machines.toReversed(), 'web')).toEqual(['a', 'b', 'c', 'd']);
  });

  it('begins with those that do not serve, or with those that do where the configuration says so', () => {
    const made = world({});
    const machines = ['prod-1', 'prod-2', 'prod-3', 'prod-4'].flatMap((name, index) => {
      const member = made.state.members.get(index < 2 ? name : 'prod-1');
      return member === undefined ? [] : [index === 0 || index === 3 ? { ...member, member: name, name, running: {} } : { ...member, member: name, name }];
    });
    expect(inTurn(machines, 'web')).toEqual(['prod-1', 'prod-4', 'prod-2', 'prod-3']);
    expect(inTurn(machines, 'web', { order: ['outdated', 'unhealthy'] })).toEqual(['prod-2', 'prod-3', 'prod-1', 'prod-4']);
  });

  it.each([[['unhealthy', 'outdated'], ['prod-2', 'prod-1']], [['outdated', 'unhealthy'], ['prod-1', 'prod-2']]] as const)('R-1 is %j within a batch too, and one that does not serve never waits for one that may not be changed', (order, expected) => {
    const before = newest(activating({}));
    const deployment = { ...before, config: { ...before.config, order, maxParallel: 1, minHealthy: 1 } };
    const balance = { total: 2, serving: new Set(['prod-1']), inFlight: new Set<string>(), inherited: new Set<string>() };
    const parallel = { ...deployment, config: { ...deployment.config, maxParallel: 2, minHealthy: 0 } };
    expect(allowed(parallel, balance, ['prod-1', 'prod-2'])).toEqual(expected);
    expect(allowed(deployment, balance, ['prod-1', 'prod-2'])).toEqual(['prod-2']);
  });
});

describe('health checks', () => {
  const checks = (made: PipelineWorld, deployment: string) =>
    made.journal.flatMap(({ event }) => {
      if (event.kind !== 'order.issued' || event.deployment !== deployment) return [];
      const order: UnsignedOrder = JSON.parse(event.compact);
      return [`${order.action} ${order.targets.join()}: ${(order.checks ?? []).map(({ name, intervalMs = '-' }) => `${name} ${intervalMs}`).join()}`];
    });
  const healthChecks = [{ name: 'ready', path: '/ready', intervalMs: 500 }, { name: 'full', path: '/full' }];

  it('are made by all, or by the targets of the batches that name them; what goes back makes none', () => {
    const made = world({ batches: [{ name: 'one-box', size: 1, check: 'full' }, '100%'], healthChecks });
    made.promote('prod', 2);
    made.settle();
    expect(checks(made, newest(made).deployment)).toEqual(['prefetch prod-1,prod-2: ', 'activate prod-1: ready 500,full -', 'activate prod-2: ready 500']);
    made.ask({ kind: 'rollback', promotion: 'back', environment: 'prod', to: 1 });
    made.settle();
    expect(checks(made, newest(made).deployment)).toEqual(['activate prod-1,prod-2: ']);
  });

  it('are those of its own batch where a target comes back that was lost in an earlier one', () => {
    const made = world({ batches: [{ size: 1, check: 'full' }, '100%'], healthChecks, maxParallel: 2 });
    made.promote('prod', 2);
    made.working = false;
    made.settle();
    const deployment = newest(made);
    const waits = [...deployment.targets.values()].map((target) => [target.member, { ...target, phase: 'verified', order: { action: 'prefetch', seq: 4, at: made.now } }] as const);
    const late: Deployment = { ...deployment, targets: new Map(waits), batches: deployment.batches.map((batch, index) => ({ ...batch, phase: index === 0 ? 'succeeded' : 'running' })) };
    const environment = made.state.environments.get('prod');
    if (environment === undefined) throw new Error('no environment');
    const [effect] = stepRollout(made.state, environment, late, made.observed).effects;
    expect(effect).toMatchObject({ orders: [{ targets: ['prod-2'], batch: 1, checks: [{ name: 'ready' }] }] });
  });
});

describe('going back', () => {
  /** Of two machines that were told to activate, one runs revision 2 and one failed. */
  function halfDone(scope: { readonly scope?: 'failed' }): PipelineWorld {
    const made = activating({ autoRollback: { onHealth: true, onError: false, onVerification: ['failed'], ...scope } });
    says(made, 'prod-1', 'committed');
    says(made, 'prod-2', 'inconsistent', 'HEALTH_FAILED');
    made.settle();
    return made;
  }
  const ordered = (made: PipelineWorld) => [...newest(made).targets.values()].map(({ member, order }) => `${member} ${order?.action}`);

  it('R-5 is of all that were switched, unless the configuration leaves it at those that failed', () => {
    expect(ordered(halfDone({}))).toEqual(['prod-1 rollback', 'prod-2 rollback']);
    const made = halfDone({ scope: 'failed' });
    expect([newest(made).phase, ordered(made)]).toEqual(['rolling-back', ['prod-1 activate', 'prod-2 rollback']]);
    says(made, 'prod-2', 'rolled-back');
    made.settle();
    const promotion = made.state.promotions.get(newest(made).promotion);
    expect([newest(made).phase, promotion?.phase, promotion?.outcome ?? promotion?.reason]).toEqual(['failed', 'failed', expect.stringContaining('1 of 2 targets rolled back to web@1, 1 keep web@2: 1 of 2 targets failed')]);
    made.working = true;
    made.wait(hourMs);
    expect([...made.state.members.values()].map(({ running }) => running['web']?.number), 'nobody is brought back by a catch-up').toEqual([2, 1]);
  });

  it('is of all when an alarm or a workflow speaks, which no target failed', () => {
    const made = activating({ autoRollback: { onHealth: true, onError: false, onVerification: ['failed'], scope: 'failed' } });
    says(made, 'prod-1', 'committed');
    expect(goingBack(newest(made), 'health')).toEqual({ targets: ['prod-2'], scope: 'failed' });
    for (const cause of ['alarm', 'window', 'verification-failed'] as const) expect(goingBack(newest(made), cause)).toEqual({ targets: ['prod-1', 'prod-2'] });
  });
});
