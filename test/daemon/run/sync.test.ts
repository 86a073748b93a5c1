// The conversation with the control plane: what is said of orders that are refused, and of a control plane that does not understand.

import { createHash } from 'node:crypto';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import type { SyncReply, SyncRequest } from '../../../proto/fleet.ts';
import { DaemonError } from '../../../daemon/errors.ts';
import { createMetrics } from '../../../daemon/metrics.ts';
import type { Ride } from '../../../daemon/run/reports.ts';
import { syncLoop, type SyncDeps } from '../../../daemon/run/sync.ts';
import type { Trust } from '../../../daemon/trust/trust.ts';
import { keptLog } from '../swarm/swarm-fixture.ts';

const reply = (more: Partial<SyncReply> = {}): SyncReply => ({ orders: [], metadata: {}, pollAfterMs: 0, ...more });
const never = (): never => {
  throw new Error('nobody asks for this here');
};

/** Lets the loop go through these answers; returns what it asked each time, and once more. */
async function conversation(answers: readonly (SyncReply | DaemonError)[], trust: Partial<Trust> = {}, onAnswer?: (trouble: Error | undefined) => void, more: Partial<SyncDeps> = {}): Promise<readonly SyncRequest[]> {
  const stop = new AbortController();
  const asked: SyncRequest[] = [];
  await syncLoop(
    {
      link: {
        report: never, handOver: never, manifest: never,
        sync: async (request) => {
          const answer = answers[asked.length];
          asked.push(request);
          if (answer === undefined) stop.abort();
          if (answer === undefined || answer instanceof DaemonError) throw await Promise.resolve(answer ?? new DaemonError('ABORTED', 'the test is over'));
          return answer;
        },
      },
      trust: {
        isPinned: () => true, pinRoot: never, versions: () => ({}), files: never, freshness: never, authorised: never, seqSeen: () => ({}), acceptOrder: never, acceptedOrders: never, verifyCertificate: never, verifyGrant: never, verifyRoster: never,
        acceptRoster: never, acceptRosterChange: never, roster: () => undefined, update: async () => await Promise.resolve({ changed: [], refused: undefined }),
        verifyOrder: async () => await Promise.reject(new DaemonError('ORDER_REFUSED', 'order 17 is by version 5 of the role, held is version 4')),
        ...trust,
      },
      clock: { now: () => 0, monotonic: () => 0, wait: async () => await Promise.resolve() },
      random: () => 0, metrics: createMetrics(new Registry(), { version: '', nodeVersion: '' }), log: keptLog(),
      audience: () => ({ member: 'm', environments: [] }),
      describe: async () => await Promise.resolve({ addresses: [], running: [], progress: [], version: 'test' }),
      onRoster: never, onCertificate: never, onManifests: never, onMetadata: never, onOrder: never,
      ...(onAnswer === undefined ? {} : { onAnswer }),
      ...more,
    },
    stop.signal,
  );
  return asked;
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

test('an order that is refused is named with the next request, by the digest of what came, and not once it comes no more', async () => {
  const [first, second, third] = await conversation([reply({ orders: ['an.order.x'] }), reply()]);
  expect(first).not.toHaveProperty('refused');
  expect(second?.refused).toEqual([{ order: digest('an.order.x'), code: 'ORDER_REFUSED', detail: 'order 17 is by version 5 of the role, held is version 4' }]);
  expect(third).not.toHaveProperty('refused');
});

test('where the metadata that came with it was refused, that is the reason', async () => {
  const update = async () => await Promise.resolve({ changed: [], refused: new DaemonError('CLOCK_SUSPECT', 'the clock is a year behind') });
  const [, second] = await conversation([reply({ orders: ['an.order.x'], metadata: { 'timestamp.json': '{}' } })], { update });
  expect(second?.refused).toEqual([{ order: digest('an.order.x'), code: 'CLOCK_SUSPECT', detail: expect.stringMatching(/^order 17 .* version 4; and the metadata that came with it was refused: the clock is a year behind$/) }]);
});

test('a few are named, each in bounded words', async () => {
  const verifyOrder = async () => await Promise.reject(new DaemonError('ORDER_REFUSED', 'x'.repeat(5_000)));
  const [, second] = await conversation([reply({ orders: Array.from({ length: 20 }, (_, index) => `${index}`) })], { verifyOrder });
  expect([second?.refused?.length, second?.refused?.[0]?.detail.length]).toEqual([8, 1024]);
});

test('a control plane that refuses the request is asked without them: it may be older, and the conversation matters more', async () => {
  const [, second, third] = await conversation([reply({ orders: ['an.order.x'] }), new DaemonError('CONTROL_REFUSED', 'HTTP 400')]);
  expect([second?.refused?.length, third?.refused]).toEqual([1, undefined]);
});

test('what keeps the control plane from answering is handed on each time, and that it answers again', async () => {
  const said: (string | undefined)[] = [];
  const away = new DaemonError('CONTROL_UNREACHABLE', 'connection refused');
  await conversation([reply(), away, away, reply()], {}, (trouble) => void said.push(trouble?.message));
  expect(said).toEqual([undefined, 'connection refused', 'connection refused', undefined]);
});

test('after a failure it asks again as soon as reports are taken, and after an answer in its own time', async () => {
  let takenOf: (() => void)[] = [];
  const waits: string[] = [];
  const ride: Ride = { board: () => [], arrived: async () => await Promise.resolve(), missed: () => undefined, onTaken: (callback) => void takenOf.push(callback) };
  const wait = async (ms: number, { signal }: { readonly signal: AbortSignal }): Promise<void> => {
    const ended = new Promise<string>((resolve) => signal.addEventListener('abort', () => resolve('cut short'), { once: true }));
    for (const taken of takenOf) taken();
    takenOf = [];
    waits.push(await Promise.race([ended, new Promise<string>((resolve) => setImmediate(() => resolve('whole')))]));
  };
  const away = new DaemonError('CONTROL_UNREACHABLE', 'connection refused');
  await conversation([reply(), away, reply(), reply()], {}, undefined, { ride, clock: { now: () => 0, monotonic: () => 0, wait } });
  expect(waits).toEqual(['whole', 'cut short', 'whole', 'whole']);
});
