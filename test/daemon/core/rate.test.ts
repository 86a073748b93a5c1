// Our own caps: never more than was allowed, the urgent before the rest, and each hour its own.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { capsAt, createRateGate, rateBounds, type RateProfile, type TrafficClass } from '../../../daemon/core/rate.ts';

const profile = (caps: Partial<RateProfile>): RateProfile => ({ hours: [], ...caps });
const always = (): number => 0;
const classes = fc.constantFrom<TrafficClass>('rollout', 'background');

/** Asks at the given times for as much as is allowed; what went, and when. */
function run(rates: RateProfile, asks: readonly { readonly afterMs: number; readonly bytes: number; readonly traffic: TrafficClass }[]) {
  const gate = createRateGate(rates, always);
  let now = 0;
  return asks.flatMap(({ afterMs, bytes, traffic }) => {
    now += afterMs;
    if (gate.waitMs(traffic, bytes, 0, now) > 0) return [];
    gate.take(traffic, bytes, now);
    return [{ at: now, bytes, traffic }];
  });
}

describe('a rate gate', () => {
  test('lets never more through than the rate times any span, and the burst', () => {
    const ask = fc.record({ afterMs: fc.double({ min: 0, max: 400, noNaN: true }), bytes: fc.integer({ min: 1, max: 5_000_000 }), traffic: classes });
    fc.assert(
      fc.property(fc.integer({ min: 16_000, max: 200_000_000 }), fc.array(ask, { maxLength: 200 }), (limit, asks) => {
        const went = run(profile({ limit }), asks);
        const burst = Math.max(rateBounds.burstBytesMin, (limit * rateBounds.burstMs) / 1000);
        for (const [first, { at: from }] of went.entries()) {
          let sum = 0;
          let longest = 0;
          for (const { at, bytes } of went.slice(first)) {
            sum += bytes;
            longest = Math.max(longest, bytes);
            expect(sum).toBeLessThanOrEqual((limit * (at - from)) / 1000 + Math.max(burst, burst / 2 + longest) + 1);
          }
        }
      }),
    );
  });

  test('says when: nothing may go earlier, and everything may go then', () => {
    fc.assert(
      fc.property(fc.integer({ min: 16_000, max: 10_000_000 }), fc.integer({ min: 1, max: 4_000_000 }), fc.integer({ min: 1, max: 1_000_000 }), classes, (limit, taken, bytes, traffic) => {
        const gate = createRateGate(profile({ limit }), always);
        gate.take('rollout', taken, 0);
        const wait = gate.waitMs(traffic, bytes, 0, 0);
        fc.pre(wait > 0);
        expect(gate.waitMs(traffic, bytes, 0, wait * 0.99)).toBeGreaterThan(0);
        expect(gate.waitMs(traffic, bytes, 0, wait * 1.001 + 0.001)).toBe(0);
      }),
    );
  });

  test('gives the background class only what roll-outs leave', () => {
    const limit = 10_000_000;
    const gate = createRateGate(profile({ limit }), always);
    const got = { rollout: 0, background: 0 };
    const serve = (now: number, traffic: TrafficClass): void => {
      while (gate.waitMs(traffic, 64_000, 0, now) === 0) {
        gate.take(traffic, 64_000, now);
        got[traffic] += 64_000;
      }
    };
    // The first burst is anybody's.
    serve(0, 'rollout');
    for (let now = 1; now <= 10_000; now += 1) {
      // The background asks first each time, and still goes after.
      serve(now, 'background');
      if (now <= 5_000) serve(now, 'rollout');
    }
    const burst = Math.max(rateBounds.burstBytesMin, (limit * rateBounds.burstMs) / 1000);
    expect(got.rollout).toBeGreaterThan(limit * 5 - 64_000);
    expect(got.background).toBeLessThanOrEqual(limit * 5);
    expect(got.background).toBeGreaterThan(limit * 5 - burst);
  });

  test('a background cap counts beside the common one', () => {
    const went = run(profile({ limit: 10_000_000, background: 1_000_000 }), Array.from({ length: 20_000 }, (_, index) => ({ afterMs: 1, bytes: 10_000, traffic: index % 2 === 0 ? 'rollout' : 'background' } as const)));
    const sum = (traffic: TrafficClass): number => went.filter((one) => one.traffic === traffic).reduce((all, { bytes }) => all + bytes, 0);
    expect(sum('background')).toBeLessThanOrEqual(20 * 1_000_000 + rateBounds.burstBytesMin);
    expect(sum('background')).toBeGreaterThan(19 * 1_000_000);
    expect(sum('rollout')).toBe(100_000_000);
  });

  test('without a background there is none, until the hour changes', () => {
    let minute = 9 * 60;
    const gate = createRateGate(profile({ background: 0, hours: [{ fromMinute: 20 * 60, toMinute: 6 * 60, background: 'unlimited' }] }), () => minute);
    expect(gate.waitMs('background', 1, 0, 0)).toBe(Number.POSITIVE_INFINITY);
    expect(gate.waitMs('background', 1, 0, 3_600_000)).toBe(Number.POSITIVE_INFINITY);
    expect(gate.waitMs('rollout', 1_000_000, 0, 3_600_000)).toBe(0);
    minute = 20 * 60;
    expect(gate.waitMs('background', 1, 0, 3_600_000 + rateBounds.hourLookMs)).toBe(0);
  });

  test('a new hour does not pay out what the last one saved', () => {
    let minute = 0;
    const gate = createRateGate(profile({ limit: 100_000_000, hours: [{ fromMinute: 480, toMinute: 1080, limit: 1_000_000 }] }), () => minute);
    expect(gate.waitMs('rollout', 10_000_000, 0, 0)).toBe(0);
    minute = 480;
    const now = rateBounds.hourLookMs;
    expect(gate.caps(now)).toEqual({ limit: 1_000_000 });
    gate.take('rollout', rateBounds.burstBytesMin, now);
    expect(gate.waitMs('rollout', 1_000, 0, now)).toBeCloseTo(1);
  });

  test('what is owed counts as spent', () => {
    const gate = createRateGate(profile({ limit: 1_000_000 }), always);
    expect(gate.waitMs('rollout', 100_000, 400_000, 0)).toBe(0);
    expect(gate.waitMs('rollout', 100_000, rateBounds.burstBytesMin, 0)).toBeCloseTo(100);
  });
});

describe('capsAt()', () => {
  test.each([
    ['inside a span', 600, { limit: 1, background: 2 }],
    ['at its first minute', 480, { limit: 1, background: 2 }],
    ['at its last', 1080, { limit: 9, background: 2 }],
    ['before midnight, in a span over it', 1439, { background: 0 }],
    ['after midnight, in a span over it', 10, { background: 0 }],
    ['outside all', 1200, { limit: 9, background: 2 }],
  ] as const)('%s', (_where, minute, expected) => {
    const hours = [
      { fromMinute: 480, toMinute: 1080, limit: 1 },
      { fromMinute: 1320, toMinute: 360, limit: 'unlimited', background: 0 },
      { fromMinute: 500, toMinute: 501, limit: 7 },
    ] as const;
    expect(capsAt({ limit: 9, background: 2, hours }, minute)).toEqual(expected);
  });

  test('a span of no length is the whole day', () => {
    for (const minute of [0, 719, 720, 1439]) expect(capsAt({ hours: [{ fromMinute: 720, toMinute: 720, limit: 5 }] }, minute)).toEqual({ limit: 5 });
  });
});
