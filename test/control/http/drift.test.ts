// What is not as an environment has it, as the API tells it.

import { expect, test } from 'vitest';
import { Presence } from '../../../control/fleet/presence.ts';
import { driftKey, driftOf } from '../../../control/http/views/drift.ts';
import { digestOf, PipelineWorld } from '../../support/pipeline-world.ts';

function drift(world: PipelineWorld, presence: Presence) {
  const environment = world.state.environments.get('prod');
  return environment === undefined ? [] : driftOf(world.state, environment, presence);
}

test('targets are told that run nothing or something else, are not healthy, or were changed, with who brings them back', () => {
  const world = new PipelineWorld(['prod']);
  const presence = new Presence(() => world.now);
  expect(drift(world, presence), 'nothing was ever deployed').toEqual([]);
  world.push(1);
  world.push(2);
  world.promote('prod', 1);
  world.settle();
  expect(drift(world, presence)).toEqual([]);
  const says = (member: string, more: object) => presence.heard(member, { version: '1', progress: [], running: [{ app: 'web', revision: digestOf(1), environment: 'prod', revisionNumber: 1, healthy: true, ...more }] });
  says('prod-1', { healthy: false });
  says('prod-2', { drifted: 3 });
  expect(drift(world, presence)).toMatchObject([
    { name: 'prod-1', why: 'unhealthy', wanted: { number: 1 }, running: { number: 1 }, caughtUp: false, connectivity: 'online' },
    { name: 'prod-2', why: 'changed', changed: 3, caughtUp: false },
  ]);
  says('prod-1', {});
  says('prod-2', {});
  expect(drift(world, presence)).toEqual([]);
  // A poll that began amid the switch is open while the target commits: the old word is not the newest.
  says('prod-1', { revision: digestOf(2), revisionNumber: 2, healthy: false });
  world.now += 1;
  world.promote('prod', 2);
  world.settle();
  expect(drift(world, presence)).toEqual([]);
  world.now += 1;
  says('prod-1', { revision: digestOf(2), revisionNumber: 2, healthy: false });
  expect(drift(world, presence)).toMatchObject([{ name: 'prod-1', why: 'unhealthy' }]);
  says('prod-1', { revision: digestOf(2), revisionNumber: 2 });
  world.working = false;
  world.ask({ kind: 'create-token', token: 'late', use: 'join', name: 'late', secretDigest: 'a'.repeat(64), scopes: [], roles: ['agent'], environments: ['prod'], labels: { env: 'prod' }, usesMax: 1, expiresAt: world.now + 1e9 });
  world.ask({ kind: 'enrol-member', token: 'late', member: 'late', name: 'a-late', publicKey: 'late', roles: ['agent'], attributes: {} });
  expect(drift(world, presence).map((one) => [driftKey(one), one.why, one.caughtUp, one.connectivity, one.running])).toEqual([['a-late/web', 'missing', true, 'offline', undefined]]);
});
