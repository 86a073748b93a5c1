// A promotion that is followed: how each end is told, what a time limit says, and that a control plane which restarts is waited for.

import { describe, expect, test } from 'vitest';
import type { Deployment } from '../../../proto/api/deployments.ts';
import { deploymentDefaults } from '../../../proto/api/environments.ts';
import type { Promotion } from '../../../proto/api/promotions.ts';
import type { Api } from '../../../control/cli/api.ts';
import { createBoard } from '../../../control/cli/text/board.ts';
import { exitCodeOf } from '../../../control/cli/exit.ts';
import { follow, requireSuccess, type Seen } from '../../../control/cli/follow.ts';
import { createTerminal } from '../../../control/cli/text/terminal.ts';
import { ControlError } from '../../../control/errors.ts';
import { testWorld } from './world.ts';

function seen(phase: Promotion['phase'], deployment?: Deployment['phase'], target = 'committed'): Seen {
  const promotion: Promotion = { promotion: 'pr-1', environment: 'prod', app: 'web', revision: 'a'.repeat(64), number: 3, trigger: 'manual', phase, by: 'token:t', createdAt: 0 };
  if (deployment === undefined) return { promotion, deployment };
  const transfer = { originBytes: 0, peerBytes: 0, reusedBytes: 0, wastedBytes: 0 };
  const progress = { total: 1, done: 0, failed: 0, inFlight: 1, byPhase: {}, batch: 0, batches: 2, transfer };
  const rollback = deployment === 'rolled-back' ? { rollback: { to: 'b'.repeat(64), number: 2, targets: 1 } } : {};
  return {
    promotion: { ...promotion, deployment: 'd-1' },
    deployment: {
      deployment: 'd-1', promotion: 'pr-1', environment: 'prod', app: 'web', type: 'promote', seq: 1, to: 'a'.repeat(64), number: 3, phase: deployment, startedAt: 0, progressedAt: 0, progress, ...rollback,
      config: { ...deploymentDefaults, batches: [...deploymentDefaults.batches] }, batches: [],
      targets: [{ member: 'm', name: 'agent-1\u001b[2J', batch: 0, phase: target, settled: true, ...(target === 'rolled-back' ? { code: 'HEALTH_FAILED', detail: 'status 500' } : {}) }],
    },
  };
}

/** Answers what is next in `steps`; an error is thrown instead. */
function apiOf(steps: readonly (Seen | ControlError)[]): Api {
  let at = -1;
  const now = (): Seen => {
    const step = steps[Math.min(at, steps.length - 1)];
    if (step === undefined || step instanceof ControlError) throw step ?? new Error('no step');
    return step;
  };
  const call = async (id: string): Promise<unknown> => {
    if (id === 'getPromotion') at += 1;
    if (id === 'explainPromotion') return await Promise.resolve({ blockers: [{ type: 'window', reason: "window 'office' is not open now", since: 0 }] });
    return await Promise.resolve(id === 'getPromotion' ? now().promotion : now().deployment);
  };
  return { url: '', call: call as Api['call'], callWithTag: () => Promise.reject(new Error('not used')), open: () => Promise.reject(new Error('not used')) };
}

function timed() {
  let now = 0;
  const { signal } = new AbortController();
  const wait = async (ms: number): Promise<void> => {
    now += ms;
    await Promise.resolve();
  };
  return { clock: { now: () => now, monotonic: () => now, wait }, signal };
}
const away = new ControlError('UNREACHABLE', 'nobody there');

describe('follow()', () => {
  test('ends when the deployment is over, not when the promotion is while it still goes back', async () => {
    const looks: string[] = [];
    const end = await follow(apiOf([seen('waiting'), seen('deploying', 'running'), seen('failed', 'rolling-back'), seen('failed', 'rolled-back')]), 'pr-1', { onSeen: ({ deployment }) => looks.push(deployment?.phase ?? '-') }, timed());
    expect(looks).toEqual(['-', 'running', 'rolling-back', 'rolled-back']);
    expect(end.deployment?.phase).toBe('rolled-back');
  });

  test('says what it still waits for when the time is over', async () => {
    const following = follow(apiOf([seen('deploying', 'running')]), 'pr-1', { onSeen: () => undefined, timeoutMs: 5_000 }, timed());
    await expect(following).rejects.toMatchObject({ code: 'TIMED_OUT', message: expect.stringContaining("web@3 in 'prod' is still running (0 of 1 targets done)") });
  });

  test('says what holds a promotion that waits, at once and when the time is over', async () => {
    const looks: string[] = [];
    const following = follow(apiOf([seen('waiting')]), 'pr-1', { onSeen: ({ blockers = [] }) => looks.push(...blockers.map(({ type }) => type)), timeoutMs: 5_000 }, timed());
    await expect(following).rejects.toMatchObject({ code: 'TIMED_OUT', message: expect.stringContaining("\n  window: window 'office' is not open now") });
    expect(looks.at(0)).toBe('window');
  });

  test('waits for the verdict about a promotion, and with one deployment only for that', async () => {
    const steps = [seen('deploying', 'running'), seen('verifying', 'succeeded'), seen('failed', 'succeeded')];
    const whole = await follow(apiOf(steps), 'pr-1', { onSeen: () => undefined }, timed());
    expect(() => requireSuccess(whole)).toThrow("web@3 in 'prod' failed");
    const one = await follow(apiOf(steps), 'pr-1', { onSeen: () => undefined, deployment: 'd-1' }, timed());
    expect(one.promotion.phase).toBe('verifying');
    requireSuccess(one);
    const late = follow(apiOf(steps.slice(1, 2)), 'pr-1', { onSeen: () => undefined, timeoutMs: 5_000 }, timed());
    await expect(late).rejects.toMatchObject({ code: 'TIMED_OUT', message: expect.stringContaining("web@3 in 'prod' runs everywhere and is still being verified") });
  });

  test('bears a control plane that restarts, and gives up on one that stays away', async () => {
    const end = await follow(apiOf([seen('deploying', 'running'), away, away, seen('succeeded', 'succeeded')]), 'pr-1', { onSeen: () => undefined }, timed());
    expect(end.promotion.phase).toBe('succeeded');
    await expect(follow(apiOf([away]), 'pr-1', { onSeen: () => undefined }, timed())).rejects.toBe(away);
  });
});

describe('requireSuccess()', () => {
  test.each<[Seen, number]>([
    [seen('succeeded', 'succeeded'), 0],
    [seen('failed', 'rolled-back', 'rolled-back'), 8],
    [seen('failed', 'failed'), 1],
    [seen('failed', 'rollback-failed'), 1],
    [seen('aborted', 'aborted'), 1],
    [seen('superseded'), 5],
    [seen('rejected'), 1],
    [seen('errored', 'failed'), 1],
  ])('%#', (end, expected) => {
    const attempt = (): number => {
      try {
        requireSuccess(end);
        return 0;
      } catch (error) {
        return exitCodeOf(error);
      }
    };
    expect(attempt()).toBe(expected);
  });

  test('names the revision that came back and why', () => {
    expect(() => requireSuccess(seen('failed', 'rolled-back', 'rolled-back'))).toThrow(/web@3 in 'prod' was rolled back to revision 2\n {2}agent-1.* rolled-back HEALTH_FAILED: status 500/);
  });
});

describe('the board', () => {
  test('says each change once, in plain lines, where nobody looks', () => {
    const world = testWorld();
    const board = createBoard(createTerminal(world, { format: 'table', quiet: false, colour: false }), { monotonic: () => 0 });
    for (const one of [seen('deploying', 'running', 'downloading'), seen('deploying', 'running', 'downloading'), seen('succeeded', 'succeeded')]) board.show(one);
    board.close();
    expect(world.written.err).toBe('prod: web@3 running\nagent-1\\x1b[2J: downloading\nprod: web@3 succeeded\nagent-1\\x1b[2J: committed\n');
  });

  test('redraws rows on a terminal, and what a target is called moves nothing', () => {
    const world = testWorld({ tty: true });
    let now = 0;
    const board = createBoard(createTerminal(world, { format: 'table', quiet: false, colour: false }), { monotonic: () => (now += 1_000) });
    board.show(seen('deploying', 'running', 'downloading'));
    board.show(seen('succeeded', 'succeeded'));
    board.close();
    expect(world.written.err).toContain('\u001b[2A\u001b[J');
    expect(world.written.err).not.toContain('\u001b[2J');
    expect(world.written.err).toContain('agent-1\\x1b[2J  committed');
  });
});
