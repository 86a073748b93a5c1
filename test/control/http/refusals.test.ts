// Orders that a target does not take: what it says of them is kept, and shown wherever somebody asks why nothing moves.

import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { DeploymentConfigInput } from '../../../proto/api/environments.ts';
import { healthy, until, type TestMember } from './harness.ts';
import { workingFleet } from './working-fleet.ts';

const config = { batches: ['100%'], maxParallel: 2, minHealthy: 0 } satisfies DeploymentConfigInput;
const digestOf = (compact: string): string => createHash('sha256').update(compact).digest('hex');

/** The first answer with an order. */
async function ordered(agent: TestMember) {
  return await until(async () => {
    const answer = await agent.sync({ seqSeen: {} });
    return answer.orders.length > 0 ? answer : undefined;
  });
}

test('an order that a target refuses is told with what to do about it, until the target takes it', async () => {
  await using fleet = await workingFleet(['web-3'], config);
  const { control, agents: [agent] } = fleet;
  if (agent === undefined) throw new Error('there is one');
  await fleet.push('one');
  await control.post('/v1/promotions', { environment: 'prod', revision: 'latest' });
  const { orders, read: [order] } = await ordered(agent);
  if (order === undefined) throw new Error('it was sent one');
  const detail = `order ${order.seq} is not carried out: this machine's clock is behind a time that has certainly been`;
  const refused = [{ order: digestOf(orders[0] ?? ''), code: 'CLOCK_SUSPECT', detail }];
  // The same words again and again, and words about an order that nobody sent, are no news.
  for (let times = 0; times < 3; times += 1) await agent.sync({ seqSeen: {}, refused: [...refused, { order: digestOf('no order'), code: 'ORDER_REFUSED', detail: 'made up' }] });

  const { body: target } = await control.get('/v1/targets/web-3');
  expect(target.refused).toEqual([{ app: 'web', environment: 'prod', deployment: order.deployment, order: order.seq, code: 'CLOCK_SUSPECT', detail, advice: expect.stringContaining('set the clock of web-3'), since: expect.any(Number) }]);
  expect((await fleet.starling('explain', 'prod')).out).toMatch(new RegExp(`waiting: web-3 refuses order ${order.seq} \\(CLOCK_SUSPECT\\): ${detail}; set the clock of web-3`));
  expect((await fleet.starling('deployment', 'get', order.deployment)).out).toMatch(new RegExp(`web-3 refuses order ${order.seq} \\(CLOCK_SUSPECT\\): .*\n +do: set the clock of web-3`));
  expect((await fleet.starling('target', 'get', 'web-3')).out).toMatch(new RegExp(`REFUSES order ${order.seq} \\(web, ${order.deployment}\\).*\n +do: set the clock of web-3`));
  const kept = (await control.events()).filter(({ data }) => data.includes('dev.starling.order.refused.v1'));
  expect(kept).toHaveLength(1);

  await control.restart();
  expect((await control.get('/v1/targets/web-3')).body.refused).toHaveLength(1);
  for (const one of (await agent.sync({ seqSeen: {} })).read) await agent.report(one, healthy(one));
  expect((await control.get('/v1/targets/web-3')).body).not.toHaveProperty('refused');
  await fleet.deployed(order.deployment);
});

test('another reason for the same order is written down when some time has passed', async () => {
  await using fleet = await workingFleet(['web-3'], config);
  const { control, agents: [agent] } = fleet;
  if (agent === undefined) throw new Error('there is one');
  await fleet.push('one');
  await control.post('/v1/promotions', { environment: 'prod', revision: 'latest' });
  const { orders: [first = ''] } = await ordered(agent);
  const say = async (code: string): Promise<string> => {
    await agent.sync({ seqSeen: {}, refused: [{ order: digestOf(first), code, detail: 'so it is' }] });
    return (await control.get('/v1/targets/web-3')).body.refused[0].code;
  };
  expect([await say('ORDER_REFUSED'), await say('STATEMENT_REFUSED')]).toEqual(['ORDER_REFUSED', 'ORDER_REFUSED']);
});
