// Who is told of what: one notice for each channel and fact, of the pipeline that it is about, in words that say what to do.

import { describe, expect, test } from 'vitest';
import { noticesOf } from '../../../control/core/notices.ts';
import type { NoticeName } from '../../../proto/notification.ts';
import { noticeNames } from '../../../proto/notification.ts';
import { config, pipeline, PipelineWorld } from '../../support/pipeline-world.ts';

function worldTelling(...events: readonly NoticeName[]): PipelineWorld {
  const world = new PipelineWorld(['alpha', 'prod']);
  world.apply(pipeline({ notifications: [{ events, channel: 'chat' }, { events, channel: 'chat' }, { events: [...noticeNames], channel: 'log' }] }));
  return world;
}

function told(world: PipelineWorld, channel = 'chat'): readonly string[] {
  return world.journal.flatMap((entry) => noticesOf(world.state, entry)).filter((notice) => notice.channel === channel).map(({ name, text }) => `${name}: ${text}`);
}

describe('CDS-14 people are told', () => {
  test('that an approval is needed, by whom, and how to give it', () => {
    const world = worldTelling('approval.requested', 'approval.granted');
    world.push(1);
    world.settle();
    expect(told(world)).toEqual(['approval.requested: web@1 for prod needs approval: 1 of anybody; `starling approve request-1` or `starling reject request-1`; asked by system']);
    world.vote('request-1', 'ann');
    world.settle();
    expect(told(world).at(-1)).toBe('approval.granted: web@1 for prod was approved: ann: approve');
  });

  test('that a pipeline was disabled, enabled or deleted, and automation changed', () => {
    const world = worldTelling('pipeline.disabled', 'pipeline.enabled', 'pipeline.deleted', 'automation.changed');
    world.ask({ kind: 'switch-pipeline', pipeline: 'shop', on: false, reason: 'stocktaking' });
    world.ask({ kind: 'switch-pipeline', pipeline: 'shop', on: true });
    world.ask({ kind: 'set-automation', scope: { kind: 'edge', id: 'shop/alpha-prod' }, on: false });
    world.ask({ kind: 'delete-pipeline', pipeline: 'shop' });
    expect(told(world)).toEqual([
      'pipeline.disabled: pipeline shop was disabled by token:operator: stocktaking',
      'pipeline.enabled: pipeline shop was enabled by token:operator',
      'automation.changed: automation of edge shop/alpha-prod was turned off by token:operator',
      'pipeline.deleted: pipeline shop was deleted by token:operator',
    ]);
  });

  test('that a deployment failed and went back, and that its edge is on hold', () => {
    const world = worldTelling('deployment.rolledback', 'hold.placed');
    world.push(1);
    world.settle();
    world.push(2);
    world.bad.add('2'.padStart(64, '0'));
    world.settle();
    expect(told(world)).toEqual([expect.stringMatching(/^hold\.placed: automatic promotion by shop\/web-alpha is on hold: .*starling hold release shop\/web-alpha/), expect.stringMatching(/^deployment\.rolledback: alpha: web@2 was rolled back: .*starling explain alpha/)]);
  });

  test('that a deployment waits for a person, and not that a window will let it go on', () => {
    const world = worldTelling('deployment.paused');
    world.ask({ kind: 'change-environment', environment: 'alpha', selector: { env: 'alpha' }, config: { ...config, batches: [{ size: 1, pause: true }, '100%'] } });
    world.push(1);
    world.settle();
    expect(told(world)).toEqual(['deployment.paused: alpha: web@1 is paused: somebody is to look at batch 1 of 2 before the next; `starling deployment resume alpha-1` lets it go on, `starling rollback alpha` takes it back']);
    world.append([{ kind: 'deployment.paused', deployment: 'alpha-1', reason: "window 'hours' closed" }], 'system');
    expect(told(world)).toHaveLength(1);
  });

  test('that a workflow failed', () => {
    const step = { step: 'smoke', kind: 'test', needs: [], timeoutMs: 1000, retries: 0, allowFailure: false } as const;
    const world = new PipelineWorld(['alpha', 'prod']);
    const spec = pipeline({ workflows: [{ workflow: 'smoke', lock: 'stage', timeoutMs: 60_000, steps: [step] }], notifications: [{ events: ['workflow.failed'], channel: 'chat' }] });
    world.apply({ ...spec, stages: spec.stages.map((stage) => ({ ...stage, environments: stage.environments.map((one) => (one.environment === 'alpha' ? { ...one, workflow: 'smoke' } : one)) })) });
    world.push(1);
    world.settle();
    const run = [...world.state.runs.keys()][0] ?? '';
    world.ask({ kind: 'finish-workflow', run, phase: 'failed', reason: 'smoke failed' });
    expect(told(world)).toEqual([`workflow.failed: alpha: workflow smoke failed for web@1: smoke failed; see \`starling workflow get ${run}\``]);
  });
});

test('O-3 each fact is one notice to a channel, named the same however often it is asked for', () => {
  const world = worldTelling(...noticeNames);
  world.push(1);
  world.settle();
  world.ask({ kind: 'start-freeze', freeze: 'f', scope: { kind: 'all' }, reason: 'incident' });
  const once = world.journal.flatMap((entry) => noticesOf(world.state, entry).map(({ id }) => id));
  expect(new Set(once).size).toBe(once.length);
  expect(once).toEqual(world.journal.flatMap((entry) => noticesOf(world.state, entry).map(({ id }) => id)));
  expect(told(world)).toEqual(told(world, 'log'));
});

test('a fact about another pipeline, or about none, is told to nobody', () => {
  const world = worldTelling(...noticeNames);
  world.ask({ kind: 'start-freeze', freeze: 'f', scope: { kind: 'project', id: 'shop' }, reason: 'ours' });
  world.ask({ kind: 'create-app', app: 'other', project: 'other' });
  world.ask({ kind: 'start-freeze', freeze: 'g', scope: { kind: 'project', id: 'other' }, reason: 'theirs' });
  expect(told(world)).toHaveLength(1);
});
