// What came in and waits for the disk: it is given away as soon as it can be read, and bounds what is asked for.

import { describe, expect, test } from 'vitest';
import { createBitmap } from '../../../../proto/bitmap.ts';
import { swarmBounds } from '../../../../daemon/core/schedule/state/swarm-bounds.ts';
import type { Effect } from '../../../../daemon/core/schedule/state/swarm-events.ts';
import { agent, alone, origin, sent } from './alone.ts';
import { all, count, topicInfo, topicOne } from './driver.ts';

describe('what waits for the disk', () => {
  test('counts: nothing more is asked for at the total, and something as soon as there is room', () => {
    const length = 200_000;
    const one = alone(agent('self'), topicInfo(2_000, () => length));
    one.meet(agent('x'), 'all');
    let asked = 0;
    const arrived: number[] = [];
    const queue = [...sent(one.want(), 'request')];
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      asked += count(next.ranges) * length;
      // Everything arrives and nothing is ever stored.
      for (const { from, to } of next.ranges) for (let ordinal = from; ordinal < to; ordinal += 1) {
        arrived.push(ordinal);
        queue.push(...sent(one.chunk('x', next.request, ordinal), 'request'));
      }
    }
    expect(asked).toBeGreaterThan(swarmBounds.totalBytesMax / 2);
    expect(asked).toBeLessThanOrEqual(swarmBounds.totalBytesMax + swarmBounds.pieceBytesMax);
    const stored = arrived.flatMap((ordinal) => one.tell({ kind: 'stored', topic: topicOne, ordinal, bytes: length }));
    expect(sent(stored, 'request').length).toBeGreaterThan(0);
  });

  test('is announced when it can be read, however long the disk takes', () => {
    const one = alone(agent('self'), topicInfo(20, () => 60_000));
    one.meet(agent('x'), 'all');
    one.meet(agent('y'), []);
    const [first] = sent(one.want(), 'request', 'x');
    const ordinal = first?.ranges[0]?.from ?? -1;
    one.chunk('x', first?.request ?? -1, ordinal);
    const effects = [...one.tell({ kind: 'placed', topic: topicOne, ordinal }), ...one.pass(swarmBounds.haveMs)];
    expect(sent(effects, 'have', 'y').flatMap(({ ranges }) => ranges)).toEqual([{ from: ordinal, to: ordinal + 1 }]);
  });

  test('is so many small chunks at most; who waits for it does not turn to the origin, and goes on when there is room', () => {
    const most = swarmBounds.chunksMax;
    const one = alone(agent('self'), topicInfo(3 * most, () => 60));
    one.meet(agent('x'), 'all');
    one.meet(origin('o'), 'all');
    const placed: number[] = [];
    const ofOrigin: unknown[] = [];
    const take = (begun: readonly Effect[]): void => {
      const queue: ReturnType<typeof sent<'request'>> = [];
      const look = (effects: readonly Effect[]): void => {
        queue.push(...sent(effects, 'request', 'x'));
        ofOrigin.push(...sent(effects, 'request', 'o'));
      };
      look(begun);
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        for (const { from, to } of next.ranges) for (let ordinal = from; ordinal < to; ordinal += 1) {
          placed.push(ordinal);
          look([...one.chunk('x', next.request, ordinal), ...one.tell({ kind: 'placed', topic: topicOne, ordinal })]);
        }
      }
    };
    take(one.want());
    expect(placed.length).toBeGreaterThan(most / 2);
    expect(placed.length).toBeLessThanOrEqual(most + swarmBounds.pieceChunksMax);
    const before = placed.length;
    expect(sent(one.pass(2 * swarmBounds.starvedMsMax), 'request')).toEqual([]);
    take(placed.slice().flatMap(() => one.tell({ kind: 'room', topic: topicOne, bytes: 60 })));
    expect(placed.length).toBeGreaterThan(before);
    expect(new Set(placed).size).toBe(placed.length);
    expect(ofOrigin).toEqual([]);
  });

  test('holds up nothing but its own topic', () => {
    const small = topicInfo(3 * swarmBounds.chunksMax, () => 500);
    const one = alone(agent('self'), small);
    one.meet(agent('x'), 'all');
    const queue = [...sent(one.want(), 'request', 'x')];
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      for (const { from, to } of next.ranges) for (let ordinal = from; ordinal < to; ordinal += 1) {
        queue.push(...sent(one.chunk('x', next.request, ordinal), 'request', 'x'), ...sent(one.tell({ kind: 'placed', topic: topicOne, ordinal }), 'request', 'x'));
      }
    }
    const [other, theirs] = [topicOne + 1, 6];
    const info = { ...topicInfo(40, () => 60_000), revision: 'f'.repeat(64) };
    one.tell({ kind: 'share', topic: other, info, held: createBitmap(info.chunkCount) });
    one.says('x', { kind: 'open', topic: theirs, blob: info.blob, revision: info.revision, held: all(info.chunkCount).toBytes() });
    const asked = sent(one.tell({ kind: 'want', topic: other, fetch: 2, wanted: all(info.chunkCount) }), 'request', 'x');
    expect(asked.map(({ topic }) => topic)).toContain(theirs);
    expect(asked.map(({ topic }) => topic)).not.toContain(5);
  });
});
