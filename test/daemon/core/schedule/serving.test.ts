// What the scheduler gives to others and tells them: the line of requests, the origin's sparing, scope, and who hears what.

import { describe, expect, test } from 'vitest';
import { limits } from '../../../../proto/limits.ts';
import { createSchedule } from '../../../../daemon/core/schedule/schedule.ts';
import { swarmBounds } from '../../../../daemon/core/schedule/state/swarm-bounds.ts';
import type { Effect, ScheduledMessage } from '../../../../daemon/core/schedule/state/swarm-events.ts';
import { agent, alone, origin, sent } from './alone.ts';
import { all, topicInfo, topicOne } from './driver.ts';

describe('serving', () => {
  const everything = Array.from({ length: 100 }, (_, ordinal) => ordinal);
  const ask = (request: number, from = 0, to = 1): ScheduledMessage => ({ kind: 'request', topic: topicOne, request, ranges: [{ from, to }] });
  const served = (effects: readonly Effect[]) => effects.flatMap((effect) => (effect.kind === 'serve' ? [effect] : []));

  test('four at once, two of one neighbour, the rest in the order of arrival, and no more than the line holds', () => {
    const one = alone(agent('self'), topicInfo(100), everything);
    for (const name of ['a', 'b', 'c', 'd', 'e']) one.meet(agent(name), []);
    const effects: Effect[] = [];
    for (let request = 1; request <= 8; request += 1) for (const name of ['a', 'b', 'c', 'd', 'e']) effects.push(...one.says(name, ask(request)));
    expect(served(effects).map(({ member, request }) => `${member}${request}`)).toEqual(['a1', 'b1', 'c1', 'd1']);
    expect(sent(effects, 'busy')).toHaveLength(40 - swarmBounds.servingMax - swarmBounds.queueMax);
    const first = served(effects)[0];
    expect(served(one.tell({ kind: 'served', upload: first?.upload ?? 0, absent: [] })).map(({ member }) => member)).toEqual(['e']);
  });

  test('who finds the line full is told to come again when it is half as long, by the pace at which it moves', () => {
    const one = alone(agent('self'), topicInfo(100), everything);
    const names = ['a', 'b', 'c', 'd', 'e'];
    for (const name of names) one.meet(agent(name), []);
    let asked = 0;
    const askNext = (): readonly Effect[] => one.says(names[asked % names.length] ?? 'a', ask((asked += 1)));
    const lineMax = swarmBounds.servingMax + swarmBounds.queueMax;
    const started = Array.from({ length: lineMax }, askNext).flat();
    expect(sent(askNext(), 'busy')).toMatchObject([{ retryAfterMs: swarmBounds.busyMs }]);
    const active = served(started).map(({ upload }) => upload);
    for (let times = 0; times < 8; times += 1) {
      one.pass(10);
      active.push(...served(one.tell({ kind: 'served', upload: active.shift() ?? 0, absent: [] })).map(({ upload }) => upload));
      expect(sent(askNext(), 'busy')).toEqual([]);
    }
    expect(sent(askNext(), 'busy')).toMatchObject([{ retryAfterMs: (10 * lineMax) / 2 }]);
  });

  test('a line that moves slowly is no longer than what it serves in its time; of long requests each part counts', () => {
    const taken = (msEach: number, chunkBytes: number): number => {
      const one = alone(agent('self'), topicInfo(100, () => chunkBytes), everything);
      const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
      for (const name of names) one.meet(agent(name), []);
      for (let request = 1; request < 30; request += 1) {
        const [first] = served(one.says('a', ask(request)));
        one.pass(msEach);
        one.tell({ kind: 'served', upload: first?.upload ?? 0, absent: [] });
      }
      const asked = names.flatMap((name) => Array.from({ length: 10 }, (_, at) => sent(one.says(name, ask(100 + at)), 'busy')));
      return asked.filter(({ length }) => length === 0).length;
    };
    expect(taken(1, 20_000)).toBe(swarmBounds.servingMax + swarmBounds.queueMax);
    expect(taken(100, 20_000)).toBe(swarmBounds.servingMax + swarmBounds.queueMs / 100);
    expect(taken(1_000, 20_000)).toBe(swarmBounds.servingMax);
    expect(taken(1_000, 4 * swarmBounds.queuePartBytes)).toBe(swarmBounds.servingMax + 1);
  });

  test('who did not answer us comes after the others, and waits outside of a line that is half full', () => {
    const one = alone(agent('self'), topicInfo(100), [0]);
    one.meet(agent('late'), [50, 51]);
    one.want();
    one.pass(swarmBounds.timeoutUnknownMs + 1_000);
    for (const name of ['a', 'b', 'c', 'd', 'e']) one.meet(agent(name), Array.from({ length: 10 }, (_, at) => at));
    const first = served(['a', 'b', 'c', 'd'].flatMap((name) => one.says(name, ask(1))));
    expect(one.says('late', ask(1))).toEqual([]);
    expect(one.says('e', ask(1))).toEqual([]);
    expect(served(one.tell({ kind: 'served', upload: first[0]?.upload ?? 0, absent: [] })).map(({ member }) => member)).toEqual(['e']);
    const lineMax = swarmBounds.servingMax + swarmBounds.queueMax;
    for (let request = 2; request <= lineMax / 2 - 3; request += 1) expect(sent(one.says(request % 2 === 0 ? 'a' : 'b', ask(request)), 'busy')).toEqual([]);
    expect(sent(one.says('late', ask(2)), 'busy')).toHaveLength(1);
    expect(sent(one.says('c', ask(2)), 'busy')).toEqual([]);
  });

  test('the origin gives again what only the one holds whom it gave it, after a while', () => {
    const second = (others: number, waitMs: number) => {
      const one = alone(origin('self'), topicInfo(100), everything);
      for (const name of ['a', 'b', 'c']) one.meet(agent(name), []);
      one.says('a', ask(1));
      for (const name of ['a', 'c'].slice(0, 1 + others)) one.says(name, { kind: 'have', topic: 5, ranges: [{ from: 0, to: 1 }] });
      one.pass(waitMs);
      return served(one.says('b', ask(1))).map(({ member }) => member);
    };
    expect(second(0, swarmBounds.aloneMs - 100)).toEqual([]);
    expect(second(0, swarmBounds.aloneMs)).toEqual(['b']);
    expect(second(1, swarmBounds.aloneMs)).toEqual([]);
  });

  test('what is cancelled is not served, and what is being served is stopped', () => {
    const one = alone(agent('self'), topicInfo(100), everything);
    one.meet(agent('a'), []);
    const effects = [1, 2, 3].flatMap((request) => one.says('a', ask(request)));
    expect(served(effects)).toHaveLength(2);
    expect(one.says('a', { kind: 'cancel', request: 3 })).toEqual([]);
    expect(one.says('a', { kind: 'cancel', request: 1 })).toEqual([{ kind: 'stop-serving', upload: served(effects)[0]?.upload }]);
  });

  test('the origin sends the second who asks elsewhere, and gives to whom asks again at once', () => {
    const one = alone(origin('self'), topicInfo(100), everything);
    one.meet(agent('a'), []);
    one.meet(agent('b'), []);
    expect(served(one.says('a', ask(1, 0, 10)))[0]?.ordinals).toHaveLength(10);
    const second = one.says('b', ask(1, 0, 10));
    expect(served(second)).toEqual([]);
    expect(sent(second, 'elsewhere', 'b')).toEqual([{ kind: 'elsewhere', request: 1, holders: ['a'] }]);
    expect(served(one.says('b', ask(2, 0, 10)))).toHaveLength(1);
  });

  test('the origin sends nobody to an agent of another environment: they never meet', () => {
    const one = alone(origin('self'), { ...topicInfo(100), environments: ['alpha', 'beta'] }, everything);
    one.meet(agent('a', ['alpha']), []);
    one.meet(agent('b', ['beta']), []);
    one.meet(agent('c', ['beta', 'alpha']), []);
    expect(served(one.says('a', ask(1, 0, 10)))[0]?.ordinals).toHaveLength(10);
    one.says('a', { kind: 'have', topic: 5, ranges: [{ from: 0, to: 10 }] });
    expect(served(one.says('b', ask(1, 0, 10)))[0]?.ordinals).toHaveLength(10);
    expect(sent(one.says('c', ask(1, 0, 10)), 'elsewhere', 'c')[0]?.holders.toSorted()).toEqual(['a', 'b']);
  });

  test('the origin has patience with one that is at work: longer when it has announced something since', () => {
    const passed = (msOfSilence: number, hasNews: boolean): number => {
      const one = alone(origin('self'), topicInfo(100), everything);
      one.meet(agent('a'), []);
      one.meet(agent('b'), []);
      one.says('a', ask(1, 0, 10));
      one.says('b', ask(1, 0, 10));
      one.pass(1_000);
      if (hasNews) one.says('a', { kind: 'have', topic: 5, ranges: [{ from: 50, to: 51 }] });
      one.pass(msOfSilence);
      return served(one.says('b', ask(2, 0, 10))).length;
    };
    expect([passed(500, false), passed(swarmBounds.givenSilentMs, false), passed(swarmBounds.givenSilentMs, true), passed(swarmBounds.givenMs, true)]).toEqual([0, 1, 0, 1]);
  });

  test('the origin gives again what it gave to one who has left', () => {
    const one = alone(origin('self'), topicInfo(100), everything);
    one.meet(agent('a'), []);
    one.meet(agent('b'), []);
    one.says('a', ask(1, 0, 10));
    one.tell({ kind: 'gone', member: 'a' });
    // Back, and without what it was sent.
    one.meet(agent('a'), []);
    expect(served(one.says('b', ask(1, 0, 10)))).toHaveLength(1);
  });

  test('the origin does not send anybody to one that was still in line when it cancelled', () => {
    const one = alone(origin('self'), topicInfo(100), everything);
    one.meet(agent('a'), []);
    one.meet(agent('b'), []);
    for (const request of [1, 2, 3]) one.says('a', ask(request, request * 10, request * 10 + 10));
    one.says('a', { kind: 'cancel', request: 3 });
    expect(served(one.says('b', ask(1, 30, 40)))).toHaveLength(1);
    expect(served(one.says('b', ask(2, 10, 20)))).toEqual([]);
  });

  test('of a request that only partly needs the origin, that part, then elsewhere', () => {
    const one = alone(origin('self'), topicInfo(100), everything);
    one.meet(agent('a'), []);
    one.meet(agent('b'), [0, 1, 2]);
    const [upload] = served(one.says('a', ask(1, 0, 6)));
    expect(upload?.ordinals).toEqual([3, 4, 5]);
    expect(sent(one.tell({ kind: 'served', upload: upload?.upload ?? 0, absent: [] }), 'elsewhere')).toEqual([{ kind: 'elsewhere', request: 1, holders: ['b'] }]);
  });

  test('nothing of a topic is opened or given to an agent of another environment; an origin sees it', () => {
    const one = alone(agent('self'), topicInfo(100), everything);
    expect(sent(one.meet(agent('a', ['staging']), []), 'open')).toEqual([]);
    const effects = one.says('a', ask(1));
    expect(served(effects)).toEqual([]);
    expect(sent(effects, 'absent')).toEqual([{ kind: 'absent', request: 1, ranges: [{ from: 0, to: 1 }] }]);
    expect(sent(one.meet(origin('o'), []), 'open')).toHaveLength(1);
  });

  test('one who wants something tells those who may see it, and nobody else', () => {
    const one = alone(agent('self'), topicInfo(100));
    for (const peer of [agent('a', ['staging']), agent('b', ['staging', 'prod']), origin('o')]) one.tell({ kind: 'joined', peer });
    const effects = one.want();
    expect(effects.flatMap((effect) => (effect.kind === 'send' && effect.message.kind === 'open' ? [effect.member] : []))).toEqual(['b', 'o']);
  });

  test('topics that a neighbour opens are bounded, and their numbers are not used for two blobs', () => {
    const closed = (effects: readonly Effect[]) => effects.some(({ kind }) => kind === 'close');
    const open = (topic: number, revision: number): ScheduledMessage => ({ kind: 'open', topic, blob: 'tree', revision: String(revision).padStart(64, '0'), held: new Uint8Array(0) });
    const one = alone(agent('self'), topicInfo(100));
    one.tell({ kind: 'joined', peer: agent('a') });
    for (let topic = 1; topic <= limits.exchangeTopicsMax; topic += 1) expect(closed(one.says('a', open(topic, topic)))).toBe(false);
    expect(closed(one.says('a', open(3, 3)))).toBe(false);
    expect(closed(one.says('a', open(3, 4)))).toBe(true);
    expect(closed(one.says('a', open(limits.exchangeTopicsMax + 1, 999)))).toBe(true);
  });

  test('we open no more topics than a neighbour takes: one in which nothing is going on is closed', () => {
    const schedule = createSchedule({ self: agent('self'), random: () => 0 });
    schedule.step({ kind: 'joined', peer: agent('a') }, 0);
    const effects: Effect[] = [];
    for (let topic = 1; topic <= limits.exchangeTopicsMax + 1; topic += 1) {
      const revision = String(topic).padStart(64, '0');
      schedule.step({ kind: 'share', topic, info: { ...topicInfo(10), revision }, held: all(10) }, 0);
      effects.push(...schedule.step({ kind: 'message', member: 'a', message: { kind: 'open', topic: 1, blob: 'tree', revision, held: all(10).toBytes() } }, 0));
      schedule.step({ kind: 'message', member: 'a', message: { kind: 'close', topic: 1 } }, 0);
    }
    expect(sent(effects, 'open')).toHaveLength(limits.exchangeTopicsMax + 1);
    expect(sent(effects, 'close')).toEqual([{ kind: 'close', topic: 1 }]);
  });

  test.each([
    ['bytes', 100, 256 * 1024],
    ['chunks', 4_000, 1],
  ])('a request of more %s than a piece ends the neighbour', (_what, chunkCount, length) => {
    const one = alone(agent('self'), topicInfo(chunkCount, () => length), everything);
    one.meet(agent('a'), []);
    expect(one.says('a', ask(1, 0, chunkCount))).toContainEqual({ kind: 'close', member: 'a', reason: 'protocol' });
  });

  test('ordinals outside the blob end the neighbour', () => {
    const one = alone(agent('self'), topicInfo(100));
    one.meet(agent('a'), []);
    expect(one.says('a', { kind: 'have', topic: 5, ranges: [{ from: 99, to: 101 }] })).toContainEqual({ kind: 'close', member: 'a', reason: 'protocol' });
    expect(one.says('a', ask(1, 99, 101))).toContainEqual({ kind: 'close', member: 'a', reason: 'protocol' });
  });
});

describe('availability', () => {
  test('one who holds answers an open with its own, and nobody hears of a topic that nobody asked about', () => {
    const one = alone(origin('self'), topicInfo(100), [1]);
    expect(one.tell({ kind: 'joined', peer: agent('a') })).toEqual([]);
    expect(sent(one.says('a', { kind: 'open', topic: 5, blob: 'tree', revision: 'a'.repeat(64), held: new Uint8Array(0) }), 'open')).toHaveLength(1);
  });

  test('an open of a topic that is shared later is answered then', () => {
    const schedule = createSchedule({ self: agent('self'), random: () => 0 });
    schedule.step({ kind: 'joined', peer: agent('a') }, 0);
    schedule.step({ kind: 'message', member: 'a', message: { kind: 'open', topic: 5, blob: 'tree', revision: 'a'.repeat(64), held: new Uint8Array(0) } }, 0);
    expect(sent(schedule.step({ kind: 'share', topic: 1, info: topicInfo(100), held: all(100) }, 0), 'open', 'a')).toHaveLength(1);
  });

  test('gains are told together, soon, to those who follow and not to those who have them', () => {
    const one = alone(agent('self'), topicInfo(100));
    one.meet(agent('a'), [1, 2]);
    one.meet(agent('b'), []);
    one.tell({ kind: 'joined', peer: agent('c') });
    expect(sent(one.tell({ kind: 'gained', topic: topicOne, ordinals: [1, 2, 3] }), 'have')).toEqual([]);
    const effects = one.pass(swarmBounds.haveMs);
    expect(sent(effects, 'have', 'a')).toEqual([{ kind: 'have', topic: topicOne, ranges: [{ from: 3, to: 4 }] }]);
    expect(sent(effects, 'have', 'b')).toEqual([{ kind: 'have', topic: topicOne, ranges: [{ from: 1, to: 4 }] }]);
    expect(sent(effects, 'have', 'c')).toEqual([]);
  });

  test('gains that could wait are told along with a request', () => {
    const one = alone(agent('self'), topicInfo(200, () => 60_000));
    one.meet(agent('a'), [0]);
    const [first] = sent(one.want(), 'request', 'a');
    expect(sent(one.tell({ kind: 'gained', topic: topicOne, ordinals: [50, 51] }), 'have')).toEqual([]);
    const effects = one.says('a', { kind: 'have', topic: 5, ranges: [{ from: 90, to: 91 }] });
    expect({ asked: sent(effects, 'request', 'a').length > 0, told: sent(effects, 'have', 'a') }).toEqual({ asked: true, told: [{ kind: 'have', topic: topicOne, ranges: [{ from: 50, to: 52 }] }] });
    expect([first?.kind, sent(one.pass(swarmBounds.haveMs), 'have', 'a')]).toEqual(['request', []]);
  });

  test('a close takes back what was announced', () => {
    const one = alone(agent('self'), topicInfo(4));
    one.meet(agent('x'), 'all');
    one.want();
    one.says('x', { kind: 'close', topic: 5 });
    one.meet(agent('y'), []);
    expect(sent(one.pass(3_000), 'request')).toEqual([]);
  });
});
