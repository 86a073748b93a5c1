// Pipelines at work: what flows by itself, what holds it, and what people and workflows have to say.

import { describe, expect, it } from 'vitest';
import { evaluateGates } from '../../../../control/core/gates/gates.ts';
import type { TimeWindow } from '../../../../proto/window.ts';
import { PipelineWorld, dayMs, digestOf, edge, hourMs, minuteMs, pipeline, place } from '../../../support/pipeline-world.ts';

const everyDay = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
const hours: TimeWindow = { window: 'hours', kind: 'allow', timeZone: 'UTC', schedule: { kind: 'weekly', rows: [{ days: everyDay, times: { from: '09:00', to: '16:00' } }] }, onClose: 'pause' };
const smoke = { workflow: 'smoke', lock: 'stage', timeoutMs: hourMs, steps: [{ step: 'smoke', kind: 'test', needs: [], timeoutMs: hourMs, retries: 0, allowFailure: false }] } as const;

/** alpha → prod, where nobody has to be asked: alpha's workflow speaks for it. */
function verified(more: Parameters<typeof pipeline>[0] = {}, start?: string): PipelineWorld {
  const world = new PipelineWorld(['alpha', 'prod'], start);
  world.apply(pipeline({ workflows: [smoke], stages: [{ stage: 'alpha', environments: [place('alpha', { workflow: 'smoke' })] }, { stage: 'prod', environments: [place('prod')] }], ...more }));
  return world;
}

/** The workflow that runs ends like this. */
function finish(world: PipelineWorld, phase: 'successful' | 'failed' = 'successful'): void {
  for (const run of world.state.runs.values()) {
    if (run.phase === 'running') world.ask({ kind: 'finish-workflow', run: run.run, phase });
  }
  world.settle();
}

function flow(world: PipelineWorld, number: number): void {
  world.push(number);
  world.settle();
  finish(world);
}

describe('a pipeline', () => {
  it('brings a push to the first stage by itself, and on when the workflow was successful', () => {
    const world = verified();
    world.push(1);
    world.settle();
    expect([world.runs('alpha'), world.runs('prod')]).toEqual([1, 0]);
    finish(world);
    expect(world.runs('prod')).toBe(1);
  });

  it('A-9 asks one person where no workflow speaks for the source, and nobody for the first stage', () => {
    const world = new PipelineWorld(['alpha', 'prod']);
    world.apply(pipeline());
    world.push(1);
    world.settle();
    expect([world.runs('alpha'), world.runs('prod')]).toEqual([1, 0]);
    expect(world.requests()).toHaveLength(1);
    world.vote('request-1', 'ada');
    world.settle();
    expect(world.runs('prod')).toBe(1);
  });

  it('L-2 L-3 locks the stage while its workflow runs, so that nothing new starts in it', () => {
    const world = verified();
    world.push(1);
    world.settle();
    world.push(2);
    world.settle();
    expect(world.runs('alpha')).toBe(1);
    expect(world.holding('alpha')).toEqual(['lock']);
    expect([...world.state.locks.values()]).toMatchObject([{ mode: 'workflow', scope: { kind: 'stage', id: 'shop/alpha' } }]);
    finish(world);
    expect(world.runs('alpha')).toBe(2);
  });

  it('L-6 a workflow that never ends times out, and its lock ends with it', () => {
    const world = verified();
    world.push(1);
    world.settle();
    world.wait(hourMs);
    expect([...world.state.runs.values()].map((run) => run.phase)).toEqual(['timed-out']);
    expect(world.state.locks.size).toBe(0);
    expect(world.runs('prod')).toBe(0);
  });

  it('L-4 a run that was fenced can no longer write', () => {
    const world = verified();
    world.push(1);
    world.settle();
    const [run = ''] = world.state.runs.keys();
    world.now += hourMs;
    expect(world.try({ kind: 'report-step', run, step: 'smoke', phase: 'running', attempt: 1 })).toMatchObject({ kind: 'refused', code: 'conflict' });
    expect(world.try({ kind: 'finish-workflow', run, phase: 'successful' })).toMatchObject({ kind: 'refused', code: 'conflict' });
  });

  it('A-6 a later run that fails takes back what an earlier one found', () => {
    const world = verified({ edges: [edge('web', 'alpha'), edge('alpha', 'prod', { soakMs: hourMs })] });
    flow(world, 1);
    expect(world.holding('prod')).toEqual(['soak']);
    world.ask({ kind: 'start-workflow', run: 'again', environment: 'alpha' });
    finish(world, 'failed');
    world.wait(hourMs);
    expect(world.runs('prod')).toBe(0);
    expect(world.holding('prod')).toEqual(['workflow']);
  });

  it('soaks at the source, and starts when it has', () => {
    const world = verified({ edges: [edge('web', 'alpha'), edge('alpha', 'prod', { soakMs: 2 * hourMs })] });
    flow(world, 1);
    world.wait(2 * hourMs - 1);
    expect(world.runs('prod')).toBe(0);
    world.wait(1);
    expect(world.runs('prod')).toBe(1);
  });

  it('waits for environments that come first', () => {
    const world = new PipelineWorld(['alpha', 'na', 'eu']);
    const stages = [{ stage: 'alpha', environments: [place('alpha', { workflow: 'smoke' })] }, { stage: 'prod', environments: [place('na'), place('eu')] }];
    world.apply(pipeline({ workflows: [smoke], stages, edges: [edge('web', 'alpha'), edge('alpha', 'na', { auto: false }), edge('alpha', 'eu', { after: ['na'] })] }));
    flow(world, 1);
    expect([world.runs('na'), world.runs('eu')]).toEqual([0, 0]);
    expect(world.holding('eu')).toEqual(['after']);
    world.promote('na', 1);
    world.settle();
    expect([world.runs('na'), world.runs('eu')]).toEqual([1, 1]);
  });

  it('S-4 queued: every approved set arrives, in order; superseded: only the newest', () => {
    for (const [executionMode, arrived] of [['queued', [1, 2, 3]], ['superseded', [3]]] as const) {
      const world = verified({ executionMode });
      world.ask({ kind: 'set-automation', scope: { kind: 'edge', id: 'shop/alpha-prod' }, on: false });
      for (const number of [1, 2, 3]) flow(world, number);
      world.ask({ kind: 'set-automation', scope: { kind: 'edge', id: 'shop/alpha-prod' }, on: true });
      world.settle();
      expect(world.state.sets.get('prod')?.arrivals.map((one) => Number(one.members['web']))).toEqual(arrived);
    }
  });

  it('T-7 does nothing by itself while a switch is off, and then only the newest', () => {
    const switches = [
      { off: { kind: 'switch-pipeline', pipeline: 'shop', on: false }, on: { kind: 'switch-pipeline', pipeline: 'shop', on: true } },
      { off: { kind: 'switch-edge', edge: 'shop/web-alpha', on: false }, on: { kind: 'switch-edge', edge: 'shop/web-alpha', on: true } },
      ...(['pipeline:shop', 'edge:shop/web-alpha', 'environment:alpha', 'app:web'] as const).map((text) => {
        const [kind, id] = text.split(':') as ['pipeline', string];
        return { off: { kind: 'set-automation', scope: { kind, id }, on: false }, on: { kind: 'set-automation', scope: { kind, id }, on: true } } as const;
      }),
    ] as const;
    for (const { off, on } of switches) {
      const world = verified();
      world.ask(off);
      for (const number of [1, 2]) flow(world, number);
      expect(world.facts('promotion.created')).toEqual([]);
      world.ask(on);
      world.settle();
      expect(world.facts('promotion.created').map((fact) => fact.number)).toEqual([2]);
    }
  });

  it('S-2 automation never goes back to a lower number, though an approved one is preferred by the policy', () => {
    const world = verified({ edges: [edge('web', 'alpha', { select: [{ by: 'priority' }] }), edge('alpha', 'prod')] });
    flow(world, 1);
    flow(world, 2);
    world.ask({ kind: 'describe-revision', app: 'web', revision: '1', description: { priority: 9 } });
    world.settle();
    expect(world.runs('alpha')).toBe(2);
    expect(world.wouldHold('alpha', 1, { cause: 'auto' })).toContain('downgrade');
  });

  it('R-6 a bad revision rolls back by itself once, holds the edge, and does not come again until it is released', () => {
    const world = verified();
    flow(world, 1);
    world.bad.add(digestOf(2));
    world.push(2);
    world.settle();
    expect(world.facts('deployment.rolling-back')).toHaveLength(1);
    expect(world.runs('alpha')).toBe(1);
    world.wait(dayMs);
    expect(world.facts('deployment.rolling-back')).toHaveLength(1);
    expect(world.wouldHold('alpha', 2, { cause: 'auto' })).toContain('hold');
    world.bad.clear();
    world.ask({ kind: 'release-hold', edge: 'shop/web-alpha' });
    world.settle();
    expect(world.runs('alpha')).toBe(2);
  });

  it('a promotion by hand of what is not the candidate holds the edge; of the candidate, releases it', () => {
    const world = verified();
    flow(world, 1);
    flow(world, 2);
    world.promote('alpha', 1);
    world.settle();
    expect(world.state.holds.has('shop/web-alpha')).toBe(true);
    world.wait(hourMs);
    world.promote('alpha', 2);
    expect(world.state.holds.has('shop/web-alpha')).toBe(false);
  });

  it('V-3 a vetoed revision is neither chosen, nor promoted, nor rolled back to', () => {
    const world = verified();
    for (const number of [1, 2]) flow(world, number);
    world.ask({ kind: 'place-veto', app: 'web', revision: '1', reason: 'leaks' });
    expect(world.wouldHold('prod', 1)).toContain('veto');
    expect(world.wouldHold('prod', 1, { cause: 'hotfix', reason: 'x' })).toContain('veto');
    expect(world.rollback('prod')).toMatchObject({ kind: 'accepted' });
    world.settle();
    expect(world.runs('prod')).toBe(2);
    expect(world.holding('prod')).toEqual(['veto']);
    world.push(3);
    world.ask({ kind: 'place-veto', app: 'web', revision: '3', environment: 'alpha', reason: 'slow' });
    world.wait(hourMs);
    expect(world.runs('alpha')).toBe(2);
  });

  it('a pinned environment stays where it is, even against a rollback', () => {
    const world = verified();
    for (const number of [1, 2]) flow(world, number);
    world.ask({ kind: 'place-pin', environment: 'prod', revision: '2', reason: 'audit' });
    expect(world.wouldHold('prod', 1, { trigger: 'rollback' })).toContain('pin');
    expect(world.wouldHold('prod', 2)).not.toContain('pin');
    flow(world, 3);
    expect([world.runs('alpha'), world.runs('prod')]).toEqual([3, 2]);
    world.ask({ kind: 'remove-pin', environment: 'prod' });
    world.settle();
    expect(world.runs('prod')).toBe(3);
  });

  it('L-5 L-7 a lock of a project holds all in it, interrupts nothing, and lets a rollback pass unless told not to', () => {
    const world = verified();
    flow(world, 1);
    world.working = false;
    world.push(2);
    world.settle();
    world.ask({ kind: 'acquire-lock', lock: 'l1', scope: { kind: 'project', id: 'shop' }, holder: 'ada', reason: 'migration', includeRollback: false });
    world.working = true;
    world.settle();
    expect(world.runs('alpha')).toBe(2);
    expect(world.wouldHold('prod', 2)).toContain('lock');
    expect(world.wouldHold('prod', 1, { trigger: 'rollback' })).not.toContain('lock');
    world.ask({ kind: 'acquire-lock', lock: 'l2', scope: { kind: 'all' }, holder: 'ada', reason: 'all', includeRollback: true });
    expect(world.wouldHold('prod', 1, { trigger: 'rollback' })).toContain('lock');
  });

  it('L-4 a lock that has expired holds nothing, and a late release frees only its own', () => {
    const world = verified();
    world.push(1);
    world.ask({ kind: 'acquire-lock', lock: 'l1', scope: { kind: 'environment', id: 'alpha' }, holder: 'ada', reason: 'x', includeRollback: false, expiresAt: world.now + hourMs });
    expect(world.wouldHold('alpha', 1)).toContain('lock');
    world.now += hourMs;
    expect(world.wouldHold('alpha', 1)).not.toContain('lock');
    world.append([{ kind: 'lock.acquired', lock: 'l1', scope: { kind: 'environment', id: 'alpha' }, mode: 'manual', holder: 'bob', reason: 'y', includeRollback: false }]);
    world.append([{ kind: 'lock.released', lock: 'l1', holder: 'ada', broken: false }]);
    expect(world.wouldHold('alpha', 1)).toContain('lock');
  });

  it('O-2 nobody else breaks a lock, freezes or vetoes without a reason', () => {
    const world = verified();
    world.push(1);
    world.ask({ kind: 'acquire-lock', lock: 'l1', scope: { kind: 'all' }, holder: 'ada', reason: 'x', includeRollback: false });
    expect(world.try({ kind: 'release-lock', lock: 'l1', holder: 'bob' })).toMatchObject({ code: 'forbidden' });
    expect(world.try({ kind: 'release-lock', lock: 'l1', holder: 'bob', breakReason: ' ' })).toMatchObject({ code: 'forbidden' });
    expect(world.try({ kind: 'start-freeze', freeze: 'f1', scope: { kind: 'all' }, reason: '' })).toMatchObject({ code: 'invalid' });
    expect(world.try({ kind: 'place-veto', app: 'web', revision: '1', reason: ' ' })).toMatchObject({ code: 'invalid' });
    expect(world.try({ kind: 'promote', promotion: 'p', environment: 'alpha', revision: '1', cause: 'hotfix' })).toMatchObject({ code: 'invalid' });
    world.ask({ kind: 'release-lock', lock: 'l1', holder: 'bob', breakReason: 'ada is on a plane' });
    expect(world.facts('lock.released')).toMatchObject([{ broken: true, reason: 'ada is on a plane' }]);
  });

  it('holds what needs platform software that targets lack, and what has not spread far enough', () => {
    const world = verified({ stages: [{ stage: 'alpha', environments: [place('alpha', { coverage: { coverage: 0.9, minCopiesPerZone: 2 } })] }, { stage: 'prod', environments: [place('prod')] }], workflows: [] });
    world.push(1);
    world.ask({ kind: 'describe-revision', app: 'web', revision: '1', description: { requires: [{ node: 'node-runtime', version: '>=22.3 <23' }] } });
    expect(world.wouldHold('alpha', 1)).toEqual(['coverage']);
    world.coverage.set(`alpha web@${digestOf(1)}`, { coverage: 0.95, copiesPerZoneMin: 2 });
    expect(world.wouldHold('alpha', 1)).toEqual([]);
    world.ask({ kind: 'describe-revision', app: 'web', revision: '1', description: { requires: [{ node: 'node-runtime', version: '>=24' }] } });
    expect(world.wouldHold('alpha', 1)).toEqual(['node-requirement']);
  });

  it('P-4 every blocker says why, since when, and who can act or until when', () => {
    const world = verified({ windows: [hours], edges: [edge('web', 'alpha'), edge('alpha', 'prod', { soakMs: hourMs, windows: ['hours'] })] }, '2026-06-01T20:00Z');
    flow(world, 1);
    const promotion = [...world.state.promotions.values()].find((one) => one.environment === 'prod');
    if (promotion === undefined) throw new Error('no promotion waits');
    const { blockers, nextCheckAt } = evaluateGates(world.state, promotion, world.observed);
    expect(blockers.map((blocker) => blocker.type)).toEqual(['soak', 'window']);
    for (const blocker of blockers) {
      expect(blocker.reason).toMatch(/^[^A-Z].{20,}/);
      expect(blocker.since).toBeLessThanOrEqual(world.now);
      expect(blocker.until ?? blocker.actors).toBeDefined();
    }
    expect(nextCheckAt).toBe(world.now + hourMs);
  });
});

describe('windows', () => {
  const edges = [edge('web', 'alpha'), edge('alpha', 'prod', { windows: ['hours'] })];

  it('T-1 nothing starts while they are closed, and what waits starts at the opening', () => {
    const world = verified({ windows: [hours], edges }, '2026-06-01T20:00Z');
    flow(world, 1);
    expect(world.holding('prod')).toEqual(['window']);
    world.now = Date.parse('2026-06-02T08:59:59.999Z');
    world.settle();
    expect(world.runs('prod')).toBe(0);
    world.wait(1);
    expect(world.runs('prod')).toBe(1);
  });

  it('T-4 approved a minute before the close, it does not start at the close', () => {
    const world = new PipelineWorld(['alpha', 'prod'], '2026-06-01T15:58Z');
    world.apply(pipeline({ windows: [hours], edges }));
    world.push(1);
    world.settle();
    world.now = Date.parse('2026-06-01T15:59:59Z');
    world.vote('request-1', 'ada');
    world.now = Date.parse('2026-06-01T16:00Z');
    world.settle();
    expect([world.runs('prod'), world.holding('prod')]).toEqual([0, ['window']]);
  });

  it('T-1 a rollback passes closed windows and a freeze, and the deployment says so; a switch per environment turns that off', () => {
    for (const windowsHoldRollback of [false, true]) {
      const stages = [{ stage: 'alpha', environments: [place('alpha', { workflow: 'smoke' })] }, { stage: 'prod', environments: [place('prod', { windows: ['hours'], windowsHoldRollback })] }];
      const world = verified({ windows: [hours], stages }, '2026-06-01T10:00Z');
      for (const number of [1, 2]) flow(world, number);
      world.now = Date.parse('2026-06-01T20:00Z');
      world.ask({ kind: 'start-freeze', freeze: 'f1', scope: { kind: 'project', id: 'shop' }, reason: 'holidays' });
      world.rollback('prod');
      world.settle();
      expect(world.runs('prod')).toBe(windowsHoldRollback ? 2 : 1);
      const exemptions = world.facts('deployment.started').findLast((fact) => fact.environment === 'prod')?.exemptions;
      if (windowsHoldRollback) expect(world.holding('prod')).toEqual(['window', 'freeze']);
      else expect(exemptions).toEqual([{ gate: 'window', why: 'rollback', ref: 'hours' }, { gate: 'freeze', why: 'rollback', ref: 'f1' }]);
    }
  });

  it('T-6 no more start in an occurrence than it allows', () => {
    const world = verified({ windows: [{ ...hours, maxDeploysPerOccurrence: 2 }], edges }, '2026-06-01T10:00Z');
    for (const number of [1, 2, 3]) {
      flow(world, number);
      world.wait(minuteMs);
    }
    expect([world.runs('prod'), world.holding('prod')]).toEqual([2, ['window']]);
    world.now = Date.parse('2026-06-02T09:00Z');
    world.settle();
    expect(world.runs('prod')).toBe(3);
  });

  it('T-5 R-11 a deployment under way pauses at the close, activates nothing, and goes on at the opening with its deadlines anew', () => {
    const world = verified({ windows: [hours], edges }, '2026-06-01T15:59Z');
    world.push(1);
    world.settle();
    world.working = false;
    finish(world);
    expect(world.state.environments.get('prod')?.activeDeployment).toBe('prod-1');
    world.now = Date.parse('2026-06-01T16:00Z');
    const before = world.facts('order.issued').length;
    world.working = true;
    world.settle();
    expect(world.facts('deployment.paused')).toHaveLength(1);
    expect(world.facts('order.issued').slice(before).filter((order) => order.action === 'activate')).toEqual([]);
    world.wait(10 * hourMs);
    expect(world.runs('prod')).toBe(0);
    world.now = Date.parse('2026-06-02T09:00Z');
    world.settle();
    expect(world.runs('prod')).toBe(1);
    expect(world.facts('deployment.finished').at(-1)).toMatchObject({ deployment: 'prod-1', phase: 'succeeded' });
  });

  it('A-2 an override counts no longer when who may lift it is changed', () => {
    const freeze = (count: number): TimeWindow => ({ window: 'holidays', kind: 'deny', timeZone: 'UTC', schedule: { kind: 'once', from: '2026-05-01T00:00', to: '2026-07-01T00:00' }, onClose: 'pause', override: { group: 'release-managers', count } });
    const spec = (count: number) => pipeline({ windows: [freeze(count)], edges: [edge('web', 'alpha'), edge('alpha', 'prod', { windows: ['holidays'] })] });
    const world = new PipelineWorld(['alpha', 'prod']);
    world.apply(spec(1));
    world.push(1);
    world.settle();
    world.ask({ kind: 'acquire-lock', lock: 'l', scope: { kind: 'environment', id: 'prod' }, holder: 'ann', reason: 'looking', includeRollback: false });
    world.promote('prod', 1);
    world.ask({ kind: 'request-override', request: 'o1', environment: 'prod', revision: '1', lifts: ['window:holidays'], reason: 'leak' });
    world.vote('o1', 'ada', ['release-managers']);
    world.settle();
    expect(world.holding('prod')).not.toContain('window');
    world.apply(spec(2));
    expect(world.holding('prod')).toContain('window');
    world.settle();
    expect(world.state.requests.get('o1')?.status).toBe('invalidated');
  });

  it('O-2 an override lifts a window that says who may, once enough of them said so, and the deployment names it', () => {
    const freeze: TimeWindow = { window: 'holidays', kind: 'deny', timeZone: 'UTC', schedule: { kind: 'once', from: '2026-05-01T00:00', to: '2026-07-01T00:00' }, onClose: 'pause', override: { group: 'release-managers', count: 2 } };
    const world = verified({ windows: [freeze], edges: [edge('web', 'alpha'), edge('alpha', 'prod', { windows: ['holidays'] })] });
    flow(world, 1);
    expect(world.holding('prod')).toEqual(['window']);
    expect(world.try({ kind: 'request-override', request: 'o1', environment: 'prod', revision: '1', lifts: ['window:holidays'], reason: ' ' })).toMatchObject({ code: 'invalid' });
    world.ask({ kind: 'request-override', request: 'o1', environment: 'prod', revision: '1', lifts: ['window:holidays'], reason: 'leak' });
    expect(world.vote('o1', 'eve', ['interns'])).toMatchObject({ code: 'forbidden' });
    world.vote('o1', 'ada', ['release-managers']);
    world.settle();
    expect(world.runs('prod')).toBe(0);
    world.vote('o1', 'bob', ['release-managers']);
    world.settle();
    expect(world.runs('prod')).toBe(1);
    expect(world.facts('deployment.started').at(-1)?.exemptions).toEqual([{ gate: 'window', why: 'override', ref: 'o1' }]);
    flow(world, 2);
    expect(world.holding('prod')).toEqual(['window']);
  });
});
