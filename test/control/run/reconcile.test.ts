// The loop over a real journal and a real trust repository: crashes between append and effect, effects that fail, time that passes.

import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock, type Clock } from '../../../control/clock.ts';
import type { Command } from '../../../control/core/commands/command.ts';
import { handle } from '../../../control/core/answers/handle.ts';
import { orderTargetsMax, rolePublished } from '../../../control/core/effects.ts';
import { ControlError } from '../../../control/errors.ts';
import { openLevelJournal } from '../../../control/journal/level.ts';
import { createMetrics } from '../../../control/metrics.ts';
import { openProjection, type Projection } from '../../../control/run/projection.ts';
import { createReconciler } from '../../../control/run/reconcile.ts';
import { openRepository } from '../../../control/trust/file-repository.ts';
import type { TrustRepository } from '../../../control/trust/repository.ts';
import { cidOf } from '../../../proto/cid.ts';
import { deploymentDefaults } from '../../../proto/api/environments.ts';
import type { Event, JournalEntry } from '../../../proto/events.ts';
import type { Order } from '../../../proto/statement.ts';
import { buildRevision } from '../../support/revisions.ts';
import { ManualClock, payloadOf, until } from '../http/harness.ts';

const logs: unknown[] = [];
const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: (fields: object) => void logs.push(fields), child: () => log };

interface World extends AsyncDisposable {
  readonly projection: Projection;
  readonly reconciler: ReturnType<typeof createReconciler>;
  entries(): Promise<readonly JournalEntry[]>;
  ask(command: Command): Promise<void>;
  kinds(kind: Event['kind']): Promise<number>;
}

let dataDir = '';
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'reconcile-'));
  logs.length = 0;
});
afterEach(async () => await rm(dataDir, { recursive: true, force: true }));

/** One process over the data directory; `spoil` makes its repository fail. */
async function open({ clock = systemClock, spoil = (repository) => repository, running = false }: { clock?: Clock; spoil?: (repository: TrustRepository) => TrustRepository; running?: boolean } = {}): Promise<World> {
  const journal = await openLevelJournal(join(dataDir, 'journal'));
  const projection = await openProjection(journal, () => clock.now());
  const repository = spoil(await openRepository({ dataDir, org: 'test', now: () => clock.now(), log }));
  const stopping = new AbortController();
  const since = clock.now();
  const metrics = createMetrics(new Registry(), { version: 'test', nodeVersion: 'test' }, () => undefined);
  const reconciler = createReconciler({ projection, repository, observed: () => ({ now: clock.now(), lastSeen: new Map(), since }), clock, log, metrics, signal: stopping.signal });
  const loop = running ? reconciler.run() : undefined;
  const entries = async () => await journal.read(0, 10_000);
  return {
    projection,
    reconciler,
    entries,
    ask: async (command) => {
      const { result } = await projection.transact('token:t', (state) => {
        const answer = handle(state, command, clock.now());
        return { events: answer.kind === 'accepted' ? answer.events : [], result: answer };
      });
      if (result.kind === 'refused') throw new Error(result.message);
    },
    kinds: async (kind) => (await entries()).filter(({ event }) => event.kind === kind).length,
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await loop;
      await projection.close();
      await journal.close();
    },
  };
}

async function populate(world: World, environments: readonly string[] = ['prod']): Promise<void> {
  await world.ask({ kind: 'create-app', app: 'web', project: 'web' });
  for (const environment of environments) {
    await world.ask({ kind: 'create-environment', environment, app: 'web', selector: {}, config: { ...deploymentDefaults, minHealthy: 0 } });
    const token = `join-${environment}`;
    await world.ask({ kind: 'create-token', token, use: 'join', name: token, secretDigest: '0'.repeat(64), scopes: [], roles: ['agent'], environments: [environment], labels: {}, usesMax: 10, expiresAt: Number.MAX_SAFE_INTEGER });
    await world.ask({ kind: 'enrol-member', token, member: `member-${environment}`, name: `agent-${environment}`, publicKey: createHash('sha256').update(environment).digest('hex'), roles: ['agent'], attributes: {} });
  }
  await register(world, 'one');
}

async function register(world: World, content: string): Promise<void> {
  const { manifest, digest } = buildRevision('web', { 'server.js': content });
  const cid = cidOf(digest, 'dag-cbor');
  await world.ask({ kind: 'register-revision', app: 'web', revision: digest, cid, manifest: Buffer.from(manifest).toString('base64'), manifestBytes: manifest.length, entries: 1, bytes: 3, chunks: 1, uploadedBytes: 3, proxy: 'p' });
}

async function promote(world: World, environment = 'prod'): Promise<void> {
  await world.ask({ kind: 'promote', promotion: `pr-${environment}`, environment, revision: 'latest' });
}

describe('the loop', () => {
  test('starts what may start, publishes the role before any order, and comes to rest', async () => {
    await using world = await open();
    await populate(world);
    await promote(world);
    await world.reconciler.settle();
    const kinds = (await world.entries()).map(({ event }) => event.kind);
    expect(kinds.filter((kind) => kind === 'role.published')).toHaveLength(1);
    expect(kinds.indexOf('role.published')).toBeLessThan(kinds.indexOf('order.issued'));
    const head = world.projection.state().head;
    await world.reconciler.settle();
    expect(world.projection.state().head).toBe(head);
    const issued = (await world.entries()).flatMap(({ event }) => (event.kind === 'order.issued' ? [event] : []));
    expect(issued.map(({ digest, compact }) => digest === createHash('sha256').update(compact).digest('hex'))).toEqual(issued.map(() => true));
    const orders = issued.map(({ compact }) => payloadOf<Order>(compact));
    expect(orders.map(({ seq, previous }) => [seq, previous])).toEqual(issued.map(({ seq }, index) => [seq, issued[index - 1]?.digest]));
    expect(orders[0]).toMatchObject({ environment: 'prod', action: 'prefetch', roleVersion: 1, targets: ['member-prod'] });
  });

  test.each([
    ['before the role is published', (repository: TrustRepository): TrustRepository => ({ ...repository, publish: async () => { throw new ControlError('STORAGE_FAILED', 'the lights went out'); } })],
    ['after the role is published', (repository: TrustRepository): TrustRepository => ({ ...repository, publish: async (...args) => { await repository.publish(...args); throw new ControlError('STORAGE_FAILED', 'the lights went out'); } })],
    ['before an order is signed', (repository: TrustRepository): TrustRepository => ({ ...repository, signOrder: () => { throw new ControlError('SIGNING_FAILED', 'the lights went out'); } })],
    ['after an order is signed', (repository: TrustRepository): TrustRepository => ({ ...repository, signOrder: (order) => { repository.signOrder(order); throw new ControlError('SIGNING_FAILED', 'the lights went out'); } })],
  ])('a process that ends %s: the next one goes on, once', async (_when, spoil) => {
    {
      await using world = await open({ spoil });
      await populate(world);
      await promote(world);
      await world.reconciler.settle();
      expect(await world.kinds('order.issued')).toBe(0);
    }
    await using world = await open();
    await world.reconciler.settle();
    expect([await world.kinds('deployment.started'), await world.kinds('role.published')]).toEqual([1, 1]);
    const seqs = (await world.entries()).flatMap(({ event }) => (event.kind === 'order.issued' ? [event.seq] : []));
    expect(seqs).toEqual(seqs.map((_seq, index) => index + 1));
    expect(seqs.length).toBeGreaterThan(0);
    expect(world.projection.state().environments.get('prod')?.role?.version).toBe(1);
  });

  test('an effect that fails holds up no other environment, and is tried again', async () => {
    let broken = true;
    const spoil = (repository: TrustRepository): TrustRepository => ({
      ...repository,
      publish: async (environment, revisions) => {
        if (broken && environment === 'prod') throw new ControlError('STORAGE_FAILED', 'no space left');
        return await repository.publish(environment, revisions);
      },
    });
    const clock = new ManualClock();
    await using world = await open({ spoil, clock, running: true });
    await populate(world, ['prod', 'stage']);
    await promote(world, 'prod');
    await promote(world, 'stage');
    const roleOf = (environment: string) => world.projection.state().environments.get(environment)?.role?.version;
    await until(async () => roleOf('stage'));
    expect(roleOf('prod')).toBeUndefined();
    expect(logs).toContainEqual(expect.objectContaining({ effect: 'publish-role', environment: 'prod' }));
    // It is not tried again and again meanwhile: nothing passes but time.
    const tried = logs.length;
    for (let turn = 0; turn < 200; turn += 1) await world.entries();
    expect(logs.length - tried).toBeLessThan(20);
    broken = false;
    await until(async () => roleOf('prod'), async () => clock.pass(5_000));
  });

  test('acts when time alone changes something: a silent target is given up', async () => {
    const clock = new ManualClock();
    await using world = await open({ clock, running: true });
    await populate(world);
    await promote(world);
    await until(async () => ((await world.kinds('order.issued')) > 0 ? true : undefined));
    await until(async () => ((await world.kinds('deployment.finished')) > 0 ? true : undefined), async () => clock.pass(60_000));
    expect(world.projection.state().promotions.get('pr-prod')?.phase).toBe('errored');
  });
});

test.each([
  ['a decision that takes long is followed by a pause of twenty times that before the next, half a second at most', [20, 200], [400, 500]],
  ['one that takes a moment is not', [1, 1], []],
])('%s', async (_what, [first, then], pauses) => {
  const waits: number[] = [];
  let now = 0;
  let stepMs = first;
  const clock: Clock = {
    now: () => systemClock.now(),
    // Passes between two looks only: between the beginning of a decision and its end.
    monotonic: () => (now += stepMs ?? 0),
    wait: async (ms, options) => {
      if (ms > 500) return await systemClock.wait(ms, options);
      waits.push(ms);
      stepMs = then;
    },
  };
  await using world = await open({ clock, running: true });
  await populate(world);
  await promote(world);
  await until(async () => ((await world.kinds('order.issued')) > 0 ? true : undefined));
  expect([...new Set(waits)].slice(0, 2)).toEqual(pauses);
});

test('R-1 an order is not issued as it was decided when its deployment has ended meanwhile', async () => {
  let world: World | undefined;
  let isReady = false;
  const aborts: Promise<void>[] = [];
  const spoil = (repository: TrustRepository): TrustRepository => ({
    ...repository,
    signOrder: (order) => {
      if (!isReady) throw new ControlError('SIGNING_FAILED', 'later');
      // While the first has its order signed, in the breath in which both were decided, somebody ends the second.
      if (order.environment === 'first' && aborts.length === 0) aborts.push(Promise.resolve().then(async () => await world?.ask({ kind: 'abort', deployment: 'second-1' })));
      return repository.signOrder(order);
    },
  });
  await using opened = await open({ spoil });
  world = opened;
  await populate(opened, ['first', 'second']);
  for (const environment of ['first', 'second']) await promote(opened, environment);
  const roleOf = (environment: string) => opened.projection.state().environments.get(environment)?.role;
  while (roleOf('first') === undefined || roleOf('second') === undefined) await opened.reconciler.settle();
  isReady = true;
  await opened.reconciler.settle();
  await Promise.all(aborts);
  const issued = (await opened.entries()).flatMap(({ event }) => (event.kind === 'order.issued' ? [event.deployment] : []));
  expect(aborts).toHaveLength(1);
  expect(new Set(issued)).toEqual(new Set(['first-1']));
});

test('P-6 more targets than one order names get several, each after the one before it, decided and signed together', async () => {
  await using world = await open();
  await populate(world);
  const count = 2 * orderTargetsMax + 10;
  await world.ask({ kind: 'create-token', token: 'many', use: 'join', name: 'many', secretDigest: '0'.repeat(64), scopes: [], roles: ['agent'], environments: ['prod'], labels: {}, usesMax: count, expiresAt: Number.MAX_SAFE_INTEGER });
  for (let index = 1; index < count; index += 1) await world.ask({ kind: 'enrol-member', token: 'many', member: `member-${index}`, name: `agent-${index}`, publicKey: createHash('sha256').update(String(index)).digest('hex'), roles: ['agent'], attributes: {} });
  await promote(world);
  await world.reconciler.settle();
  const orders = (await world.entries()).flatMap(({ event }) => (event.kind === 'order.issued' && event.action === 'prefetch' ? [event] : []));
  expect(orders.map(({ seq, targets }) => [seq, targets.length])).toEqual([[1, orderTargetsMax], [2, orderTargetsMax], [3, 10]]);
  expect(new Set(orders.flatMap(({ targets }) => targets)).size).toBe(count);
  expect(orders.map(({ compact }) => payloadOf<Order>(compact).previous)).toEqual([undefined, orders[0]?.digest, orders[1]?.digest]);
});

test('P-3 what a process published before it died is said by the next, and what is to run instead is published anew', async () => {
  const roles = async (world: World): Promise<readonly (readonly [number, string | undefined])[]> =>
    (await world.entries()).flatMap(({ event }) => (event.kind === 'role.published' ? [[event.version, event.revisions['web']] as const] : []));
  const revisionOf = (world: World, number: number): string | undefined => world.projection.state().apps.get('web')?.revisions[number - 1]?.revision;
  let dies = false;
  const spoil = (repository: TrustRepository): TrustRepository => ({
    ...repository,
    publish: async (...args) => {
      const published = await repository.publish(...args);
      if (dies) throw new ControlError('STORAGE_FAILED', 'the lights went out');
      return published;
    },
  });
  {
    await using world = await open({ spoil });
    await populate(world);
    await promote(world);
    await world.reconciler.settle();
    await register(world, 'two');
    dies = true;
    await world.ask({ kind: 'promote', promotion: 'next', environment: 'prod', revision: 'latest' });
    await world.ask({ kind: 'abort', deployment: world.projection.state().environments.get('prod')?.activeDeployment ?? '' });
    await world.reconciler.settle();
    expect(await roles(world)).toEqual([[1, revisionOf(world, 1)]]);
  }
  await using world = await open();
  await world.ask({ kind: 'abort', deployment: world.projection.state().environments.get('prod')?.activeDeployment ?? '' });
  await world.ask({ kind: 'promote', promotion: 'back', environment: 'prod', revision: '1' });
  await world.reconciler.settle();
  expect(await roles(world)).toEqual([[1, revisionOf(world, 1)], [2, revisionOf(world, 2)], [3, revisionOf(world, 1)]]);
});

test('a role that is signed again is no progress of a deployment', async () => {
  const clock = new ManualClock();
  await using world = await open({ clock });
  await populate(world);
  await promote(world);
  await world.reconciler.settle();
  const standing = () => {
    const { environments, deployments } = world.projection.state();
    const prod = environments.get('prod');
    return { role: prod?.role, progressedAt: deployments.get(prod?.activeDeployment ?? '')?.progressedAt };
  };
  const { role, progressedAt } = standing();
  if (role === undefined || progressedAt === undefined) throw new Error('nothing is under way');
  clock.pass(5_000);
  await world.projection.transact('system', () => ({ events: [rolePublished('prod', role.version + 1, role.revisions)], result: undefined }));
  expect(standing()).toEqual({ role: { ...role, version: role.version + 1 }, progressedAt });
});
