// Machines that operators take out of what begins, and whose labels they change: who is deployed to, and when.

import assert from 'node:assert/strict';
import { expect, test } from 'vitest';
import { explain } from '../../../../control/core/explain/explain.ts';
import { deploymentProgress, targetsOf } from '../../../../control/core/model/select.ts';
import { deploymentDefaults } from '../../../../proto/api/environments.ts';
import { config, digestOf, minuteMs, PipelineWorld } from '../../../support/pipeline-world.ts';

function world(): PipelineWorld {
  const made = new PipelineWorld(['prod']);
  made.push(1);
  made.push(2);
  made.promote('prod', 1);
  made.settle();
  return made;
}
const runs = (made: PipelineWorld) => [...made.state.members.values()].map(({ name, running }) => `${name} ${running['web']?.number ?? 0}`);
const newest = (made: PipelineWorld) => made.state.deployments.get(made.state.environments.get('prod')?.newestDeployment ?? '');

test('a cordoned target is left out of what begins, by catch-ups too, and is brought along when it is cordoned no longer', () => {
  const made = world();
  made.ask({ kind: 'cordon-member', member: 'prod-2', reason: 'new disk' });
  made.promote('prod', 2);
  made.settle();
  expect([runs(made), newest(made)?.phase, [...(newest(made)?.targets.keys() ?? [])]]).toEqual([['prod-1 2', 'prod-2 1'], 'succeeded', ['prod-1']]);
  made.wait(60 * minuteMs);
  expect(runs(made)).toEqual(['prod-1 2', 'prod-2 1']);
  made.ask({ kind: 'uncordon-member', member: 'prod-2' });
  made.settle();
  expect([runs(made), newest(made)?.type]).toEqual([['prod-1 2', 'prod-2 2'], 'catch-up']);
});

test('R-12 one that did not come along in its time is not brought along again by itself, though it stopped when it was told to', () => {
  const made = world();
  made.ask({ kind: 'cordon-member', member: 'prod-2', reason: 'new disk' });
  made.promote('prod', 2);
  made.settle();
  made.working = false;
  made.ask({ kind: 'uncordon-member', member: 'prod-2' });
  const caughtUp = () => made.facts('deployment.started').filter(({ type }) => type === 'catch-up').length;
  for (let round = 0; round < 10; round += 1) {
    made.wait(60 * minuteMs);
    const cancelled = made.facts('order.issued').findLast(({ action }) => action === 'cancel');
    if (cancelled === undefined) continue;
    const { deployment, environment, app, seq } = cancelled;
    made.try({ kind: 'report', member: 'prod-2', report: { deployment, environment, app, seq, reportNo: 100 + round, phase: 'cancelled', at: made.now } });
  }
  expect([caughtUp(), newest(made)?.phase, runs(made)]).toEqual([1, 'failed', ['prod-1 2', 'prod-2 1']]);
});

test('what is under way goes on when one of its targets is cordoned', () => {
  const made = world();
  made.working = false;
  made.promote('prod', 2);
  made.settle();
  made.ask({ kind: 'cordon-member', member: 'prod-2', reason: 'new disk' });
  made.working = true;
  made.settle();
  expect(runs(made)).toEqual(['prod-1 2', 'prod-2 2']);
});

test('with all targets cordoned nothing begins, and it is said why', () => {
  const made = world();
  for (const member of ['prod-1', 'prod-2']) made.ask({ kind: 'cordon-member', member, reason: 'new disks' });
  made.promote('prod', 2);
  made.settle();
  expect(made.holding('prod')).toEqual(['no-targets']);
  made.ask({ kind: 'uncordon-member', member: 'prod-1' });
  made.settle();
  expect(runs(made)).toEqual(['prod-1 2', 'prod-2 1']);
});

test('labels select: a target that loses them is none, and one that gets them is brought to what runs', () => {
  const made = world();
  const prod = () => {
    const environment = made.state.environments.get('prod');
    return environment === undefined ? [] : targetsOf(made.state, environment).map(({ name }) => name);
  };
  made.ask({ kind: 'label-member', member: 'prod-1', labels: { rack: 'r7' } });
  expect(prod()).toEqual(['prod-2']);
  made.promote('prod', 2);
  made.settle();
  expect(runs(made)).toEqual(['prod-1 1', 'prod-2 2']);
  const before = made.state.rosterEpoch;
  made.ask({ kind: 'label-member', member: 'prod-1', labels: { env: 'prod' } });
  expect([prod(), made.state.rosterEpoch]).toEqual([['prod-1', 'prod-2'], before + 1]);
  made.settle();
  expect(runs(made)).toEqual(['prod-1 2', 'prod-2 2']);
  expect(made.state.members.get('prod-1')?.running['web']?.revision).toBe(digestOf(2));
});

test('what is so already is not said again, and what cannot be is refused', () => {
  const made = world();
  const before = made.journal.length;
  made.ask({ kind: 'label-member', member: 'prod-1', labels: { env: 'prod' } });
  made.ask({ kind: 'uncordon-member', member: 'prod-1' });
  expect(made.journal).toHaveLength(before);
  expect(made.try({ kind: 'label-member', member: 'prod-1', labels: { 'Not A Key': 'x' } })).toMatchObject({ kind: 'refused', code: 'invalid' });
  expect(made.try({ kind: 'cordon-member', member: 'nobody', reason: 'x' })).toMatchObject({ kind: 'refused', code: 'not-found' });
});

test('a target that is revoked on the way leaves shares and counts, and those who are left go on', () => {
  const made = new PipelineWorld(['prod']);
  made.push(1);
  made.promote('prod', 1);
  made.settle();
  made.ask({ kind: 'change-environment', environment: 'prod', selector: { env: 'prod' }, config: { ...deploymentDefaults, unreachable: { tolerate: 1 } } });
  made.push(2);
  made.dead.set('prod-1', made.now);
  made.promote('prod', 2);
  made.settle();
  expect(runs(made)).toEqual(['prod-1 1', 'prod-2 1']);
  made.wait(deploymentDefaults.lostAfterMs);
  // One of two must serve, and the other is lost.
  expect([runs(made), newest(made)?.phase]).toEqual([['prod-1 1', 'prod-2 1'], 'running']);
  made.ask({ kind: 'revoke-member', member: 'prod-1', reason: 'it burnt' });
  made.settle();
  const { total, done, failed, revoked, byPhase } = deploymentProgress(newest(made) ?? assert.fail());
  expect([runs(made), newest(made)?.phase, { total, done, failed, revoked, byPhase }]).toEqual([['prod-1 1', 'prod-2 2'], 'succeeded', { total: 1, done: 1, failed: 0, revoked: 1, byPhase: { committed: 1 } }]);
});

test('a target that is revoked while content is fetched early leaves the counts', () => {
  const made = world();
  made.ask({ kind: 'change-environment', environment: 'prod', selector: { env: 'prod' }, config: { ...config, prefetch: { enabled: true } } });
  made.ask({ kind: 'acquire-lock', lock: 'quiet', scope: { kind: 'all' }, holder: 'ann', reason: 'quiet', includeRollback: false });
  made.dead.set('prod-1', made.now);
  made.promote('prod', 2);
  made.settle();
  const told = () => explain(made.state, made.observed, 'prod')?.waits.map(({ reason }) => reason);
  expect(told()).toEqual(['meanwhile 1 of 2 targets hold web@2 (prod-p1)']);
  made.ask({ kind: 'revoke-member', member: 'prod-1', reason: 'it burnt' });
  expect(told()).toEqual(['meanwhile 1 of 1 targets hold web@2 (prod-p1)']);
});

test('what a target said against the content stays, though it is revoked', () => {
  const made = world();
  made.ask({ kind: 'change-environment', environment: 'prod', selector: { env: 'prod' }, config: { ...config, failureThreshold: { count: 2, percent: 100 }, bakeMs: 60 * minuteMs } });
  made.bad.add(digestOf(2));
  made.promote('prod', 2);
  made.settle();
  made.ask({ kind: 'revoke-member', member: 'prod-1', reason: 'it burnt' });
  const { total, failed, revoked } = deploymentProgress(newest(made) ?? assert.fail());
  expect({ total, failed, revoked }).toEqual({ total: 2, failed: 1, revoked: undefined });
});
