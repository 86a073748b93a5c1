// What the state forgets of deployments that are long over, and what it may not forget.

import { describe, expect, test } from 'vitest';
import { wholeMax, wholeTargetsMax } from '../../../../control/core/evolve/archive.ts';
import { evolveAll, initialState } from '../../../../control/core/evolve/evolve.ts';
import { handle } from '../../../../control/core/answers/handle.ts';
import { historyOf } from '../../../../control/core/history/environment.ts';
import { machinesOf } from '../../../../control/core/history/trace.ts';
import { pastView } from '../../../../control/http/views/history.ts';
import type { JournalEntry } from '../../../../proto/events.ts';
import { deploymentProgress } from '../../../../control/core/model/select.ts';
import { manyDeployments } from '../../../support/many-deployments.ts';

const targets = ['m1', 'm2', 'm3'];
const joined = targets.map((member): JournalEntry => ({ seq: 0, at: 0, actor: 'system', event: { kind: 'member.enrolled', member, name: member, publicKey: 'key', roles: ['agent'], environments: ['prod'], labels: {}, attributes: {}, serial: 1, token: 'none' } }));
const revoked: JournalEntry = { seq: 0, at: 0, actor: 'system', event: { kind: 'member.revoked', member: 'm2', reason: 'replaced' } };

test('of many deployments the newest keep their targets, of the others the sums stay as they were', () => {
  const entries = manyDeployments({ deployments: wholeMax + 5, targets });
  const state = evolveAll(initialState(), entries);
  const all = [...state.deployments.values()];
  expect(all.filter(({ archived }) => archived !== undefined).map(({ deployment }) => deployment)).toEqual(['prod-1', 'prod-2', 'prod-3', 'prod-4', 'prod-5']);
  expect(all.reduce((sum, one) => sum + one.targets.size, 0)).toBe(wholeMax * targets.length);
  expect(state.environments.get('prod')?.whole).toHaveLength(wholeMax);
  const [old, next] = all;
  expect(old).toMatchObject({ phase: 'succeeded', batches: [{ phase: 'skipped', size: 3, targets: [] }] });
  expect(old && deploymentProgress(old)).toEqual(all[10] && deploymentProgress(all[10]));
  const before = evolveAll(initialState(), entries.slice(0, next?.archived?.head));
  expect(before.deployments.get('prod-2')?.targets.size).toBe(3);
});

test('however the journal is read, the state is the same', () => {
  const entries = manyDeployments({ deployments: wholeMax + 3, targets });
  const whole = evolveAll(initialState(), entries);
  let state = initialState();
  for (let index = 0; index < entries.length; index += 37) state = evolveAll(state, entries.slice(index, index + 37));
  expect(state).toEqual(whole);
});

test('large deployments are fewer, whatever their number', () => {
  const many = Array.from({ length: wholeTargetsMax / 4 }, (_, index) => `m${index}`);
  const state = evolveAll(initialState(), manyDeployments({ deployments: 7, targets: many }));
  expect([...state.deployments.values()].map((one) => one.targets.size)).toEqual([0, 0, 0, many.length, many.length, many.length, many.length]);
});

test('a deployment whose order is the last word to somebody keeps its targets, and what they say still counts', () => {
  const orders = new Map([[2, { action: 'activate' as const, targets: ['m1', 'm2'] }], [3, { action: 'activate' as const, targets: ['m1'] }]]);
  const entries = manyDeployments({ deployments: wholeMax + 10, targets, orders });
  const state = evolveAll(initialState(), entries);
  const kept = [...state.deployments.values()].slice(0, 5).filter((one) => one.targets.size > 0);
  expect(kept.map(({ deployment }) => deployment)).toEqual(['prod-2', 'prod-3']);
  const report = { deployment: 'prod-2', environment: 'prod', app: 'web', seq: 2, reportNo: 2, phase: 'committed', detail: 'back again', at: 9 } as const;
  const later = evolveAll(state, [{ seq: state.head + 1, at: 9, actor: 'm2', event: { kind: 'target.reported', member: 'm2', report } }]);
  expect(later.deployments.get('prod-2')?.targets.get('m2')?.detail).toBe('back again');
});

test('who was revoked is owed no last word: neither an order nor a deployment is kept for it', () => {
  const orders = new Map([[2, { action: 'activate' as const, targets: ['m1', 'm2'] }], [3, { action: 'activate' as const, targets: ['m1'] }]]);
  const [created, ...course] = manyDeployments({ deployments: wholeMax + 10, targets, orders });
  const at = course.findIndex(({ event }) => event.kind === 'deployment.started' && event.deployment === 'prod-9');
  const events = [...(created === undefined ? [] : [created]), ...joined, ...course.slice(0, at), revoked, ...course.slice(at)];
  const state = evolveAll(initialState(), events.map((entry, index) => ({ ...entry, seq: index + 1 })));
  expect(state.orders.get('prod')?.map(({ seq }) => seq)).toEqual([3]);
  expect(state.deployments.get('prod-2')?.archived).toBeDefined();
  expect(state.deployments.get('prod-3')?.targets.size).toBeGreaterThan(0);
});

test('one that has something to cancel yet keeps its targets', () => {
  const orders = new Map([[1, { action: 'prefetch' as const, targets: ['m1'] }], [2, { action: 'activate' as const, targets: ['m1'] }]]);
  const entries = manyDeployments({ deployments: wholeMax + 4, targets, orders }).filter(({ event }) => !(event.kind === 'target.reported' && event.report.deployment === 'prod-1'));
  const state = evolveAll(initialState(), entries.map((entry, index) => ({ ...entry, seq: index + 1 })));
  expect(state.deployments.get('prod-1')).toMatchObject({ cancels: ['m1'] });
  expect(state.deployments.get('prod-1')?.targets.size).toBe(3);
});

describe('of a deployment that was put away', () => {
  const entries = [...joined, ...manyDeployments({ deployments: wholeMax + 5, targets })].map((entry, index) => ({ ...entry, seq: index + 1 }));
  const state = evolveAll(initialState(), entries);
  const environment = state.environments.get('prod');
  if (environment === undefined) throw new Error('there is no environment');

  test('a late report is taken, and not refused as if there had never been one', () => {
    const report = { deployment: 'prod-2', environment: 'prod', app: 'web', seq: 0, reportNo: 9, phase: 'committed', at: 9 } as const;
    expect(handle(state, { kind: 'report', member: 'm1', report }, 9)).toEqual({ kind: 'accepted', events: [] });
    expect(handle(state, { kind: 'report', member: 'm1', report: { ...report, deployment: 'prod-0' } }, 9)).toMatchObject({ kind: 'refused', code: 'not-found' });
  });

  test('the history of its environment still says to how many targets it went', () => {
    const past = historyOf(state, environment).map((one) => pastView(state, one));
    expect(past.at(-1)).toMatchObject({ deployment: 'prod-1', targets: 3 });
    expect(past[0]).toMatchObject({ deployment: `prod-${wholeMax + 5}`, targets: 3 });
  });

  test('a trace does not say that a later one brought what it brought', () => {
    const machines = (number: number) => machinesOf(state, environment, { app: 'web', number, revision: '', author: '', message: '', at: 0 }, [...state.members.values()]);
    const running = state.members.get('m1')?.running['web']?.number;
    expect(machines(3)).toEqual([...state.members.values()].map((member) => ({ member, number: running, has: true })));
    expect(machines(8)).toMatchObject(targets.map(() => ({ has: true, deployment: 'prod-8' })));
  });
});
