// Rules that show in large fleets and on slow lines: whom an origin trusts with a chunk and for how long, what it hears, and how short a line is that has just begun.

import { describe, expect, test } from 'vitest';
import { swarmBounds } from '../../../../daemon/core/schedule/state/swarm-bounds.ts';
import type { Effect, ScheduledMessage } from '../../../../daemon/core/schedule/state/swarm-events.ts';
import { agent, alone, origin, sent } from './alone.ts';
import { topicInfo, topicOne } from './driver.ts';

const everything = Array.from({ length: 100 }, (_, ordinal) => ordinal);
const ask = (request: number, from = 0): ScheduledMessage => ({ kind: 'request', topic: topicOne, request, ranges: [{ from, to: from + 1 }] });
const says = (from: number): ScheduledMessage => ({ kind: 'have', topic: 5, ranges: [{ from, to: from + 1 }] });
const served = (effects: readonly Effect[]) => effects.flatMap((effect) => (effect.kind === 'serve' ? [effect] : []));
const fleet = Array.from({ length: 20 }, (_, index) => agent(`agent-${index}`));

describe('an origin of a zone beside another zone with one', () => {
  const zones = new Map([['self', 'near'], ['a', 'near'], ['b', 'near'], ['far', 'abroad'], ['other', 'abroad'], ['lost', 'nowhere']]);
  const made = () => {
    const one = alone(origin('self'), topicInfo(100), everything);
    one.tell({ kind: 'roster', agents: ['a', 'b', 'far', 'lost'].map((name) => agent(name)), zones });
    for (const name of ['a', 'b']) one.meet(agent(name), []);
    one.meet(agent('far'), [0, 2]);
    one.meet(agent('lost'), [1]);
    return one;
  };

  test('sends nobody to those that the other one feeds, but to those of a zone without', () => {
    const one = made();
    expect(sent(one.says('a', ask(1, 0)), 'elsewhere')).toEqual([]);
    expect(sent(one.says('a', ask(2, 1)), 'elsewhere')).toMatchObject([{ holders: ['lost'] }]);
    one.says('b', says(2));
    expect(sent(one.says('a', ask(3, 2)), 'elsewhere')).toMatchObject([{ holders: ['b'] }]);
  });

  test('does not wait for what it gives to one of those', () => {
    const one = made();
    one.says('far', ask(1, 5));
    expect(sent(one.says('a', ask(1, 5)), 'elsewhere')).toEqual([]);
    one.says('b', ask(1, 6));
    expect(sent(one.says('a', ask(2, 6)), 'elsewhere')).toMatchObject([{ holders: ['b'] }]);
  });
});

describe('an origin and one that keeps what it is given', () => {
  /** One to which `keeper` has shown itself: it had chunk 0 and 1, and `shared` of them are held by others too. */
  const shown = (shared: boolean) => {
    const one = alone(origin('self'), topicInfo(100), everything);
    for (const name of ['keeper', 'a', 'b', 'c']) one.meet(agent(name), []);
    for (const ordinal of [0, 1]) {
      one.says('keeper', ask(1 + ordinal, ordinal));
      one.tell({ kind: 'served', upload: 1 + ordinal, absent: [] });
      one.says('keeper', says(ordinal));
    }
    if (shared) one.says('c', says(1));
    one.pass(swarmBounds.aloneMs);
    expect(served(one.says('a', ask(1, 0)))).toHaveLength(1);
    return one;
  };

  test('sends nobody to it any more, and gives to the next at once what that one asks for', () => {
    const one = shown(false);
    one.says('keeper', ask(3, 2));
    expect(sent(one.says('b', ask(2, 2)), 'elsewhere')).toEqual([]);
    expect(sent(one.says('a', ask(3, 1)), 'elsewhere')).toEqual([]);
  });

  test('goes on with one of which others had as much as stayed with it', () => {
    const one = shown(true);
    one.says('keeper', ask(3, 2));
    expect(sent(one.says('b', ask(2, 2)), 'elsewhere')).toMatchObject([{ holders: ['keeper'] }]);
  });

  test('serves it last, even after one that was given more', () => {
    const one = shown(false);
    one.says('b', { kind: 'request', topic: topicOne, request: 8, ranges: [{ from: 40, to: 60 }] });
    for (const upload of [3, 4]) one.tell({ kind: 'served', upload, absent: [] });
    const names = Array.from({ length: swarmBounds.servingOriginMax }, (_, index) => `x${index}`);
    for (const name of names) one.meet(agent(name), []);
    const first = served(names.flatMap((name, index) => one.says(name, ask(9, 10 + index))));
    expect(first).toHaveLength(names.length);
    one.says('keeper', ask(9, 30));
    one.says('b', ask(9, 31));
    const next = first.slice(0, 2).flatMap(({ upload }) => served(one.tell({ kind: 'served', upload, absent: [] })));
    expect(next.map(({ member }) => member)).toEqual(['b', 'keeper']);
  });

  test('finds out the second one that keeps a chunk like the first: having it from the origin, too, spreads nothing', () => {
    const one = alone(origin('self'), topicInfo(100), everything);
    const refused = ['a', 'b', 'c'].flatMap((name) => {
      one.meet(agent(name), []);
      const effects = [...one.says(name, ask(1)), ...one.says(name, says(0))];
      one.pass(swarmBounds.aloneMs);
      return sent(effects, 'elsewhere');
    });
    expect(refused).toEqual([]);
    one.says('b', ask(2, 5));
    expect(sent(one.says('c', ask(2, 5)), 'elsewhere')).toEqual([]);
  });

  test('does not wait for one that holds much less than the asker', () => {
    const answersTo = (holds: number): readonly unknown[] => {
      const one = alone(origin('self'), topicInfo(100), everything);
      one.meet(agent('behind'), []);
      one.meet(agent('ahead'), everything.slice(0, holds));
      one.says('behind', ask(1, 50));
      return sent(one.says('ahead', ask(1, 50)), 'elsewhere');
    };
    const much = Math.floor(100 / swarmBounds.behindPart);
    expect(answersTo(much)).toMatchObject([{ holders: ['behind'] }]);
    expect(answersTo(much + 1)).toEqual([]);
  });

  test('counts from when it was sent, not from when it began to wait in the line', () => {
    const one = alone(origin('self'), topicInfo(100), everything);
    const names = Array.from({ length: swarmBounds.servingOriginMax }, (_, index) => `x${index}`);
    for (const name of [...names, 'late', 'b']) one.meet(agent(name), []);
    const first = served(names.flatMap((name, index) => one.says(name, ask(1, 10 + index))));
    one.says('late', ask(1, 0));
    one.pass(swarmBounds.givenSilentMs);
    expect(served(one.tell({ kind: 'served', upload: first[0]?.upload ?? 0, absent: [] }))).toMatchObject([{ member: 'late' }]);
    one.says('b', ask(1, 0));
    one.pass(swarmBounds.givenSilentMs - 100);
    // It comes a second time, and the other may simply still be at it.
    expect(sent(one.says('b', ask(2, 0)), 'elsewhere')).toMatchObject([{ holders: ['late'] }]);
  });
});

describe('an origin whose line is slow for what is asked of it', () => {
  const requests = Array.from({ length: 30 }, (_, index) => 1 + index);
  /** An origin that has served a few requests, each in so long. */
  const paced = (msEach: number, bytes = 20_000) => {
    const one = alone(origin('self'), topicInfo(100, () => bytes), everything);
    for (const name of ['first', 'a', 'b', 'c']) one.meet(agent(name), []);
    for (const request of requests) {
      const [next] = served(one.says('first', ask(request, 60 + request)));
      one.pass(msEach);
      one.tell({ kind: 'served', upload: next?.upload ?? 0, absent: [] });
    }
    return one;
  };

  test('takes no more requests than it serves in six seconds', () => {
    const taken = (msEach: number): number => {
      const one = paced(msEach);
      const names = Array.from({ length: 60 }, (_, index) => `x${index}`);
      for (const name of names) one.meet(agent(name), []);
      return names.filter((name, index) => sent(one.says(name, ask(1, index)), 'busy').length === 0).length;
    };
    expect(taken(10)).toBe(60);
    expect(taken(200)).toBe(swarmBounds.servingOriginMax + swarmBounds.queueOriginMs / 200);
    expect(taken(60_000)).toBe(swarmBounds.servingOriginMax);
  });

  test('serves long requests few at a time, so that they do not all arrive last', () => {
    const atOnce = (bytes: number): number => {
      const one = alone(origin('self'), topicInfo(100, () => bytes), everything);
      const names = Array.from({ length: 20 }, (_, index) => `x${index}`);
      for (const name of names) one.meet(agent(name), []);
      return served(names.flatMap((name, index) => one.says(name, ask(1, index)))).length;
    };
    expect(atOnce(256 * 1024)).toBe(swarmBounds.servingOriginMax);
    expect(atOnce(1024 * 1024)).toBe(swarmBounds.servingMax);
  });

  test('sends the next to whom still waits in its line, however long that takes', () => {
    const one = paced(1);
    for (const [index, name] of Array.from({ length: swarmBounds.servingOriginMax }, (_, at) => `x${at}`).entries()) {
      one.meet(agent(name), []);
      one.says(name, ask(1, index));
    }
    one.says('a', ask(1, 40));
    expect(sent(one.says('b', ask(1, 40)), 'elsewhere')).toMatchObject([{ holders: ['a'] }]);
    one.pass(2 * swarmBounds.givenMs);
    expect(sent(one.says('b', ask(2, 40)), 'elsewhere')).toMatchObject([{ holders: ['a'] }]);
  });

  test('has as much patience as its line is slow, up to a bound', () => {
    const isPatientAfter = (msEach: number, ms: number): boolean => {
      const one = paced(msEach);
      one.says('a', ask(1, 40));
      one.says('b', ask(1, 40));
      one.pass(ms);
      return sent(one.says('b', ask(2, 40)), 'elsewhere').length > 0;
    };
    const { givenSilentMs, givenSilentRequests, patienceTimes } = swarmBounds;
    expect([isPatientAfter(1, givenSilentMs - 100), isPatientAfter(1, givenSilentMs)]).toEqual([true, false]);
    expect([isPatientAfter(200, 200 * givenSilentRequests - 100), isPatientAfter(200, 200 * givenSilentRequests)]).toEqual([true, false]);
    expect([isPatientAfter(60_000, patienceTimes * givenSilentMs - 100), isPatientAfter(60_000, patienceTimes * givenSilentMs)]).toEqual([true, false]);
  });

  test('takes nobody to ask in vain for one chunk that was just sent elsewhere for another', () => {
    const one = paced(1);
    one.says('a', ask(1, 40));
    one.says('a', ask(2, 41));
    one.says('b', ask(1, 40));
    one.pass(1_000);
    expect(sent(one.says('b', ask(2, 41)), 'elsewhere')).toMatchObject([{ holders: ['a'] }]);
    expect(sent(one.says('b', ask(3, 40)), 'elsewhere')).toMatchObject([{ holders: ['a'] }]);
    expect(served(one.says('b', ask(4, 40)))).toHaveLength(1);
  });
});

describe('an agent in a fleet of which it sees a few', () => {
  test('tells the origin what it holds, once in a while, although that one holds it all', () => {
    const one = alone(agent('agent-0'), topicInfo(100));
    one.tell({ kind: 'roster', agents: fleet });
    one.meet(origin('o'), 'all');
    one.want();
    one.tell({ kind: 'gained', topic: topicOne, ordinals: [1, 2] });
    const told = sent(one.pass(2 * swarmBounds.haveOriginMs), 'have', 'o');
    expect(told).toEqual([{ kind: 'have', topic: topicOne, ranges: [{ from: 1, to: 3 }] }]);
  });

  test('takes two requests until it has many pieces, then as many as a line holds', () => {
    const taken = (held: number): number => {
      const bytes = 256 * 1024;
      const one = alone(agent('agent-0'), topicInfo(256, () => bytes));
      let first: number | undefined;
      one.tell({ kind: 'roster', agents: fleet });
      one.meet(agent('agent-1'), 'all');
      const queue = [...sent(one.want(), 'request', 'agent-1')];
      for (let done = 0; done < held; done += 1) {
        const next = queue.shift();
        const ordinal = next?.ranges[0]?.from ?? -1;
        const stored = [...one.chunk('agent-1', next?.request ?? -1, ordinal), ...one.tell({ kind: 'stored', topic: topicOne, ordinal, bytes })];
        queue.push(...sent([...stored, ...one.pass(swarmBounds.tickMs)], 'request', 'agent-1'));
        first ??= ordinal;
      }
      const askers = fleet.slice(2, 18);
      for (const peer of askers) one.meet(peer, []);
      return askers.filter((peer) => sent(one.says(peer.member, ask(1, first)), 'busy').length === 0).length;
    };
    expect(taken(1)).toBe(swarmBounds.queueEarlyMax);
    expect(taken(swarmBounds.earlyPieces)).toBe(swarmBounds.queueLargeMax + swarmBounds.servingMax);
  });
});
