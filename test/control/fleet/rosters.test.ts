// The roster that members are told: what they make of changes is what was signed, whoever joined, moved or was barred in between, and nobody makes the control
// plane sign more often than it said.

import { generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evolve, initialState } from '../../../control/core/evolve.ts';
import type { State } from '../../../control/core/model.ts';
import { Rosters } from '../../../control/fleet/rosters.ts';
import { signCompact } from '../../../control/trust/jws.ts';
import { compactOf } from '../../../daemon/trust/roster-statement.ts';
import type { Event } from '../../../proto/events.ts';
import type { Roster } from '../../../proto/statement.ts';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const key = { id: 'k', publicKey, publicHex: '', sign: (bytes: Uint8Array) => sign(null, bytes, privateKey) };

const joined = (member: string): Event => ({ kind: 'member.enrolled', member, name: member, publicKey: '00', roles: ['agent'], environments: ['prod'], labels: {}, attributes: {}, serial: 1, token: 't' });

/** A control plane's membership, in time that passes when it is told to. */
class World {
  state: State = initialState();
  now = 0;
  signed = 0;
  readonly rosters = new Rosters((roster) => {
    this.signed += 1;
    return signCompact('roster', roster, key);
  }, () => this.now);

  fold(event: Event): void {
    this.state = evolve(this.state, { seq: this.state.head + 1, at: 0, actor: 'test', event });
  }
}

/** A member's side. */
class Holder {
  compact = '';
  epoch = 0;
  changes = 0;

  ask({ rosters, state }: World): void {
    const { roster, rosterChange } = rosters.since(state, this.epoch);
    if (roster !== undefined) this.compact = roster;
    if (rosterChange !== undefined) {
      this.compact = compactOf(rosterIn(this.compact), rosterChange);
      this.changes += 1;
    }
    if (this.compact !== '') this.epoch = rosterIn(this.compact).epoch;
  }
}

function rosterIn(compact: string): Roster {
  return JSON.parse(Buffer.from(compact.split('.')[1] ?? '', 'base64url').toString('utf8'));
}

const step = fc.oneof(
  fc.record({ kind: fc.constant('join' as const), member: fc.nat(20) }),
  fc.record({ kind: fc.constant('move' as const), member: fc.nat(20), port: fc.nat(9) }),
  fc.record({ kind: fc.constant('bar' as const), member: fc.nat(20) }),
  fc.record({ kind: fc.constant('ask' as const), holder: fc.nat(2) }),
  fc.record({ kind: fc.constant('pass' as const), ms: fc.nat(400) }),
);

test('whoever asks now and then has the statement that was signed, byte for byte, or the one before until it is time', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const world = new World();
      for (let index = 0; index < 12; index += 1) world.fold(joined(`m${index}`));
      const holders = [new Holder(), new Holder(), new Holder()];
      for (const one of steps) {
        if (one.kind === 'join') world.fold(joined(`m${one.member}`));
        else if (one.kind === 'move') world.fold({ kind: 'member.located', member: `m${one.member}`, addresses: [`/ip4/10.0.0.1/tcp/${one.port}`] });
        else if (one.kind === 'bar') world.fold({ kind: 'member.revoked', member: `m${one.member}`, reason: 'sold' });
        else if (one.kind === 'pass') world.now += one.ms;
        else holders[one.holder]?.ask(world);
      }
      world.now += 1_000_000;
      const fresh = new Holder();
      for (const holder of [...holders, fresh]) holder.ask(world);
      for (const { compact } of holders) expect(compact).toBe(fresh.compact);
      expect(rosterIn(fresh.compact).epoch).toBe(world.state.rosterEpoch);
    }),
    { numRuns: 300 },
  );
});

test('one that moved among many is a change of one line', () => {
  const world = new World();
  for (let index = 0; index < 1_000; index += 1) world.fold(joined(`m${index}`));
  const holder = new Holder();
  holder.ask(world);
  world.fold({ kind: 'member.located', member: 'm7', addresses: ['/ip4/10.0.0.1/tcp/1'] });
  world.now += 10_000;
  const { rosterChange } = world.rosters.since(world.state, holder.epoch);
  expect(rosterChange?.members.map(({ member }) => member)).toEqual(['m7']);
  expect(JSON.stringify(rosterChange).length).toBeLessThan(600);
});

test('changes wait for each other, the longer the larger the fleet; barring somebody does not', () => {
  const world = new World();
  for (let index = 0; index < 1_000; index += 1) {
    world.fold(joined(`m${index}`));
    world.rosters.since(world.state, 0);
  }
  expect(world.signed).toBe(1);
  expect(world.rosters.delayMs(world.state)).toBe(1_200);
  world.now += 1_200;
  world.rosters.since(world.state, 0);
  expect(world.signed).toBe(2);
  world.fold({ kind: 'member.revoked', member: 'm7', reason: 'stolen' });
  world.rosters.publish(world.state, true);
  expect(rosterIn(world.rosters.since(world.state, 0).roster ?? '').revoked).toEqual(['m7']);
});

test('a change that starts from another roster than the one held is refused', () => {
  const world = new World();
  for (let index = 0; index < 10; index += 1) world.fold(joined(`m${index}`));
  const holder = new Holder();
  holder.ask(world);
  const change = { from: holder.epoch - 1, epoch: holder.epoch + 1, members: [], revoked: [], header: '', signature: '' };
  expect(() => compactOf(rosterIn(holder.compact), change)).toThrow(/starts from epoch 9, held is 10/);
  expect(() => compactOf(undefined, change)).toThrow(/held is none/);
});
