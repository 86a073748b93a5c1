// The conversation with many members at once: who is told when, and what happens when what they are told cannot be signed.

import { setImmediate } from 'node:timers/promises';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { evolveAll, initialState } from '../../../control/core/evolve/evolve.ts';
import type { State } from '../../../control/core/model/model.ts';
import type { Facts } from '../../../control/fleet/facts.ts';
import { Presence } from '../../../control/fleet/presence.ts';
import { Conversations } from '../../../control/fleet/sync.ts';
import { createMetrics } from '../../../control/metrics.ts';
import type { TrustRepository } from '../../../control/trust/repository.ts';
import type { Event, JournalEntry } from '../../../proto/events.ts';
import type { SyncReply, SyncRequest } from '../../../proto/fleet.ts';
import type { Role, Roster } from '../../../proto/statement.ts';
import { deploymentDefaults } from '../../../proto/api/environments.ts';
import { SteppedClock } from './stepped-clock.ts';

const enrolled = (member: string, role: Role = 'agent'): Event => ({ kind: 'member.enrolled', member, name: member, publicKey: '00', roles: [role], environments: role === 'agent' ? ['prod'] : [], labels: {}, attributes: {}, serial: 1, token: 't' });
const day = 86_400_000;
const never = (): never => {
  throw new Error('nobody asks for this here');
};

/** A control plane that remembers, signs unless told otherwise, and does nothing else. */
class Stage {
  readonly clock = new SteppedClock();
  readonly stopping = new AbortController();
  readonly registry = new Registry();
  readonly said: string[] = [];
  readonly answers = new Map<string, SyncReply>();
  /** Orders in which members were answered. */
  readonly answered: string[] = [];
  /** Decisions that were asked for, and how many facts each added. */
  readonly recorded: string[] = [];
  broken = false;
  /** How often it was looked what is new to somebody. */
  looked = 0;
  /** Metadata that is news to everybody who asks. */
  files: Readonly<Record<string, string>> = {};
  #state: State = initialState();
  #tell: (entries: readonly JournalEntry[]) => void = () => undefined;
  readonly conversations: Conversations;

  constructor() {
    const facts: Facts = { state: () => this.#state, transact: async (actor, decide) => {
      const { events, result } = decide(this.#state);
      this.recorded.push(`${actor}: ${events.length}`);
      return await Promise.resolve({ result, state: this.#state });
    }, onChange: (listener) => ((this.#tell = listener), () => undefined) };
    const repository: TrustRepository = {
      rootFile: never, rootDigest: never, role: never, publish: never, refresh: never, signOrder: never, signCertificate: () => 'certificate', signGrant: never, verifyGrant: never,
      files: () => {
        this.looked += 1;
        return this.files;
      },
      signRoster: (roster: Roster) => {
        if (this.broken) throw new Error('the key is gone');
        return `header.${Buffer.from(JSON.stringify(roster)).toString('base64url')}.signature`;
      },
    };
    const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: (_fields: object, message: string) => void this.said.push(message), child: () => log };
    this.conversations = new Conversations({
      facts, repository, clock: this.clock, log, presence: new Presence(() => this.clock.now()), org: 'o', signal: this.stopping.signal,
      random: (length) => new Uint8Array(length), metrics: createMetrics(this.registry, { version: '', nodeVersion: '' }, () => undefined), returned: () => undefined,
    });
  }

  fold(...events: readonly Event[]): void {
    const entries = events.map((event, index): JournalEntry => ({ seq: this.#state.head + 1 + index, at: this.clock.now(), actor: 'test', event }));
    this.#state = evolveAll(this.#state, entries);
    this.#tell(entries);
  }

  poll(member: string, rosterEpoch: number, more: Partial<SyncRequest> = {}): void {
    const request = { seqSeen: {}, metadata: {}, rosterEpoch, addresses: [], running: [], progress: [], waitMs: 60_000, version: 'test', ...more };
    void this.conversations.sync(member, request, { signal: new AbortController().signal }).then((reply) => {
      this.answers.set(member, reply);
      this.answered.push(member);
    });
  }

  get epoch(): number {
    return this.#state.rosterEpoch;
  }
}

const everybody = (count: number): string[] => Array.from({ length: count }, (_, index) => `m${index}`);

test('news for a fleet wakes its members in portions, first come first served, and somebody whom later news concerns too is woken once', async () => {
  const stage = new Stage();
  const members = everybody(400);
  stage.fold(...[...members, 'gone', 'stolen'].map((member) => enrolled(member)));
  await stage.clock.pass(60_000);
  for (const member of members) stage.poll(member, stage.epoch);
  await setImmediate();
  expect(stage.answered).toEqual([]);
  stage.fold({ kind: 'member.revoked', member: 'gone', reason: 'sold' });
  stage.fold({ kind: 'member.revoked', member: 'stolen', reason: 'stolen' });
  await stage.clock.pass(0);
  expect(stage.answered.length).toBe(32);
  await stage.clock.pass(3);
  expect(stage.answered.length).toBe(64);
  await stage.clock.pass(90);
  expect(stage.answered).toEqual(members);
  stage.stopping.abort();
});

test('a role that was published is told to seeds at once, and to agents when no order has brought them until then', async () => {
  const stage = new Stage();
  stage.fold(enrolled('m0'), enrolled('s0', 'seed'), enrolled('m1'), { kind: 'environment.created', environment: 'prod', app: 'web', selector: {}, config: deploymentDefaults });
  await stage.clock.pass(60_000);
  for (const member of ['m0', 's0']) stage.poll(member, stage.epoch);
  await setImmediate();
  stage.files = { 'env-prod.json': '{}' };
  stage.fold({ kind: 'role.published', environment: 'prod', version: 1, revisions: {} });
  await stage.clock.pass(0);
  expect(stage.answered).toEqual(['s0']);
  stage.files = {};
  // Who asks later has what there is; it is not woken for it.
  await stage.clock.pass(100);
  stage.poll('m1', stage.epoch);
  await setImmediate();
  stage.files = { 'env-prod.json': '{}' };
  await stage.clock.pass(400);
  expect(stage.answered).toEqual(['s0', 'm0']);
  stage.stopping.abort();
});

test('reports that come with a poll are recorded before it waits', async () => {
  const stage = new Stage();
  stage.fold(enrolled('m0'));
  stage.poll('m0', stage.epoch, { reports: [{ deployment: 'prod-1', environment: 'prod', app: 'web', seq: 1, reportNo: 1, phase: 'downloading', at: 0 }] });
  await setImmediate();
  expect([stage.recorded, stage.answered]).toEqual([['member:m0: 0'], []]);
  stage.stopping.abort();
});

test('a roster that cannot be signed ends nothing: it is said, counted, tried again after pauses that double, and told when it can be', async () => {
  const stage = new Stage();
  stage.fold(...everybody(10).map((member) => enrolled(member)));
  await stage.clock.pass(60_000);
  stage.broken = true;
  stage.poll('m0', stage.epoch);
  await setImmediate();
  stage.fold({ kind: 'member.revoked', member: 'm7', reason: 'stolen' });
  await stage.clock.pass(10_000);
  // At once, then after 1, 2 and 4 seconds.
  expect(stage.said.length).toBe(4);
  expect(await stage.registry.getSingleMetricAsString('starling_control_roster_failures_total')).toContain(' 4');
  // Meanwhile everything else is answered; a member that holds none is given the one before.
  stage.poll('m1', 0);
  await setImmediate();
  expect(rosterIn(stage.answers.get('m1')).revoked).toEqual([]);
  stage.broken = false;
  await stage.clock.pass(10_000);
  expect(stage.answers.get('m0')?.rosterChange?.revoked).toEqual(['m7']);
  stage.stopping.abort();
});

test('a member that is back after its certificate expired is told to all; who renews in time is news to nobody', async () => {
  const stage = new Stage();
  stage.fold(...everybody(10).map((member) => enrolled(member)));
  await stage.clock.pass(8 * day);
  const renewed = (member: string): Event => ({ kind: 'member.renewed', member, serial: 2 });
  stage.fold(...everybody(8).map(renewed), { kind: 'member.located', member: 'm0', addresses: ['/ip4/10.0.0.1/tcp/1'] });
  await stage.clock.pass(1_000);
  stage.poll('m0', stage.epoch);
  await setImmediate();
  const before = stage.looked;
  stage.fold(renewed('m1'));
  await stage.clock.pass(1_000);
  expect([stage.looked, stage.answered]).toEqual([before, []]);
  stage.fold(renewed('m8'));
  await stage.clock.pass(1_000);
  expect(stage.answers.get('m0')?.rosterChange?.members.map(({ member }) => member)).toEqual(['m8']);
  stage.stopping.abort();
});

test('before the first roster can be signed members are answered without one', async () => {
  const stage = new Stage();
  stage.broken = true;
  stage.fold(enrolled('m0'));
  stage.poll('m0', 0);
  await stage.clock.pass(60_100);
  expect(stage.answers.get('m0')?.roster).toBeUndefined();
  stage.stopping.abort();
});

function rosterIn(reply: SyncReply | undefined): Roster {
  return JSON.parse(Buffer.from((reply?.roster ?? '').split('.')[1] ?? '', 'base64url').toString('utf8'));
}
