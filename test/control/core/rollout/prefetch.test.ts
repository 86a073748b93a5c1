// Content that travels before the gates are open, and replication as a gate: when it begins, what it never does, and how it ends.

import { describe, expect, it } from 'vitest';
import { explain } from '../../../../control/core/explain/explain.ts';
import type { Deployment } from '../../../../control/core/model/deployment.ts';
import type { TargetPhase } from '../../../../proto/fleet.ts';
import type { PrefetchConfig } from '../../../../proto/rollout-config.ts';
import type { CoverageSpec } from '../../../../proto/pipeline.ts';
import { config, hourMs, minuteMs, pipeline, PipelineWorld, place } from '../../../support/pipeline-world.ts';

interface Setup {
  readonly prefetch?: PrefetchConfig;
  readonly coverage?: CoverageSpec;
}

/** Prod runs revision 1 on two machines, is locked, and revision 2 waits for it. `working: false`: machines say nothing by themselves. */
function locked({ prefetch, coverage }: Setup, working = true): PipelineWorld {
  const world = new PipelineWorld(['prod']);
  const alone = { stages: [{ stage: 'prod', environments: [place('prod', coverage === undefined ? {} : { coverage })] }], edges: [] };
  world.push(1);
  world.promote('prod', 1);
  world.settle();
  world.apply(pipeline(alone));
  world.ask({ kind: 'change-environment', environment: 'prod', selector: { env: 'prod' }, config: { ...config, ...(prefetch === undefined ? {} : { prefetch }) } });
  lock(world);
  world.push(2);
  world.promote('prod', 2);
  world.working = working;
  world.settle();
  return world;
}

function lock(world: PipelineWorld): void {
  world.ask({ kind: 'acquire-lock', lock: 'quiet', scope: { kind: 'environment', id: 'prod' }, holder: 'ann', reason: 'a demonstration', includeRollback: false });
}

function unlock(world: PipelineWorld): void {
  world.ask({ kind: 'release-lock', lock: 'quiet', holder: 'ann' });
  world.settle();
}

function prefetches(world: PipelineWorld): readonly Deployment[] {
  return [...world.state.deployments.values()].filter((one) => one.type === 'prefetch');
}

/** How far each machine is in the first of them. */
function phases(world: PipelineWorld): Readonly<Record<string, TargetPhase>> {
  return Object.fromEntries([...(prefetches(world)[0]?.targets.values() ?? [])].map(({ member, phase }) => [member, phase]));
}

/** Orders of one kind since the lock, as the targets that each names. */
function ordered(world: PipelineWorld, action: string, deployment = 'prod-p1'): readonly (readonly string[])[] {
  return world.facts('order.issued').filter((one) => one.action === action && one.deployment === deployment).map((one) => one.targets);
}

/** A machine says something of the prefetch under way. */
function says(world: PipelineWorld, member: string, phase: TargetPhase, code?: string): void {
  const known = prefetches(world).at(-1);
  const target = known?.targets.get(member);
  const report = { deployment: known?.deployment ?? '', environment: 'prod', app: 'web', seq: target?.order?.seq ?? 0, reportNo: (target?.reportNo ?? 0) + 1, phase, at: world.now, ...(code === undefined ? {} : { code }) };
  world.ask({ kind: 'report', member, report });
  world.settle();
}

const runs = (world: PipelineWorld, member: string): number => world.state.members.get(member)?.running['web']?.number ?? 0;

describe('a prefetch', () => {
  it('brings content to every target while only a lock holds, and switches nothing', () => {
    const world = locked({ prefetch: { enabled: true } });
    expect(prefetches(world)).toMatchObject([{ deployment: 'prod-p1', phase: 'distributing', number: 2 }]);
    expect(phases(world)).toEqual({ 'prod-1': 'verified', 'prod-2': 'verified' });
    expect([world.holding('prod'), runs(world, 'prod-1'), world.state.environments.get('prod')?.activeDeployment]).toEqual([['lock'], 1, undefined]);
    expect(world.facts('order.issued').filter((one) => one.action === 'activate' && one.deployment !== 'prod-1')).toEqual([]);
    unlock(world);
    expect([prefetches(world)[0]?.phase, world.runs('prod'), ordered(world, 'cancel')]).toEqual(['succeeded', 2, []]);
  });

  it('is not begun where nobody asked for it, nor while closed windows are to be heeded', () => {
    expect(prefetches(locked({}))).toEqual([]);
    const world = locked({ prefetch: { enabled: true, ignoreWindows: false } }, false);
    world.ask({ kind: 'start-freeze', freeze: 'holidays', scope: { kind: 'all' }, reason: 'holidays' });
    world.settle();
    expect(prefetches(world).map(({ phase }) => phase)).toEqual(['aborted']);
    world.ask({ kind: 'end-freeze', freeze: 'holidays' });
    world.settle();
    expect(prefetches(world).map(({ phase }) => phase)).toEqual(['aborted', 'distributing']);
  });

  it('is called off when more than time and people stands in the way, and those who still fetch are told', () => {
    const world = locked({ prefetch: { enabled: true } }, false);
    says(world, 'prod-1', 'verified');
    says(world, 'prod-2', 'downloading');
    world.ask({ kind: 'place-veto', app: 'web', revision: '2', reason: 'loses orders' });
    world.settle();
    expect(prefetches(world)).toMatchObject([{ phase: 'aborted' }]);
    expect(phases(world)).toEqual({ 'prod-1': 'verified', 'prod-2': 'cancelled' });
    expect(ordered(world, 'cancel')).toEqual([['prod-2']]);
  });

  it('gives way to a newer promotion, and the old content stops travelling first', () => {
    const world = locked({ prefetch: { enabled: true } }, false);
    world.push(3);
    world.promote('prod', 3);
    world.settle();
    expect(prefetches(world)).toMatchObject([{ deployment: 'prod-p1', phase: 'aborted' }, { deployment: 'prod-p2', phase: 'distributing', number: 3 }]);
    const orders = world.facts('order.issued').filter((one) => one.deployment.startsWith('prod-p'));
    expect(orders.map((one) => `${one.deployment} ${one.action}`)).toEqual(['prod-p1 prefetch', 'prod-p1 cancel', 'prod-p2 prefetch']);
  });

  it('is stopped before a promotion begins that goes ahead of its own', () => {
    const world = locked({ prefetch: { enabled: true } }, false);
    world.promote('prod', 1, { cause: 'hotfix', reason: 'the old one again' });
    unlock(world);
    const orders = world.facts('order.issued').filter((one) => one.deployment !== 'prod-1').map((one) => `${one.deployment} ${one.action}`);
    expect(orders.slice(0, 3)).toEqual(['prod-p1 prefetch', 'prod-p1 cancel', 'prod-2 prefetch']);
  });

  it('goes to machines that join meanwhile, and again to those where it failed', () => {
    const world = locked({ prefetch: { enabled: true } }, false);
    says(world, 'prod-1', 'failed', 'NO_SPACE');
    world.wait(9 * minuteMs);
    expect(ordered(world, 'prefetch')).toEqual([['prod-1', 'prod-2']]);
    world.wait(minuteMs);
    expect(ordered(world, 'prefetch')).toEqual([['prod-1', 'prod-2'], ['prod-1']]);
    world.ask({ kind: 'create-token', token: 'j', use: 'join', name: 'j', secretDigest: 'a'.repeat(64), scopes: [], roles: ['agent'], environments: ['prod'], labels: { env: 'prod' }, usesMax: 1, expiresAt: world.now + 1 });
    world.ask({ kind: 'enrol-member', token: 'j', member: 'prod-3', name: 'prod-3', publicKey: 'k', roles: ['agent'], attributes: {} });
    world.settle();
    expect(ordered(world, 'prefetch').at(-1)).toEqual(['prod-3']);
  });

  it('is asked for anew before its orders run out', () => {
    const world = locked({ prefetch: { enabled: true } }, false);
    for (let hour = 0; hour < 12; hour += 1) world.wait(hourMs);
    expect(ordered(world, 'prefetch')).toEqual([['prod-1', 'prod-2'], ['prod-1', 'prod-2']]);
  });

  it('ends with its promotion, takes no commands of its own, and is told by explain', () => {
    const world = locked({ prefetch: { enabled: true } });
    expect(explain(world.state, world.observed, 'prod')?.waits).toEqual([{ reason: 'meanwhile 2 of 2 targets hold web@2 (prod-p1)' }]);
    expect(world.try({ kind: 'pause-deployment', deployment: 'prod-p1' })).toMatchObject({ kind: 'refused', message: expect.stringContaining('abort that one') });
    expect(world.try({ kind: 'abort', deployment: 'prod-p1' })).toMatchObject({ kind: 'refused' });
    world.ask({ kind: 'abort-promotion', promotion: prefetches(world)[0]?.promotion ?? '' });
    world.settle();
    expect([prefetches(world)[0]?.phase, runs(world, 'prod-1'), world.facts('deployment.started').length]).toEqual(['aborted', 1, 1]);
  });
});

describe('replication as a gate', () => {
  it('holds until enough targets hold it all, and a prefetch is what brings that about', () => {
    const world = locked({ coverage: { coverage: 1, minCopiesPerZone: 2 } }, false);
    unlock(world);
    expect([world.holding('prod'), ordered(world, 'prefetch')]).toEqual([['coverage'], [['prod-1', 'prod-2']]]);
    expect(explain(world.state, world.observed, 'prod')?.blockers[0]?.reason).toMatch(/0 % of targets hold the content, with 0 copies/);
    says(world, 'prod-1', 'verified');
    expect([world.holding('prod'), world.facts('deployment.started').length]).toEqual([['coverage'], 1]);
    says(world, 'prod-2', 'verified');
    expect([world.holding('prod'), world.facts('deployment.started').length]).toEqual([[], 2]);
  });

  it('asks no zone for more copies than it has places for', () => {
    const world = locked({ coverage: { coverage: 0.5, minCopiesPerZone: 3 } });
    unlock(world);
    expect(world.runs('prod')).toBe(2);
  });

  it('says so where prefetch is off, since nothing spreads there', () => {
    const world = locked({ prefetch: { enabled: false }, coverage: { coverage: 1, minCopiesPerZone: 1 } });
    unlock(world);
    expect(explain(world.state, world.observed, 'prod')?.blockers[0]?.reason).toMatch(/prefetch is off here/);
  });
});
