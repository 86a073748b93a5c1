// What an agent asks for in a fleet of which it sees a few: how long it waits for others before it turns to the origin, when it stands in for them, and how
// often it comes back to a full line. Whom an origin gives what is in sparing.test.ts.

import { describe, expect, test } from 'vitest';
import { swarmBounds } from '../../../../daemon/core/schedule/state/swarm-bounds.ts';
import type { Effect, ScheduledMessage } from '../../../../daemon/core/schedule/state/swarm-events.ts';
import { agent, alone, origin, sent } from './alone.ts';
import { all, topicInfo, topicOne } from './driver.ts';

const bytes = 256 * 1024;
const chunks = 256;
const fleet = Array.from({ length: 20 }, (_, index) => agent(`agent-${index}`));
const ordinals = (from: number, to: number): readonly number[] => Array.from({ length: to - from }, (_, index) => from + index);

/** `agent-0` of that fleet; whom it asks answers at once, if `answers` has it. */
function member(answers: ReadonlySet<string>, parts = 1) {
  const one = alone(fleet[0] ?? agent('agent-0'), topicInfo(parts * chunks, () => bytes / parts));
  const asked = new Map<string, Set<number>>();
  one.tell({ kind: 'roster', agents: fleet });
  const answer = (effects: readonly Effect[]): void => {
    const queue = [...effects];
    for (let effect = queue.shift(); effect !== undefined; effect = queue.shift()) {
      if (effect.kind === 'store') queue.push(...one.tell({ kind: 'stored', topic: topicOne, ordinal: effect.ordinal, bytes: bytes / parts }));
      if (effect.kind !== 'send' || effect.message.kind !== 'request') continue;
      const of = asked.get(effect.member) ?? new Set<number>();
      asked.set(effect.member, of);
      for (const { from, to } of effect.message.ranges) for (const ordinal of ordinals(from, to)) {
        of.add(ordinal);
        if (answers.has(effect.member)) queue.push(...one.chunk(effect.member, effect.message.request, ordinal));
      }
    }
  };
  return { one, answer, askedOf: (name: string): ReadonlySet<number> => asked.get(name) ?? new Set() };
}

describe('an agent that sees a few of many', () => {
  /** One that has caught `agent-2`, which promised chunks 0 and 1 and never answered. */
  const caught = () => {
    const made = member(new Set());
    made.one.tell({ kind: 'joined', peer: origin('o') });
    made.one.meet(agent('agent-2'), ordinals(0, 2));
    made.one.want();
    made.one.pass(swarmBounds.timeoutUnknownMs + 2 * swarmBounds.timeoutMs);
    return made.one;
  };
  const open: ScheduledMessage = { kind: 'open', topic: 5, blob: 'tree', revision: 'a'.repeat(64), held: all(chunks).toBytes() };

  test('takes a neighbour that has only ever refused for no holder, and asks the origin for what falls to it', () => {
    const one = caught();
    let effects = [...one.meet(agent('agent-1'), 'all'), ...one.says('o', open)];
    for (let refusals = 0; refusals <= swarmBounds.busyLargeTimes + swarmBounds.busyDoublings; refusals += 1) {
      expect(sent(effects, 'request', 'o')).toEqual([]);
      const request = sent(effects, 'request', 'agent-1').at(-1)?.request ?? 0;
      effects = [...one.says('agent-1', { kind: 'busy', request, retryAfterMs: swarmBounds.tickMs }), ...one.pass(9 * swarmBounds.tickMs)];
    }
    expect(sent(effects, 'request', 'o').length).toBeGreaterThan(0);
  });

  test('asks for a few pieces at once, whatever its neighbours have', () => {
    const { one } = member(new Set());
    for (const peer of fleet.slice(1, 17)) one.meet(peer, 'all');
    expect(sent(one.want(), 'request')).toHaveLength(swarmBounds.enoughPieces);
  });

  test('asks for parts of pieces only while little is under way, and then again', () => {
    const half = (which: number): readonly number[] => ordinals(0, 16 * chunks).filter((ordinal) => ordinal % 2 === which);
    const { one } = member(new Set(), 16);
    for (const peer of fleet.slice(1, 17)) one.meet(peer, half(0));
    expect(sent(one.want(), 'request')).toHaveLength(2 * swarmBounds.wholePieces);
    expect(sent(one.meet(agent('agent-17'), 'all'), 'request', 'agent-17')).toHaveLength(1);
    // What two have a half of each comes from both, though neither will ever have more.
    const both = member(new Set(['agent-1', 'agent-2']), 16);
    both.one.meet(agent('agent-1'), half(0));
    both.one.meet(agent('agent-2'), half(1));
    both.answer(both.one.want());
    expect([both.askedOf('agent-1').size, both.askedOf('agent-2').size]).toEqual([8 * chunks, 8 * chunks]);
  });

  test('waits tau for what nobody near holds, and a sixth of it for the last seven pieces', () => {
    const waited = (lacking: number): number => {
      const { one, answer, askedOf } = member(new Set(['agent-1', 'o']));
      answer(one.meet(origin('o'), 'all'));
      answer(one.meet(agent('agent-1'), ordinals(0, chunks - lacking)));
      answer(one.want());
      const lacks = ordinals(chunks - lacking, chunks);
      let ms = 0;
      for (; lacks.some((ordinal) => !askedOf('o').has(ordinal)) && ms < swarmBounds.starvedMsMax; ms += swarmBounds.tickMs) answer(one.pass(swarmBounds.tickMs));
      return ms;
    };
    const many = swarmBounds.lastPieces;
    expect(waited(many)).toBeGreaterThanOrEqual(swarmBounds.starvedMs);
    expect(waited(many)).toBeLessThan(1.1 * swarmBounds.starvedMs);
    expect(waited(many - 1)).toBeGreaterThanOrEqual(swarmBounds.starvedMs / swarmBounds.lastHaste);
    expect(waited(many - 1)).toBeLessThan((1.5 * swarmBounds.starvedMs) / swarmBounds.lastHaste);
  });

  test('waits a quarter of tau for those that it does not see, when three of its neighbours are bad', () => {
    const waited = (bad: number): number => {
      const { one } = member(new Set());
      const asked = [...sent(one.meet(origin('o'), 'all'), 'request'), ...sent(one.want(), 'request')];
      for (let index = 1; index <= bad; index += 1) {
        const name = `agent-${index}`;
        const [request] = sent(one.meet(agent(name), ordinals(0, chunks)), 'request', name);
        one.chunk(name, request?.request ?? 0, request?.ranges[0]?.from ?? -1, false);
      }
      for (let next = asked.shift(); next !== undefined; next = asked.shift()) asked.push(...sent(one.says('o', { kind: 'elsewhere', request: next.request, holders: ['agent-19'] }), 'request', 'o'));
      for (let ms = swarmBounds.tickMs; ms < 2 * swarmBounds.starvedMs; ms += swarmBounds.tickMs) {
        if (sent(one.pass(swarmBounds.tickMs), 'request', 'o').length > 0) return ms;
      }
      return Number.POSITIVE_INFINITY;
    };
    expect(waited(swarmBounds.badNeighbours)).toBe(swarmBounds.starvedMs / swarmBounds.unseenPart);
    expect(waited(swarmBounds.badNeighbours - 1)).toBe(swarmBounds.starvedMs);
  });

  test('brings from the origin what falls to it, and after a while what falls to others, when it has caught a neighbour', () => {
    const brought = (isCaught: boolean, ms: number): number => {
      const { one, answer, askedOf } = member(new Set(['o']));
      answer(one.meet(origin('o'), 'all'));
      answer(one.meet(agent('agent-1'), []));
      if (isCaught) answer(one.meet(agent('agent-2'), ordinals(0, 2)));
      answer(one.want());
      // Something is always on its way, so that it does not starve.
      let underWay: readonly { readonly request: number; readonly ordinal: number }[] = [];
      for (let passed = 0; passed < ms; passed += swarmBounds.tickMs) {
        for (const { request, ordinal } of underWay) answer(one.chunk('agent-1', request, ordinal));
        const from = passed / swarmBounds.tickMs;
        const effects = [...one.says('agent-1', { kind: 'have', topic: 5, ranges: [{ from, to: from + 1 }] }), ...one.pass(swarmBounds.tickMs)];
        answer(effects);
        underWay = sent(effects, 'request', 'agent-1').flatMap(({ request, ranges }) => ranges.flatMap((range) => ordinals(range.from, range.to).map((ordinal) => ({ request, ordinal }))));
      }
      return [...askedOf('o')].filter((ordinal) => ordinal >= chunks / 2).length;
    };
    const own = brought(false, 1_000);
    expect(own).toBeGreaterThan(0);
    const latest = swarmBounds.backupMs + swarmBounds.backups * swarmBounds.backupNextMs;
    expect(brought(false, latest)).toBe(own);
    expect(brought(true, swarmBounds.backupMs - 100)).toBe(own);
    expect(brought(true, latest)).toBeGreaterThan(2 * own);
  });

  test('comes back at once to a full line, and less and less often to one that never moves', () => {
    const { one } = member(new Set());
    one.meet(agent('agent-1'), 'all');
    let [request] = sent(one.want(), 'request', 'agent-1');
    const gaps: number[] = [];
    while (gaps.length < swarmBounds.busyLargeTimes + swarmBounds.busyDoublings + 1) {
      one.says('agent-1', { kind: 'busy', request: request?.request ?? 0, retryAfterMs: swarmBounds.tickMs });
      let ms = 0;
      for (request = undefined; request === undefined && ms < swarmBounds.busyMsMax; ms += swarmBounds.tickMs) [request] = sent(one.pass(swarmBounds.tickMs), 'request', 'agent-1');
      gaps.push(ms);
    }
    const patient = Array.from({ length: swarmBounds.busyLargeTimes }, () => swarmBounds.tickMs);
    expect(gaps).toEqual([...patient, ...[2, 4, 8, 8].slice(0, gaps.length - patient.length).map((times) => times * swarmBounds.tickMs)]);
  });
});
