// A workflow that looks at a batch before the next one goes: when it runs, what its end means, and who goes on without it.

import { describe, expect, it } from 'vitest';
import { explain } from '../../../../control/core/explain/explain.ts';
import type { WorkflowRun } from '../../../../control/core/model/approval.ts';
import type { Deployment } from '../../../../control/core/model/deployment.ts';
import { stepOffers } from '../../../../control/core/automation/runs.ts';
import type { RunPhase } from '../../../../proto/events-pipeline.ts';
import type { DeploymentConfig } from '../../../../proto/events.ts';
import { config, digestOf, edge, hourMs, minuteMs, pipeline, PipelineWorld, place } from '../../../support/pipeline-world.ts';

const canary = { workflow: 'canary', lock: 'stage', timeoutMs: hourMs, steps: [{ step: 'probe', kind: 'test', needs: [], timeoutMs: hourMs, retries: 0, allowFailure: false, with: { run: './probe.sh' } }] } as const;

/** Prod with two targets, one in each batch; web@1 runs there, and web@2 is on its way. */
function world(more: Partial<DeploymentConfig> = {}): PipelineWorld {
  const made = new PipelineWorld(['prod']);
  made.push(1);
  made.apply(spec());
  made.settle();
  const batches = [{ size: 1, canary: true, verify: 'canary' }, '100%'] as const;
  made.ask({ kind: 'change-environment', environment: 'prod', selector: { env: 'prod' }, config: { ...config, batches, ...more } });
  made.push(2);
  made.settle();
  return made;
}

function spec(workflows: readonly (typeof canary | (Omit<typeof canary, 'timeoutMs'> & { readonly timeoutMs: number }))[] = [canary]) {
  return pipeline({ workflows, stages: [{ stage: 'prod', environments: [place('prod')] }], edges: [edge('web', 'prod')] });
}

const run = (made: PipelineWorld): WorkflowRun | undefined => [...made.state.runs.values()].at(-1);
const deployment = (made: PipelineWorld): Deployment | undefined => [...made.state.deployments.values()].at(-1);
const running = (made: PipelineWorld): readonly (number | undefined)[] => ['prod-1', 'prod-2'].map((member) => made.state.members.get(member)?.running['web']?.number);

function ends(made: PipelineWorld, phase: Exclude<RunPhase, 'running'>): void {
  made.ask({ kind: 'finish-workflow', run: run(made)?.run ?? '', phase });
  made.settle();
}

describe('a batch that a workflow looks at', () => {
  it('R-3 the next batch starts only after the workflow was successful', () => {
    const made = world();
    made.wait(30 * minuteMs);
    expect([running(made), deployment(made)?.batches.map(({ phase }) => phase)]).toEqual([[2, 1], ['baking', 'pending']]);
    expect(run(made)).toMatchObject({ run: 'prod-2-batch-1', workflow: 'canary', phase: 'running', members: { web: digestOf(2) }, batch: { deployment: 'prod-2', index: 0 } });
    expect(explain(made.state, made.observed, 'prod')?.waits).toMatchObject([{ reason: "workflow 'canary' is running (prod-2-batch-1)" }]);
    ends(made, 'successful');
    expect([running(made), deployment(made)?.phase]).toEqual([[2, 2], 'succeeded']);
  });

  it('R-5 goes back once when the workflow failed, and nothing of it is brought again', () => {
    const made = world();
    ends(made, 'failed');
    expect([running(made), deployment(made)?.phase]).toEqual([[1, 1], 'rolled-back']);
    expect(deployment(made)?.reason).toBe("workflow 'canary' ended failed over batch 1 of 2 (prod-2-batch-1)");
    made.wait(5 * hourMs);
    expect([made.facts('deployment.started').length, made.facts('deployment.rolling-back').length, made.state.runs.size, made.state.holds.size]).toEqual([2, 1, 1, 1]);
  });

  it('R-7 fails where it is when the workflow could not tell, unless that is configured', () => {
    for (const [phase, onVerification, after] of [['error', ['failed'], 'failed'], ['error', ['error'], 'rolled-back'], ['aborted', ['failed'], 'failed'], ['timed-out', ['timed-out'], 'rolled-back']] as const) {
      const made = world({ autoRollback: { onHealth: true, onError: false, onVerification: [...onVerification] } });
      ends(made, phase);
      expect(deployment(made)?.phase).toBe(after);
    }
  });

  it('is offered to workers with the batch that it is about, and speaks for no set as a whole', () => {
    const made = world();
    expect(stepOffers(made.state)).toMatchObject([{ run: 'prod-2-batch-1', command: './probe.sh', batch: { deployment: 'prod-2', index: 0 } }]);
    made.apply(pipeline({ workflows: [canary], stages: [{ stage: 'prod', environments: [place('prod', { workflow: 'canary' })] }], edges: [edge('web', 'prod')] }));
    ends(made, 'successful');
    // Though it is the same workflow over the same set: the whole of it is looked at by a run of its own.
    expect([...made.state.runs.values()].map(({ run: id, phase }) => [id, phase])).toEqual([['prod-2-batch-1', 'successful'], ['prod-run-2', 'running']]);
  });

  it('waits for a person who says what was inconclusive, and goes on without another lock', () => {
    const made = world();
    ends(made, 'inconclusive');
    made.wait(5 * hourMs);
    expect(running(made)).toEqual([2, 1]);
    expect(explain(made.state, made.observed, 'prod')?.blockers).toMatchObject([{ type: 'needs-decision', ref: 'prod-2-batch-1' }]);
    ends(made, 'successful');
    expect([running(made), made.state.locks.size]).toEqual([[2, 2], 0]);
  });

  it('is left out by who goes on to the next batch, and by what goes back', () => {
    const made = world();
    made.ask({ kind: 'next-batch', deployment: 'prod-2', reason: 'seen by eye' });
    made.settle();
    expect([running(made), run(made)?.phase, deployment(made)?.phase]).toEqual([[2, 2], 'aborted', 'succeeded']);
    expect(made.rollback('prod').kind).toBe('accepted');
    made.settle();
    expect([running(made), made.state.runs.size]).toEqual([[1, 1], 1]);
  });

  it('ends with a deployment that is aborted', () => {
    const made = world();
    made.ask({ kind: 'abort', deployment: 'prod-2' });
    made.settle();
    expect([run(made)?.phase, made.state.runs.size]).toEqual(['aborted', 1]);
  });

  it('runs anew when it was changed, and a veto fails it', () => {
    const made = world();
    made.apply(spec([{ ...canary, timeoutMs: 2 * hourMs }]));
    made.settle();
    expect([...made.state.runs.values()].map(({ run: id, phase }) => [id, phase])).toEqual([['prod-2-batch-1', 'invalidated'], ['prod-2-batch-1-2', 'running']]);
    made.ask({ kind: 'place-veto', app: 'web', revision: '2', reason: 'leaks' });
    made.settle();
    expect([run(made)?.phase, deployment(made)?.phase, running(made)]).toEqual(['failed', 'rolled-back', [1, 1]]);
  });

  it('waits for a person when the workflow is gone from the pipeline', () => {
    const made = world();
    // The environment still names it: such an edit is refused, and only what changes the environment alone can bring this about.
    expect(made.try({ kind: 'apply-pipeline', pipeline: 'shop', project: 'shop', spec: spec([]) })).toMatchObject({ kind: 'refused', message: expect.stringContaining("a batch of environment 'prod' names workflow 'canary', which is not in this pipeline") });
    made.ask({ kind: 'change-environment', environment: 'prod', selector: { env: 'prod' }, config });
    made.apply(spec([]));
    made.settle();
    expect(deployment(made)?.paused).toMatchObject({ byHand: true, reason: expect.stringContaining("workflow 'canary', which is no longer in the pipeline") });
    made.ask({ kind: 'next-batch', deployment: 'prod-2' });
    made.settle();
    expect(running(made)).toEqual([2, 2]);
  });

  it('waits for a person when the whole pipeline is gone amid a run', () => {
    const made = world();
    made.ask({ kind: 'delete-pipeline', pipeline: 'shop' });
    made.settle();
    expect(deployment(made)?.paused).toMatchObject({ byHand: true });
    made.ask({ kind: 'next-batch', deployment: 'prod-2' });
    made.settle();
    expect(running(made)).toEqual([2, 2]);
  });

  it('takes its time out, and no longer', () => {
    const made = world({ autoRollback: { onHealth: true, onError: false, onVerification: ['timed-out'] } });
    made.wait(hourMs - 1);
    expect(run(made)?.phase).toBe('running');
    made.wait(1);
    expect([run(made)?.phase, running(made)]).toEqual(['timed-out', [1, 1]]);
  });
});
