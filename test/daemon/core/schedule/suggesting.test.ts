// What those in the roster were to bring that are off or take no part: an origin whose line is short suggests it to those who lack something, who ask for it.

import { describe, expect, test } from 'vitest';
import { fullMeshMax } from '../../../../daemon/core/roster/neighbours.ts';
import { swarmBounds } from '../../../../daemon/core/schedule/state/swarm-bounds.ts';
import type { Effect, ScheduledMessage } from '../../../../daemon/core/schedule/state/swarm-events.ts';
import { agent, alone, origin, sent } from './alone.ts';
import { topicInfo, topicOne } from './driver.ts';

const chunks = 100;
const everything = Array.from({ length: chunks }, (_, ordinal) => ordinal);
const ask = (request: number, from: number, to = from + 1): ScheduledMessage => ({ kind: 'request', topic: topicOne, request, ranges: [{ from, to }] });

/** The ordinals that were suggested, ascending. */
function suggested(effects: readonly Effect[], to?: string): readonly number[] {
  return sent(effects, 'suggest', to)
    .flatMap(({ ranges }) => ranges.flatMap(({ from, to: end }) => Array.from({ length: end - from }, (_, at) => from + at)))
    .toSorted((a, b) => a - b);
}

/** An origin with so many agents in its roster, of which 'a' and 'b' lack everything. */
function seed(rostered: number = fullMeshMax + 3, zones = new Map<string, string>()) {
  const one = alone(origin('self'), topicInfo(chunks), everything);
  one.tell({ kind: 'roster', agents: ['a', 'b', ...Array.from({ length: rostered - 2 }, (_, at) => `idle-${at}`)].map((name) => agent(name)), zones });
  for (const name of ['a', 'b']) one.meet(agent(name), []);
  return one;
}

describe('an origin whose line is short', () => {
  test('suggests what nobody has asked for a second after somebody began, as much as its line takes, to each the same', () => {
    const one = seed();
    one.says('a', ask(1, 0, 10));
    expect(suggested(one.pass(swarmBounds.suggestAfterMs - swarmBounds.tickMs))).toEqual([]);
    const effects = one.pass(swarmBounds.tickMs);
    expect(suggested(effects)).toHaveLength(swarmBounds.suggestMax - 1);
    expect(suggested(effects)[0]).toBe(10);
    expect(Math.abs(suggested(effects, 'a').length - suggested(effects, 'b').length)).toBeLessThanOrEqual(1);
    // Those are under way until they are asked for.
    expect(suggested(one.pass(swarmBounds.suggestEveryMs))).toEqual([]);
    for (const [at, ordinal] of suggested(effects, 'a').entries()) one.says('a', ask(10 + at, ordinal));
    one.says('b', { kind: 'have', topic: 5, ranges: [{ from: 50, to: 60 }] });
    for (let upload = 1; upload < 12; upload += 1) one.tell({ kind: 'served', upload, absent: [] });
    const more = suggested(one.pass(2 * swarmBounds.suggestEveryMs));
    expect(more.length).toBeGreaterThan(0);
    expect(more.filter((ordinal) => ordinal < 10 || (ordinal >= 50 && ordinal < 60) || suggested(effects).includes(ordinal))).toEqual([]);
  });

  test('suggests what is not asked for to another one, and at last to nobody', () => {
    const one = seed();
    const times = new Map<number, string[]>();
    for (let passedMs = 0; passedMs < 60_000; passedMs += swarmBounds.tickMs) {
      const effects = one.pass(swarmBounds.tickMs);
      for (const name of ['a', 'b']) for (const ordinal of suggested(effects, name)) times.set(ordinal, [...(times.get(ordinal) ?? []), name]);
    }
    expect(times.size).toBe(chunks);
    expect([...times.values()].filter((names) => names.length !== swarmBounds.suggestTimes || new Set(names).size < 2)).toEqual([]);
    expect(one.schedule.wakeAt()).toBeUndefined();
    one.tell({ kind: 'gone', member: 'b' });
    expect(suggested(one.pass(2 * swarmBounds.suggestEveryMs), 'a').length).toBeGreaterThan(0);
  });

  test('suggests nothing that somebody has already', () => {
    const one = seed();
    one.says('b', { kind: 'have', topic: 5, ranges: [{ from: 3, to: 7 }] });
    expect(suggested(one.pass(swarmBounds.suggestAfterMs)).slice(0, 4)).toEqual([0, 1, 2, 7]);
  });

  test('suggests nothing to one that keeps what it is given', () => {
    const one = seed();
    one.says('b', ask(1, 0, 1));
    one.tell({ kind: 'served', upload: 1, absent: [] });
    one.says('b', { kind: 'have', topic: 5, ranges: [{ from: 0, to: 1 }] });
    const before = one.pass(swarmBounds.aloneMs);
    expect(suggested(before, 'b').length).toBeGreaterThan(0);
    one.says('a', ask(1, 0, 1));
    const after = one.pass(10 * swarmBounds.suggestAgainMs);
    expect(suggested(after, 'a').length).toBeGreaterThan(0);
    expect(suggested(after, 'b')).toEqual([]);
  });

  test('suggests what one had, or was to have, that is gone', () => {
    const one = seed();
    // Of each two are served, so that the others wait.
    for (let request = 1; request <= 10; request += 1) for (const [at, name] of ['a', 'b'].entries()) one.says(name, ask(request, 5 * (2 * request - 2 + at), 5 * (2 * request - 1 + at)));
    expect(suggested(one.pass(2 * swarmBounds.suggestAfterMs))).toEqual([]);
    one.tell({ kind: 'gone', member: 'b' });
    for (let upload = 1; upload <= 20; upload += 1) one.tell({ kind: 'served', upload, absent: [] });
    const effects = one.pass(swarmBounds.suggestAgainMs);
    expect(suggested(effects, 'a').length).toBeGreaterThan(0);
    expect(suggested(effects).filter((ordinal) => Math.floor(ordinal / 5) % 2 === 0)).toEqual([]);
  });

  test.each([
    { name: 'where everybody sees everybody', make: () => seed(fullMeshMax) },
    { name: 'beside another origin, whose requests it does not hear', make: () => { const one = seed(); one.meet(origin('other'), 'all'); return one; } },
    { name: 'to those who have all', make: () => { const one = seed(); for (const member of ['a', 'b']) one.says(member, { kind: 'open', topic: 5, ...topicOf(), held: new Uint8Array(13).fill(255, 0, 12).fill(15, 12) }); return one; } },
  ])('says nothing $name', ({ make }) => {
    expect(suggested(make().pass(5 * swarmBounds.suggestAfterMs))).toEqual([]);
  });

  test('speaks beside an origin of another zone', () => {
    const one = seed(fullMeshMax + 3, new Map([['self', 'near'], ['a', 'near'], ['b', 'near'], ['o', 'far']]));
    one.meet(origin('o'), 'all');
    expect(suggested(one.pass(2 * swarmBounds.suggestAfterMs)).length).toBeGreaterThan(0);
  });

  test('turns to those of its own zone, if there are any', () => {
    const zones = new Map([['self', 'near'], ['a', 'near'], ['b', 'far']]);
    const effects = seed(fullMeshMax + 3, zones).pass(2 * swarmBounds.suggestAfterMs);
    expect(suggested(effects, 'a').length).toBeGreaterThan(0);
    expect(suggested(effects, 'b')).toEqual([]);
    const fedThere = seed(fullMeshMax + 3, new Map([['self', 'near'], ['a', 'far'], ['b', 'far'], ['o', 'far']])).pass(2 * swarmBounds.suggestAfterMs);
    expect(suggested(fedThere)).toEqual([]);
    const abroad = seed(fullMeshMax + 3, new Map([['self', 'near'], ['a', 'far'], ['b', 'far']])).pass(2 * swarmBounds.suggestAfterMs);
    expect(suggested(abroad, 'b').length).toBeGreaterThan(0);
  });
});

function topicOf() {
  const { blob, revision } = topicInfo(chunks);
  return { blob, revision };
}

describe('an agent', () => {
  /** One that sees few of many, and nothing of what is `theirs` to bring; all that it asked the origin for. */
  function lacking() {
    const one = alone(agent('self'), topicInfo(chunks));
    one.tell({ kind: 'roster', agents: ['self', ...Array.from({ length: chunks - 1 }, (_, at) => `other-${at}`)].map((name) => agent(name)) });
    one.meet(origin('o'), 'all');
    const asked = sent(one.want(), 'request', 'o').flatMap(({ ranges }) => ranges.map(({ from }) => from));
    return { one, asked, theirs: everything.filter((ordinal) => !asked.includes(ordinal)) };
  }

  test('asks at once for what an origin suggests, though others were to bring it', () => {
    const { one, theirs } = lacking();
    const [first = 0] = theirs;
    expect(theirs.length).toBeGreaterThan(chunks / 2);
    const effects = one.says('o', { kind: 'suggest', topic: 5, ranges: [{ from: first, to: first + 1 }] });
    expect(sent(effects, 'request', 'o')).toMatchObject([{ ranges: [{ from: first, to: first + 1 }] }]);
  });

  test('asks also across a border for what an origin suggests, whoever was to import it', () => {
    const one = alone(agent('self'), topicInfo(chunks));
    const names = ['self', ...Array.from({ length: 30 }, (_, at) => `other-${at}`)];
    one.tell({ kind: 'roster', agents: names.map((name) => agent(name)), zones: new Map([['o', 'near'], ...names.map((name) => [name, 'far'] as const)]) });
    one.meet(origin('o'), 'all');
    one.want();
    const suggest = (ordinal: number) => sent(one.says('o', { kind: 'suggest', topic: 5, ranges: [{ from: ordinal, to: ordinal + 1 }] }), 'request', 'o');
    expect(everything.filter((ordinal) => {
      const [request] = suggest(ordinal);
      if (request !== undefined) one.chunk('o', request.request, ordinal);
      return request !== undefined;
    }).length).toBeGreaterThan(chunks / 2);
  });

  test('asks anew for what it was sent elsewhere for', () => {
    const { one, theirs } = lacking();
    const [first = 0] = theirs;
    const suggest: ScheduledMessage = { kind: 'suggest', topic: 5, ranges: [{ from: first, to: first + 1 }] };
    const [request] = sent(one.says('o', suggest), 'request', 'o');
    expect(sent(one.says('o', { kind: 'elsewhere', request: request?.request ?? 0, holders: ['x'] }), 'request', 'o')).toEqual([]);
    expect(sent(one.says('o', suggest), 'request', 'o')).toHaveLength(1);
  });

  test.each<{ name: string; from: string; ranges: readonly { from: number; to: number }[] }>([
    { name: 'comes from an agent', from: 'x', ranges: [{ from: 1, to: 2 }] },
    { name: 'is beyond the end', from: 'o', ranges: [{ from: 1, to: chunks + 1 }] },
    { name: 'says the same again and again', from: 'o', ranges: [{ from: 1, to: 9 }, { from: 1, to: 9 }] },
  ])('ends the connection when a suggestion $name', ({ from, ranges }) => {
    const { one } = lacking();
    one.meet(agent('x'), []);
    expect(one.says(from, { kind: 'suggest', topic: 5, ranges })).toContainEqual({ kind: 'close', member: from, reason: 'protocol' });
  });
});
