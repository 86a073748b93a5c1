// How a machine is doing and why it is behind: what cannot wait is said before what is fine, and every machine that lacks something has its reason.

import { describe, expect, test } from 'vitest';
import type { Environment } from '../../../proto/api/environments.ts';
import type { Drift, Target } from '../../../proto/api/targets.ts';
import { labelsText, relabelled } from '../../../control/web/fleet/labels.ts';
import { driftStanding, driftText, isSelected, placesIn, targetStanding } from '../../../control/web/fleet/standing.ts';

type Machine = Pick<Target, 'revoked' | 'cordoned' | 'connectivity' | 'clock' | 'running' | 'work' | 'refused'>;
const [old, wanted] = ['1'.repeat(64), '2'.repeat(64)];
const runs = (revision: string, more: Partial<Target['running'][number]> = {}) => ({ app: 'web', revision, number: Number(revision[0]), since: 0, ...more });
const works = (phase: string, settled: boolean) => ({ app: 'web', environment: 'prod', deployment: 'prod-3', revision: wanted, phase, settled });
const machine = (more: Partial<Machine>): Machine => ({ revoked: false, connectivity: 'online', running: [runs(wanted)], work: [], ...more });

test.each<readonly [string, string, Partial<Machine>]>([
  ['revoked', 'off', { revoked: true, connectivity: 'offline' }],
  ['wrong clock', 'bad', { connectivity: 'offline', clock: { aheadMs: -300_000, refusedAt: 0 } }],
  ['offline', 'bad', { connectivity: 'offline', running: [runs(wanted, { healthy: false })] }],
  ['refuses orders', 'bad', { running: [runs(wanted, { healthy: false })], refused: [{ app: 'web', environment: 'prod', deployment: 'prod-3', order: 17, code: 'CLOCK_SUSPECT', detail: 'late', advice: 'set it', since: 0 }] }],
  ['not healthy', 'bad', { running: [runs(wanted, { healthy: false })], work: [works('activating', false)] }],
  ['rolled back', 'bad', { connectivity: 'stale', work: [works('rolled-back', true)] }],
  ['cordoned', 'blocked', { connectivity: 'stale', cordoned: { reason: 'its disk is slow', since: 0 } }],
  ['silent', 'waiting', { connectivity: 'stale' }],
  ['drifted', 'blocked', { running: [runs(wanted, { drifted: 2 })] }],
  ['downloading', 'busy', { work: [works('downloading', false)] }],
  ['empty', 'off', { running: [] }],
  ['serves', 'well', { work: [works('committed', true)] }],
])('a machine that is %s is said to be so', (text, tone, more) => {
  expect(targetStanding(machine(more))).toEqual({ tone, text });
});

describe('what an environment wants of a machine', () => {
  const prod: Pick<Environment, 'environment' | 'apps' | 'activeDeployment'> = { environment: 'prod', apps: [{ app: 'web', desired: { revision: wanted, number: 2 } }] };

  test.each<readonly [string, Partial<Machine>, Partial<Environment>, string, string | undefined]>([
    ['it runs that', {}, {}, 'it runs web@2, as prod wants', undefined],
    ['it runs that, changed on its disk', { running: [runs(wanted, { drifted: 1 })] }, {}, 'it runs web@2, as prod wants, but one thing of the release on its disk is not what was installed', undefined],
    ['it failed to', { running: [runs(old)], work: [works('rolled-back', true)] }, {}, 'prod wants web@2, it runs web@1: it was told to change, and rolled back is how that ended', 'prod-3'],
    ['it is at it', { running: [], work: [works('activating', false)] }, {}, 'prod wants web@2, it has none: it was told to change, and is at it', 'prod-3'],
    ['it fell silent while it was at it', { running: [], connectivity: 'offline', work: [works('activating', false)] }, {}, 'prod wants web@2, it has none: it was told to change, and is not heard of since', 'prod-3'],
    ['it is away', { running: [runs(old)], connectivity: 'offline' }, { activeDeployment: 'prod-3' }, 'prod wants web@2, it runs web@1: it is not heard of, and is brought up to date when it is back', undefined],
    ['it is cordoned', { running: [runs(old)], cordoned: { reason: 'slow', since: 0 } }, { activeDeployment: 'prod-3' }, 'prod wants web@2, it runs web@1: it is cordoned, and no deployment begins with it until it is uncordoned', undefined],
    ['its batch comes later', { running: [runs(old)] }, { activeDeployment: 'prod-3' }, 'prod wants web@2, it runs web@1: the deployment under way has not come to it yet', 'prod-3'],
    ['nobody is at it', { running: [runs(old)] }, {}, 'prod wants web@2, it runs web@1, and no deployment is under way that would bring it', undefined],
    ['nothing was ever promoted', { running: [] }, { apps: [{ app: 'web' }] }, 'nothing of web was promoted to prod yet', undefined],
  ])('and why it has it or not: %s', (_, more, environment, why, deployment) => {
    const [place] = placesIn(machine(more), { ...prod, ...environment });
    expect([place?.why, place?.deployment]).toEqual([why, deployment]);
  });

  test('is wanted only of those whose labels it selects', () => {
    expect([isSelected({ labels: { env: 'prod', zone: 'a' } }, { selector: { env: 'prod' } }), isSelected({ labels: { zone: 'a' } }, { selector: { env: 'prod' } })]).toEqual([true, false]);
  });
});

test('labels are set and taken away as the command line does it', () => {
  expect(relabelled({ env: 'prod', rack: 'r1' }, 'zone=b, rack-')).toEqual({ kind: 'labels', labels: { env: 'prod', zone: 'b' } });
  expect([relabelled({}, 'zone'), relabelled({}, '=b'), relabelled({}, '-')]).toEqual(['zone', '=b', '-'].map((word) => ({ kind: 'wrong', word })));
  expect(labelsText({ zone: 'b', env: 'prod' })).toBe('env=prod, zone=b');
});

test.each<readonly [Partial<Drift>, string, string]>([
  [{ why: 'missing', caughtUp: true }, 'blocked', 'web@2: runs nothing of it; a catch-up brings it'],
  [{ why: 'other', running: { revision: old, number: 1 }, deployment: 'prod-3' }, 'busy', 'web@2: runs web@1; a deployment is at it'],
  [{ why: 'other', running: { revision: old, number: 1 } }, 'blocked', 'web@2: runs web@1; a deployment failed on it: people decide'],
  [{ why: 'missing', connectivity: 'offline' }, 'blocked', 'web@2: runs nothing of it; not heard of; it catches up when it is back'],
  [{ why: 'changed', changed: 2 }, 'blocked', 'web@2: 2 things on its disk not as installed; somebody should look'],
  [{ why: 'unhealthy' }, 'bad', 'web@2: fails its health check; somebody should look'],
])('drift %j is said with what is done about it', (more, tone, text) => {
  const drift: Drift = { member: 'm', name: 'web-1', app: 'web', wanted: { revision: wanted, number: 2 }, why: 'missing', caughtUp: false, connectivity: 'online', ...more };
  expect([driftStanding(drift).tone, driftText(drift)]).toEqual([tone, text]);
});
