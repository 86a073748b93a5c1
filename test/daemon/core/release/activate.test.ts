// The recovery table, row by row, and what must hold for any journal and disk. Carrying a plan out is tested in
// test/daemon/install/recovery.test.ts.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  evolve, fallback, type Found, hookRules, type InstallRecord, type InstallState, isReleaseId, type JournalledOrder, planRecovery, releaseId, type ReleaseId,
} from '../../../../daemon/core/release/activate.ts';

const order: JournalledOrder = {
  app: 'web', environment: 'prod', stage: 'prod', deployment: 'd-1', seq: 7, revision: 'b'.repeat(64), revisionNumber: 42, notAfterMs: 1_000,
};
const old: ReleaseId = '41-aaaaaaaaaaaa';
const next: ReleaseId = '42-bbbbbbbbbbbb';
const begin: InstallRecord = { kind: 'begin', order, to: next, from: old, rollback: false };
const staged: InstallRecord = { kind: 'staged' };
const intent: InstallRecord = { kind: 'activate' };
const back: InstallRecord = { kind: 'roll-back', code: 'HEALTH_FAILED', detail: 'no answer' };
const attempt: InstallRecord = { kind: 'attempt', step: 'activate' };
const attemptBack: InstallRecord = { kind: 'attempt', step: 'roll-back' };

function after(...records: InstallRecord[]): InstallState {
  return records.reduce(evolve, {});
}

function found(change: Partial<Found> = {}): Found {
  return { current: old, complete: new Set([old, next]), damaged: false, now: 500, ...change };
}

describe('releaseId()', () => {
  it('names the directory by number and digest, and recognises its own names only', () => {
    expect(releaseId(42, 'b'.repeat(64))).toBe(next);
    expect([next, '42-bbbbbbbbbbbb.tmp', '42', '0-bbbbbbbbbbbb', '../42-bbbbbbbbbbbb'].map(isReleaseId)).toEqual([true, false, false, false, false]);
  });
});

describe('planRecovery()', () => {
  it.each<[string, InstallState, Found, object]>([
    ['nothing was ever installed', {}, found({ current: 'nothing', complete: new Set() }), { kind: 'idle' }],
    ['nothing was interrupted', after(begin, { kind: 'end', result: 'committed' }), found({ current: next }), { kind: 'run', release: next }],
    ['staging, old current', after(begin), found(), { kind: 'abandon' }],
    ['staged, old current', after(begin, staged), found(), { kind: 'abandon' }],
    ['intent, not switched', after(begin, staged, intent), found(), { kind: 'activate' }],
    ['intent, not switched, the order ran out', after(begin, staged, intent), found({ now: 1_001 }), { kind: 'fail', code: 'ORDER_REFUSED' }],
    ['intent, not switched, the new release is gone', after(begin, intent), found({ complete: new Set([old]) }), { kind: 'fail', code: 'ACTIVATION_FAILED' }],
    ['intent, switched', after(begin, staged, intent), found({ current: next }), { kind: 'check-health' }],
    ['intent, switched, the order ran out meanwhile', after(begin, staged, intent), found({ current: next, now: 1_001 }), { kind: 'check-health' }],
    ['rollback, not switched back', after(begin, intent, back), found({ current: next }), { kind: 'roll-back', code: 'HEALTH_FAILED' }],
    ['rollback, switched back', after(begin, intent, back), found(), { kind: 'roll-back', code: 'HEALTH_FAILED', detail: 'no answer' }],
    ['interrupted a third time, not switched', after(begin, intent, attempt, attempt), found(), { kind: 'fail', code: 'ACTIVATION_FAILED' }],
    ['interrupted a third time, switched', after(begin, intent, attempt, attempt), found({ current: next }), { kind: 'roll-back', code: 'ACTIVATION_FAILED' }],
    ['rollback interrupted a third time', after(begin, intent, back, attemptBack, attemptBack), found(), { kind: 'restore', release: old }],
    ['stopped on purpose twice', after(begin, intent, attempt, attempt, { kind: 'paused' }), found({ current: next }), { kind: 'check-health' }],
    ['current is missing after a commit', after(begin, { kind: 'end', result: 'committed' }), found({ current: 'nothing', stable: old }), { kind: 'restore', release: old }],
    ['current is missing and only the committed release is known', after(begin, { kind: 'end', result: 'committed' }), found({ current: 'nothing' }), { kind: 'restore', release: next }],
    ['current is a directory', after(begin, intent), found({ current: 'foreign', previous: old }), { kind: 'restore', release: old }],
    ['current is half a release', {}, found({ current: next, complete: new Set([old]), previous: old }), { kind: 'restore', release: old }],
    ['current is a third release', after(begin, intent), found({ current: '40-cccccccccccc', complete: new Set([old, next, '40-cccccccccccc']) }), { kind: 'restore', release: old }],
    ['the journal is damaged', {}, found({ damaged: true, current: next, stable: old }), { kind: 'restore', release: old }],
    ['the journal is damaged, the stable release is current', {}, found({ damaged: true, stable: old }), { kind: 'restore', release: old }],
    ['the journal is damaged and nothing else is known', {}, found({ damaged: true, current: next }), { kind: 'restore', release: next }],
    ['a first installation, not switched', after({ kind: 'begin', order, to: next, rollback: false }, intent), found({ current: 'nothing' }), { kind: 'activate' }],
    ['a first installation that failed', after({ kind: 'begin', order, to: next, rollback: false }, { kind: 'end', result: 'failed' }), found({ current: 'nothing' }), { kind: 'idle' }],
  ])('%s', (_name, state, disk, plan) => {
    expect(planRecovery(state, disk)).toMatchObject(plan);
  });

  it('never puts anything in place that is not whole', () => {
    const ids: readonly ReleaseId[] = [old, next, '40-cccccccccccc'];
    const some = fc.option(fc.constantFrom(...ids), { nil: undefined });
    const record = fc.constantFrom<InstallRecord>(begin, staged, intent, back, attempt, attemptBack, { kind: 'paused' }, { kind: 'end', result: 'committed' }, { kind: 'end', result: 'failed' });
    const disk = fc.record({
      current: fc.constantFrom<Found['current']>('nothing', 'foreign', ...ids),
      complete: fc.subarray([...ids]).map((whole) => new Set(whole)),
      stable: some,
      previous: some,
      damaged: fc.boolean(),
      now: fc.nat(2_000),
    });
    fc.assert(
      fc.property(fc.array(record, { maxLength: 8 }), disk, (records, { stable, previous, ...rest }) => {
        const at: Found = { ...rest, ...(stable === undefined ? {} : { stable }), ...(previous === undefined ? {} : { previous }) };
        const plan = planRecovery(records.reduce(evolve, {}), at);
        if (plan.kind === 'run') expect(at.complete.has(plan.release)).toBe(true);
        if (plan.kind === 'restore' && plan.release !== undefined) expect(at.complete.has(plan.release)).toBe(true);
        if (plan.kind === 'activate') expect(at.complete.has(next)).toBe(true);
        if (plan.kind === 'check-health') expect(at.current).toBe(next);
        const back2 = fallback(at);
        if (back2 !== undefined) expect(at.complete.has(back2)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('hookRules', () => {
  it('let no hook of the release that is replaced hold a deployment', () => {
    for (const { release, onFailure, onRetryLater } of Object.values(hookRules)) {
      if (release === 'old') expect([onFailure, onRetryLater]).toEqual(['log', 'log']);
    }
  });
});
