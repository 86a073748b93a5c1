// What every network must do, whatever it is made of. Run on libp2p and on the memory network by network.test.ts.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeMessage } from '../../proto/exchange-codec.ts';
import type { ExchangeMessage } from '../../proto/exchange.ts';
import type { Roster } from '../../proto/statement.ts';
import { backlogLowBytes, type CloseReason, type Neighbour, type Network } from '../../daemon/swarm/network.ts';
import { until } from '../daemon/swarm/swarm-fixture.ts';

/** Makes networks of made-up members that could all reach one another, none with a roster. */
export interface NetworkMaker {
  open(name: string): Promise<Network>;
}

const patient = (): { readonly signal: AbortSignal } => ({ signal: AbortSignal.timeout(8_000) });

function rosterOf(epoch: number, networks: readonly Network[], revoked: readonly string[] = []): Roster {
  return {
    epoch,
    members: networks
      .map((network) => ({ member: network.self, addresses: [...network.addresses()], roles: ['agent' as const], environments: ['prod'], zone: 'a' }))
      .toSorted((a, b) => (a.member < b.member ? -1 : 1)),
    revoked: [...revoked],
  };
}

/** What happened to a neighbour. */
interface Seen {
  readonly neighbour: Neighbour;
  readonly messages: ExchangeMessage[];
  closed?: CloseReason;
}

function watch(network: Network): Seen[] {
  const seen: Seen[] = [];
  network.onNeighbour((neighbour) => {
    const entry: Seen = { neighbour, messages: [] };
    seen.push(entry);
    neighbour.onMessage((message) => entry.messages.push(message));
    neighbour.onClose((reason) => {
      entry.closed = reason;
    });
  });
  return seen;
}

const cancel = (request: number): ExchangeMessage => ({ kind: 'cancel', request });

export function networkContract(name: string, maker: () => NetworkMaker): void {
  describe(`${name} is a network`, () => {
    let networks: Network[] = [];
    let make: NetworkMaker;
    beforeEach(() => {
      make = maker();
    });
    afterEach(async () => {
      await Promise.all(networks.splice(0).map(async (network) => await network.close()));
    });
    const open = async (count: number): Promise<{ network: Network; seen: Seen[] }[]> => {
      const opened = await Promise.all(Array.from({ length: count }, async (_, index) => await make.open(`member ${index}`)));
      networks = [...opened];
      return opened.map((network) => ({ network, seen: watch(network) }));
    };
    const introduce = (members: readonly { network: Network }[], epoch = 1, revoked: readonly string[] = []): void => {
      for (const { network } of members) network.setRoster(rosterOf(epoch, members.map((member) => member.network), revoked));
    };
    const pair = async () => {
      const [a, b] = await open(2);
      if (a === undefined || b === undefined) throw new Error('two members');
      introduce([a, b]);
      const neighbour = await a.network.dial(b.network.self, patient());
      await until(() => b.seen.length === 1, 'the other side has the neighbour');
      const other = b.seen[0];
      const own = a.seen[0];
      if (other === undefined || own === undefined) throw new Error('both have one');
      return { a, b, neighbour, own, other };
    };

    test('a dial makes a neighbour on both sides, with the certificates of the other', async () => {
      const { a, b, neighbour, own, other } = await pair();
      expect(neighbour.member).toBe(b.network.self);
      expect(own.neighbour).toBe(neighbour);
      expect(neighbour.certificate.member).toBe(b.network.self);
      expect(other.neighbour.member).toBe(a.network.self);
      expect(other.neighbour.certificate.member).toBe(a.network.self);
    });

    test('dialling a neighbour again gives the same one, also while the first dial is under way', async () => {
      const [a, b] = await open(2);
      if (a === undefined || b === undefined) throw new Error('two members');
      introduce([a, b]);
      const [first, second] = await Promise.all([a.network.dial(b.network.self, patient()), a.network.dial(b.network.self, patient())]);
      expect(second).toBe(first);
      expect(await a.network.dial(b.network.self, patient())).toBe(first);
    });

    test('members that dial each other at the same time end up with one open neighbour each', async () => {
      const [a, b] = await open(2);
      if (a === undefined || b === undefined) throw new Error('two members');
      introduce([a, b]);
      await Promise.allSettled([a.network.dial(b.network.self, patient()), b.network.dial(a.network.self, patient())]);
      const live = (seen: readonly Seen[]): Seen[] => seen.filter(({ closed }) => closed === undefined);
      await until(() => live(a.seen).length === 1 && live(b.seen).length === 1, 'one is left on each side');
      live(a.seen)[0]?.neighbour.send(encodeMessage(cancel(7)));
      await until(() => live(b.seen)[0]?.messages.length === 1, 'and it is the same one');
    });

    test('answers arrive whole and in order, and so does everything else, both ways', async () => {
      const { neighbour, own, other } = await pair();
      const bytes = new Uint8Array(256 * 1024).fill(7);
      for (let request = 1; request <= 30; request += 1) {
        neighbour.send(encodeMessage(cancel(request)));
        neighbour.send(encodeMessage({ kind: 'data', topic: 1, request, ordinal: request, compression: 'none', bytes }));
        await neighbour.drained(patient());
        other.neighbour.send(encodeMessage({ kind: 'close', topic: request }));
      }
      await until(() => other.messages.length === 60 && own.messages.length === 30, 'all has arrived');
      expect(other.messages.flatMap((message) => (message.kind === 'cancel' ? [message.request] : []))).toEqual(Array.from({ length: 30 }, (_, index) => index + 1));
      expect(other.messages.flatMap((message) => (message.kind === 'data' ? [message.ordinal] : []))).toEqual(Array.from({ length: 30 }, (_, index) => index + 1));
      expect(other.messages.every((message) => message.kind !== 'data' || Buffer.compare(message.bytes, bytes) === 0)).toBe(true);
      expect(own.messages).toEqual(Array.from({ length: 30 }, (_, index) => ({ kind: 'close', topic: index + 1 })));
    });

    test('messages that come before anybody listens are kept', async () => {
      const [a, b] = await open(2);
      if (a === undefined || b === undefined) throw new Error('two members');
      introduce([a, b]);
      let arrived: Neighbour | undefined;
      b.network.onNeighbour((neighbour) => {
        arrived = neighbour;
      });
      const neighbour = await a.network.dial(b.network.self, patient());
      neighbour.send(encodeMessage(cancel(1)));
      await until(() => arrived !== undefined, 'the neighbour is there');
      const messages: ExchangeMessage[] = [];
      arrived?.onMessage((message) => messages.push(message));
      await until(() => messages.length === 1, 'the message is delivered');
    });

    test('drained() waits until what was queued is under the mark', async () => {
      const { neighbour } = await pair();
      const bytes = new Uint8Array(256 * 1024);
      for (let ordinal = 0; ordinal < 12; ordinal += 1) neighbour.send(encodeMessage({ kind: 'data', topic: 1, request: 1, ordinal, compression: 'none', bytes }));
      await neighbour.drained(patient());
      expect(neighbour.backlogBytes).toBeLessThan(backlogLowBytes);
    });

    test('drained() waits for a lower mark when it is asked to', async () => {
      const { neighbour } = await pair();
      const bytes = new Uint8Array(backlogLowBytes / 4);
      for (let ordinal = 0; ordinal < 3; ordinal += 1) neighbour.send(encodeMessage({ kind: 'data', topic: 1, request: 1, ordinal, compression: 'none', bytes }));
      await neighbour.drained({ ...patient(), below: 1 });
      expect(neighbour.backlogBytes).toBe(0);
    });

    test('who is sent far more than it takes is closed rather than buffered for', async () => {
      const { neighbour, own } = await pair();
      const bytes = new Uint8Array(256 * 1024);
      for (let ordinal = 0; ordinal < 60 && own.closed === undefined; ordinal += 1) neighbour.send(encodeMessage({ kind: 'data', topic: 1, request: 1, ordinal, compression: 'none', bytes }));
      expect(own.closed).toBe('stalled');
      expect(neighbour.backlogBytes).toBeLessThan(8 * 1024 * 1024);
    });

    test('a close reaches both sides once, with a reason, and ends what waits', async () => {
      const { neighbour, own, other } = await pair();
      neighbour.close('banned');
      neighbour.close('protocol');
      expect(own.closed).toBe('banned');
      await until(() => other.closed !== undefined, 'the other side hears of it');
      expect(other.closed).toBe('gone');
      neighbour.send(encodeMessage(cancel(1)));
      await expect(neighbour.drained(patient())).rejects.toMatchObject({ code: 'PEER_GONE' });
      let late: CloseReason | undefined;
      neighbour.onClose((reason) => {
        late = reason;
      });
      expect(late).toBe('banned');
    });

    test('a neighbour that was closed can be dialled again', async () => {
      const { a, b, neighbour, other } = await pair();
      neighbour.close('gone');
      await until(() => other.closed !== undefined, 'the other side hears of it');
      const again = await a.network.dial(b.network.self, patient());
      expect(again).not.toBe(neighbour);
      await until(() => b.seen.length === 2, 'it is there again');
    });

    test('nobody is met before the first roster, nor who is not in it', async () => {
      const [a, b] = await open(2);
      if (a === undefined || b === undefined) throw new Error('two members');
      await expect(a.network.dial(b.network.self, patient())).rejects.toMatchObject({ code: 'PEER_REFUSED' });
      a.network.setRoster(rosterOf(1, [a.network]));
      await expect(a.network.dial(b.network.self, patient())).rejects.toMatchObject({ code: 'PEER_REFUSED' });
      a.network.setRoster(rosterOf(2, [a.network, b.network]));
      await expect(a.network.dial(b.network.self, patient())).rejects.toMatchObject({ code: expect.stringMatching(/^PEER_/) });
      expect(b.seen).toEqual([]);
    });

    test('a roster that revokes a member closes it and bars it in both directions', async () => {
      const { a, b, own, other } = await pair();
      a.network.setRoster(rosterOf(2, [a.network, b.network], [b.network.self]));
      expect(own.closed).toBe('revoked');
      await until(() => other.closed !== undefined, 'the revoked one is cut off');
      await expect(a.network.dial(b.network.self, patient())).rejects.toMatchObject({ code: 'PEER_REFUSED' });
      await expect(b.network.dial(a.network.self, patient())).rejects.toMatchObject({ code: expect.stringMatching(/^PEER_/) });
      expect(a.seen.filter(({ closed }) => closed === undefined)).toEqual([]);
    });

    test('a roster that no longer names a member closes it', async () => {
      const { a, own } = await pair();
      a.network.setRoster(rosterOf(2, [a.network]));
      expect(own.closed).toBe('revoked');
    });

    test('a dial ends with its signal', async () => {
      const [a, b] = await open(2);
      if (a === undefined || b === undefined) throw new Error('two members');
      introduce([a, b]);
      await expect(a.network.dial(b.network.self, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    });

    test('a member that has left cannot be reached', async () => {
      const { a, b, own } = await pair();
      await b.network.close();
      await until(() => own.closed !== undefined, 'we notice');
      await expect(a.network.dial(b.network.self, patient())).rejects.toMatchObject({ code: expect.stringMatching(/^PEER_/) });
    });

    test('close() closes all neighbours', async () => {
      const { a, own, other } = await pair();
      await a.network.close();
      expect(own.closed).toBe('shutdown');
      await until(() => other.closed !== undefined, 'the other side hears of it');
    });
  });
}
