// How often neighbours are asked for a manifest that nobody has. What they answer, and to whom, is in exchange.test.ts.

import { expect, test } from 'vitest';
import { createFrameReader } from '../../../../proto/exchange-codec.ts';
import { createManifestExchange, type ManifestExchange } from '../../../../daemon/swarm/exchange/manifests.ts';
import type { Neighbour } from '../../../../daemon/swarm/network.ts';
import { certificateOf, counts, keptLog } from '../swarm-fixture.ts';

const revision = 'ab'.repeat(32);

/** Neighbours of which each answers at once that it does not have it, and time that passes when the asker rests, until `endMs`. */
function fleet(endMs: number) {
  let at = 0;
  const stop = new AbortController();
  const asked = new Map<string, number[]>();
  const neighbours = new Map<string, Neighbour>();
  const arrivals = new Map<number, () => void>();
  const clock = {
    now: () => at,
    monotonic: () => at,
    wait: async (ms: number, { signal }: { readonly signal: AbortSignal }) => {
      await Promise.resolve();
      signal.throwIfAborted();
      // Waits for an answer, which is on its way.
      if (ms > 500) return await new Promise<void>(() => undefined);
      at += ms;
      arrivals.get(at)?.();
      if (at >= endMs) stop.abort();
    },
  };
  const exchange: ManifestExchange = createManifestExchange({ neighbours, source: async () => await Promise.resolve(undefined), metrics: counts(), clock, stop: stop.signal, log: keptLog() });
  const add = (member: string): void => {
    const neighbour: Neighbour = {
      member, certificate: certificateOf(member, member), backlogBytes: 0,
      send: (parts) => {
        for (const message of createFrameReader().push(Buffer.concat(parts))) {
          if (message.kind !== 'want-manifest') throw new Error(`${message.kind} was not expected`);
          asked.set(member, [...(asked.get(member) ?? []), at]);
          queueMicrotask(() => exchange.onManifest(neighbour, { kind: 'manifest', request: message.request, bytes: new Uint8Array(0) }));
        }
      },
      drained: async () => await Promise.resolve(), onMessage: () => undefined, onInterrupted: () => undefined, onClose: () => undefined, close: () => undefined,
    };
    neighbours.set(member, neighbour);
  };
  return { exchange, asked, arrivals, add };
}

test('a neighbour that does not have a manifest is asked again half as often each time, down to every eight seconds', async () => {
  const { exchange, asked, add } = fleet(60_000);
  for (const member of ['a', 'b']) add(member);
  await expect(exchange.fetch(revision, { signal: new AbortController().signal })).rejects.toMatchObject({ code: 'ABORTED' });
  const times = [0, 500, 1_500, 3_500, 7_500, 15_500, 23_500, 31_500, 39_500, 47_500, 55_500];
  expect([...asked]).toEqual([['a', times], ['b', times]]);
});

test('a neighbour that comes while all others rest is asked at once', async () => {
  const { exchange, asked, arrivals, add } = fleet(20_000);
  add('old');
  arrivals.set(9_000, () => add('new'));
  await expect(exchange.fetch(revision, { signal: new AbortController().signal })).rejects.toMatchObject({ code: 'ABORTED' });
  expect(asked.get('new')?.slice(0, 2)).toEqual([9_000, 9_500]);
});
