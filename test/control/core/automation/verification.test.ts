// What comes after a deployment that succeeded where a workflow has the last word: when a set counts as good, and what happens when
// it does not. And how promotions end that people refuse, or that machinery fails.

import { describe, expect, it } from 'vitest';
import { explain } from '../../../../control/core/explain/explain.ts';
import type { Promotion, Slot } from '../../../../control/core/model/model.ts';
import { runFor } from '../../../../control/core/automation/verification.ts';
import type { DeploymentConfig } from '../../../../proto/events.ts';
import type { PipelineSpec } from '../../../../proto/pipeline.ts';
import { config, digestOf, edge, hourMs, minuteMs, pipeline, PipelineWorld, place } from '../../../support/pipeline-world.ts';

const smoke = { workflow: 'smoke', lock: 'stage', timeoutMs: hourMs, steps: [{ step: 'smoke', kind: 'test', needs: [], timeoutMs: hourMs, retries: 0, allowFailure: false }] } as const;

/** Prod, to which pushes go by themselves, with a workflow; revision 1 runs and is verified. */
function world(more: Partial<DeploymentConfig> = {}, spec: Partial<PipelineSpec> = {}): PipelineWorld {
  const made = new PipelineWorld(['prod']);
  made.ask({ kind: 'change-environment', environment: 'prod', selector: { env: 'prod' }, config: { ...config, ...more } });
  made.apply(pipeline({ workflows: [smoke], stages: [{ stage: 'prod', environments: [place('prod', { workflow: 'smoke' })] }], edges: [edge('web', 'prod')], ...spec }));
  push(made, 1);
  ends(made, 'successful');
  return made;
}

function push(made: PipelineWorld, number: number): void {
  made.push(number);
  made.settle();
}

/** The run under way ends like this. */
function ends(made: PipelineWorld, phase: 'successful' | 'failed' | 'inconclusive' | 'error' | 'timed-out' | 'aborted'): void {
  const run = [...made.state.runs.values()].findLast((one) => one.finishedAt === undefined);
  made.ask({ kind: 'finish-workflow', run: run?.run ?? '', phase });
  made.settle();
}

function slot(made: PipelineWorld): Partial<Slot> {
  return made.state.environments.get('prod')?.slots['web'] ?? {};
}

const stable = (made: PipelineWorld): number => Number(slot(made).stable ?? 0);
const newest = (made: PipelineWorld, number: number): Promotion | undefined => [...made.state.promotions.values()].findLast((one) => one.number === number);
const runs = (made: PipelineWorld): readonly (number | undefined)[] => ['prod-1', 'prod-2'].map((member) => made.state.members.get(member)?.running['web']?.number);

describe('a promotion where a workflow has the last word', () => {
  it('is verified while the workflow runs, and only its success makes the set stable', () => {
    const made = world();
    push(made, 2);
    expect([newest(made, 2)?.phase, made.runs('prod'), stable(made)]).toEqual(['verifying', 2, 1]);
    expect(explain(made.state, made.observed, 'prod')).toMatchObject({ summary: "web@2 runs in 'prod' and is being verified", waits: [{ reason: "workflow 'smoke' is running (prod-run-2)" }] });
    ends(made, 'successful');
    expect([newest(made, 2)?.phase, stable(made), slot(made).good]).toEqual(['succeeded', 2, [digestOf(1), digestOf(2)]]);
  });

  it('R-5 goes back to what was stable when the workflow fails, once, and automation brings it no more (R-6)', () => {
    const made = world();
    push(made, 2);
    ends(made, 'failed');
    expect([newest(made, 2)?.phase, newest(made, 2)?.outcome]).toEqual(['failed', "workflow 'smoke' ended failed (prod-run-2)"]);
    expect([runs(made), made.runs('prod'), stable(made), slot(made).desired]).toEqual([[1, 1], 1, 1, digestOf(1)]);
    expect(newest(made, 1)).toMatchObject({ trigger: 'rollback', phase: 'succeeded', reason: expect.stringContaining('web@2 was not good') });
    made.wait(5 * hourMs);
    expect([made.facts('deployment.started').length, made.state.holds.size]).toEqual([3, 1]);
  });

  it('R-7 stays where it is when the workflow could not tell, unless that is configured', () => {
    for (const [onVerification, back] of [[['failed'], 2], [['failed', 'timed-out'], 1]] as const) {
      const made = world({ autoRollback: { onHealth: true, onError: false, onVerification: [...onVerification] } });
      push(made, 2);
      made.wait(hourMs);
      expect([newest(made, 2)?.phase, made.runs('prod'), stable(made)]).toEqual(['failed', back, 1]);
    }
  });

  it('is errored, aborted or failed as the workflow was', () => {
    for (const [phase, end] of [['error', 'errored'], ['aborted', 'aborted'], ['timed-out', 'failed']] as const) {
      const made = world();
      push(made, 2);
      ends(made, phase);
      expect([newest(made, 2)?.phase, stable(made)]).toEqual([end, 1]);
    }
  });

  it('waits for somebody to decide what was inconclusive, and says so', () => {
    const made = world();
    push(made, 2);
    ends(made, 'inconclusive');
    made.wait(5 * hourMs);
    expect(newest(made, 2)?.phase).toBe('verifying');
    expect(explain(made.state, made.observed, newest(made, 2)?.promotion ?? '')?.blockers).toMatchObject([{ type: 'needs-decision', ref: 'prod-run-2' }]);
    ends(made, 'successful');
    expect([newest(made, 2)?.phase, stable(made)]).toEqual(['succeeded', 2]);
  });

  it('is verified anew when it is brought again after a failure', () => {
    const made = world({ autoRollback: false });
    push(made, 2);
    ends(made, 'failed');
    made.wait(minuteMs);
    made.promote('prod', 2);
    made.settle();
    expect([newest(made, 2)?.phase, made.state.runs.size]).toEqual(['verifying', 3]);
    ends(made, 'successful');
    expect([newest(made, 2)?.phase, stable(made)]).toEqual(['succeeded', 2]);
    // What was found good once about the identical set is not asked again.
    made.promote('prod', 2);
    made.settle();
    expect([newest(made, 2)?.phase, made.state.runs.size]).toEqual(['succeeded', 3]);
  });

  it('is spoken for by the run that looked at it, also when the clock was set back before that began', () => {
    const made = world();
    push(made, 2);
    ends(made, 'inconclusive');
    const prod = made.state.environments.get('prod');
    const deployment = made.state.deployments.get(newest(made, 2)?.deployment ?? '');
    if (prod === undefined || deployment === undefined) throw new Error('nothing is verified');
    const later = new Map(made.state.deployments).set(deployment.deployment, { ...deployment, startedAt: deployment.startedAt + hourMs });
    expect(runFor({ ...made.state, deployments: later }, prod)?.phase).toBe('inconclusive');
  });

  it('S-4 is not displaced by what can wait, though its workflow locks nothing', () => {
    const made = world({}, { workflows: [{ ...smoke, lock: 'none' }] });
    push(made, 2);
    push(made, 3);
    expect([newest(made, 2)?.phase, newest(made, 3)?.phase, made.holding('prod')]).toEqual(['verifying', 'waiting', ['active-deployment']]);
    ends(made, 'successful');
    expect([newest(made, 2)?.phase, made.runs('prod')]).toEqual(['succeeded', 3]);
  });

  it('gives way to a hotfix and to a rollback, and ends with that', () => {
    const made = world();
    push(made, 2);
    expect(made.rollback('prod').kind).toBe('accepted');
    made.settle();
    expect([newest(made, 2)?.phase, newest(made, 2)?.outcome, runs(made), stable(made)]).toEqual(['aborted', 'replaced by rollback rollback-1 before it was verified', [1, 1], 1]);
    expect([...made.state.runs.values()].map((run) => run.phase)).toEqual(['successful', 'invalidated']);
  });

  it('can be aborted, which leaves what runs running', () => {
    const made = world();
    push(made, 2);
    made.ask({ kind: 'abort-promotion', promotion: newest(made, 2)?.promotion ?? '' });
    made.settle();
    expect([newest(made, 2)?.phase, made.runs('prod'), stable(made)]).toEqual(['aborted', 2, 1]);
  });

  it('has nothing to go back to the first time, and stays', () => {
    const made = new PipelineWorld(['prod']);
    made.apply(pipeline({ workflows: [smoke], stages: [{ stage: 'prod', environments: [place('prod', { workflow: 'smoke' })] }], edges: [edge('web', 'prod')] }));
    push(made, 1);
    ends(made, 'failed');
    expect([newest(made, 1)?.phase, made.runs('prod'), stable(made)]).toEqual(['failed', 1, 0]);
  });

  it('succeeds when its environment has no workflow any more', () => {
    const made = world();
    push(made, 2);
    made.apply(pipeline({ stages: [{ stage: 'prod', environments: [place('prod')] }], edges: [edge('web', 'prod')] }));
    made.settle();
    expect([newest(made, 2)?.phase, stable(made)]).toEqual(['succeeded', 2]);
  });

  it('what came after an unverified set and failed takes every target back to what was stable', () => {
    const made = world({ autoRollback: { onHealth: true, onError: false, onVerification: [] } });
    push(made, 2);
    ends(made, 'failed');
    expect([made.runs('prod'), stable(made)]).toEqual([2, 1]);
    made.bad.add(digestOf(3));
    push(made, 3);
    // One of two was told; the other ran what was never found good.
    expect([newest(made, 3)?.phase, runs(made), made.runs('prod'), slot(made)]).toMatchObject(['failed', [1, 1], 1, { current: digestOf(1), desired: digestOf(1), stable: digestOf(1) }]);
  });
});

describe('a place that comes after another', () => {
  it('waits for its verdict there', () => {
    const made = new PipelineWorld(['na', 'eu']);
    const spec = pipeline({ workflows: [smoke], stages: [{ stage: 'na', environments: [place('na', { workflow: 'smoke' })] }, { stage: 'eu', environments: [place('eu')] }], edges: [edge('web', 'na'), edge('web', 'eu', { after: ['na'] })] });
    made.apply(spec);
    push(made, 1);
    expect([made.runs('na'), made.runs('eu'), made.holding('eu')]).toEqual([1, 0, ['after']]);
    ends(made, 'successful');
    expect(made.runs('eu')).toBe(1);
  });
});

describe('a promotion that people refuse', () => {
  /** Prod after alpha, where somebody has to be asked, within a day. */
  function asking(): PipelineWorld {
    const made = new PipelineWorld(['alpha', 'prod']);
    made.apply(pipeline({ edges: [edge('web', 'alpha'), edge('alpha', 'prod', { auto: false, approval: { rules: [{ group: 'qa', count: 1 }], preventSelfApproval: true, expiresAfterMs: 24 * hourMs } })] }));
    push(made, 1);
    made.promote('prod', 1);
    made.settle();
    return made;
  }

  it('is rejected, and made again it asks again', () => {
    const made = asking();
    const first = made.requests().at(-1) ?? '';
    made.now += minuteMs;
    made.vote(first, 'quinn', ['qa'], 'reject');
    made.settle();
    expect(newest(made, 1)).toMatchObject({ phase: 'rejected', outcome: `request '${first}' was rejected: quinn said no: no; promote it again to ask again` });
    made.now += minuteMs;
    made.promote('prod', 1);
    made.settle();
    const second = made.requests().at(-1) ?? '';
    expect([newest(made, 1)?.phase, second === first]).toEqual(['waiting', false]);
    made.vote(second, 'quinn', ['qa']);
    made.settle();
    expect([newest(made, 1)?.phase, made.runs('prod')]).toEqual(['succeeded', 1]);
  });

  it('is rejected when nobody says anything in time', () => {
    const made = asking();
    made.wait(25 * hourMs);
    expect(newest(made, 1)).toMatchObject({ phase: 'rejected', outcome: expect.stringContaining('expired') });
  });
});
