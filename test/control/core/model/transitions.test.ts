// The state machines, exhaustively: from every phase, every fact that could lead to any other phase is folded, and the state
// changes exactly where the table says so (P-2).

import { describe, expect, it, test } from 'vitest';
import { evolve, initialState } from '../../../../control/core/evolve/evolve.ts';
import type { ApprovalRequest, WorkflowRun } from '../../../../control/core/model/approval.ts';
import type { Deployment } from '../../../../control/core/model/deployment.ts';
import type { Promotion, State } from '../../../../control/core/model/model.ts';
import { approvalTransitions, deploymentTransitions, mayBecome, promotionTransitions, runTransitions, stepTransitions } from '../../../../control/core/model/transitions.ts';
import type { Event } from '../../../../proto/events.ts';
import { config } from '../../../support/pipeline-world.ts';

function after(state: State, event: Event): State {
  return evolve(state, { seq: state.head + 1, at: 2, actor: 'system', event });
}

function keys<K extends string>(table: Readonly<Record<K, unknown>>): readonly K[] {
  return Object.keys(table) as K[];
}

function pairs<K extends string>(table: Readonly<Record<K, readonly K[]>>): readonly (readonly [K, K])[] {
  return keys(table).flatMap((from) => keys(table).map((to) => [from, to] as const));
}

const promotion: Promotion = { promotion: 'p', environment: 'prod', app: 'web', revision: 'd', number: 1, trigger: 'manual', phase: 'waiting', by: 'x', createdAt: 1 };

test('P-2 terminal phases are those of control-plane.md 1.2, and nothing follows them', () => {
  const terminal = <Phase extends string>(table: Readonly<Record<Phase, readonly Phase[]>>): readonly Phase[] => keys(table).filter((from) => keys(table).every((to) => !mayBecome(table, from, to)));
  expect(terminal(promotionTransitions)).toEqual(['succeeded', 'failed', 'errored', 'rejected', 'aborted', 'superseded']);
  expect(terminal(deploymentTransitions)).toEqual(['succeeded', 'failed', 'rolled-back', 'rollback-failed', 'aborted']);
  expect(terminal(runTransitions)).toEqual(['failed', 'error', 'timed-out', 'aborted', 'invalidated']);
  expect(terminal(stepTransitions)).toEqual(['succeeded', 'failed', 'errored', 'timed-out', 'skipped', 'aborted']);
  expect(terminal(approvalTransitions)).toEqual(['rejected', 'expired', 'invalidated', 'cancelled', 'revoked']);
});

describe('P-2 phases change only as the tables say', () => {
  test.each(pairs(approvalTransitions).filter(([, to]) => to !== 'open'))('approval: %s to %s', (from, to) => {
    const request: ApprovalRequest = { request: 'r', subject: { purpose: 'promotion', source: 's', members: {}, policy: '' }, rules: [], excluded: [], status: from, votes: [], openedAt: 1, openedBy: 'x' };
    const state = after({ ...initialState(), requests: new Map([['r', request]]) }, { kind: 'approval.settled', request: 'r', status: to as 'approved' });
    expect(state.requests.get('r')?.status).toBe(mayBecome(approvalTransitions, from, to) ? to : from);
  });

  test.each(pairs(runTransitions).filter(([, to]) => to !== 'running'))('workflow run: %s to %s', (from, to) => {
    const run: WorkflowRun = { run: 'r', workflow: 'w', definition: '', environment: 'prod', members: {}, phase: from, steps: [{ step: 's', phase: 'running', attempt: 1, at: 1 }], startedAt: 1, deadline: 9 };
    const state = after({ ...initialState(), runs: new Map([['r', run]]) }, { kind: 'workflow.finished', run: 'r', phase: to as 'failed' });
    expect(state.runs.get('r')?.phase).toBe(mayBecome(runTransitions, from, to) ? to : from);
  });

  test.each(pairs(stepTransitions))('step: %s to %s', (from, to) => {
    const run: WorkflowRun = { run: 'r', workflow: 'w', definition: '', environment: 'prod', members: {}, phase: 'running', steps: [{ step: 's', phase: from, attempt: 1, at: 1 }], startedAt: 1, deadline: 9 };
    const state = after({ ...initialState(), runs: new Map([['r', run]]) }, { kind: 'workflow.step', run: 'r', step: 's', phase: to, attempt: 2 });
    expect(state.runs.get('r')?.steps[0]).toMatchObject(mayBecome(stepTransitions, from, to) ? { phase: to, attempt: 2 } : { phase: from, attempt: 1 });
    const over = after({ ...initialState(), runs: new Map([['r', { ...run, finishedAt: 1 }]]) }, { kind: 'workflow.step', run: 'r', step: 's', phase: to, attempt: 2 });
    expect(over.runs.get('r')?.steps[0]?.attempt).toBe(1);
  });

  test.each(pairs(promotionTransitions).filter(([, to]) => to !== 'waiting' && to !== 'deploying'))('promotion: %s to %s', (from, to) => {
    const fact: Event = to === 'verifying' ? { kind: 'promotion.verifying', promotion: 'p' } : { kind: 'promotion.finished', promotion: 'p', phase: to as 'failed' };
    const state = after({ ...initialState(), promotions: new Map([['p', { ...promotion, phase: from }]]) }, fact);
    expect(state.promotions.get('p')?.phase).toBe(mayBecome(promotionTransitions, from, to) ? to : from);
  });

  test.each(pairs(deploymentTransitions).filter(([, to]) => deploymentTransitions[to].length === 0))('deployment: %s to %s', (from, to) => {
    const deployment: Deployment = { deployment: 'd', promotion: 'p', environment: 'prod', app: 'web', type: 'promote', seq: 1, to: 'x', number: 1, config, batches: [], targets: new Map(), phase: from, startedAt: 1, progressedAt: 1, cancels: [] };
    const environment = { environment: 'prod', apps: ['web'], selector: {}, config, createdAt: 1, seq: 1, orderSeq: 0, slots: {}, waiting: [] };
    const before: State = { ...initialState(), deployments: new Map([['d', deployment]]), environments: new Map([['prod', environment]]) };
    const phase = after(before, { kind: 'deployment.finished', deployment: 'd', phase: to as 'failed' }).deployments.get('d')?.phase;
    // Where a terminal phase is reached from one that is not, the fact is believed: what leads to it is decided, not folded.
    expect(phase).toBe(deploymentTransitions[from].length === 0 ? from : to);
  });

  it('what is terminal has no way out, in any table', () => {
    const tables: readonly Readonly<Record<string, readonly string[]>>[] = [approvalTransitions, runTransitions, stepTransitions, promotionTransitions, deploymentTransitions];
    const terminal = tables.map((table) => keys(table).filter((phase) => table[phase]?.length === 0));
    expect(terminal).toEqual([
      ['rejected', 'expired', 'invalidated', 'cancelled', 'revoked'],
      ['failed', 'error', 'timed-out', 'aborted', 'invalidated'],
      ['succeeded', 'failed', 'errored', 'timed-out', 'skipped', 'aborted'],
      ['succeeded', 'failed', 'errored', 'rejected', 'aborted', 'superseded'],
      ['succeeded', 'failed', 'rolled-back', 'rollback-failed', 'aborted'],
    ]);
  });
});
