// Alarms that are watched while a deployment runs and bakes, and the samples that a bake must see: what they hold and what they take back.

import { describe, expect, it } from 'vitest';
import { configProblems } from '../../../../control/core/pipeline/config.ts';
import { explain } from '../../../../control/core/explain/explain.ts';
import type { Deployment } from '../../../../control/core/model/deployment.ts';
import { readingOf, watchesOf } from '../../../../control/core/rollout/watch.ts';
import { config, hourMs, minuteMs, type PipelineWorld } from '../../../support/pipeline-world.ts';
import { watchedWorld } from '../../../support/watched-world.ts';

const errors = { alarm: 'errors', prometheus: 'http://prom:9090', query: 'errors', condition: 'result >= 0.05' } as const;
const pages = { alarm: 'pages', webhook: 'http://alerts:9093/api/v2/alerts?filter=severity=page', action: 'pause' } as const;

const deployment = (made: PipelineWorld): Deployment => {
  const newest = [...made.state.deployments.values()].at(-1);
  if (newest === undefined) throw new Error('nothing was deployed');
  return newest;
};
const running = (made: PipelineWorld): readonly (number | undefined)[] => ['prod-1', 'prod-2'].map((member) => made.state.members.get(member)?.running['web']?.number);

/** What is asked for now is answered with this number, or not at all. */
function measured(made: PipelineWorld, measure: string, result: number | undefined): void {
  made.now += 1;
  const wanted = watchesOf(made.state, made.now).watches.some((watch) => watch.measure === measure);
  if (!wanted) throw new Error(`${measure} is not asked for`);
  const said = result === undefined ? { verdict: 'error' as const, detail: 'prom does not answer' } : { verdict: readingOf(deployment(made), measure, result) ?? 'error', value: String(result) };
  made.ask({ kind: 'measure-deployment', deployment: deployment(made).deployment, measure, ...said });
  made.settle();
}

describe('an alarm', () => {
  it('is asked once before anything is switched, and lets it go on while it is quiet', () => {
    const made = watchedWorld({ alarms: [errors] });
    expect([running(made), made.facts('batch.started').length]).toEqual([[1, 1], 2]);
    expect(explain(made.state, made.observed, 'prod')?.waits).toEqual([{ reason: "alarm 'errors' is being asked for the first time" }]);
    measured(made, 'alarm:errors', 0.01);
    expect(running(made)).toEqual([2, 1]);
    made.wait(10 * minuteMs);
    expect(running(made)).toEqual([2, 2]);
    expect(watchesOf(made.state, made.now).watches).toEqual([]);
  });

  it('R-5 takes back what was switched, once, while it bakes too, and nothing brings it again', () => {
    const made = watchedWorld({ alarms: [errors] });
    measured(made, 'alarm:errors', 0);
    measured(made, 'alarm:errors', 0.07);
    expect([running(made), deployment(made).phase, deployment(made).reason]).toEqual([[1, 1], 'rolled-back', "alarm 'errors' fires: errors is 0.07"]);
    made.wait(5 * hourMs);
    expect([made.facts('deployment.started').length, made.facts('deployment.rolling-back').length, made.state.holds.size]).toEqual([2, 1, 1]);
  });

  it('pauses where it is written so, until somebody resumes it, who knows of it by then', () => {
    const made = watchedWorld({ alarms: [pages] });
    measured(made, 'alarm:pages', 0);
    measured(made, 'alarm:pages', 2);
    made.wait(hourMs);
    expect([running(made), deployment(made).paused?.reason]).toEqual([[2, 1], "alarm 'pages' fires: 2 alerts are active"]);
    made.ask({ kind: 'resume-deployment', deployment: deployment(made).deployment });
    made.now += 1;
    made.settle();
    expect(running(made)).toEqual([2, 2]);
  });

  it('is said to who has paused it for another reason', () => {
    const made = watchedWorld({ alarms: [pages] });
    measured(made, 'alarm:pages', 0);
    made.ask({ kind: 'pause-deployment', deployment: deployment(made).deployment, reason: 'lunch' });
    measured(made, 'alarm:pages', 1);
    expect([deployment(made).paused, made.facts('deployment.paused').length]).toEqual([expect.objectContaining({ reason: "alarm 'pages' fires: 1 alert is active", byHand: true }), 2]);
  });

  it('pauses where deployments do not go back on alarms, and takes back where they do', () => {
    for (const [autoRollback, action, phase] of [[false, undefined, 'baking'], [{ onHealth: true, onError: false, onAlarm: false, onVerification: [] }, undefined, 'baking'], [{ onHealth: false, onError: false, onAlarm: true, onVerification: [] }, undefined, 'rolled-back'], [false, 'rollback', 'rolled-back']] as const) {
      const made = watchedWorld({ alarms: [{ ...errors, ...(action === undefined ? {} : { action }) }], autoRollback });
      measured(made, 'alarm:errors', 0);
      measured(made, 'alarm:errors', 1);
      expect([deployment(made).phase, deployment(made).paused !== undefined]).toEqual([phase, phase === 'baking']);
    }
  });

  it('that fires before anything was switched is not the fault of what is deployed', () => {
    const made = watchedWorld({ alarms: [errors] });
    measured(made, 'alarm:errors', 1);
    expect([running(made), deployment(made).paused?.reason]).toEqual([[1, 1], "alarm 'errors' fires: errors is 1, before anything was switched"]);
    made.now += 1;
    made.ask({ kind: 'resume-deployment', deployment: deployment(made).deployment });
    made.settle();
    expect(running(made)).toEqual([2, 1]);
    // Only when it has gone and come back does it count again.
    measured(made, 'alarm:errors', 1);
    expect(deployment(made).phase).toBe('baking');
    measured(made, 'alarm:errors', 0);
    measured(made, 'alarm:errors', 1);
    expect(deployment(made).phase).toBe('rolled-back');
  });

  it('R-7 that cannot be asked takes nothing back: somebody is to look', () => {
    const made = watchedWorld({ alarms: [errors] });
    measured(made, 'alarm:errors', 0);
    measured(made, 'alarm:errors', undefined);
    expect([deployment(made).phase, deployment(made).paused?.reason]).toEqual(['baking', "alarm 'errors' cannot be asked: prom does not answer"]);
  });

  it('does not watch a rollback, and writes down only what is new', () => {
    const made = watchedWorld({ alarms: [errors] });
    for (const value of [0, 0.01, 0.02]) measured(made, 'alarm:errors', value);
    expect(made.facts('deployment.measured')).toHaveLength(1);
    made.rollback('prod');
    made.settle();
    expect([running(made), watchesOf(made.state, made.now).watches]).toEqual([[1, 1], []]);
  });
});

describe('the samples of a batch', () => {
  const batches = [{ size: 1, minSamples: { prometheus: 'http://prom:9090', metric: 'requests', count: 1000 } }, '100%'] as const;

  it('R-3 are waited for when it has baked, and counted since it began to', () => {
    const made = watchedWorld({ batches });
    expect(watchesOf(made.state, made.now)).toEqual({ watches: [], nextCheckAt: made.now + 10 * minuteMs });
    made.wait(10 * minuteMs);
    expect(watchesOf(made.state, made.now).watches).toMatchObject([{ measure: 'samples:0', question: { kind: 'query', query: 'sum(increase(requests[600s]))' } }]);
    measured(made, 'samples:0', 999);
    expect([running(made), explain(made.state, made.observed, 'prod')?.waits]).toEqual([[2, 1], [{ reason: 'batch 1 of 2 has baked, and has seen 999 of 1000 samples (requests)' }]]);
    measured(made, 'samples:0', 1000);
    expect(running(made)).toEqual([2, 2]);
  });

  it('pause it when they cannot be counted, and are left out by who goes on without them', () => {
    const made = watchedWorld({ batches });
    made.wait(10 * minuteMs);
    measured(made, 'samples:0', undefined);
    expect(deployment(made).paused?.reason).toBe('the samples of batch 1 of 2 cannot be counted: prom does not answer');
    made.ask({ kind: 'next-batch', deployment: deployment(made).deployment });
    made.settle();
    expect(running(made)).toEqual([2, 2]);
  });
});

describe('a configuration', () => {
  it('is refused when its alarms or samples could never be asked', () => {
    const problems = configProblems({ ...config, alarms: [{ alarm: 'a' }, { alarm: 'a', prometheus: 'prom', query: 'x', condition: 'high' }, { ...pages, intervalMs: 10 }], batches: [{ size: 1, minSamples: { prometheus: '', metric: 'm', count: 1 } }] }, 0);
    expect(problems).toEqual([
      "alarms: two of them are called 'a'",
      "alarms[0]: alarm 'a' is either a webhook that lists alerts, or a query of Prometheus",
      "alarms[1].prometheus: 'prom' is not a URL such as http://prom:9090",
      "alarms[1].condition: 'high' is not a condition such as 'result >= 0.05'",
      'alarms[2].intervalMs: 10 is not a whole number of milliseconds from 1000 to 86400000',
      'batches[0].minSamples.prometheus: it is not said who is asked; name a server such as http://prom:9090',
    ]);
  });
});
