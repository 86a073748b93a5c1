// What an edit on the screen means for the whole pipeline, what reaches into it, and how a fleet is coloured.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { heatOf, lanes, legendOf, troubles } from '../../../control/web/deployment/heat.ts';
import { editedPipeline, edgeOf, readDuration, wishOf, writeDuration } from '../../../control/web/panels/edit-edge.ts';
import { reaches } from '../../../control/web/panels/reach.ts';
import type { Pipeline } from '../../../proto/api/pipelines.ts';
import type { DeploymentTarget } from '../../../proto/api/deployments.ts';
import { TargetPhaseSchema } from '../../../proto/fleet.ts';
import { config, edge, pipeline as specOf, place } from '../../support/pipeline-world.ts';

const spec = specOf({
  stages: [{ stage: 'alpha', environments: [place('alpha')] }, { stage: 'prod', environments: [place('prod'), place('eu')] }],
  edges: [edge('web', 'alpha', { auto: true }), edge('alpha', 'prod', { auto: false, soakMs: 60_000 })],
  windows: ['nights', 'days'].map((window) => ({ window, kind: 'allow', timeZone: 'UTC', schedule: { kind: 'weekly', rows: [{ days: ['mon'] }] }, onClose: 'finish' }) as const),
});
const whole: Pipeline = { pipeline: 'shop', project: 'shop', enabled: true, generation: 3, switchedAt: 0, switchedBy: 'olga', spec, apps: ['web'], environments: [{ environment: 'prod', apps: ['web'], selector: { env: 'prod' }, config }], builds: [] };
const [, second] = spec.edges;
const name = second?.edge ?? '';

describe('editedPipeline()', () => {
  test('changes one promotion and nothing else', () => {
    const body = editedPipeline(whole, name, { auto: true, soakMs: 5_400_000, windows: ['days', 'nights', 'gone'], after: ['eu'] });
    expect(body.spec.edges).toEqual([spec.edges[0], { ...second, auto: true, soakMs: 5_400_000, windows: ['nights', 'days'], after: ['eu'] }]);
    expect({ ...body, spec: { ...body.spec, edges: spec.edges } }).toEqual({ project: 'shop', spec, apps: ['web'], environments: whole.environments, builds: [] });
  });

  test('of what it is already is the same again, and no soak leaves none', () => {
    const found = edgeOf(spec, name);
    if (found === undefined) throw new Error('there is no such promotion');
    expect(editedPipeline(whole, name, wishOf(found)).spec).toEqual(spec);
    expect(editedPipeline(whole, name, { ...wishOf(found), soakMs: 0 }).spec.edges[1]).not.toHaveProperty('soakMs');
    expect(edgeOf(spec, 'none')).toBeUndefined();
  });
});

test.each([['', 0], ['90', 5_400_000], ['90min', 5_400_000], ['1 h 30 min', 5_400_000], ['1h 30m', 5_400_000], ['2 d', 172_800_000], ['45s', 45_000], ['1.5h', 5_400_000], ['soon', undefined], ['5 weeks', undefined], ['1h later', undefined]])('readDuration(%j) is %j', (text, ms) => {
  expect(readDuration(text)).toBe(ms);
});

test('a duration is written so that it is read as the same: what nobody touches is not changed by an edit', () => {
  expect([0, 90_061_500, 5_400_000].map(writeDuration)).toEqual(['', '1 d 1 h 1 min 1.5 s', '1 h 30 min']);
  fc.assert(fc.property(fc.integer({ min: 0, max: 400 * 86_400_000 }), (ms) => readDuration(writeDuration(ms)) === ms));
});

test('reaches() tells what lies in a scope', () => {
  const graph = { pipeline: 'shop', project: 'store', stages: [{ stage: 'prod', environments: [{ environment: 'eu', apps: [], current: [], desired: [], targets: 0, waiting: [], locks: [], pinned: false, windows: { names: [], open: true } }] }] };
  const inside = [{ kind: 'all' }, { kind: 'project', id: 'store' }, { kind: 'pipeline', id: 'shop' }, { kind: 'stage', id: 'shop/prod' }, { kind: 'environment', id: 'eu' }] as const;
  const outside = [{ kind: 'project', id: 'shop' }, { kind: 'pipeline', id: 'store' }, { kind: 'stage', id: 'other/prod' }, { kind: 'stage', id: 'shop/alpha' }, { kind: 'environment', id: 'prod' }] as const;
  expect([inside.map((one) => reaches(one, graph)), outside.map((one) => reaches(one, graph))]).toEqual([inside.map(() => true), outside.map(() => false)]);
});

describe('squares', () => {
  const target = (member: string, batch: number, phase: string): DeploymentTarget => ({ member, name: member, batch, phase, settled: false });

  test('know every phase that a target can be in, and bear one that is new', () => {
    const phases = TargetPhaseSchema.anyOf.map(({ const: phase }) => String(phase));
    expect(phases.filter((phase) => heatOf(phase).letter === '•')).toEqual([]);
    expect(heatOf('dreaming-of-sheep')).toEqual({ tone: 'off', letter: '•', text: 'dreaming of sheep' });
  });

  test('are in the order of the batches, with what went wrong first in the legend', () => {
    const targets = [target('c', 1, 'failed'), target('a', 0, 'committed'), target('b', 1, 'downloading')];
    expect(lanes(targets).map(({ batch, targets: lane }) => [batch, lane.map(({ member }) => member)])).toEqual([[0, ['a']], [1, ['c', 'b']]]);
    expect(legendOf({ committed: 4, failed: 1, downloading: 2, lost: 0 }).map(({ text, targets: count }) => [text, count])).toEqual([['failed', 1], ['downloading', 2], ['committed', 4]]);
  });

  test('that went wrong are told by reason, the most frequent first', () => {
    const broken = { code: 'HEALTH_FAILED', detail: 'answered 500' };
    const targets = [{ ...target('lost', 0, 'lost') }, { ...target('b', 0, 'failed'), ...broken }, { ...target('a', 1, 'failed'), ...broken, output: 'Error' }, target('fine', 1, 'committed')];
    expect(troubles(targets)).toEqual([
      { phase: 'failed', ...broken, targets: ['a', 'b'], output: 'Error' },
      { phase: 'lost', code: undefined, detail: undefined, targets: ['lost'], output: undefined },
    ]);
    expect(troubles([])).toEqual([]);
  });

  test('that refuse their orders are told with what to do, once for each reason', () => {
    const refused = { order: 17, code: 'CLOCK_SUSPECT', detail: 'the clock is behind', advice: 'set the clock of a', since: 0 };
    const targets = [{ ...target('b', 0, 'assigned'), refused }, { ...target('a', 0, 'assigned'), refused }, target('fine', 0, 'committed')];
    expect(troubles(targets)).toEqual([{ phase: 'refuses order 17', code: 'CLOCK_SUSPECT', detail: 'the clock is behind', advice: 'set the clock of a', targets: ['a', 'b'], output: undefined }]);
  });
});
