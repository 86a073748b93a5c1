// Machines that operators take out of what begins, and whose labels they change: who is deployed to, and when.

import { expect, test } from 'vitest';
import { targetsOf } from '../../../../control/core/model/select.ts';
import { digestOf, minuteMs, PipelineWorld } from '../../../support/pipeline-world.ts';

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
