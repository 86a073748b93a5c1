// What a cap on receiving does to the asking: no more than it allows, the urgent first, and no cry for the origin meanwhile.

import { describe, expect, test } from 'vitest';
import { createRateGate, rateBounds } from '../../../../daemon/core/rate.ts';
import type { Effect, TopicInfo } from '../../../../daemon/core/schedule/state/swarm-events.ts';
import { agent, alone, origin, sent } from './alone.ts';
import { topicOne } from './driver.ts';

const chunkBytes = 64 * 1024;
const info: TopicInfo = { revision: 'aa'.repeat(32), blob: 'tree', chunkCount: 400, lengthOf: () => chunkBytes, environments: ['prod'] };

/** A member with a cap, a neighbour and a seed that have everything and answer at once. */
function capped(limits: { readonly limit?: number; readonly background?: number }) {
  const node = alone(agent('self'), info, [], createRateGate({ ...limits, hours: [] }, () => 0));
  node.meet(agent('other'), 'all');
  node.meet(origin('seed'), 'all');
  const got = { other: 0, seed: 0 };
  const answer = (todo: readonly Effect[]): void => {
    for (const member of ['other', 'seed'] as const) {
      for (const { request, ranges } of sent(todo, 'request', member)) {
        for (const { from, to } of ranges) {
          for (let ordinal = from; ordinal < to; ordinal += 1) {
            got[member] += chunkBytes;
            answer([...node.chunk(member, request, ordinal), ...node.tell({ kind: 'stored', topic: topicOne, ordinal, bytes: chunkBytes })]);
          }
        }
      }
    }
  };
  return {
    node,
    got,
    answer,
    during: (ms: number): void => {
      for (let spent = 0; spent < ms; spent += 50) answer(node.pass(50));
    },
  };
}

describe('a cap on receiving', () => {
  test('bounds what is asked for', () => {
    const limit = 1_000_000;
    const { node, got, answer, during } = capped({ limit });
    answer(node.want());
    during(10_000);
    expect(got.other).toBeLessThanOrEqual(limit * 10 + rateBounds.burstBytesMin + 2 * chunkBytes);
    expect(got.other).toBeGreaterThan(limit * 9);
  });

  test('lets a fetch that nobody waits for rest, and go on when somebody does', () => {
    const { node, got, answer, during } = capped({ background: 0 });
    node.tell({ kind: 'traffic', topic: topicOne, traffic: 'background' });
    answer(node.want());
    during(20_000);
    expect(got).toEqual({ other: 0, seed: 0 });
    expect(node.schedule.fetchMoment(topicOne)).toEqual({ inFlight: 0, throttled: true });
    const asked = node.tell({ kind: 'traffic', topic: topicOne, traffic: 'rollout' });
    expect(sent(asked, 'request', 'other').length).toBeGreaterThan(0);
  });

  test('does not send the member to the origin for what another has, however long it takes', () => {
    const { node, got, answer, during } = capped({ limit: 16_000 });
    answer(node.want());
    during(60_000);
    expect(got.other).toBeGreaterThan(16_000 * 60);
    expect(got.seed).toBe(0);
  });
});
