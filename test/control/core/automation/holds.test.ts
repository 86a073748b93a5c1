// What a rollback holds: one by itself the set that was bad, one that a person asked for whatever comes.

import { describe, expect, it } from 'vitest';
import { explain } from '../../../../control/core/explain/explain.ts';
import { digestOf, edge, pipeline, PipelineWorld, place } from '../../../support/pipeline-world.ts';

/** Prod runs revision 1; revision 2, which automation brought, was bad and went back. */
function world(executionMode: 'superseded' | 'queued' = 'superseded'): PipelineWorld {
  const made = new PipelineWorld(['prod']);
  made.apply(pipeline({ executionMode, stages: [{ stage: 'prod', environments: [place('prod')] }], edges: [edge('web', 'prod')] }));
  made.push(1);
  made.settle();
  made.bad.add(digestOf(2));
  made.push(2);
  made.settle();
  return made;
}

const brought = (made: PipelineWorld) => made.facts('deployment.started').filter(({ type }) => type === 'promote').map(({ number }) => number);

describe('after a rollback by itself', () => {
  it('R-6 does not bring the bad set again, and says so', () => {
    const made = world();
    made.wait(24 * 3_600_000);
    expect([brought(made), made.runs('prod')]).toEqual([[1, 2], 1]);
    expect(explain(made.state, made.observed, 'prod')).toMatchObject({ summary: "web@2 is next for 'prod' and waits: hold", blockers: [{ reason: expect.stringMatching(/automatic promotion of web@2 .* what comes after web@2 is not held; promote it if it is good after all, or release the hold/) }] });
  });

  it.each(['superseded', 'queued'] as const)('%s: brings what comes after it, and then holds nothing any more', (mode) => {
    const made = world(mode);
    made.push(3);
    made.settle();
    expect([brought(made), made.runs('prod'), made.state.holds.size]).toEqual([[1, 2, 3], 3, 0]);
  });

  it.each(['superseded', 'queued'] as const)('%s: remembers each that was bad, until one is good', (mode) => {
    const made = world(mode);
    made.bad.add(digestOf(3));
    made.push(3);
    made.settle();
    made.wait(24 * 3_600_000);
    expect([brought(made), made.runs('prod')]).toEqual([[1, 2, 3], 1]);
    made.push(4);
    made.settle();
    expect([brought(made), made.runs('prod'), made.state.holds.size]).toEqual([[1, 2, 3, 4], 4, 0]);
  });

  it('what a person promotes against the order holds whatever comes', () => {
    const made = world();
    made.promote('prod', 1);
    made.settle();
    made.push(3);
    made.settle();
    expect([made.runs('prod'), made.wouldHold('prod', 3, { cause: 'auto' })]).toEqual([1, ['hold']]);
  });
});

it('R-6 a rollback that a person asked for holds whatever comes, until somebody says otherwise', () => {
  const made = world();
  made.push(3);
  made.settle();
  expect(made.rollback('prod').kind).toBe('accepted');
  made.settle();
  made.push(4);
  made.settle();
  expect([made.runs('prod'), made.wouldHold('prod', 4, { cause: 'auto' })]).toEqual([1, ['hold']]);
  made.ask({ kind: 'release-hold', edge: 'shop/web-prod' });
  made.settle();
  expect(made.runs('prod')).toBe(4);
});
