// What applying a pipeline would do, said before it is done: the same that happens then.

import { describe, expect, it } from 'vitest';
import { planPipeline, type PipelinePlan } from '../../../../control/core/forecast/plan.ts';
import type { PipelineSpec } from '../../../../proto/pipeline.ts';
import { PipelineWorld, edge, hourMs, pipeline, place } from '../../../support/pipeline-world.ts';

const qa = { rules: [{ group: 'qa', count: 1 }], preventSelfApproval: true } as const;
const stages = [{ stage: 'alpha', environments: [place('alpha')] }, { stage: 'prod', environments: [place('prod')] }] as const;

/** alpha runs revision 1, and qa is asked whether prod may. */
function asked(): PipelineWorld {
  const world = new PipelineWorld(['alpha', 'prod']);
  world.apply(pipeline({ edges: [edge('web', 'alpha'), edge('alpha', 'prod', { approval: qa })] }));
  world.push(1);
  world.settle();
  expect([world.runs('alpha'), world.requests().length]).toEqual([1, 1]);
  return world;
}

function plan(world: PipelineWorld, spec: PipelineSpec): PipelinePlan {
  const found = planPipeline(world.state, world.observed, { kind: 'apply-pipeline', pipeline: 'shop', project: 'shop', spec });
  if ('code' in found) throw new Error(found.message);
  return found;
}

describe('a plan', () => {
  it('of what is so already has nothing in it', () => {
    const world = asked();
    expect(plan(world, pipeline({ edges: [edge('web', 'alpha'), edge('alpha', 'prod', { approval: qa })] }))).toEqual({ kind: 'none', changes: [], approvals: [], runs: [], promotions: [], forgets: [], begins: [] });
  });

  it('G-2 of stages in another order, or with other names, invalidates nothing and begins nothing', () => {
    const world = asked();
    const { changes, ...rest } = plan(world, pipeline({ stages: stages.toReversed().map((one) => ({ ...one, stage: `the-${one.stage}` })), edges: [edge('web', 'alpha'), edge('alpha', 'prod', { approval: qa })] }));
    expect(changes.every(({ path }) => path.startsWith('stages'))).toBe(true);
    expect(rest).toEqual({ kind: 'change', approvals: [], runs: [], promotions: [], forgets: [], begins: [] });
  });

  it('A-2 names the approvals that no longer count when others are to be asked, and so it happens', () => {
    const world = asked();
    const edited = pipeline({ edges: [edge('web', 'alpha'), edge('alpha', 'prod', { approval: { ...qa, rules: [{ group: 'qa', count: 2 }] } })] });
    const { approvals, changes } = plan(world, edited);
    expect(approvals).toEqual([{ request: 'request-1', becomes: 'invalidated', reason: 'what must be approved was changed' }]);
    expect(changes).toEqual([{ action: 'change', path: 'edges/alpha-prod/approval/rules/qa/count', before: 1, after: 2 }]);
    world.apply(edited);
    world.settle();
    expect(world.state.requests.get('request-1')?.status).toBe('invalidated');
  });

  it('says what newly holds a promotion that waits, and what no longer does', () => {
    const world = asked();
    world.promote('prod', 1);
    world.settle();
    const closed = { window: 'closed', kind: 'deny', timeZone: 'UTC', schedule: { kind: 'once', from: '2026-06-01T00:00', to: '2026-06-02T00:00' }, onClose: 'pause' } as const;
    const { promotions } = plan(world, pipeline({ windows: [closed], stages: [stages[0], { stage: 'prod', environments: [place('prod', { windows: ['closed'] })] }], edges: [edge('web', 'alpha'), edge('alpha', 'prod', { approval: qa })] }));
    expect(promotions).toMatchObject([{ environment: 'prod', holds: [{ type: 'window', ref: 'closed' }], frees: [] }]);
    world.apply(pipeline({ edges: [edge('web', 'alpha'), edge('alpha', 'prod', { approval: qa, soakMs: hourMs })] }));
    world.settle();
    expect(world.holding('prod')).toContain('soak');
    expect(plan(world, pipeline({ edges: [edge('web', 'alpha'), edge('alpha', 'prod', { approval: qa })] })).promotions[0]).toMatchObject({ frees: [{ type: 'soak' }] });
  });

  it('says what automation would begin at once, and so it happens', () => {
    const world = new PipelineWorld(['alpha', 'prod']);
    world.apply(pipeline({ edges: [edge('web', 'alpha', { auto: false }), edge('alpha', 'prod', { auto: false })] }));
    world.push(1);
    world.settle();
    expect(world.runs('alpha')).toBe(0);
    expect(plan(world, pipeline()).begins).toEqual([{ environment: 'alpha', edge: 'shop/web-alpha' }]);
    world.apply(pipeline());
    world.settle();
    expect(world.runs('alpha')).toBe(1);
  });

  it('names the holds and switches that go away with a promotion', () => {
    const world = asked();
    world.append([{ kind: 'hold.placed', edge: 'shop/alpha-prod', reason: 'rolled back' }]);
    world.ask({ kind: 'switch-edge', edge: 'shop/alpha-prod', on: false, reason: 'not today' });
    expect(plan(world, pipeline({ edges: [edge('web', 'alpha'), edge('alpha', 'prod', { edge: 'other' })] })).forgets).toEqual([
      { kind: 'hold', edge: 'shop/alpha-prod', reason: 'rolled back' },
      { kind: 'switch', edge: 'shop/alpha-prod', reason: 'not today' },
    ]);
  });
});

it('an edit of what somebody else has edited meanwhile is refused, and one of what is still so is not', () => {
  const world = asked();
  const edit = (generation: number) => world.try({ kind: 'apply-pipeline', pipeline: 'shop', project: 'shop', spec: pipeline(), generation });
  expect(edit(0)).toMatchObject({ kind: 'refused', code: 'conflict' });
  expect(edit(1)).toMatchObject({ kind: 'accepted' });
  expect(edit(1)).toMatchObject({ kind: 'refused', code: 'conflict' });
});
