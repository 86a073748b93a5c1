// What an agent asks the origin for, and when: its share at once, what nobody else gives after a while.

import { describe, expect, test } from 'vitest';
import { swarmBounds } from '../../../../daemon/core/schedule/state/swarm-bounds.ts';
import type { Effect } from '../../../../daemon/core/schedule/state/swarm-events.ts';
import { agent, alone, origin, sent } from './alone.ts';
import { count, topicInfo, topicOne } from './driver.ts';

describe('an agent asks', () => {
  test('of the origin only a share, when another agent wants the same; the rest after tau', () => {
    const one = alone(agent('self'), topicInfo(64, () => 60_000));
    one.tell({ kind: 'roster', agents: [agent('self'), agent('x')] });
    one.meet(agent('x'), []);
    one.meet(origin('o'), 'all');
    const requests = [...sent(one.want(), 'request', 'o')];
    const asked = new Set<number>();
    const drain = (): void => {
      for (let next = requests.shift(); next !== undefined; next = requests.shift()) {
        for (const { from, to } of next.ranges) {
          for (let ordinal = from; ordinal < to; ordinal += 1) {
            asked.add(ordinal);
            requests.push(...sent(one.chunk('o', next.request, ordinal), 'request', 'o'));
            requests.push(...sent(one.tell({ kind: 'stored', topic: topicOne, ordinal, bytes: 60_000 }), 'request', 'o'));
          }
        }
      }
    };
    drain();
    expect(asked.size).toBeGreaterThan(16);
    expect(asked.size).toBeLessThan(48);
    expect(sent(one.pass(swarmBounds.starvedMs / 2), 'request', 'o')).toEqual([]);
    for (let step = 0; step < 10; step += 1) {
      requests.push(...sent(one.pass(swarmBounds.starvedMs / 5), 'request', 'o'));
      drain();
    }
    expect(asked.size).toBe(64);
  });

  test('of the origin what is another\'s to bring, once its own share is there and no more than an eighth is left', () => {
    const one = alone(agent('self'), topicInfo(64, () => 60_000));
    one.tell({ kind: 'roster', agents: [agent('self'), agent('x')] });
    one.meet(agent('x'), []);
    one.meet(origin('o'), 'all');
    const owned = new Set<number>();
    const take = (from: string, requests: readonly { readonly request: number; readonly ranges: readonly { readonly from: number; readonly to: number }[] }[], into: Set<number>): void => {
      for (const { request, ranges } of requests) {
        for (const { from: first, to } of ranges) {
          for (let ordinal = first; ordinal < to; ordinal += 1) {
            into.add(ordinal);
            const effects = [...one.chunk(from, request, ordinal), ...one.tell({ kind: 'stored', topic: topicOne, ordinal, bytes: 60_000 })];
            take(from, sent(effects, 'request', from), into);
          }
        }
      }
    };
    take('o', sent(one.want(), 'request', 'o'), owned);
    const theirs = Array.from({ length: 64 }, (_, ordinal) => ordinal).filter((ordinal) => !owned.has(ordinal));
    const [helped, given] = [new Set<number>(), new Set<number>()];
    for (const [at, ordinal] of theirs.entries()) {
      if (helped.size > 0) break;
      const effects = one.says('x', { kind: 'have', topic: 5, ranges: [{ from: ordinal, to: ordinal + 1 }] });
      take('o', sent(effects, 'request', 'o'), helped);
      for (const { request } of sent(effects, 'request', 'x')) {
        one.chunk('x', request, ordinal);
        one.tell({ kind: 'stored', topic: topicOne, ordinal, bytes: 60_000 });
        given.add(at);
      }
    }
    // Of eight the one that x had just told of was asked of x.
    expect({ left: 64 - owned.size - given.size, helped: helped.size }).toEqual({ left: 7, helped: 7 });
  });

  test('of the origin anything, when the others talk but do not give', () => {
    const one = alone(agent('self'), topicInfo(64, () => 60_000));
    one.tell({ kind: 'roster', agents: [agent('self'), agent('x')] });
    one.meet(agent('x'), []);
    one.meet(origin('o'), 'all');
    let queue = [...sent(one.want(), 'request', 'o')];
    const asked = new Set<number>();
    for (let round = 0; round < 30; round += 1) {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        for (const { from, to } of next.ranges) {
          for (let ordinal = from; ordinal < to; ordinal += 1) {
            asked.add(ordinal);
            queue.push(...sent(one.chunk('o', next.request, ordinal), 'request', 'o'), ...sent(one.tell({ kind: 'stored', topic: topicOne, ordinal, bytes: 60_000 }), 'request', 'o'));
          }
        }
      }
      // Always something new from x, and always what is held already: it is not silent, and no help.
      const [known = 0] = asked;
      queue = [...sent(one.says('x', { kind: 'have', topic: 5, ranges: [{ from: [...asked][round] ?? known, to: ([...asked][round] ?? known) + 1 }] }), 'request', 'o'), ...sent(one.pass(500), 'request', 'o')];
    }
    expect(asked.size).toBe(64);
  });

  test('of an origin that sends elsewhere only after tau again, unless those it names are no help', () => {
    const begin = (name: string, good: boolean) => {
      const one = alone(agent('self'), topicInfo(1));
      one.tell({ kind: 'roster', agents: [agent('self')] });
      one.meet(agent(name), good ? [] : 'all');
      if (!good) {
        const [first] = sent(one.want(), 'request', name);
        one.chunk(name, first?.request ?? 0, 0, false);
      }
      const [request] = sent([...one.meet(origin('o'), 'all'), ...(good ? one.want() : []), ...one.pass(swarmBounds.expectedMs)], 'request', 'o');
      return { one, effects: one.says('o', { kind: 'elsewhere', request: request?.request ?? 0, holders: [name] }) };
    };
    const waiting = begin('x', true);
    expect(sent([...waiting.effects, ...waiting.one.pass(swarmBounds.starvedMs - 100)], 'request', 'o')).toEqual([]);
    expect(sent(waiting.one.pass(2 * swarmBounds.starvedMs), 'request', 'o')).toHaveLength(1);
    const inVain = begin('x', false);
    expect(sent([...inVain.effects, ...inVain.one.pass(100)], 'request', 'o')).toHaveLength(1);
  });

  test('of the origin what a peer only says it holds, once that one has let a request pass', () => {
    const one = alone(agent('self'), topicInfo(64, () => 60_000));
    one.tell({ kind: 'roster', agents: [agent('self'), agent('x')] });
    one.meet(agent('x'), 'all');
    one.meet(origin('o'), 'all');
    expect(sent(one.want(), 'request', 'o')).toEqual([]);
    const effects = one.pass(swarmBounds.timeoutUnknownMs + 1_000);
    expect(sent(effects, 'request', 'o').length).toBeGreaterThan(0);
    expect(effects.some(({ kind }) => kind === 'strike')).toBe(false);
  });

  test('of the origin what was a silent agent\'s, while others still give', () => {
    const one = alone(agent('self'), topicInfo(64, () => 60_000));
    one.tell({ kind: 'roster', agents: [agent('self'), agent('x'), agent('y')] });
    one.meet(agent('x'), []);
    one.meet(agent('y'), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    one.meet(origin('o'), 'all');
    const asked = new Set<number>();
    const fromY: { request: number; ordinal: number }[] = [];
    const take = (effects: readonly Effect[]): void => {
      for (const { request, ranges } of sent(effects, 'request', 'y')) for (const { from } of ranges) fromY.push({ request, ordinal: from });
      for (const { request, ranges } of sent(effects, 'request', 'o')) {
        for (const { from, to } of ranges) {
          for (let ordinal = from; ordinal < to; ordinal += 1) {
            asked.add(ordinal);
            take([...one.chunk('o', request, ordinal), ...one.tell({ kind: 'stored', topic: topicOne, ordinal, bytes: 60_000 })]);
          }
        }
      }
    };
    take(one.want());
    const atOnce = asked.size;
    // y gives one chunk a second and tells of what it gains: there is always something under way.
    for (let second = 0; second < 8; second += 1) {
      const next = fromY.shift();
      if (next !== undefined) take([...one.chunk('y', next.request, next.ordinal), ...one.tell({ kind: 'stored', topic: topicOne, ordinal: next.ordinal, bytes: 60_000 })]);
      take(one.says('y', { kind: 'have', topic: 5, ranges: [{ from: 63 - second, to: 64 - second }] }));
      take(one.pass(1_000));
    }
    expect(fromY.length).toBeGreaterThan(0);
    expect(asked.size).toBeGreaterThan(atOnce + 5);
  });

  test('agents that have not begun yet count among the owners for a moment', () => {
    const shareOf = (waitMs: number): number => {
      const one = alone(agent('self'), topicInfo(64, () => 60_000));
      one.tell({ kind: 'roster', agents: ['self', 'x', 'y', 'z'].map((name) => agent(name)) });
      for (const name of ['x', 'y', 'z']) one.tell({ kind: 'joined', peer: agent(name) });
      one.meet(origin('o'), 'all');
      const queue = [...sent(one.want(), 'request'), ...sent(one.pass(waitMs), 'request')];
      let asked = 0;
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        asked += count(next.ranges);
        for (const { from, to } of next.ranges) for (let ordinal = from; ordinal < to; ordinal += 1) queue.push(...sent(one.chunk('o', next.request, ordinal), 'request'), ...sent(one.tell({ kind: 'stored', topic: topicOne, ordinal, bytes: 60_000 }), 'request'));
      }
      return asked;
    };
    expect(shareOf(0)).toBeLessThan(32);
    expect(shareOf(swarmBounds.expectedMs)).toBe(64);
  });
});
