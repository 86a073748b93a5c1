// Steps of workflow runs as core decides them: what begins when, what is tried again, what ends a run and how, and who is fenced.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Command } from '../../../../control/core/commands/command.ts';
import type { StepRun, WorkflowRun } from '../../../../control/core/model/approval.ts';
import { stepOffers, stepsOfRuns } from '../../../../control/core/automation/runs.ts';
import { readCondition, meets } from '../../../../control/core/work/condition.ts';
import { readStep } from '../../../../control/core/work/settings.ts';
import { verdictOf } from '../../../../control/core/work/verdict.ts';
import type { Verdict } from '../../../../proto/events-pipeline.ts';
import type { StepKind, StepSpec, WorkflowSpec } from '../../../../proto/pipeline.ts';
import { hourMs, minuteMs, pipeline, PipelineWorld, place } from '../../../support/pipeline-world.ts';

function step(name: string, kind: StepKind, more: Partial<StepSpec> = {}): StepSpec {
  return { step: name, kind, needs: [], timeoutMs: hourMs, retries: 0, allowFailure: false, ...more };
}

const test1 = step('unit', 'test', { with: { run: 'true' } });
const prometheus = { prometheus: 'http://prom:9090', query: 'errors' };

/** web@1 has arrived in alpha, whose workflow has these steps. */
class Runs extends PipelineWorld {
  constructor(steps: readonly StepSpec[], more: Partial<WorkflowSpec> = {}) {
    super(['alpha', 'prod']);
    this.apply(this.spec(steps, more));
    this.push(1);
    this.settle();
  }

  spec(steps: readonly StepSpec[], more: Partial<WorkflowSpec> = {}) {
    return pipeline({
      stages: [{ stage: 'alpha', environments: [place('alpha', { workflow: 'full' })] }, { stage: 'prod', environments: [place('prod')] }],
      workflows: [{ workflow: 'full', lock: 'stage', timeoutMs: 24 * hourMs, steps, ...more }],
    });
  }

  get run(): WorkflowRun {
    const run = [...this.state.runs.values()].at(-1);
    if (run === undefined) throw new Error('nothing runs');
    return run;
  }

  at(name: string): StepRun {
    const found = this.run.steps.find((one) => one.step === name);
    if (found === undefined) throw new Error(`no step ${name}`);
    return found;
  }

  /** Gives every command that follows, until none is left; measurements are answered by `result`. */
  go(result?: number | 'no answer'): void {
    for (let round = 0; round < 100; round += 1) {
      this.settle();
      const { commands, measures } = stepsOfRuns(this.state, this.observed);
      const taken = measures.map(({ run, step: name, attempt, settings }): Command => {
        const verdict: Verdict = typeof result === 'number' ? verdictOf(settings, result) : 'error';
        return { kind: 'measure-step', run, step: name, attempt, verdict, value: String(result) };
      });
      const all = result === undefined ? commands : [...commands, ...taken];
      if (all.length === 0) return;
      for (const command of all) this.try(command);
    }
    throw new Error('it never comes to rest');
  }

  /** A worker takes the first offer. */
  take(lease: string): ReturnType<PipelineWorld['try']> {
    const [offer] = stepOffers(this.state);
    return this.try({ kind: 'begin-step', run: this.run.run, step: offer?.step ?? 'none', lease, worker: 'w' });
  }

  end(name: string, lease: string, attempt: number, end: 'succeeded' | 'failed' | 'errored' | 'timed-out') {
    return this.try({ kind: 'end-step', run: this.run.run, step: name, attempt, lease, end });
  }
}

describe('CDS-8 steps follow one another', () => {
  test('a step is offered when all that it needs is over, and the run is successful with the last', () => {
    const world = new Runs([test1, step('load', 'test', { needs: ['unit'], with: { run: 'load' } })]);
    world.go();
    expect(stepOffers(world.state).map((offer) => offer.step)).toEqual(['unit']);
    world.take('a');
    expect(stepOffers(world.state)).toEqual([]);
    world.end('unit', 'a', 1, 'succeeded');
    expect(stepOffers(world.state)).toMatchObject([{ step: 'load', command: 'load', role: 'tester', environment: 'alpha' }]);
    world.take('b');
    world.end('load', 'b', 1, 'succeeded');
    world.go();
    expect(world.run.phase).toBe('successful');
    expect(world.state.locks.size).toBe(0);
  });

  test('a step without a command waits for something outside', () => {
    const world = new Runs([step('outside', 'test')]);
    world.go();
    expect(stepOffers(world.state)).toEqual([]);
    expect(world.at('outside').phase).toBe('pending');
  });

  test.each([
    ['failed', 'failed'],
    ['timed-out', 'timed-out'],
  ] as const)('a step that %s is tried again as often as it says; then the run ends %s', (end, phase) => {
    const world = new Runs([{ ...test1, retries: 1 }]);
    world.go();
    world.take('a');
    world.end('unit', 'a', 1, end);
    expect(world.at('unit')).toMatchObject({ phase: 'pending', tries: [{ attempt: 1, end }] });
    world.take('b');
    world.end('unit', 'b', 2, end);
    expect(world.at('unit').phase).toBe(end);
    world.go();
    expect(world.run.phase).toBe(phase);
  });

  test('a failure that is allowed ends nothing', () => {
    const world = new Runs([{ ...test1, allowFailure: true }, step('more', 'test', { needs: ['unit'], with: { run: 'x' } })]);
    world.go();
    world.take('a');
    world.end('unit', 'a', 1, 'failed');
    world.go();
    expect(world.run.phase).toBe('running');
    expect(stepOffers(world.state).map((offer) => offer.step)).toEqual(['more']);
  });
});

describe('B-1 B-2 L-4 one worker at a time', () => {
  test('L-4 a worker that was lost is fenced: its late word changes nothing', () => {
    const world = new Runs([test1]);
    world.go();
    world.take('a');
    expect(world.take('x').kind).toBe('refused');
    world.end('unit', 'a', 1, 'errored');
    world.take('b');
    expect(world.end('unit', 'a', 1, 'succeeded').kind).toBe('refused');
    expect(world.end('unit', 'a', 2, 'succeeded').kind).toBe('refused');
    expect(world.at('unit')).toMatchObject({ phase: 'running', attempt: 2, lease: 'b' });
    world.end('unit', 'b', 2, 'succeeded');
    expect(world.at('unit').phase).toBe('succeeded');
  });

  test('B-1 a step that another has, or that waits for others, is not to be had, whoever asks for it by name', () => {
    const world = new Runs([test1, step('load', 'test', { needs: ['unit'], with: { run: 'load' } })]);
    world.go();
    const begin = (name: string, lease: string) => world.try({ kind: 'begin-step', run: world.run.run, step: name, lease, worker: 'w' });
    expect(begin('load', 'a')).toMatchObject({ kind: 'refused', code: 'blocked' });
    expect(begin('unit', 'a').kind).toBe('accepted');
    expect(begin('unit', 'b')).toMatchObject({ kind: 'refused', code: 'conflict' });
    expect(world.at('unit')).toMatchObject({ lease: 'a', attempt: 1 });
  });

  test('B-2 the same word twice is one fact', () => {
    const world = new Runs([test1, step('hold', 'test')]);
    world.go();
    world.take('a');
    world.end('unit', 'a', 1, 'succeeded');
    const head = world.state.head;
    expect(world.end('unit', 'a', 1, 'succeeded').kind).toBe('accepted');
    expect(world.state.head).toBe(head);
  });

  test('the machinery may fail four times whatever the retries are; then the run has errored, not failed', () => {
    const world = new Runs([test1]);
    world.go();
    for (let attempt = 1; attempt <= 4; attempt += 1) {
      world.take(`lease-${attempt}`);
      world.end('unit', `lease-${attempt}`, attempt, 'errored');
    }
    world.go();
    expect(world.at('unit').phase).toBe('errored');
    expect(world.run.phase).toBe('error');
  });

  test('B-1 however words are ordered and repeated, a step succeeds at most once and by the worker that had it', () => {
    const words = fc.array(fc.record({ lease: fc.constantFrom('a', 'b', 'c'), attempt: fc.integer({ min: 1, max: 3 }), end: fc.constantFrom('succeeded', 'failed', 'errored', 'take') }), { maxLength: 20 });
    fc.assert(
      fc.property(words, (said) => {
        const world = new Runs([{ ...test1, retries: 2 }, step('hold', 'test')]);
        world.go();
        for (const { lease, attempt, end } of said) {
          if (end === 'take') world.take(`${lease}${world.at('unit').attempt + 1}`);
          else world.end('unit', `${lease}${attempt}`, attempt, end as 'failed');
        }
        const successes = world.journal.filter(({ event }) => event.kind === 'workflow.step' && event.phase === 'succeeded');
        expect(successes.length).toBeLessThanOrEqual(1);
        const leases = world.journal.flatMap(({ event }) => (event.kind === 'workflow.step' && event.phase === 'running' ? [event.attempt] : []));
        expect(leases).toEqual(leases.map((_, index) => index + 1));
      }),
      { numRuns: 60 },
    );
  });
});

describe('CDS-8 what people and time decide', () => {
  test('an approval step asks, waits, and goes on with what was said', () => {
    const approval = { rules: [{ group: 'qa', count: 1 }], preventSelfApproval: true, expiresAfterMs: hourMs };
    const world = new Runs([step('sign-off', 'approval', { approval })]);
    world.go();
    expect(world.at('sign-off').phase).toBe('waiting-for-approval');
    const [request] = world.state.requests.values();
    expect(request).toMatchObject({ subject: { purpose: 'step', source: 'alpha' }, run: world.run.run, step: 'sign-off' });
    world.vote(request?.request ?? '', 'ann', ['qa']);
    world.go();
    expect(world.run.phase).toBe('successful');
    // taken back, it counts no longer.
    world.ask({ kind: 'revoke-vote', request: request?.request ?? '', by: 'ann', reason: 'wrong one' });
    world.go();
    expect([...world.state.runs.values()][0]?.phase).toBe('invalidated');
  });

  test('an approval that nobody gives in time fails the run, and its request is over with it', () => {
    const world = new Runs([step('sign-off', 'approval', { approval: { rules: [{ group: 'qa', count: 1 }], preventSelfApproval: false, expiresAfterMs: minuteMs } })]);
    world.go();
    world.now += 2 * minuteMs;
    world.go();
    expect(world.run).toMatchObject({ phase: 'failed', outcome: expect.stringContaining('expired') });
  });

  test('a bake takes its time and its samples', () => {
    const world = new Runs([step('bake', 'bake', { with: { duration: '2h', prometheus: 'http://prom:9090', minSamplesMetric: 'requests', minSamplesCount: '1000', interval: '1m' } })]);
    world.go(5000);
    expect(world.at('bake').phase).toBe('running');
    world.now += 2 * hourMs;
    expect(stepsOfRuns(world.state, world.observed).measures).toMatchObject([{ query: 'sum(increase(requests[7200s]))' }]);
    world.go(999);
    expect(world.at('bake').phase).toBe('running');
    world.now += minuteMs;
    world.go(1000);
    expect(world.run.phase).toBe('successful');
  });

  test('an analysis is measured as often as it says; between success and failure a person decides, and the run goes on', () => {
    const analysis = step('errors', 'analysis', { with: { ...prometheus, interval: '1m', count: '2', success: 'result < 0.01', failure: 'result >= 0.05' } });
    const world = new Runs([analysis, step('later', 'test', { needs: ['errors'], with: { run: 'x' } })]);
    world.go(0.001);
    expect(world.at('errors')).toMatchObject({ phase: 'running', measurements: [{ verdict: 'success' }] });
    world.now += minuteMs;
    world.go(0.02);
    expect(world.run.phase).toBe('inconclusive');
    expect(world.try({ kind: 'decide-step', run: world.run.run, step: 'errors', verdict: 'succeeded', reason: '' }).kind).toBe('refused');
    world.ask({ kind: 'decide-step', run: world.run.run, step: 'errors', verdict: 'succeeded', reason: 'a known blip' });
    expect(world.run.phase).toBe('running');
    expect(world.state.locks.size).toBe(1);
    expect(stepOffers(world.state).map((offer) => offer.step)).toEqual(['later']);
  });

  test('an analysis fails above its limit, and errors after four questions without an answer', () => {
    const analysis = step('errors', 'analysis', { with: { ...prometheus, interval: '1m', count: '10', success: 'result < 1', failureLimit: '1' } });
    const world = new Runs([analysis]);
    world.go(2);
    world.now += minuteMs;
    world.go(2);
    expect(world.run.phase).toBe('failed');
    const deaf = new Runs([analysis]);
    for (let looks = 0; looks < 4; looks += 1) {
      deaf.go('no answer');
      deaf.now += minuteMs;
    }
    expect(deaf.run.phase).toBe('error');
  });

  test('a notify step says its message and is over', () => {
    const world = new Runs([step('tell', 'notify', { with: { to: 'release', message: 'alpha is good' } })]);
    world.go();
    expect(world.run.phase).toBe('successful');
    expect(world.journal.find(({ event }) => event.kind === 'workflow.notified')?.event).toMatchObject({ to: 'release', message: 'alpha is good' });
  });

  test('L-6 what takes too long ends: the step by its timeout, the run by its own', () => {
    const world = new Runs([step('bake', 'bake', { timeoutMs: minuteMs, with: { duration: '1h', prometheus: 'http://prom:9090', minSamplesMetric: 'requests', minSamplesCount: '1' } })]);
    world.go(0);
    world.now += hourMs + 2 * minuteMs;
    world.go(0);
    expect(world.run.phase).toBe('timed-out');
    expect(world.state.locks.size).toBe(0);
  });

  test('A-6 a re-run that fails revokes; a schedule runs the set again by itself', () => {
    const world = new Runs([test1], { schedule: { cron: '0 3 * * *', timeZone: 'Europe/Berlin' } });
    world.go();
    world.take('a');
    world.end('unit', 'a', 1, 'succeeded');
    world.go();
    expect(world.state.runs.size).toBe(1);
    world.now += 24 * hourMs;
    world.go();
    expect(world.state.runs.size).toBe(2);
    world.take('b');
    world.end('unit', 'b', 1, 'failed');
    world.go();
    expect(world.run.phase).toBe('failed');
    expect(world.state.runs.size).toBe(2);
  });
});

describe('what is saved can be carried out', () => {
  test.each([
    [{ kind: 'analysis', with: { ...prometheus, success: 'result is small' } }, 'not a condition'],
    [{ kind: 'analysis', with: prometheus }, 'needs a condition'],
    [{ kind: 'analysis', with: { query: 'x', success: 'result < 1' } }, 'prometheus is missing'],
    [{ kind: 'bake', with: { duration: 'two hours' } }, 'not a duration'],
    [{ kind: 'bake' }, 'needs a duration'],
    [{ kind: 'approval' }, 'who must approve'],
    [{ kind: 'notify' }, 'to is missing'],
    [{ kind: 'test', retries: 11 }, 'from 0 to 10'],
  ] as const)('%j: %s', (more, problem) => {
    const { kind, ...rest } = more;
    expect(readStep(step('s', kind, rest)).problems.join('; ')).toContain(problem);
  });

  test.each([
    ['result < 0.01', 0.001, true],
    ['result >= 0.05 && result < 1', 0.5, true],
    ['result >= 0.05 && result < 1', 2, false],
    ['result == 0 || result > 10', 11, true],
    ['result != 3', 3, false],
    ['result <= -1e3', -2000, true],
  ] as const)('%s of %d is %s', (text, result, expected) => {
    expect(meets(readCondition(text) ?? [], result)).toBe(expected);
  });
});
