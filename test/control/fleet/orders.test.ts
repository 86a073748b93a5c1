// Which orders a member is sent: those that name it, above what it has seen, whatever came and went since it last asked.

import { expect, test } from 'vitest';
import { initialState } from '../../../control/core/evolve/evolve.ts';
import type { IssuedOrder } from '../../../control/core/model/deployment.ts';
import { OrdersByMember } from '../../../control/fleet/orders.ts';
import { seeded } from '../../support/random.ts';

function order(seq: number, targets: readonly string[]): IssuedOrder {
  return { environment: 'prod', app: 'web', seq, deployment: 'prod-1', action: 'prefetch', batch: 0, targets, compact: `order ${seq}` };
}

test('a member is sent the orders that name it and that it has not seen, while orders come and those that are over go', () => {
  const random = seeded(7);
  const members = Array.from({ length: 12 }, (_, index) => `m${index}`);
  const known = new OrdersByMember();
  let orders: readonly IssuedOrder[] = [];
  for (let seq = 1; seq <= 60; seq += 1) {
    if (random.chance(0.2)) orders = orders.filter(() => random.chance(0.5));
    orders = [...orders, order(seq, members.filter(() => random.chance(0.3)))];
    const state = { ...initialState(), orders: new Map([['prod', orders]]) };
    for (const member of members.filter(() => random.chance(0.5))) {
      const seen = random.below(seq);
      const expected = orders.filter((one) => one.seq > seen && one.targets.includes(member)).map((one) => one.seq);
      expect(known.for(state, { member, environments: ['elsewhere', 'prod'] }, { seqSeen: { prod: seen } }).map((one) => one.seq)).toEqual(expected);
    }
  }
});

test('of more than one answer carries, the oldest are sent', () => {
  const orders = Array.from({ length: 70 }, (_, index) => order(index + 1, ['m']));
  const state = { ...initialState(), orders: new Map([['prod', orders]]) };
  const sent = new OrdersByMember().for(state, { member: 'm', environments: ['prod'] }, { seqSeen: {} });
  expect([sent.length, sent[0]?.seq]).toEqual([64, 1]);
});
