// A rollback exists to restore service: what machines that are dead, hung or down already have to do with it.

import { describe, expect, it } from 'vitest';
import { explain } from '../../../../control/core/explain/explain.ts';
import { replay, isReproduced, recordedIn } from '../../../../control/core/history/replay.ts';
import { evolveAll, initialState } from '../../../../control/core/evolve/evolve.ts';
import { deploymentDefaults } from '../../../../proto/api/environments.ts';
import type { DeploymentConfig } from '../../../../proto/events.ts';
import { limits } from '../../../../proto/limits.ts';
import type { TargetPhase } from '../../../../proto/fleet.ts';
import { minuteMs, PipelineWorld } from '../../../support/pipeline-world.ts';

/** Both machines of prod run revision 2, as they would with what is the default; revision 1 was good before. */
function world(more: Partial<DeploymentConfig> = {}): PipelineWorld {
  const made = new PipelineWorld(['prod']);
  made.ask({ kind: 'change-environment', environment: 'prod', selector: { env: 'prod' }, config: { ...deploymentDefaults, ...more } });
  for (const number of [1, 2]) {
    made.push(number);
    made.promote('prod', number);
    made.settle();
  }
  return made;
}

const runs = (made: PipelineWorld) => [...made.state.members.values()].map(({ name, running }) => `${name} ${running['web']?.number ?? 0}`);
const newest = (made: PipelineWorld) => made.state.deployments.get(made.state.environments.get('prod')?.newestDeployment ?? '');
const waits = (made: PipelineWorld) => (explain(made.state, made.observed, 'prod')?.waits ?? []).map(({ reason }) => reason).join('\n');
const told = (made: PipelineWorld) => made.facts('order.issued').filter(({ deployment }) => deployment === newest(made)?.deployment).flatMap(({ targets }) => targets);

/** A machine loses its power, a minute before anything else happens. */
function die(made: PipelineWorld, member: string): void {
  made.dead.set(member, made.now);
  made.now += minuteMs;
}

/** What a machine says of the order that it was given last. */
function say(made: PipelineWorld, member: string, phase: TargetPhase): void {
  const { deployment = '' } = newest(made) ?? {};
  const target = newest(made)?.targets.get(member);
  made.ask({ kind: 'report', member, report: { deployment, environment: 'prod', app: 'web', seq: target?.order?.seq ?? 0, reportNo: (target?.reportNo ?? 0) + 1, phase, at: made.now } });
}

describe('a rollback that somebody asks for', () => {
  it.each(['prod-1', 'prod-2'])('brings the machine that serves back at once, though %s is dead', (dead) => {
    const made = world();
    die(made, dead);
    expect(made.rollback('prod').kind).toBe('accepted');
    made.settle();
    expect(runs(made)).toContain(`${dead === 'prod-1' ? 'prod-2' : 'prod-1'} 1`);
  });

  it('says who is awaited, and ends well without who does not come', () => {
    const made = world();
    die(made, 'prod-1');
    made.rollback('prod');
    made.settle();
    expect(waits(made)).toContain('prod-1 is assigned, and was not heard for 60 s');
    made.wait(deploymentDefaults.lostAfterMs);
    expect(newest(made)).toMatchObject({ type: 'rollback', phase: 'succeeded', reason: '1 of 2 targets could not be heard (prod-1), and go back when they can' });
    // What late joiners are brought to is what was gone back to.
    expect(made.runs('prod')).toBe(1);
    made.dead.clear();
    made.settle();
    expect(runs(made)).toEqual(['prod-1 1', 'prod-2 1']);
  });

  it('waits for a moment only, when all are back but who was not heard since it was told', () => {
    const made = world();
    die(made, 'prod-1');
    made.rollback('prod');
    made.settle();
    made.wait(limits.unheardMs - 1);
    expect(newest(made)?.phase).toBe('running');
    made.wait(1);
    expect(newest(made)).toMatchObject({ phase: 'succeeded', reason: '1 of 2 targets could not be heard (prod-1), and go back when they can' });
    made.dead.clear();
    made.settle();
    expect(runs(made)).toEqual(['prod-1 1', 'prod-2 1']);
  });

  it('fails when nobody is left', () => {
    const made = world();
    die(made, 'prod-1');
    die(made, 'prod-2');
    made.rollback('prod');
    made.settle();
    for (let round = 0; round < 4; round += 1) made.wait(deploymentDefaults.lostAfterMs);
    expect(newest(made)).toMatchObject({ type: 'rollback', phase: 'failed' });
  });

  it('R-1 takes no other down for one that it took down itself', () => {
    const made = world({ failureThreshold: { count: 5, percent: 100 } });
    made.working = false;
    made.rollback('prod');
    made.settle();
    say(made, 'prod-1', 'inconsistent');
    made.settle();
    expect(told(made)).toEqual(['prod-1']);
    expect(waits(made)).toContain('1 that were told to go back do not serve since, and one may be down for that at once (minHealthy)');
  });

  it('R-1 takes no other down for one that was heard, and fell silent when it was told', () => {
    const made = world({ failureThreshold: { count: 5, percent: 100 } });
    made.working = false;
    made.rollback('prod');
    made.settle();
    made.now += 1000;
    die(made, 'prod-1');
    made.settle();
    expect([told(made), newest(made)?.targets.get('prod-1')?.phase]).toEqual([['prod-1'], 'assigned']);
    made.wait(deploymentDefaults.lostAfterMs);
    expect([told(made), newest(made)?.phase]).toEqual([['prod-1'], 'running']);
  });

  it('does not wait for a machine that died of what is left behind', () => {
    const made = world();
    made.push(3);
    made.working = false;
    made.promote('prod', 3);
    made.settle();
    made.step();
    const changing = newest(made)?.deployment;
    for (const target of ['prod-1', 'prod-2']) say(made, target, 'verified');
    made.settle();
    expect([changing, told(made).filter((member) => member === 'prod-1')]).toEqual(['prod-3', ['prod-1', 'prod-1']]);
    die(made, 'prod-1');
    made.working = true;
    made.try({ kind: 'rollback', promotion: 'back', environment: 'prod', to: '1' });
    made.settle();
    expect(runs(made)).toEqual(['prod-1 2', 'prod-2 1']);
    // Nor does a catch-up begin for it, for which everything else would wait until it counts as lost.
    expect([newest(made)?.type, newest(made)?.phase]).toEqual(['rollback', 'succeeded']);
  });
});

describe('a deployment that goes back by itself', () => {
  const alarms = [{ alarm: 'p99', prometheus: 'http://prom', query: 'p99', condition: 'result > 1', action: 'rollback' }] as const;

  /** Revision 3 runs on both and bakes; then the alarm fires. */
  function alarmed(made: PipelineWorld, before: () => void): void {
    made.ask({ kind: 'change-environment', environment: 'prod', selector: { env: 'prod' }, config: { ...deploymentDefaults, batches: [{ size: '100%', bakeMs: 60 * minuteMs }], alarms } });
    made.push(3);
    made.promote('prod', 3);
    made.settle();
    const { deployment = '' } = newest(made) ?? {};
    made.ask({ kind: 'measure-deployment', deployment, measure: 'alarm:p99', verdict: 'success', value: '0' });
    made.settle();
    expect(runs(made)).toEqual(['prod-1 3', 'prod-2 3']);
    before();
    made.ask({ kind: 'measure-deployment', deployment, measure: 'alarm:p99', verdict: 'failure', value: '7' });
    made.settle();
  }

  it.each(['prod-1', 'prod-2'])('brings the machine that serves back at once, though %s is dead', (dead) => {
    const made = world();
    alarmed(made, () => die(made, dead));
    expect(newest(made)?.phase).toBe('rolling-back');
    expect(runs(made)).toContain(`${dead === 'prod-1' ? 'prod-2' : 'prod-1'} 2`);
    expect(runs(made)).toContain(`${dead} 3`);
  });

  it('does not bring who is dead anywhere by a deployment of its own', () => {
    const made = world();
    alarmed(made, () => die(made, 'prod-1'));
    made.wait(deploymentDefaults.lostAfterMs);
    expect(newest(made)).toMatchObject({ phase: 'rollback-failed', reason: expect.stringContaining('(prod-1 lost)') });
    made.wait(60 * minuteMs);
    expect(made.facts('deployment.started').map(({ type }) => type)).not.toContain('catch-up');
    made.dead.clear();
    made.settle();
    expect(runs(made)).toEqual(['prod-1 2', 'prod-2 2']);
  });
});

it('a catch-up that began while somebody was away is decided again as it was', () => {
  const made = world();
  die(made, 'prod-1');
  made.rollback('prod');
  made.settle();
  made.wait(deploymentDefaults.lostAfterMs);
  made.dead.clear();
  made.settle();
  const entry = made.journal.find(({ event }) => event.kind === 'deployment.started' && event.type === 'catch-up');
  const seen = entry === undefined ? undefined : recordedIn(entry);
  if (entry === undefined || seen === undefined) throw new Error('there was no catch-up');
  const state = evolveAll(initialState(), made.journal.slice(0, seen.head));
  expect(isReproduced(entry, replay({ state, at: seen.at, silent: seen.silent }, { environment: 'prod' }))).toBe(true);
});
