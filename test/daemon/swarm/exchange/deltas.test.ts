// Whom the question for a delta set waits for. That offers are verified and used is in test/daemon/run/delta.

import { expect, test } from 'vitest';
import { createFrameReader } from '../../../../proto/exchange-codec.ts';
import type { Role } from '../../../../proto/statement.ts';
import { createDeltaExchange, type DeltaExchange } from '../../../../daemon/swarm/exchange/deltas.ts';
import type { Neighbour } from '../../../../daemon/swarm/network.ts';
import { certificateOf, keptLog } from '../swarm-fixture.ts';

const question = { to: 'ab'.repeat(32), bases: ['cd'.repeat(32)] };

interface Answer {
  readonly afterMs: number;
  readonly etaMs?: number;
  readonly set?: boolean;
}

/** What a neighbour answers, and when; none never does. */
type Neighbours = Readonly<Record<string, Answer | undefined>>;

/** Asks once, in time that passes when everybody waits. Who was asked when, when the asker had enough, and what it got. */
async function ask(peers: Neighbours, origins: Neighbours) {
  let now = 0;
  const asked: Record<string, number> = {};
  const events: { readonly at: number; readonly happen: () => void }[] = [];
  const clock = {
    now: () => now,
    monotonic: () => now,
    wait: async (ms: number, { signal }: { readonly signal: AbortSignal }) => {
      await new Promise<void>((resolve, reject) => {
        if (signal.aborted) return reject(new Error('aborted'));
        signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
        events.push({ at: now + ms, happen: resolve });
      });
    },
  };
  const neighbours = new Map<string, Neighbour>();
  const exchange: DeltaExchange = createDeltaExchange({ neighbours, source: undefined, clock, stop: new AbortController().signal, log: keptLog() });
  const add = (member: string, roles: readonly Role[], answer: Answer | undefined): void => {
    const neighbour: Neighbour = {
      member, certificate: certificateOf(member, member, roles), backlogBytes: 0,
      send: (parts) => {
        asked[member] = now;
        for (const message of createFrameReader().push(Buffer.concat(parts))) {
          if (message.kind !== 'want-delta') throw new Error(`${message.kind} was not expected`);
          if (answer === undefined) continue;
          const { afterMs, etaMs = 0, set = false } = answer;
          events.push({ at: now + afterMs, happen: () => exchange.onDelta(neighbour, { kind: 'delta', request: message.request, etaMs, statement: '', descriptor: Buffer.from(set ? member : '') }) });
        }
      },
      drained: async () => await Promise.resolve(), onMessage: () => undefined, onInterrupted: () => undefined, onClose: () => undefined, close: () => undefined,
    };
    neighbours.set(member, neighbour);
  };
  for (const [member, answer] of Object.entries(origins)) add(member, ['proxy'], answer);
  for (const [member, answer] of Object.entries(peers)) add(member, ['agent'], answer);
  let endedAt: number | undefined;
  const answers = exchange.ask(question, { signal: new AbortController().signal }).finally(() => (endedAt = now));
  for (;;) {
    for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
    if (endedAt !== undefined) break;
    const next = events.toSorted((a, b) => a.at - b.at)[0];
    if (next === undefined) throw new Error('it waits for nothing');
    events.splice(events.indexOf(next), 1);
    now = next.at;
    next.happen();
  }
  const { offers, isLast } = await answers;
  return { asked, endedAt, offers: offers.map(({ member, etaMs }) => ({ member, etaMs })), isLast };
}

test('a peer that has a set spares the origin the question', async () => {
  const found = await ask({ a: { afterMs: 5 }, b: { afterMs: 20, set: true }, c: undefined }, { origin: { afterMs: 1, set: true } });
  expect(found).toEqual({ asked: { a: 0, b: 0, c: 0 }, endedAt: 20, offers: [{ member: 'b', etaMs: 0 }], isLast: false });
});

test('the origin is asked when the peers have nothing, or are too busy to say so', async () => {
  const have = await ask({ a: { afterMs: 5 } }, { origin: { afterMs: 30, set: true } });
  expect(have).toMatchObject({ asked: { origin: 5 }, endedAt: 35, offers: [{ member: 'origin', etaMs: 0 }], isLast: true });
  const busy = await ask({ a: { afterMs: 900 }, b: undefined }, { origin: { afterMs: 30 } });
  expect(busy).toMatchObject({ asked: { origin: 50 }, endedAt: 80, offers: [], isLast: true });
});

test('an origin that is still making one has not said its last word', async () => {
  const found = await ask({ a: undefined }, { origin: { afterMs: 30, etaMs: 400 } });
  expect(found).toMatchObject({ endedAt: 80, offers: [{ member: 'origin', etaMs: 400 }], isLast: false });
});

test('has the last word of several origins only when all have said theirs', async () => {
  expect(await ask({}, { seed: { afterMs: 5 }, proxy: { afterMs: 5, etaMs: 400 } })).toMatchObject({ offers: [{ member: 'proxy', etaMs: 400 }], isLast: false });
  expect(await ask({ a: { afterMs: 90, set: true } }, { seed: { afterMs: 5 }, proxy: undefined })).toMatchObject({ endedAt: 90, offers: [{ member: 'a', etaMs: 0 }], isLast: false });
  expect(await ask({}, { seed: { afterMs: 5 }, proxy: { afterMs: 5 } })).toMatchObject({ endedAt: 10, offers: [], isLast: true });
});

test('peers are waited for where no origin answers, and nobody longer than three seconds', async () => {
  expect(await ask({ a: { afterMs: 700, set: true } }, {})).toMatchObject({ endedAt: 700, offers: [{ member: 'a', etaMs: 0 }], isLast: false });
  expect(await ask({ a: { afterMs: 1_500, set: true } }, { origin: undefined })).toMatchObject({ endedAt: 1_500, offers: [{ member: 'a', etaMs: 0 }], isLast: false });
  expect(await ask({ a: undefined }, { first: undefined, second: undefined, third: undefined })).toMatchObject({ endedAt: 3_000, offers: [], isLast: false });
});
