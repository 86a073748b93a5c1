// Words to a neighbour over two ways of which one may end: they arrive once, in the order of saying, and are kept no longer than need be.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeFrame, encodeMessage } from '../../../../proto/exchange-codec.ts';
import type { ExchangeMessage } from '../../../../proto/exchange.ts';
import { createWordOrder, type Way } from '../../../../daemon/swarm/libp2p/word-order.ts';

const word = (request: number): ExchangeMessage => ({ kind: 'cancel', request });
const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

/** One side: what it says lies in `out` by way and channel until the test brings it over. */
function side() {
  const out: { readonly stream: ExchangeMessage[]; readonly bulk: Map<number, ExchangeMessage[]> } = { stream: [], bulk: new Map() };
  const heard: number[] = [];
  const strikes: string[] = [];
  let channel: number | undefined;
  let said = 0;
  const order = createWordOrder({
    send(way, parts) {
      const message = decodeFrame(Uint8Array.from(Buffer.concat(parts)));
      if (way === 'stream') out.stream.push(message);
      else out.bulk.get(channel ?? -1)?.push(message);
    },
    deliver: (message) => void heard.push(message.kind === 'cancel' ? message.request : -1),
    onMisbehaviour: (reason, detail) => void strikes.push(`${reason}: ${detail}`),
  });
  return {
    order, out, heard, strikes,
    get channel() {
      return channel;
    },
    get said() {
      return said;
    },
    say(times = 1) {
      for (let time = 0; time < times; time += 1) order.say(encodeMessage(word((said += 1) - 1)));
    },
    adopt(number: number) {
      this.end();
      channel = number;
      out.bulk.set(number, []);
      order.opened();
    },
    end() {
      if (channel !== undefined) order.ended();
      channel = undefined;
    },
    /** Brings up to `count` messages from the other side. */
    receive(from: { readonly out: typeof out }, way: Way, count: number) {
      const queue = way === 'stream' ? from.out.stream : (from.out.bulk.get(channel ?? -1) ?? []);
      for (const message of queue.splice(0, count)) order.hear(message, way);
    },
  };
}

type Side = ReturnType<typeof side>;

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('say' as const), who: fc.nat(1), count: fc.integer({ min: 1, max: 90 }) }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constantFrom('stream' as const, 'bulk' as const), who: fc.nat(1), count: fc.integer({ min: 1, max: 120 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('adopt' as const, 'end' as const, 'quiet' as const), who: fc.nat(1), count: fc.constant(1) }) },
);

describe('words over a stream and channels that come and go', () => {
  test('arrive once and in order, whatever is late and whatever ends', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 80, size: 'max' }), (steps) => {
        const both: readonly [Side, Side] = [side(), side()];
        // Who comes second adopts the channel that the other one has, or a new one when it has that.
        const adopted = [0, 0];
        let newest = 0;
        for (const { kind, who, count } of steps) {
          const [one, other] = who === 0 ? both : [both[1], both[0]];
          if (kind === 'say') one.say(count);
          else if (kind === 'adopt') {
            newest = adopted[who] === newest ? newest + 1 : newest;
            one.adopt((adopted[who] = newest));
          }
          else if (kind === 'end') one.end();
          else if (kind === 'quiet') one.order.quiet();
          else one.receive(other, kind, count);
        }
        // In the end there is no channel, and the stream brings all that is left.
        for (const one of both) one.end();
        both[0].receive(both[1], 'stream', Infinity);
        both[1].receive(both[0], 'stream', Infinity);
        expect(both.map(({ strikes }) => strikes)).toEqual([[], []]);
        expect(both[0].heard).toEqual(numbers(both[1].said));
        expect(both[1].heard).toEqual(numbers(both[0].said));
      }),
    );
  });

  test('go over the channel and none over the stream while there is one, and are kept until they are confirmed', () => {
    const [a, b] = [side(), side()];
    for (const one of [a, b]) one.adopt(1);
    a.say(200);
    b.receive(a, 'bulk', Infinity);
    expect(b.heard).toEqual(numbers(200));
    a.receive(b, 'bulk', Infinity);
    expect(a.order.quiet()).toBe(true);
    // What is confirmed after a silence is all of it.
    expect(b.order.quiet()).toBe(false);
    a.receive(b, 'bulk', Infinity);
    expect(a.order.quiet()).toBe(false);
    a.end();
    expect(a.out.stream).toEqual([{ kind: 'mark', number: 200 }]);
  });

  test('wait for what the stream still brings', () => {
    const [a, b] = [side(), side()];
    a.say(3);
    for (const one of [a, b]) one.adopt(1);
    a.say(2);
    b.receive(a, 'bulk', Infinity);
    expect(b.heard).toEqual([]);
    b.receive(a, 'stream', 2);
    expect(b.heard).toEqual([0, 1]);
    b.receive(a, 'stream', 1);
    expect(b.heard).toEqual(numbers(5));
  });
});

describe('a neighbour is not believed', () => {
  test.each<[string, Way, readonly ExchangeMessage[]]>([
    ['that says words on a channel without a mark', 'bulk', [word(0)]],
    ['that marks the stream ahead of what it said', 'stream', [{ kind: 'mark', number: 1 }]],
    ['that marks a channel twice', 'bulk', [{ kind: 'mark', number: 0 }, { kind: 'mark', number: 0 }]],
    ['that confirms what nobody said', 'bulk', [{ kind: 'taken', number: 1 }]],
    ['that says without end on a channel what has to wait for the stream', 'bulk', [{ kind: 'mark', number: 1 }, ...Array.from({ length: 5_000 }, () => word(1))]],
  ])('%s', (_what, way, messages) => {
    const one = side();
    one.adopt(1);
    for (const message of messages) if (one.strikes.length === 0) one.order.hear(message, way);
    expect(one.strikes).toEqual([expect.stringMatching(/^protocol: /)]);
  });

  test('that never confirms: it is cut before what is kept for it becomes much', () => {
    const one = side();
    one.adopt(1);
    while (one.strikes.length === 0 && one.said < 1_000_000) one.say();
    expect(one.strikes).toEqual([expect.stringMatching(/^stalled: /)]);
    expect(one.said).toBeLessThan(30_000);
  });
});
