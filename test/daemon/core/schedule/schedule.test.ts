// The scheduler by itself: what must hold for any fleet and any order of events, and the single rules one by one. Whole fleets with time and bytes are in
// test/simulation/swarm.test.ts; what is told and given to others in serving.test.ts.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createBitmap } from '../../../../proto/bitmap.ts';
import { swarmBounds } from '../../../../daemon/core/schedule/state/swarm-bounds.ts';
import type { Effect, ScheduledMessage } from '../../../../daemon/core/schedule/state/swarm-events.ts';
import { agent, alone, origin, sent } from './alone.ts';
import { all, count, Driver, topicInfo, topicOne, type NodeOptions } from './driver.ts';

describe('any fleet', () => {
  const node = (chunkCount: number) =>
    fc.record({
      origin: fc.boolean(),
      behaviour: fc.constantFrom('honest' as const, 'honest' as const, 'honest' as const, 'honest' as const, 'honest' as const, 'honest' as const, 'corrupt' as const, 'silent' as const, 'refuses' as const, 'points' as const, 'repents' as const),
      held: fc.uniqueArray(fc.nat(chunkCount - 1), { maxLength: chunkCount }),
      wants: fc.boolean(),
    }).map((one) => ({ ...one, origin: one.origin && (one.behaviour === 'honest' || one.behaviour === 'corrupt' || one.behaviour === 'silent') }));
  const fleet = fc.integer({ min: 1, max: 60 }).chain((chunkCount) =>
    fc.record({ chunkCount: fc.constant(chunkCount), seed: fc.nat(1_000_000), nodes: fc.array(node(chunkCount), { minLength: 2, maxLength: 7 }) }),
  );
  /** Whether honest nodes, among whom are all who want, hold everything together. */
  const isPossible = (chunkCount: number, nodes: readonly NodeOptions[]): boolean => {
    const held = new Set(nodes.filter(({ behaviour }) => behaviour === 'honest').flatMap(({ held: own }) => own));
    return held.size === chunkCount;
  };

  test('whoever wants gets every chunk that a live honest member holds, and stores each once', () => {
    fc.assert(
      fc.property(fleet, ({ chunkCount, seed, nodes }) => {
        fc.pre(isPossible(chunkCount, nodes));
        // A corrupt or silent node is a neighbour; whether it gets anything itself is not our concern.
        const driver = new Driver(topicInfo(chunkCount), seed, nodes.map((each) => ({ ...each, wants: each.wants && each.behaviour === 'honest' })));
        driver.run(120_000);
        for (const each of driver.nodes) expect(new Set(each.stored).size).toBe(each.stored.length);
      }),
      { numRuns: 150 },
    );
  });

  test('also when members leave on the way', () => {
    fc.assert(
      fc.property(fleet, fc.nat(6), fc.integer({ min: 1, max: 40 }), ({ chunkCount, seed, nodes }, leaver, after) => {
        const rest = nodes.filter((_each, index) => index !== leaver);
        fc.pre(leaver < nodes.length && isPossible(chunkCount, rest));
        const driver = new Driver(topicInfo(chunkCount), seed, nodes.map((each) => ({ ...each, wants: each.wants && each.behaviour === 'honest' })));
        const leaving = driver.nodes[leaver];
        let steps = 0;
        driver.run(120_000, () => (steps += 1) > after);
        if (leaving !== undefined) driver.kill(leaving);
        driver.run(120_000);
        for (const each of driver.nodes) expect(new Set(each.stored).size).toBe(each.stored.length);
      }),
      { numRuns: 100 },
    );
  });

  test('a member that sent one corrupt chunk of a revision is not asked for it again', () => {
    fc.assert(
      fc.property(fleet, ({ chunkCount, seed, nodes }) => {
        fc.pre(isPossible(chunkCount, nodes));
        const driver = new Driver(topicInfo(chunkCount), seed, nodes.map((each) => ({ ...each, wants: each.wants && each.behaviour === 'honest' })));
        driver.run(120_000);
        for (const { effects } of driver.nodes) {
          const struck = new Set<string>();
          for (const effect of effects) {
            if (effect.kind === 'strike' && effect.reason === 'corrupt-chunk') {
              expect(struck.has(effect.member)).toBe(false);
              struck.add(effect.member);
            }
            if (effect.kind === 'send' && effect.message.kind === 'request') expect(struck.has(effect.member)).toBe(false);
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  test('any message at all is answered with effects, never with an error', () => {
    const ranges = fc.array(fc.record({ from: fc.nat(40), to: fc.nat(50) }).filter(({ from, to }) => from < to), { minLength: 1, maxLength: 4 });
    const message: fc.Arbitrary<ScheduledMessage> = fc.oneof(
      fc.record({ kind: fc.constant('open' as const), topic: fc.nat(3), blob: fc.constantFrom('tree' as const, 'index' as const), revision: fc.constant('a'.repeat(64)), held: fc.uint8Array({ maxLength: 5 }) }),
      fc.record({ kind: fc.constant('close' as const), topic: fc.nat(3) }),
      fc.record({ kind: fc.constant('have' as const), topic: fc.nat(3), ranges }),
      fc.record({ kind: fc.constant('request' as const), topic: fc.nat(3), request: fc.nat(5), ranges }),
      fc.record({ kind: fc.constant('busy' as const), request: fc.nat(9), retryAfterMs: fc.nat(4_000_000_000) }),
      fc.record({ kind: fc.constant('absent' as const), request: fc.nat(9), ranges }),
      fc.record({ kind: fc.constant('elsewhere' as const), request: fc.nat(9), holders: fc.array(fc.constantFrom('x', 'y', 'z')) }),
      fc.record({ kind: fc.constant('cancel' as const), request: fc.nat(9) }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('x', 'y', 'o'), message), { maxLength: 60 }), (messages) => {
        const one = alone(agent('self'), topicInfo(40), [1, 2, 3]);
        for (const peer of [agent('x'), agent('y'), origin('o')]) one.tell({ kind: 'joined', peer });
        one.want();
        for (const [member, each] of messages) {
          one.says(member, each);
          one.chunk(member, 1, 7);
          one.pass(100);
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('windows', () => {
  test('two requests to a neighbour of which nothing is known', () => {
    const one = alone(agent('self'), topicInfo(100));
    one.meet(agent('x'), 'all');
    expect(sent(one.want(), 'request')).toHaveLength(2);
  });

  test('more is under way over a long way, so that lines stay full', () => {
    const length = 64 * 1024;
    const peak = (tripMs: number): number => {
      const one = alone(agent('self'), topicInfo(4_000, () => length));
      const names = Array.from({ length: 8 }, (_, index) => `far-${index}`);
      let asked = names.flatMap((name) => sent(one.meet(agent(name), 'all'), 'request', name).map((request) => ({ name, ...request })));
      const keep = (effects: readonly Effect[]): void => {
        for (const name of names) asked.push(...sent(effects, 'request', name).map((request) => ({ name, ...request })));
      };
      keep(one.want());
      let most = 0;
      for (let trip = 0; trip < 20; trip += 1) {
        most = Math.max(most, asked.length);
        const answered = asked;
        asked = [];
        keep(one.pass(tripMs));
        for (const { name, request, ranges } of answered) for (const { from, to } of ranges) for (let ordinal = from; ordinal < to; ordinal += 1) {
          keep(one.chunk(name, request, ordinal));
          keep(one.tell({ kind: 'stored', topic: topicOne, ordinal, bytes: length }));
        }
      }
      return most;
    };
    expect(peak(10)).toBeLessThanOrEqual(2 * swarmBounds.enoughPieces);
    expect(peak(300)).toBeGreaterThan(4 * swarmBounds.enoughPieces);
  });

  test('never more than the bounds, however fast the neighbour is', () => {
    const length = 100_000;
    const one = alone(agent('self'), topicInfo(3_000, () => length));
    one.meet(agent('x'), 'all');
    const outstanding = new Map<number, number>();
    const take = (effects: readonly Effect[]): void => {
      for (const { request, ranges } of sent(effects, 'request')) outstanding.set(request, count(ranges) * length);
    };
    let mostBytes = 0;
    take(one.want());
    for (let step = 0; step < 40; step += 1) {
      const [request] = outstanding.keys();
      if (request === undefined) break;
      outstanding.delete(request);
      for (let ordinal = 0; ordinal < 3_000; ordinal += 1) {
        if (one.schedule.expected('x', 5, request, ordinal) === undefined) continue;
        const effects = one.chunk('x', request, ordinal);
        take([...effects, ...one.tell({ kind: 'stored', topic: topicOne, ordinal, bytes: length })]);
      }
      mostBytes = Math.max(mostBytes, [...outstanding.values()].reduce((sum, bytes) => sum + bytes, 0));
      expect(outstanding.size).toBeLessThanOrEqual(swarmBounds.windowRequestsMax);
    }
    expect(mostBytes).toBe(swarmBounds.enoughPieces * length);
    expect(mostBytes).toBeLessThanOrEqual(swarmBounds.windowBytesMax);
  });

  test('all agents together are asked for a few pieces only, however many there are, also where everybody sees everybody', () => {
    const one = alone(agent('self'), topicInfo(400, () => 60_000));
    for (let number = 0; number < 12; number += 1) one.meet(agent(`x${number}`), 'all');
    expect(sent(one.want(), 'request')).toHaveLength(swarmBounds.enoughPieces);
  });
});

describe('what is asked of whom', () => {
  test('the rarest piece first, after four at random', () => {
    // Pieces of one chunk; only x, who is asked last, says what is rare.
    const info = topicInfo(10, () => 60_000);
    const one = alone(agent('self'), info);
    const common = [0, 1, 2, 3, 4, 5, 6, 7, 8];
    one.meet(agent('y'), common);
    one.meet(agent('z'), common);
    one.want();
    // Whatever was asked of y and z first: four arrive.
    for (let arrived = 0; arrived < 4; arrived += 1) {
      for (const member of ['y', 'z']) {
        for (let request = 1; request < 12 && arrived < 4; request += 1) {
          for (const ordinal of common) {
            if (one.schedule.expected(member, 5, request, ordinal) === undefined) continue;
            one.chunk(member, request, ordinal);
            one.tell({ kind: 'stored', topic: topicOne, ordinal, bytes: 60_000 });
            arrived += 1;
          }
        }
      }
    }
    const first = sent(one.meet(agent('x'), 'all'), 'request', 'x')[0];
    expect(first?.ranges).toEqual([{ from: 9, to: 10 }]);
  });

  test('contiguous missing chunks in one request, with what is held left out', () => {
    const one = alone(agent('self'), topicInfo(12, () => 1_000), [3, 4, 8]);
    one.meet(agent('x'), 'all');
    expect(sent(one.want(), 'request')[0]?.ranges).toEqual([{ from: 0, to: 3 }, { from: 5, to: 8 }, { from: 9, to: 12 }]);
  });

  test('not the origin for what a peer holds', () => {
    const one = alone(agent('self'), topicInfo(8, () => 30_000));
    one.meet(origin('o'), 'all');
    one.meet(agent('x'), 'all');
    const effects = one.want();
    expect(sent(effects, 'request', 'o')).toEqual([]);
    expect(sent(effects, 'request', 'x').length).toBeGreaterThan(0);
  });

  test('a request that overstays is asked of another holder, and what comes late is still taken', () => {
    const one = alone(agent('self'), topicInfo(1));
    one.meet(agent('x'), 'all');
    const [request] = sent(one.want(), 'request', 'x');
    one.meet(agent('y'), 'all');
    expect(sent(one.pass(2_000), 'request', 'y')).toHaveLength(1);
    expect(one.chunk('x', request?.request ?? 0, 0)).toContainEqual({ kind: 'store', topic: topicOne, fetch: 1, ordinal: 0 });
  });

  test('what a neighbour refuses is asked at once of another of which nothing was left to ask', () => {
    const one = alone(agent('self'), topicInfo(100));
    one.meet(agent('x'), [0, 1, 2]);
    one.meet(agent('y'), [0, 1, 2]);
    const [first] = sent(one.want(), 'request', 'x');
    expect(sent(one.says('x', { kind: 'busy', request: first?.request ?? 0, retryAfterMs: 1_000 }), 'request', 'y')).toMatchObject([{ ranges: [{ from: 0, to: 3 }] }]);
  });

  test('what the only holder does not answer it is asked for again when its answer is given up', () => {
    const one = alone(agent('self'), topicInfo(100));
    one.meet(agent('x'), [0, 1, 2]);
    expect(sent(one.want(), 'request', 'x')).toHaveLength(1);
    const effects = one.pass(swarmBounds.lateMs + 2 * swarmBounds.timeoutUnknownMs);
    expect(sent(effects, 'cancel', 'x')).toHaveLength(1);
    expect(sent(effects, 'request', 'x')).toMatchObject([{ ranges: [{ from: 0, to: 3 }] }]);
  });

  test('three times overstayed is half a minute of peace', () => {
    const one = alone(agent('self'), topicInfo(50, () => 60_000));
    one.meet(agent('x'), 'all');
    one.want();
    const effects = one.pass(20_000);
    expect(effects.filter(({ kind }) => kind === 'strike')).toEqual([expect.objectContaining({ member: 'x', reason: 'timeouts' })]);
    const requests = sent(effects, 'request').length;
    expect(requests).toBeLessThanOrEqual(6);
    expect(sent(one.pass(5_000), 'request')).toEqual([]);
    expect(sent(one.pass(30_000), 'request').length).toBeGreaterThan(0);
  });

  test('when everything is slow, more time is given', () => {
    const one = alone(agent('self'), topicInfo(2_000, () => 60_000));
    one.meet(agent('x'), 'all');
    // Every answer takes two seconds.
    let effects = one.want();
    for (let round = 0; round < 10; round += 1) {
      const requests = sent(effects, 'request');
      effects = one.pass(2_000);
      for (const { request, ranges } of requests) {
        for (const { from, to } of ranges) {
          for (let ordinal = from; ordinal < to; ordinal += 1) effects = [...effects, ...one.chunk('x', request, ordinal), ...one.tell({ kind: 'stored', topic: topicOne, ordinal, bytes: 60_000 })];
        }
      }
      expect(effects.filter(({ kind }) => kind === 'strike')).toEqual([]);
      expect(sent(effects, 'cancel')).toEqual([]);
    }
    // A newcomer is given that time too, though nothing is known of its own speed.
    const ordinals = (found: ReturnType<typeof sent<'request'>>): readonly number[] => found.flatMap(({ ranges }) => ranges.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, index) => from + index)));
    const first = ordinals(sent([...one.says('x', { kind: 'close', topic: 5 }), ...one.meet(agent('y'), 'all')], 'request', 'y'));
    expect(first.length).toBeGreaterThan(0);
    const again = ordinals(sent([...one.meet(agent('z'), first), ...one.pass(4_500)], 'request', 'z'));
    expect(again).toEqual([]);
  });

  test('`busy` is honoured, but not for ever', () => {
    const one = alone(agent('self'), topicInfo(1));
    one.meet(agent('x'), 'all');
    const [request] = sent(one.want(), 'request');
    expect(sent(one.says('x', { kind: 'busy', request: request?.request ?? 0, retryAfterMs: 4_000_000_000 }), 'request')).toEqual([]);
    expect(sent(one.pass(swarmBounds.busyMsMax / 2), 'request')).toEqual([]);
    expect(sent(one.pass(swarmBounds.busyMsMax), 'request')).toHaveLength(1);
  });

  test('`busy` again and again is asked less and less often', () => {
    const one = alone(agent('self'), topicInfo(2));
    one.meet(agent('x'), 'all');
    let [request] = sent(one.want(), 'request');
    const waits: number[] = [];
    for (let times = 0; times < 6; times += 1) {
      one.says('x', { kind: 'busy', request: request?.request ?? 0, retryAfterMs: 100 });
      request = undefined;
      for (let ms = 0; request === undefined && ms < 10_000; ms += 50) {
        [request] = sent(one.pass(50), 'request');
        if (request !== undefined) waits.push(ms + 50);
      }
    }
    expect(waits).toEqual([100, 200, 400, 800, 800, 800]);
  });

  test('a pause of our own is no fault of the neighbour', () => {
    const one = alone(agent('self'), topicInfo(1));
    one.meet(agent('x'), 'all');
    one.want();
    one.meet(agent('y'), 'all');
    // The whole process stood still for a minute; then the clock goes on.
    expect(sent(one.schedule.step({ kind: 'tick' }, 60_000), 'request', 'y')).toEqual([]);
    expect(one.schedule.requestsInFlight()).toBe(1);
  });

  test('a pause of our own is given back once, however many events have waited in it', () => {
    const asked = [1, 5].map((events) => {
      const one = alone(agent('self'), topicInfo(1));
      one.meet(agent('x'), 'all');
      one.want();
      one.meet(agent('y'), 'all');
      for (let event = 0; event < events; event += 1) one.schedule.take({ kind: 'served', upload: 99, absent: [] }, 60_000);
      one.schedule.settle(60_000);
      for (let now = 60_050; now < 90_000; now += 50) if (sent(one.schedule.step({ kind: 'tick' }, now), 'request', 'y').length > 0) return now;
      return undefined;
    });
    expect(asked[0]).toBeGreaterThan(60_000);
    expect(asked[1]).toBe(asked[0]);
  });

  test('the last pieces are asked of two more when they dawdle, and cancelled when one has come', () => {
    const one = alone(agent('self'), topicInfo(1));
    for (const name of ['x', 'y', 'z', 'w']) one.meet(agent(name), 'all');
    const [first] = sent(one.want(), 'request');
    const again = sent(one.pass(400), 'request');
    expect(again).toHaveLength(2);
    const winner = ['x', 'y', 'z', 'w'].find((name) => one.schedule.expected(name, 5, first?.request ?? 0, 0) !== undefined) ?? '';
    const effects = one.chunk(winner, first?.request ?? 0, 0);
    expect(sent(effects, 'cancel')).toHaveLength(2);
  });
});

describe('corrupt chunks', () => {
  test('in three revisions are a ban of an hour', () => {
    const one = alone(agent('self'), topicInfo(4));
    const effects: Effect[] = [];
    for (let revision = 1; revision <= 3; revision += 1) {
      const info = { ...topicInfo(4), revision: String(revision).repeat(64) };
      one.tell({ kind: 'share', topic: revision + 10, info, held: createBitmap(4) });
      if (revision === 1) one.tell({ kind: 'joined', peer: agent('x') });
      one.says('x', { kind: 'open', topic: revision, blob: 'tree', revision: info.revision, held: all(4).toBytes() });
      const [request] = sent(one.tell({ kind: 'want', topic: revision + 10, fetch: revision + 10, wanted: all(4) }), 'request');
      effects.push(...one.tell({ kind: 'chunk', member: 'x', topic: revision, request: request?.request ?? 0, ordinal: 0, bytes: 20_000, good: false }));
    }
    expect(effects.filter(({ kind }) => kind === 'banned')).toHaveLength(1);
    expect(effects).toContainEqual({ kind: 'close', member: 'x', reason: 'banned' });
    one.tell({ kind: 'gone', member: 'x' });
    expect(one.tell({ kind: 'joined', peer: agent('x') })).toEqual([{ kind: 'close', member: 'x', reason: 'banned' }]);
    one.pass(swarmBounds.banMs);
    expect(one.tell({ kind: 'joined', peer: agent('x') })).not.toContainEqual({ kind: 'close', member: 'x', reason: 'banned' });
  });

  test('are remembered when the member comes back', () => {
    const one = alone(agent('self'), topicInfo(4));
    one.meet(agent('x'), 'all');
    const [request] = sent(one.want(), 'request');
    one.chunk('x', request?.request ?? 0, 0, false);
    one.tell({ kind: 'gone', member: 'x' });
    expect(sent([...one.meet(agent('x'), 'all'), ...one.pass(5_000)], 'request')).toEqual([]);
  });
});
