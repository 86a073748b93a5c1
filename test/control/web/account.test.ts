// The receipt in words: what could not be better is well, what cannot be told is said to be so, and parts add up to the whole.

import { describe, expect, test } from 'vitest';
import { causeText, copiesText, paceOf, sharesOf } from '../../../control/web/swarm/account.ts';

describe('the time of a deployment', () => {
  test.each([
    [{ durationMs: 4_000, boundMs: 3_000, boundBy: 'downlink', ratio: 1.33, unknown: [] }, 'well', '4.0 s, 1.33 times the 3.0 s that the slowest line of a target allowed'],
    [{ durationMs: 900, boundMs: 400, boundBy: 'origin-uplink', ratio: 2.25, unknown: [] }, 'waiting', "900 ms, 2.25 times the 400 ms that the origin's line allowed"],
    [{ durationMs: 61_000, boundMs: 10_000, boundBy: 'all-uplinks', ratio: 6.1, unknown: ['lines of targets: 2 targets declared no rate'] }, 'blocked', '1 min 1 s, 6.10 times the 10.0 s that the lines of all together allowed; not counted: lines of targets: 2 targets declared no rate'],
    [{ durationMs: 4_000, unknown: [] }, 'off', '4.0 s; what would have been possible is not known, since no machine declares its rates (rates.link in agent.yaml)'],
    [{ unknown: [] }, 'off', 'nothing was fetched yet'],
  ] as const)('%j is %s', (time, tone, text) => {
    expect(paceOf({ time: { ...time, unknown: [...time.unknown] } })).toEqual({ tone, text });
  });
});

test('bytes are parts of a whole, and what is none is left out', () => {
  expect(sharesOf({ peerBytes: 8_000, originBytes: 4_000, reusedBytes: 0, wastedBytes: 4_000 })).toEqual([
    { name: 'from peers', kind: 'peer', bytes: 8_000, percent: 50 },
    { name: 'from origin', kind: 'origin', bytes: 4_000, percent: 25 },
    { name: 'for nothing', kind: 'waste', bytes: 4_000, percent: 25 },
  ]);
  expect(sharesOf({ peerBytes: 0, originBytes: 0, reusedBytes: 0, wastedBytes: 0 })).toEqual([]);
});

test('copies are told beside the fewest that there can be, across zones only where there are two', () => {
  expect(copiesText({ originCopies: 1, crossZoneCopies: 0, zones: 1, fetchBytes: 4_000_000 })).toEqual(['1.00 copies of 4.0 MB left the origin; one is the least']);
  expect(copiesText({ originCopies: 1.5, crossZoneCopies: 2.25, zones: 3, fetchBytes: 4_000_000 })[1]).toBe('2.25 copies crossed between 3 zones; 2 is the least where the origin is in one of them');
  expect(copiesText({ zones: 3, fetchBytes: 0 })).toEqual([]);
});

test('why a machine was slow is told with its figures where there are any', () => {
  expect([causeText({ cause: 'disk' }), causeText({ cause: 'disk', detail: 'its disk held it up for 3.0 s of 4.0 s' }), causeText({})]).toEqual(['its disk could not keep up', 'its disk held it up for 3.0 s of 4.0 s', '']);
});
