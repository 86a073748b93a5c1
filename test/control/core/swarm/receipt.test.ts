// The receipt: what targets said, added up; why the last one was last; and what no distribution could have beaten.

import { describe, expect, test } from 'vitest';
import { fluidBound } from '../../../../control/core/swarm/fluid-bound.ts';
import { slownessOf } from '../../../../control/core/swarm/slowness.ts';
import type { Transfer, TransferTiming } from '../../../../proto/fleet.ts';

const timing = (more: Partial<TransferTiming>): TransferTiming => ({ totalMs: 10_000, firstByteMs: 100, waitMs: 0, storeMs: 0, throttledMs: 0, strikes: 0, ...more });
const transfer = (more: Partial<TransferTiming>, bytes: Partial<Transfer> = {}): Transfer => ({ originBytes: 10, peerBytes: 90, reusedBytes: 0, wastedBytes: 0, timing: timing(more), ...bytes });
const causeOf = (of: Transfer, lateMs = 0): string => slownessOf({ transfer: of, durationMs: 10_000, lateMs }).cause;

describe('slownessOf()', () => {
  test.each([
    ['bytes came all the time', transfer({}), 'downlink'],
    ['its own cap', transfer({ throttledMs: 4_000, waitMs: 4_000 }), 'rate-cap'],
    ['its disk', transfer({ storeMs: 4_000 }), 'disk'],
    ['nobody to ask, after neighbours were struck', transfer({ waitMs: 4_000, strikes: 2 }), 'struck-neighbours'],
    ['nobody to ask before the first byte', transfer({ waitMs: 4_000, firstByteMs: 3_900 }), 'waiting-for-origin'],
    ['nobody to ask, and most from the origin', transfer({ waitMs: 4_000 }, { originBytes: 90, peerBytes: 10 }), 'waiting-for-origin'],
    ['nobody to ask later on', transfer({ waitMs: 4_000 }), 'few-holders'],
    ['a strike that cost little', transfer({ waitMs: 1_000, strikes: 1 }), 'downlink'],
  ])('%s', (_what, of, cause) => {
    expect(causeOf(of)).toBe(cause);
  });

  test('a late start is the cause only when it is longer than the fetch', () => {
    expect(causeOf(transfer({}), 11_000)).toBe('started-late');
    expect(causeOf(transfer({}), 9_000)).toBe('downlink');
  });

  test('a daemon that says nothing of its time has an unknown cause', () => {
    const { timing: _timing, ...old } = transfer({});
    expect(causeOf(old)).toBe('unknown');
  });
});

describe('fluidBound()', () => {
  const target = { bytes: 64_000_000, send: 5_000_000, receive: 5_000_000 };
  const sixteen = Array.from({ length: 16 }, () => target);

  test('is what swarm.md says for sixteen targets with 40 Mbit/s', () => {
    expect(fluidBound({ targets: sixteen, origins: [5_000_000] })).toEqual({ boundMs: 12_800, boundBy: 'origin-uplink', unknown: [] });
  });

  test('a slow origin bounds it, and so do slow uplinks together', () => {
    expect(fluidBound({ targets: sixteen, origins: [1_000_000] })).toMatchObject({ boundMs: 64_000, boundBy: 'origin-uplink' });
    const selfish = sixteen.map((one) => ({ ...one, send: 100_000 }));
    expect(fluidBound({ targets: selfish, origins: [5_000_000] })).toMatchObject({ boundMs: Math.ceil((1000 * 16 * 64) / 6.6), boundBy: 'all-uplinks' });
  });

  test('leaves out what nobody declared, and says so', () => {
    const silent = { bytes: 64_000_000, send: undefined, receive: undefined };
    expect(fluidBound({ targets: [silent], origins: [undefined] })).toEqual({
      unknown: ["the origin's line: 1 seed declared no rate", 'lines of targets: 1 target declared no rate', 'the lines of all together: 1 seed and 1 target declared no rate'],
    });
    expect(fluidBound({ targets: [target, silent], origins: [undefined] })).toMatchObject({ boundMs: 12_800, boundBy: 'downlink', unknown: { length: 3 } });
  });

  test('nothing fetched has no bound', () => {
    expect(fluidBound({ targets: [{ ...target, bytes: 0 }], origins: [1] })).toEqual({ unknown: [] });
  });
});
