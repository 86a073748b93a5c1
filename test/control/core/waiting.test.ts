// What becomes of what waits when something newer arrives: for time, for people, for a workflow; and how several wait at once.

import { describe, expect, it } from 'vitest';
import type { PipelineSpec } from '../../../proto/pipeline.ts';
import type { TimeWindow } from '../../../proto/window.ts';
import { edge, hourMs, pipeline, PipelineWorld, place } from '../../support/pipeline-world.ts';

const smoke = { workflow: 'smoke', lock: 'stage', timeoutMs: hourMs, steps: [{ step: 'smoke', kind: 'test', needs: [], timeoutMs: hourMs, retries: 0, allowFailure: false }] } as const;
const approval = { rules: [{ group: 'qa', count: 1 }], preventSelfApproval: true } as const;
const evening: TimeWindow = { window: 'evening', kind: 'allow', timeZone: 'UTC', onClose: 'pause', schedule: { kind: 'weekly', rows: [{ days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'], times: { from: '18:00', to: '20:00' } }] } };

/** At noon, alpha with a workflow before prod. */
function world(more: Partial<PipelineSpec> = {}, windows: readonly string[] = []): PipelineWorld {
  const made = new PipelineWorld(['alpha', 'prod']);
  made.apply(pipeline({ workflows: [smoke], windows: [evening], stages: [{ stage: 'alpha', environments: [place('alpha', { workflow: 'smoke' })] }, { stage: 'prod', environments: [place('prod', { windows })] }], ...more }));
  return made;
}

/** Comes to alpha, where its workflow ends like this. */
function arrive(made: PipelineWorld, number: number, phase: 'successful' | 'failed' = 'successful'): void {
  made.push(number);
  made.settle();
  const run = [...made.state.runs.values()].findLast((one) => one.finishedAt === undefined);
  made.ask({ kind: 'finish-workflow', run: run?.run ?? '', phase });
  made.settle();
}

const promotions = (made: PipelineWorld) => [...made.state.promotions.values()].filter(({ environment }) => environment === 'prod').map(({ number, phase }) => [number, phase]);
const requests = (made: PipelineWorld) => [...made.state.requests.values()].map(({ subject, status }) => [Number(subject.members['web']), status]);

describe('CDS-12 what waits when something newer arrives', () => {
  it('gives way to it at a closed window, and only the newest goes when that opens', () => {
    const made = world({}, ['evening']);
    for (const number of [1, 2, 3]) arrive(made, number);
    expect(promotions(made)).toEqual([[1, 'superseded'], [2, 'superseded'], [3, 'waiting']]);
    made.wait(6 * hourMs);
    expect(made.state.sets.get('prod')?.arrivals.map(({ members }) => Number(members['web']))).toEqual([3]);
  });

  it('waits beside it where each is to go, and all go in order when the window opens', () => {
    const made = world({ executionMode: 'queued' }, ['evening']);
    for (const number of [1, 2, 3]) arrive(made, number);
    made.wait(6 * hourMs);
    made.settle();
    expect(made.state.sets.get('prod')?.arrivals.map(({ members }) => Number(members['web']))).toEqual([1, 2, 3]);
  });

  it('is asked about anew: what people say of the older says nothing of the newer, and both may wait', () => {
    const made = world({ edges: [edge('web', 'alpha'), edge('alpha', 'prod', { approval })] });
    arrive(made, 1);
    expect(requests(made)).toEqual([[1, 'open']]);
    arrive(made, 2);
    expect(requests(made)).toEqual([[1, 'open'], [2, 'open']]);
    expect(made.vote('request-1', 'quinn', ['qa']).kind).toBe('accepted');
    made.settle();
    expect([made.runs('prod'), requests(made)]).toEqual([1, [[1, 'approved'], [2, 'open']]]);
    expect(made.vote('request-2', 'quinn', ['qa']).kind).toBe('accepted');
    made.settle();
    expect(made.runs('prod')).toBe(2);
  });

  it('waits on while the newer one is tested, and goes where that one fails', () => {
    const made = world({ edges: [edge('web', 'alpha'), edge('alpha', 'prod', { soakMs: hourMs })] });
    arrive(made, 1);
    arrive(made, 2, 'failed');
    made.wait(hourMs);
    expect([made.runs('alpha'), made.runs('prod')]).toEqual([1, 1]);
  });

  it('by hand is not displaced by what automation would bring, and gives way to what a person asks for', () => {
    const made = world({}, ['evening']);
    made.ask({ kind: 'set-automation', scope: { kind: 'edge', id: 'shop/alpha-prod' }, on: false });
    arrive(made, 1);
    made.promote('prod', 1);
    made.ask({ kind: 'set-automation', scope: { kind: 'edge', id: 'shop/alpha-prod' }, on: true });
    arrive(made, 2);
    expect(promotions(made).filter(([, phase]) => phase === 'waiting')).toEqual([[1, 'waiting']]);
    made.promote('prod', 2);
    made.settle();
    expect(promotions(made).filter(([, phase]) => phase === 'waiting')).toEqual([[2, 'waiting']]);
    made.wait(6 * hourMs);
    expect(made.runs('prod')).toBe(2);
  });
});
