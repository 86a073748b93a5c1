// Invariants of control-plane.md, section 6, each with the shortest story in which it could break, where no other file shows it:
// commands that come twice or too late, facts that come twice, edits that must change nothing.

import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { decide } from '../../../control/core/decide.ts';
import { evaluateGates } from '../../../control/core/gates/gates.ts';
import { evolve } from '../../../control/core/evolve/evolve.ts';
import { explain } from '../../../control/core/explain/explain.ts';
import type { State } from '../../../control/core/model/model.ts';
import { targetsOf } from '../../../control/core/model/select.ts';
import type { Event } from '../../../proto/events.ts';
import { PipelineWorld, config, dayMs, digestOf, edge, hourMs, minuteMs, pipeline, place } from '../../support/pipeline-world.ts';

const smoke = { workflow: 'smoke', lock: 'stage', timeoutMs: hourMs, steps: [{ step: 'smoke', kind: 'test', needs: [], timeoutMs: hourMs, retries: 0, allowFailure: false }] } as const;

function withWorkflow(more: Partial<typeof smoke> | { readonly lock: 'none' } = {}): PipelineWorld {
  const world = new PipelineWorld(['alpha', 'prod']);
  world.apply(pipeline({ workflows: [{ ...smoke, ...more }], stages: [{ stage: 'alpha', environments: [place('alpha', { workflow: 'smoke' })] }, { stage: 'prod', environments: [place('prod')] }] }));
  world.push(1);
  world.settle();
  return world;
}

/** The state after one more fact, without its number. */
function folded(world: PipelineWorld, event: Event): State {
  return { ...evolve(world.state, { seq: world.state.head + 1, at: world.now + 1, actor: 'system', event }), head: world.state.head };
}

/** A world where prod runs web@1 and nothing is under way. */
function plain(): PipelineWorld {
  const world = new PipelineWorld(['prod']);
  world.push(1);
  world.push(2);
  world.promote('prod', 1);
  world.settle();
  return world;
}

describe('G the graph', () => {
  const bad = [
    ['two sources of one slot', pipeline({ edges: [edge('web', 'alpha'), edge('alpha', 'prod'), edge('web', 'prod')] }), 'two sources'],
    ['a circle', pipeline({ edges: [edge('alpha', 'prod'), edge('prod', 'alpha')] }), 'circle'],
    ['a circle by `after`', pipeline({ edges: [edge('web', 'alpha', { after: ['prod'] }), edge('alpha', 'prod')] }), 'circle'],
    ['a name that is not there', pipeline({ edges: [edge('web', 'beta')] }), 'beta'],
  ] as const;

  it.each(bad)('G-1 an edit with %s is refused and changes nothing', (_what, spec, said) => {
    const world = withWorkflow();
    const before = world.state;
    const answer = world.try({ kind: 'apply-pipeline', pipeline: 'shop', project: 'shop', spec });
    expect(answer.kind === 'refused' ? answer.message : 'accepted').toContain(said);
    expect(world.state).toBe(before);
  });

  it('G-2 other names and another order of stages change no promotion', () => {
    const world = withWorkflow();
    const spec = world.state.pipelines.get('shop')?.spec;
    if (spec === undefined) throw new Error('there is no pipeline');
    const before = world.state;
    world.apply({ ...spec, stages: spec.stages.toReversed().map((stage) => ({ ...stage, stage: `${stage.stage}-renamed` })) });
    expect(world.state.promotions).toBe(before.promotions);
    expect(decide(world.state, world.observed).events).toEqual([]);
    expect(world.wouldHold('prod', 1)).toEqual(evaluateGates(before, { environment: 'prod', app: 'web', revision: digestOf(1), number: 1, trigger: 'manual', createdAt: world.now }, world.observed).blockers.map((one) => one.type));
  });
});

describe('V revisions', () => {
  it('V-1 the same digest again is the same revision, and nothing is recorded', () => {
    const world = plain();
    const before = world.state;
    world.push(1);
    expect(world.state).toBe(before);
  });

  it('V-2 numbers are dense and in the order of creation', () => {
    const world = plain();
    expect(world.state.apps.get('web')?.revisions.map(({ number, revision }) => [number, revision])).toEqual([[1, digestOf(1)], [2, digestOf(2)]]);
  });

  it('V-4 what is deployed is what the promotion names', () => {
    const world = plain();
    world.promote('prod', 2);
    world.settle();
    for (const started of world.facts('deployment.started')) expect(started.to).toBe(world.state.promotions.get(started.promotion)?.revision);
  });
});

describe('T-2 one function', () => {
  it('T-2 explain says for what waits exactly what the gates say', () => {
    const world = withWorkflow();
    world.ask({ kind: 'start-freeze', freeze: 'f', scope: { kind: 'all' }, reason: 'x', until: world.now + hourMs });
    const id = world.promote('prod', 1);
    const promotion = world.state.promotions.get(id);
    if (promotion === undefined) throw new Error('there is no promotion');
    const gates = evaluateGates(world.state, promotion, world.observed);
    expect(gates.blockers.map((one) => one.type)).toContain('freeze');
    expect(explain(world.state, world.observed, id)?.blockers).toEqual(gates.blockers);
  });
});

describe('S selection, at the gate too', () => {
  it('S-2 P-1 automation may bring neither what is there nor what is lower, whatever it was asked by', () => {
    const world = plain();
    expect(world.wouldHold('prod', 1, { cause: 'auto' })).toContain('same-set');
    world.promote('prod', 2);
    world.settle();
    expect(world.wouldHold('prod', 1, { cause: 'auto' })).toContain('downgrade');
    expect(world.wouldHold('prod', 1)).not.toContain('downgrade');
  });
});

/** A world where automation brings prod what is pushed. */
function straight(executionMode: 'superseded' | 'queued'): PipelineWorld {
  const world = new PipelineWorld(['prod']);
  world.apply(pipeline({ executionMode, stages: [{ stage: 'prod', environments: [place('prod')] }], edges: [edge('web', 'prod')] }));
  return world;
}

describe('V-3 S-4 what automation chooses', () => {
  it('V-3 takes the newest that nobody vetoed, instead of waiting for the veto to end', () => {
    const world = straight('superseded');
    world.push(1);
    world.push(2);
    world.ask({ kind: 'place-veto', app: 'web', revision: '2', reason: 'x' });
    world.settle();
    expect(world.runs('prod')).toBe(1);
  });

  it.each([['queued', [1, 2]], ['superseded', [2]]] as const)('S-4 %s: what waits for a lock gives way to what is newer, or does not', (mode, brought) => {
    const world = straight(mode);
    world.ask({ kind: 'acquire-lock', lock: 'l', scope: { kind: 'all' }, holder: 'ada', reason: 'x', includeRollback: false });
    world.push(1);
    world.settle();
    world.push(2);
    world.settle();
    world.ask({ kind: 'release-lock', lock: 'l', holder: 'ada' });
    world.settle();
    expect(world.facts('deployment.started').map((one) => one.number)).toEqual(brought);
  });
});

describe('L locks and runs', () => {
  it('L-1 nothing starts beside a deployment that is under way', () => {
    const world = plain();
    world.working = false;
    world.promote('prod', 2);
    world.settle();
    world.push(3);
    world.promote('prod', 3);
    world.settle();
    expect(world.holding('prod')).toContain('active-deployment');
    expect([...world.state.deployments.values()].filter((one) => one.finishedAt === undefined)).toHaveLength(1);
  });

  it('L-3 a run that is out of time and not yet ended still keeps another from starting', () => {
    const world = withWorkflow();
    world.now += smoke.timeoutMs + minuteMs;
    expect(world.try({ kind: 'start-workflow', run: 'again', environment: 'alpha' })).toMatchObject({ kind: 'refused', code: 'blocked' });
  });

  it('L-3 holds for a workflow without a lock too', () => {
    const world = withWorkflow({ lock: 'none' });
    expect(world.try({ kind: 'start-workflow', run: 'again', environment: 'alpha' })).toMatchObject({ kind: 'refused', code: 'blocked' });
  });

  it('L-4 a release by one who was fenced leaves the lock of another', () => {
    const world = withWorkflow();
    const [lock] = [...world.state.locks.values()];
    const after = folded(world, { kind: 'lock.released', lock: lock?.lock ?? '', holder: 'somebody-before', broken: false });
    expect(after.locks.get(lock?.lock ?? '')).toEqual(lock);
  });
});

describe('A approvals', () => {
  it('A-2 a run of the workflow as it was says nothing of the workflow as it is', () => {
    const world = withWorkflow();
    for (const run of world.state.runs.values()) world.ask({ kind: 'finish-workflow', run: run.run, phase: 'successful' });
    expect(world.wouldHold('prod', 1)).not.toContain('workflow');
    const spec = world.state.pipelines.get('shop')?.spec;
    if (spec === undefined) throw new Error('there is no pipeline');
    world.apply({ ...spec, workflows: [{ ...smoke, timeoutMs: 2 * hourMs }] });
    expect(world.wouldHold('prod', 1)).toContain('workflow');
  });
});

describe('P promotions', () => {
  it('P-1 a command that comes twice is one promotion, and the same revision twice is one too', () => {
    const world = plain();
    world.working = false;
    world.ask({ kind: 'promote', promotion: 'p', environment: 'prod', revision: '2' });
    const before = world.state;
    world.ask({ kind: 'promote', promotion: 'p', environment: 'prod', revision: '2' });
    expect(world.state).toBe(before);
    expect(world.try({ kind: 'promote', promotion: 'q', environment: 'prod', revision: '2' })).toMatchObject({ kind: 'refused', code: 'conflict' });
    world.settle();
    expect(world.try({ kind: 'promote', promotion: 'q', environment: 'prod', revision: '2' })).toMatchObject({ kind: 'refused', code: 'conflict' });
    world.ask({ kind: 'promote', promotion: 'p', environment: 'prod', revision: '2' });
    expect(world.facts('promotion.created').filter((one) => one.promotion === 'p')).toHaveLength(1);
  });

  it('P-1 P-2 a fact that comes twice, or after the end, changes nothing', () => {
    const world = plain();
    const [started] = world.facts('deployment.started');
    const [ended] = world.facts('deployment.finished');
    const [batch] = world.facts('batch.finished');
    if (started === undefined || ended === undefined || batch === undefined) throw new Error('nothing was deployed');
    const late: readonly Event[] = [
      started,
      ended,
      batch,
      { ...ended, phase: 'failed', reason: 'late' },
      { kind: 'deployment.rolling-back', deployment: ended.deployment, reason: 'late', targets: [], to: digestOf(2), number: 2 },
      { kind: 'promotion.finished', promotion: started.promotion, phase: 'failed', reason: 'late' },
    ];
    for (const event of late) expect(isDeepStrictEqual(folded(world, event), world.state), `${event.kind} counted`).toBe(true);
  });

  it('P-5 a promotion that failed does not stand in the way of the next', () => {
    const world = plain();
    world.bad.add(digestOf(2));
    const failed = world.promote('prod', 2);
    world.settle();
    expect(world.state.promotions.get(failed)?.phase).toBe('failed');
    world.push(3);
    world.promote('prod', 3);
    world.settle();
    expect(world.runs('prod')).toBe(3);
  });
});

/** A machine that joins prod; `labels` are the operator's, `attributes` its own. */
function join(world: PipelineWorld, member: string, labels: Readonly<Record<string, string>>, attributes: Readonly<Record<string, string>> = {}): void {
  const token = `join-${member}`;
  world.ask({ kind: 'create-token', token, use: 'join', name: token, secretDigest: 'a'.repeat(64), scopes: [], roles: ['agent'], environments: ['prod'], labels, usesMax: 1, expiresAt: world.now + 1 });
  world.ask({ kind: 'enrol-member', token, member, name: member, publicKey: member, roles: ['agent'], attributes });
}

describe('R roll-outs', () => {
  it('R-5 a rollback that fails does not roll back', () => {
    const world = plain();
    world.promote('prod', 2);
    world.settle();
    world.bad.add(digestOf(1));
    expect(world.rollback('prod').kind).toBe('accepted');
    world.settle();
    expect(world.facts('deployment.finished').map((one) => one.phase)).toEqual(['succeeded', 'succeeded', 'failed']);
    expect(world.facts('deployment.rolling-back')).toEqual([]);
  });

  it('R-9 a target that is not heard again is lost, and says so', () => {
    const world = plain();
    world.working = false;
    world.promote('prod', 2);
    world.settle();
    const silent = { ...world.observed, now: world.now + 2 * dayMs, lastSeen: new Map() };
    expect(decide(world.state, silent).events.map((event) => (event.kind === 'target.lost' ? event.member : event.kind))).toContain('prod-1');
  });

  it('R-12 a late joiner gets what succeeded, never what was only wanted', () => {
    const world = plain();
    world.working = false;
    world.promote('prod', 2);
    world.settle();
    const active = world.state.environments.get('prod')?.activeDeployment ?? '';
    world.ask({ kind: 'abort', deployment: active });
    join(world, 'late', { env: 'prod' });
    world.working = true;
    world.settle();
    const caught = world.facts('deployment.started').filter((one) => one.type === 'catch-up');
    expect([...new Set(caught.map((one) => one.to))]).toEqual([digestOf(1)]);
    expect(world.state.members.get('late')?.running['web']?.number).toBe(1);
  });

  it('R-12 a late joiner gets what runs while something newer waits, and what is being fetched early is fetched on', () => {
    const world = plain();
    world.ask({ kind: 'change-environment', environment: 'prod', selector: { env: 'prod' }, config: { ...config, prefetch: { enabled: true } } });
    world.ask({ kind: 'start-freeze', freeze: 'f', scope: { kind: 'all' }, reason: 'holidays' });
    world.promote('prod', 2);
    world.settle();
    expect(world.holding('prod')).toEqual(['freeze']);
    join(world, 'late', { env: 'prod' });
    world.settle();
    expect([world.state.members.get('late')?.running['web']?.number, world.state.deployments.get('prod-p1')?.phase]).toEqual([1, 'distributing']);
    world.ask({ kind: 'end-freeze', freeze: 'f' });
    world.settle();
    expect([world.runs('prod'), world.state.members.get('late')?.running['web']?.number]).toEqual([2, 2]);
  });
});

describe('N agents, as far as the control plane decides it', () => {
  it('N-7 what a machine says of itself selects it for nothing', () => {
    const world = plain();
    join(world, 'sly', { env: 'none' }, { env: 'prod' });
    const prod = world.state.environments.get('prod');
    if (prod === undefined) throw new Error('there is no prod');
    expect(targetsOf(world.state, prod).map((member) => member.member)).not.toContain('sly');
  });
});

describe('O governance', () => {
  it('O-2 an override, a broken lock, a freeze, a veto and a pin say why', () => {
    const world = withWorkflow();
    world.ask({ kind: 'acquire-lock', lock: 'l', scope: { kind: 'all' }, holder: 'ada', reason: 'x', includeRollback: false });
    const commands = [
      { kind: 'request-override', request: 'r', environment: 'prod', revision: '1', lifts: ['freeze:f'], reason: ' ' },
      { kind: 'release-lock', lock: 'l', holder: 'eve', breakReason: ' ' },
      { kind: 'acquire-lock', lock: 'm', scope: { kind: 'all' }, holder: 'ada', reason: ' ', includeRollback: false },
      { kind: 'start-freeze', freeze: 'g', scope: { kind: 'all' }, reason: ' ' },
      { kind: 'place-veto', app: 'web', revision: '1', reason: ' ' },
      { kind: 'place-pin', environment: 'prod', revision: '1', reason: ' ' },
    ] as const;
    world.ask({ kind: 'start-freeze', freeze: 'f', scope: { kind: 'all' }, reason: 'x', breakGlass: { group: 'sre', count: 1 } });
    for (const command of commands) expect(world.try(command), command.kind).toMatchObject({ kind: 'refused' });
    for (const command of [commands[0]]) expect(world.try({ ...command, reason: 'the shop is down' })).toMatchObject({ kind: 'accepted' });
  });
});
