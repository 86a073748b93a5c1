// The roster that members are told: what they make of changes is what was signed, whoever joined, moved or was barred in between, and nobody makes the control
// plane sign more often than it said.

import { generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evolve, initialState } from '../../../control/core/evolve/evolve.ts';
import type { State } from '../../../control/core/model/model.ts';
import { Rosters } from '../../../control/fleet/rosters.ts';
import { signCompact } from '../../../control/trust/jws.ts';
import { compactOf } from '../../../daemon/trust/statements/roster-statement.ts';
import type { Event } from '../../../proto/events.ts';
import type { Roster } from '../../../proto/statement.ts';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const key = { id: 'k', publicKey, publicHex: '', sign: (bytes: Uint8Array) => sign(null, bytes, privateKey) };

const day = 86_400_000;
const joined = (member: string): Event => ({ kind: 'member.enrolled', member, name: member, publicKey: '00', roles: ['agent'], environments: ['prod'], labels: {}, attributes: {}, serial: 1, token: 't' });

/** A control plane's membership, in time that passes when it is told to. */
class World {
  state: State = initialState();
  now = 0;
  signed = 0;
  /** Set while signing fails. */
  broken = false;
  failures = 0;
  readonly rosters = new Rosters({
    sign: (roster) => {
      if (this.broken) throw new Error('no key');
      this.signed += 1;
      return signCompact('roster', roster, key);
    },
    now: () => this.now,
    failed: () => (this.failures += 1),
  });
  /** Milliseconds since 1970, of entries. */
  at = 0;

  fold(event: Event): void {
    this.state = evolve(this.state, { seq: this.state.head + 1, at: this.at, actor: 'test', event });
  }

  renew(member: string): void {
    this.fold({ kind: 'member.renewed', member, serial: (this.state.members.get(member)?.serial ?? 1) + 1 });
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
  fc.record({ kind: fc.constant('renew' as const), member: fc.nat(20) }),
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
        else if (one.kind === 'renew') world.renew(`m${one.member}`);
        else if (one.kind === 'pass') {
          world.now += one.ms;
          world.at += one.ms * (day / 100);
        }
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

/** Ten members, and two who hold their roster. */
function fleet(): { readonly world: World; readonly near: Holder; readonly away: Holder } {
  const world = new World();
  for (let index = 0; index < 10; index += 1) world.fold(joined(`m${index}`));
  const [near, away] = [new Holder(), new Holder()];
  near.ask(world);
  away.ask(world);
  return { world, near, away };
}

/** Everybody but `absent` gets a new certificate. */
function renewAllBut(world: World, ...absent: readonly string[]): void {
  for (const member of world.state.members.keys()) if (!absent.includes(member)) world.renew(member);
}

const namesIn = (compact: string): readonly string[] => rosterIn(compact).members.map(({ member }) => member);

test('somebody revoked is named until no certificate of theirs can count, so that a fleet may go on for ever', () => {
  const { world, near, away } = fleet();
  world.fold({ kind: 'member.revoked', member: 'm7', reason: 'sold' });
  world.now += 10_000;
  near.ask(world);
  expect(rosterIn(near.compact).revoked).toEqual(['m7']);
  world.at = 8 * day - 1;
  renewAllBut(world, 'm7', 'm8');
  world.fold({ kind: 'member.located', member: 'm1', addresses: ['/ip4/10.0.0.1/tcp/1'] });
  world.now += 10_000;
  near.ask(world);
  expect(rosterIn(near.compact).revoked).toEqual(['m7']);
  world.at = 8 * day;
  world.fold({ kind: 'member.located', member: 'm2', addresses: ['/ip4/10.0.0.1/tcp/2'] });
  // Nothing that a certificate could still say for it: it is out of the members, and never among those barred.
  world.fold({ kind: 'member.revoked', member: 'm8', reason: 'gone for long' });
  world.now += 10_000;
  const fresh = new Holder();
  for (const holder of [near, away, fresh]) holder.ask(world);
  expect(rosterIn(fresh.compact).revoked).toEqual([]);
  expect(namesIn(fresh.compact)).toEqual(['m0', 'm1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm9']);
  expect(near).toMatchObject({ compact: fresh.compact, changes: 3 });
  expect(away).toMatchObject({ compact: fresh.compact, changes: 1 });
});

test('who was away until its certificate had expired is left out, and named again when it is back', () => {
  const { world, near, away } = fleet();
  world.at = 5 * day;
  renewAllBut(world, 'm4');
  world.at = 8 * day;
  world.fold({ kind: 'member.located', member: 'm1', addresses: ['/ip4/10.0.0.1/tcp/1'] });
  world.now += 10_000;
  near.ask(world);
  expect(namesIn(near.compact)).toEqual(['m0', 'm1', 'm2', 'm3', 'm5', 'm6', 'm7', 'm8', 'm9']);
  world.renew('m4');
  world.now += 10_000;
  const fresh = new Holder();
  for (const holder of [near, away, fresh]) holder.ask(world);
  expect(namesIn(fresh.compact)).toHaveLength(10);
  expect(near).toMatchObject({ compact: fresh.compact, changes: 2 });
  expect(away).toMatchObject({ compact: fresh.compact, changes: 1 });
});

test('a fleet where nobody joins or moves forgets who is gone too, and its roster is news once a day at most', () => {
  const { world, near } = fleet();
  const before = world.state.rosterEpoch;
  for (let hour = 0; hour <= 20 * 24; hour += 1) {
    world.at = (hour * day) / 24;
    if (hour % 4 === 0) world.renew(`m${(hour / 4) % 9}`);
  }
  expect(world.state.rosterEpoch - before).toBe(20);
  world.now += 10_000;
  near.ask(world);
  expect(namesIn(near.compact)).toEqual(['m0', 'm1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7', 'm8']);
  expect(near.changes).toBe(1);
});

test('one that was away for longer than the days that are known is told the whole roster', () => {
  const { world, near, away } = fleet();
  for (let at = 1; at <= 40; at += 1) {
    world.at = at * day;
    world.now += 10_000;
    renewAllBut(world, 'm4');
    for (const port of [1, 2]) world.fold({ kind: 'member.located', member: 'm1', addresses: [`/ip4/10.0.0.1/tcp/${port}`] });
    if (at === 9) near.ask(world);
  }
  for (const holder of [near, away]) holder.ask(world);
  expect(namesIn(near.compact)).toHaveLength(9);
  expect(near.changes).toBe(2);
  expect(away).toMatchObject({ compact: near.compact, changes: 0 });
});

test('a change does not name for ever who was revoked once', () => {
  const world = new World();
  for (let index = 0; index < 10; index += 1) world.fold(joined(`m${index}`));
  world.fold({ kind: 'member.revoked', member: 'm7', reason: 'sold' });
  world.at = 16 * day;
  renewAllBut(world, 'm7');
  world.at = 17 * day;
  world.fold({ kind: 'member.located', member: 'm1', addresses: ['/ip4/10.0.0.1/tcp/1'] });
  const { rosterChange } = world.rosters.since(world.state, world.state.rosterEpoch - 1);
  expect(rosterChange).toMatchObject({ revoked: [] });
  expect(rosterChange?.forgotten).toBeUndefined();
});
