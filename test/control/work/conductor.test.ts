// A measurement that the journal refuses ends neither the loop nor the process, and is taken again.

import { expect, test } from 'vitest';
import { systemClock } from '../../../control/clock.ts';
import { ControlError } from '../../../control/errors.ts';
import { createLog } from '../../../control/control.ts';
import { createConductor } from '../../../control/work/conductor.ts';
import { Leases } from '../../../control/work/leases.ts';
import { hourMs, pipeline, PipelineWorld, place } from '../../support/pipeline-world.ts';

test('CDS-8 a measurement that could not be recorded is taken again', async () => {
  const world = new PipelineWorld(['alpha', 'prod']);
  const errors = { step: 'errors', kind: 'analysis' as const, needs: [], timeoutMs: hourMs, retries: 0, allowFailure: false, with: { prometheus: 'http://prom:9090', query: 'errors', count: '1', success: 'result < 1' } };
  world.apply(pipeline({
    stages: [{ stage: 'alpha', environments: [place('alpha', { workflow: 'full' })] }, { stage: 'prod', environments: [place('prod')] }],
    workflows: [{ workflow: 'full', lock: 'stage', timeoutMs: 24 * hourMs, steps: [errors] }],
  }));
  world.push(1);
  world.settle();
  let refusals = 1;
  let asked = 0;
  const conductor = createConductor({
    state: () => world.state, onChange: () => () => undefined, observed: () => world.observed,
    submit: async (_actor, command) => {
      if (command.kind === 'measure-step' && refusals-- > 0) throw new ControlError('STORAGE_FAILED', 'the disk is full');
      const answer = world.try(command);
      return answer.kind === 'accepted' ? { kind: 'accepted', events: answer.events } : { kind: 'refused', message: answer.message };
    },
    ask: async () => {
      asked += 1;
      return 0;
    },
    leases: new Leases(() => 0), more: () => [], clock: { ...systemClock, now: () => world.now }, log: createLog('error', () => undefined), signal: new AbortController().signal,
  });
  // Measurements are not waited for: a turn of the event loop lets them end.
  for (let round = 0; round < 5 && [...world.state.runs.values()][0]?.phase !== 'successful'; round += 1) {
    await conductor.settle();
    await new Promise(setImmediate);
  }
  expect(asked).toBe(2);
  expect([...world.state.runs.values()][0]?.phase).toBe('successful');
});
