// Certificates that run out while their member is connected.

import { expect, test } from 'vitest';
import { limits } from '../../../../proto/limits.ts';
import { closeExpired } from '../../../../daemon/swarm/exchange/expiry.ts';
import type { CloseReason, Neighbour } from '../../../../daemon/swarm/network.ts';
import { certificateOf } from '../swarm-fixture.ts';

function neighbour(member: string, notAfter: number): Neighbour & { readonly closed: CloseReason[] } {
  const closed: CloseReason[] = [];
  return {
    member,
    certificate: { ...certificateOf(member, member), notAfter },
    closed,
    backlogBytes: 0,
    send: () => undefined,
    drained: async () => await Promise.resolve(),
    onMessage: () => undefined,
    onInterrupted: () => undefined,
    onClose: () => undefined,
    close: (reason) => void closed.push(reason),
  };
}

test('closeExpired() closes those whose certificate has run out by more than clocks may differ, and leaves the others', async () => {
  const nowSeconds = 1_900_000_000;
  const stop = new AbortController();
  let rounds = 0;
  const clock = {
    now: () => nowSeconds * 1000,
    monotonic: () => 0,
    wait: async () => {
      await Promise.resolve();
      rounds += 1;
      if (rounds === 2) throw new Error('stopped');
    },
  };
  const expired = neighbour('expired', nowSeconds - limits.clockSkewMs / 1000 - 1);
  const skewed = neighbour('skewed', nowSeconds - limits.clockSkewMs / 1000 + 1);
  const valid = neighbour('valid', nowSeconds + 1);
  const neighbours = new Map([expired, skewed, valid].map((each) => [each.member, each]));
  await expect(closeExpired({ clock, neighbours, signal: stop.signal })).rejects.toThrow('stopped');
  expect([expired.closed, skewed.closed, valid.closed]).toEqual([['revoked'], [], []]);
});
