// Across the border of a zone an agent asks for what is its to bring, and tells no more than is needed; what of that others were to bring comes from the next.

import { describe, expect, test } from 'vitest';
import { swarmBounds } from '../../../../daemon/core/schedule/state/swarm-bounds.ts';
import type { Effect } from '../../../../daemon/core/schedule/state/swarm-events.ts';
import { agent, alone, origin, sent } from './alone.ts';
import { topicInfo, topicOne } from './driver.ts';

const bytes = 60_000;

/** An agent of the far zone, with another one there; the origin is in the near zone. */
function far(chunks = 64, held: readonly number[] | 'all' = 'all') {
  const one = alone(agent('b1'), topicInfo(chunks, () => bytes));
  one.tell({ kind: 'roster', agents: ['a', 'b1', 'b2', 'c'].map((name) => agent(name)), zones: new Map([['a', 'near'], ['c', 'near'], ['o', 'near'], ['b1', 'far'], ['b2', 'far']]) });
  one.meet(agent('b2'), []);
  one.meet(origin('o'), 'all');
  one.meet(agent('a'), held);
  const asked = new Set<number>();
  const open: { member: string; request: number; ordinal: number }[] = [];
  const note = (effects: readonly Effect[]): void => {
    for (const member of ['o', 'a', 'c']) {
      for (const { request, ranges } of sent(effects, 'request', member)) for (const { from, to } of ranges) for (let ordinal = from; ordinal < to; ordinal += 1) open.push({ member, request, ordinal });
    }
  };
  const drain = (): void => {
    for (let next = open.shift(); next !== undefined; next = open.shift()) {
      asked.add(next.ordinal);
      note([...one.chunk(next.member, next.request, next.ordinal), ...one.tell({ kind: 'stored', topic: topicOne, ordinal: next.ordinal, bytes })]);
    }
  };
  return { one, asked, open, note, drain };
}

describe('an agent of a zone without an origin', () => {
  test('asks across the border for its share only, and for one piece at first', () => {
    const { one, asked, open, note, drain } = far();
    note(one.want());
    expect(open).toHaveLength(1);
    drain();
    expect(asked.size).toBeGreaterThan(16);
    expect(asked.size).toBeLessThan(48);
    note(one.pass(swarmBounds.starvedMs / 2));
    expect(open).toEqual([]);
  });

  test('asks for less at once the longer that takes: the others of its zone ask across the same border', () => {
    const asksAtOnce = (answerMs: number): number => {
      const { one, open, note } = far(256);
      one.meet(agent('c'), 'all');
      note(one.want());
      let most = 0;
      for (let answered = 0; answered < 12; answered += 1) {
        note(one.pass(answerMs));
        const next = open.shift();
        if (next === undefined) break;
        note([...one.chunk(next.member, next.request, next.ordinal), ...one.tell({ kind: 'stored', topic: topicOne, ordinal: next.ordinal, bytes })]);
        most = Math.max(most, open.length);
      }
      return most;
    };
    expect(asksAtOnce(swarmBounds.borderMs / 4)).toBeGreaterThan(1);
    expect(asksAtOnce(5 * swarmBounds.borderMs)).toBe(1);
  });

  test('goes on with another neighbour there once there is room for one more', () => {
    const { asked: ours, note: noteOurs, drain, one: before } = far();
    noteOurs(before.want());
    drain();
    const [first = 0, second = 0] = ours;
    const { one, open, note } = far(64, [first]);
    one.meet(agent('c'), [second]);
    one.tell({ kind: 'gone', member: 'o' });
    note(one.want());
    expect(open).toHaveLength(1);
    const request = open.shift();
    if (request !== undefined) note(one.chunk(request.member, request.request, request.ordinal));
    expect(open).toHaveLength(1);
  });

  test('brings what another one was to bring that is gone', () => {
    const { one, asked, note, drain } = far();
    note(one.want());
    drain();
    note(one.tell({ kind: 'gone', member: 'b2' }));
    note(one.pass(swarmBounds.expectedMs + 100));
    drain();
    expect(asked.size).toBe(64);
  });

  test('does not wait for ever for one that tells of something new again and again, and does not bring what is its to bring', () => {
    const { one, asked, note, drain } = far(256);
    note(one.want());
    drain();
    const [...ours] = asked;
    let waitedMs = 0;
    for (const ordinal of ours) {
      note([...one.says('b2', { kind: 'have', topic: 5, ranges: [{ from: ordinal, to: ordinal + 1 }] }), ...one.pass(swarmBounds.starvedMs / 2)]);
      drain();
      if (asked.size < 256) waitedMs += swarmBounds.starvedMs / 2;
    }
    expect(asked.size).toBe(256);
    // But as long as a slow border may take.
    expect(waitedMs).toBeGreaterThan(swarmBounds.importMsMax / 2);
    expect(waitedMs).toBeLessThan(2 * swarmBounds.importMsMax);
  });
});

describe('an agent of a zone with an origin of its own, beside another zone with one', () => {
  const zones = new Map([['a', 'near'], ['b1', 'near'], ['o', 'near'], ['far', 'abroad'], ['p', 'abroad']]);
  const own = (agents: readonly string[]) => {
    const one = alone(agent('b1'), topicInfo(64, () => bytes));
    one.tell({ kind: 'roster', agents: agents.map((name) => agent(name)), zones: new Map([...zones, ...agents.flatMap((name) => (zones.has(name) ? [] : [[name, name.startsWith('far') ? 'abroad' : 'near'] as const]))]) });
    return one;
  };
  /** What it asks of a member in the end, if that answers at once. */
  const asked = (one: ReturnType<typeof own>, effects: readonly Effect[], member: string) => {
    const ordinals = new Set<number>();
    const queue = sent(effects, 'request', member);
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      for (const { from, to } of next.ranges) {
        for (let ordinal = from; ordinal < to; ordinal += 1) {
          ordinals.add(ordinal);
          queue.push(...sent([...one.chunk(member, next.request, ordinal), ...one.tell({ kind: 'stored', topic: topicOne, ordinal, bytes })], 'request', member));
        }
      }
    }
    return ordinals;
  };

  test('brings its share of everything among those of its zone from there, also what the other zone has', () => {
    const one = own(['a', 'b1', 'far']);
    one.meet(agent('a'), []);
    one.meet(agent('far'), 'all');
    for (const name of ['p', 'o']) one.meet(origin(name), 'all');
    const effects = one.want();
    for (const name of ['far', 'p']) expect(sent(effects, 'request', name)).toEqual([]);
    const ours = asked(one, effects, 'o');
    expect(ours.size).toBeGreaterThan(16);
    expect(ours.size).toBeLessThan(48);
  });

  test('does so in a fleet of which it sees a few', () => {
    const one = own(['a', 'b1', ...Array.from({ length: 30 }, (_, at) => `far${at}`)]);
    one.meet(agent('far1'), 'all');
    for (const name of ['p', 'o']) one.meet(origin(name), 'all');
    const effects = one.want();
    for (const name of ['far1', 'p']) expect(sent(effects, 'request', name)).toEqual([]);
    expect(asked(one, effects, 'o').size).toBe(32);
  });
});

describe('an agent that sees a few of many', () => {
  test('asks across a wide border for what is its to bring, however much is under way from nearby', () => {
    const one = alone(agent('b1'), topicInfo(512, () => bytes));
    const [near, ours] = [Array.from({ length: 12 }, (_, at) => `a${at}`), Array.from({ length: 8 }, (_, at) => `b${at + 2}`)];
    const zones = new Map([...near.map((name) => [name, 'near'] as const), ...['b1', ...ours].map((name) => [name, 'far'] as const)]);
    one.tell({ kind: 'roster', agents: [...zones.keys()].map((name) => agent(name)), zones });
    one.meet(agent('a0'), Array.from({ length: 64 }, (_, at) => 256 + at));
    for (const name of ours) one.meet(agent(name), Array.from({ length: 256 }, (_, ordinal) => ordinal));
    const effects = [...one.want()];
    const abroad = sent(effects, 'request', 'a0');
    for (let next = abroad.shift(); next !== undefined; next = abroad.shift()) {
      const after = [...one.pass(1), ...one.chunk('a0', next.request, next.ranges[0]?.from ?? 0)];
      effects.push(...after);
      abroad.push(...sent(after, 'request', 'a0'));
    }
    const nearby = ours.flatMap((name) => sent(effects, 'request', name));
    expect(nearby).toHaveLength(swarmBounds.enoughPieces);
    const more = one.says('a0', { kind: 'have', topic: 5, ranges: [{ from: 320, to: 512 }] });
    expect(ours.flatMap((name) => sent(more, 'request', name))).toEqual([]);
    expect(sent(more, 'request', 'a0').length).toBeGreaterThan(0);
  });
});

describe('news', () => {
  test('for whoever has enough to choose from, or is in another zone, come together', () => {
    const one = alone(agent('self'), topicInfo(256, () => bytes));
    one.tell({ kind: 'roster', agents: ['self', 'x', 'far'].map((name) => agent(name)), zones: new Map([['self', 'a'], ['x', 'a'], ['o', 'a'], ['far', 'b']]) });
    one.meet(agent('x'), []);
    one.meet(agent('far'), []);
    one.meet(origin('o'), 'all');
    const queue = [...sent(one.want(), 'request', 'o')];
    const told = { x: 0, far: 0 };
    let passed = 0;
    for (let done = 0; done < 100; done += 1) {
      const next = queue.shift();
      if (next === undefined) break;
      const ordinal = next.ranges[0]?.from ?? 0;
      const effects = [...one.chunk('o', next.request, ordinal), ...one.tell({ kind: 'stored', topic: topicOne, ordinal, bytes }), ...one.pass(swarmBounds.tickMs)];
      queue.push(...sent(effects, 'request', 'o'));
      if (done < 40) continue;
      passed += swarmBounds.tickMs;
      told.x += sent(effects, 'have', 'x').length;
      told.far += sent(effects, 'have', 'far').length;
    }
    expect(passed).toBeGreaterThan(1_000);
    expect(told.x).toBeGreaterThan(0);
    expect(told.x).toBeLessThanOrEqual(passed / swarmBounds.aheadMs + 1);
    expect(told.far).toBeLessThanOrEqual(passed / swarmBounds.haveForeignMs + 1);
  });
});
