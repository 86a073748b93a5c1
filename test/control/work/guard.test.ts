// The loop that watches deployments, with time that passes when it waits; and what it asks a server that lists alerts.

import { createServer } from 'node:http';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import type { Clock } from '../../../control/clock.ts';
import { createLog } from '../../../control/control.ts';
import { ControlError } from '../../../control/errors.ts';
import { askAlerts } from '../../../control/work/alerts.ts';
import { guard } from '../../../control/work/guard.ts';
import { hourMs, minuteMs, type PipelineWorld } from '../../support/pipeline-world.ts';
import { watchedWorld } from '../../support/watched-world.ts';

const alarm = { alarm: 'errors', prometheus: 'http://prom:9090', query: 'errors', condition: 'result > 0' } as const;

/** Watches until the newest deployment has ended or is paused, at most for a day of the world's time; says how often it asked. */
async function watched(made: PipelineWorld, answers: (nth: number) => number | undefined): Promise<number> {
  const over = new AbortController();
  let asked = 0;
  const answer = async (): Promise<number> => {
    asked += 1;
    const result = answers(asked);
    if (result === undefined) throw new ControlError('UNREACHABLE', 'nobody is there');
    return result;
  };
  const until = made.now + 24 * hourMs;
  const clock: Clock = {
    now: () => made.now,
    monotonic: () => made.now,
    wait: async (ms) => {
      // What was asked is answered before time goes on.
      await new Promise(setImmediate);
      made.now += Math.max(1, ms);
      made.settle();
      const newest = [...made.state.deployments.values()].at(-1);
      if (newest?.finishedAt !== undefined || newest?.paused !== undefined || made.now > until) over.abort();
    },
  };
  const submit = async (_actor: string, command: Parameters<PipelineWorld['try']>[0]) => {
    const said = made.try(command);
    made.settle();
    return said.kind === 'accepted' ? { kind: 'accepted' as const, events: said.events } : { kind: 'refused' as const, message: said.message };
  };
  await guard({ state: () => made.state, onChange: () => () => undefined, submit, ask: answer, alerts: answer, clock, log: createLog('error', () => undefined), signal: over.signal });
  return asked;
}

describe('the watch over a deployment', () => {
  test('asks each minute until it has ended, and writes down what is new', async () => {
    const made = watchedWorld({ alarms: [alarm] });
    expect(await watched(made, () => 0)).toBe(10);
    expect([made.runs('prod'), made.facts('deployment.measured').length]).toEqual([2, 1]);
  });

  test('takes it back when the alarm fires', async () => {
    const made = watchedWorld({ alarms: [alarm] });
    await watched(made, (nth) => (nth < 5 ? 0 : 3));
    expect([made.runs('prod'), [...made.state.deployments.values()].at(-1)?.reason]).toEqual([1, "alarm 'errors' fires: errors is 3"]);
  });

  test('a few questions without an answer are nothing; four, one after another, are told', async () => {
    const patient = watchedWorld({ alarms: [alarm] });
    await watched(patient, (nth) => (nth % 4 === 0 ? 0 : undefined));
    expect(patient.runs('prod')).toBe(2);
    const cut = watchedWorld({ alarms: [alarm] });
    await watched(cut, (nth) => (nth === 1 ? 0 : undefined));
    expect([cut.now - Date.parse('2026-06-01T12:00Z') < 6 * minuteMs, [...cut.state.deployments.values()].at(-1)?.paused?.reason]).toEqual([true, "alarm 'errors' cannot be asked: nobody is there"]);
  });

  test('counts samples from the end of the bake on, until there are enough', async () => {
    const made = watchedWorld({ batches: [{ size: 1, minSamples: { prometheus: 'http://prom:9090', metric: 'requests', count: 300 } }, '100%'] });
    expect(await watched(made, (nth) => nth * 100)).toBe(3);
    expect(made.facts('deployment.measured').map(({ verdict, value }) => [verdict, value])).toEqual([['inconclusive', '100'], ['inconclusive', '200'], ['success', '300']]);
    expect(made.runs('prod')).toBe(2);
  });
});

test('active alerts are counted, silenced ones are not, and what is no list of them is refused', async () => {
  const bodies: Readonly<Record<string, string>> = {
    '/api/v2/alerts': JSON.stringify([{ labels: { alertname: 'p99' }, status: { state: 'active' } }, { status: { state: 'suppressed' } }]),
    '/none': '[]',
    '/page': '<html>',
  };
  await using server = createServer((request, response) => {
    const body = bodies[request.url ?? ''];
    response.statusCode = body === undefined ? 404 : 200;
    response.end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  const { signal } = new AbortController();
  expect([await askAlerts(`${url}/api/v2/alerts`, { signal }), await askAlerts(`${url}/none`, { signal })]).toEqual([1, 0]);
  await expect(askAlerts(`${url}/page`, { signal })).rejects.toThrow(/does not answer with a list of alerts/);
  await expect(askAlerts(`${url}/missing`, { signal })).rejects.toThrow(/answers 404; expected 200/);
});
