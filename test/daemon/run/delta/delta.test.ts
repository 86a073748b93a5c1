// Delta sets from the origin that makes them to the targets that use them: what is asked, believed, kept, and done without.

import { open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createBitmap, fullBitmap, type Bitmap } from '../../../../proto/bitmap.ts';
import { payloadBytes } from '../../../../proto/delta-set.ts';
import { systemClock, type Clock } from '../../../../daemon/clock.ts';
import type { Manifest } from '../../../../daemon/content/manifests.ts';
import { DaemonError } from '../../../../daemon/errors.ts';
import { openDeltaFiles } from '../../../../daemon/run/delta/files.ts';
import type { DeltaUse } from '../../../../daemon/run/delta/use.ts';
import { environments, Scene, version, type Machine } from './fixture.ts';

let scene: Scene;
beforeEach(() => {
  scene = new Scene();
});
afterEach(async () => await scene[Symbol.asyncDispose]());

const [one, two, three] = [version(1), version(2), version(3)];
const patient = (): { readonly signal: AbortSignal } => ({ signal: AbortSignal.timeout(25_000) });

/** Ordinals of `to` that a machine lacks. */
async function lacked({ store }: Machine, { tree }: Manifest): Promise<Bitmap> {
  const wanted = createBitmap(tree.chunkCount);
  for (const ordinal of Array(tree.chunkCount).keys()) if (!(await store.has([tree.chunk(ordinal).id]))[0]) wanted.set(ordinal);
  return wanted;
}

/** Has `use` make what a machine lacks of revision two, and says what it made. */
async function bring(machine: Machine, use: DeltaUse) {
  const manifest = machine.manifests.assemble(two.digest, two.manifest, two.index);
  const wanted = await lacked(machine, manifest);
  const delta = await use.open(manifest, environments, wanted, patient());
  const made = new Map<number, Uint8Array>();
  const brought = await delta?.bring({ write: async (ordinal, bytes) => await Promise.resolve(void made.set(ordinal, bytes)), ...patient() });
  const wrong = [...made].filter(([ordinal, bytes]) => Buffer.compare(bytes, two.chunk(ordinal)) !== 0);
  return { delta, brought, wanted, made, wrong };
}

async function fallbacks({ metrics }: Machine): Promise<Record<string, number>> {
  const { values } = await metrics.deltaFallbacks.get();
  return Object.fromEntries(values.filter(({ value }) => value > 0).map(({ labels, value }) => [labels.reason, value]));
}

/** An origin with a set from one to two, and targets that have one. */
async function fleet(targets: number, options: { readonly strangerSigns?: boolean } = {}) {
  const origin = await scene.machine(['seed']);
  const agents = await Promise.all(Array.from({ length: targets }, async () => await scene.machine(['agent'])));
  await origin.hold(one);
  await origin.hold(two);
  for (const agent of agents) await agent.hold(one);
  const [stranger] = agents;
  const maker = scene.maker(origin, options.strangerSigns === true && stranger !== undefined ? { sign: stranger.identity } : {});
  await maker.want([{ from: one.digest, to: two.digest }], new Set([two.digest]));
  await maker.idle();
  await scene.meet();
  const uses = agents.map((agent) => ({ agent, use: scene.use(agent, [one]) }));
  const [first] = uses;
  if (first === undefined) throw new Error('a fleet of no targets');
  return { origin, maker, uses, first };
}

test('a target makes the index and every chunk it lacks out of a set of its origin', async () => {
  const { origin, first: { agent, use } } = await fleet(1);
  const { revision } = origin.manifests.assemble(two.digest, two.manifest, two.index);
  expect(await use.index(two.digest, revision, environments, patient()).then((index) => index && Buffer.from(index))).toEqual(Buffer.from(two.index));
  const { brought, wanted, made, wrong } = await bring(agent, use);
  expect([made.size, wrong]).toEqual([wanted.count, []]);
  expect(made.size).toBeGreaterThan(4);
  const [kept] = origin.shelf.list();
  expect((await agent.metrics.deltaBytes.get()).values[0]?.value).toBe(kept === undefined ? 0 : payloadBytes(kept.set));
  expect(brought?.savedBytes).toBeGreaterThan(300_000);
  expect(await fallbacks(agent)).toEqual({});
});

test('a target has a set from another target when the origin is gone', async () => {
  const { origin, uses: [a, b] } = await fleet(2);
  if (a === undefined || b === undefined) throw new Error('two targets are asked for');
  await bring(a.agent, a.use);
  await origin.swarm.close();
  const { wanted, made, wrong, brought } = await bring(b.agent, b.use);
  expect([made.size, wrong, brought?.transfer?.originBytes]).toEqual([wanted.count, [], 0]);
});

test('a target hands on a set before its disk has taken what it makes of it', async () => {
  const { origin, uses: [a, b] } = await fleet(2);
  if (a === undefined || b === undefined) throw new Error('two targets are asked for');
  const manifest = a.agent.manifests.assemble(two.digest, two.manifest, two.index);
  const delta = await a.use.open(manifest, environments, await lacked(a.agent, manifest), patient());
  const disk = Promise.withResolvers<undefined>();
  const slow = delta?.bring({ write: async () => await disk.promise, ...patient() });
  await expect.poll(() => a.agent.shelf.list()[0]?.held.isFull, { timeout: 5_000 }).toBe(true);
  await origin.swarm.close();
  const { wanted, made, wrong } = await bring(b.agent, b.use);
  expect([made.size, wrong]).toEqual([wanted.count, []]);
  disk.resolve(undefined);
  await slow;
});

test('a set that no origin of the roster signed is not believed', async () => {
  const { first: { agent, use } } = await fleet(1, { strangerSigns: true });
  expect((await bring(agent, use)).delta).toBeUndefined();
  expect(await fallbacks(agent)).toMatchObject({ refused: expect.any(Number) });
});

test('chunks whose base is not what it was are left to be had plain', async () => {
  const { first: { agent, use } } = await fleet(1);
  const changed = new Set(Array.from({ length: 3 }, (_, at) => one.tree.chunk(1 + at).id));
  const get = agent.store.get.bind(agent.store);
  agent.store.get = async (id, options) => (changed.has(id) ? await Promise.resolve(undefined) : await get(id, options));
  const { wanted, made, wrong } = await bring(agent, use);
  expect(wrong).toEqual([]);
  expect(made.size).toBeLessThan(wanted.count);
  expect(await fallbacks(agent)).toEqual({ damaged: 1 });
});

test('a part that is damaged on the origin is noticed there, and the set is made anew', async () => {
  const { origin, maker } = await fleet(1);
  const [kept] = origin.shelf.list();
  if (kept === undefined) throw new Error('no set was made');
  const [payload] = (await readdir(join(origin.directory, 'deltas'))).filter((name) => name.endsWith('.payload'));
  {
    await using file = await open(join(origin.directory, 'deltas', payload ?? ''), 'r+');
    await file.write(Buffer.from([1, 2, 3, 4]), 0, 4, 20);
  }
  expect(await origin.shelf.part(kept, 0)).toBeUndefined();
  await maker.want([{ from: one.digest, to: two.digest }], new Set([two.digest]));
  await maker.idle();
  const [again] = origin.shelf.list();
  expect(again === undefined ? undefined : await origin.shelf.part(again, 0)).toBeDefined();
});

/** Seconds pass in milliseconds. */
const hasty: Clock = { ...systemClock, wait: async (ms, options) => await systemClock.wait(ms / 100, options) };

test('a set that nobody can serve any more costs a bounded wait', async () => {
  const { origin, first: { agent } } = await fleet(1);
  const use = scene.use(agent, [one], hasty);
  const manifest = agent.manifests.assemble(two.digest, two.manifest, two.index);
  const delta = await use.open(manifest, environments, fullBitmap(manifest.tree.chunkCount), patient());
  await origin.swarm.close();
  const brought = await delta?.bring({ write: async () => await Promise.resolve(), ...patient() });
  expect(brought).toMatchObject({ transfer: undefined, deltaBytes: 0 });
  expect(await fallbacks(agent)).toEqual({ stalled: 1 });
});

test('a set that is being made is waited for when that is quicker than the plain chunks, and else not', async () => {
  const { origin, maker, first: { agent, use } } = await fleet(1);
  let asked = 0;
  const answer = (etaMs: number): void => origin.desk.answerWith(async (question, options) => {
    asked += 1;
    return asked % 2 === 1 ? { etaMs, statement: '', descriptor: new Uint8Array(0), environments } : await maker.source(question, options);
  });
  answer(60_000);
  expect((await bring(agent, use)).delta).toBeUndefined();
  expect([asked, await fallbacks(agent)]).toEqual([1, { late: 1 }]);
  asked = 0;
  answer(1);
  // As after a fetch over a line of 100 KB/s.
  use.measured({ originBytes: 2_000_000, peerBytes: 0, reusedBytes: 0, wastedBytes: 0, timing: { totalMs: 20_000, waitMs: 0, storeMs: 0, throttledMs: 0, strikes: 0 } });
  const { made, wanted } = await bring(agent, use);
  expect([asked, made.size]).toEqual([2, wanted.count]);
});

test.each([
  { etaMs: 0, questions: 1, what: 'nothing is being made, is not asked again' },
  { etaMs: 60_000, questions: 2, what: 'a set is being made, is asked again' },
])('an origin that has said of the index that $what for the chunks', async ({ etaMs, questions }) => {
  const { origin, first: { agent, use } } = await fleet(1);
  const manifest = agent.manifests.assemble(two.digest, two.manifest, two.index);
  let asked = 0;
  origin.desk.answerWith(async () => {
    asked += 1;
    return await Promise.resolve(etaMs === 0 ? undefined : { etaMs, statement: '', descriptor: new Uint8Array(0), environments });
  });
  expect(await use.index(two.digest, manifest.revision, environments, patient())).toBeUndefined();
  expect(await use.open(manifest, environments, fullBitmap(manifest.tree.chunkCount), patient())).toBeUndefined();
  expect(asked).toBe(questions);
});

test('a chunk that the release cannot take ends the whole', async () => {
  const { first: { agent, use } } = await fleet(1);
  const manifest = agent.manifests.assemble(two.digest, two.manifest, two.index);
  const delta = await use.open(manifest, environments, await lacked(agent, manifest), patient());
  await expect(delta?.bring({ write: async () => await Promise.reject(new DaemonError('NO_SPACE', 'the disk is full')), ...patient() })).rejects.toMatchObject({ code: 'NO_SPACE' });
});

test('a target that comes with a base that no set starts from gets the index', async () => {
  const { origin, first: { agent } } = await fleet(1);
  await origin.hold(three);
  await agent.hold(three);
  const { revision } = origin.manifests.assemble(two.digest, two.manifest, two.index);
  expect(await scene.use(agent, [three]).index(two.digest, revision, environments, patient()).then((index) => index && Buffer.from(index))).toEqual(Buffer.from(two.index));
  expect(origin.shelf.list().map(({ extent }) => extent).toSorted()).toEqual(['all', 'index']);
});

test('sets outlive the program that made them; half-made ones and those of neighbours do not', async () => {
  const { origin, first: { agent, use } } = await fleet(1);
  await bring(agent, use);
  await using draft = new AsyncDisposableStack();
  const half = await origin.shelf.draft();
  draft.defer(async () => await half.discard());
  await half.add(new Uint8Array(100));
  const kept = (await openDeltaFiles(join(origin.directory, 'deltas'))).found;
  expect(kept.map(({ digest, held }) => [digest, held.isFull])).toEqual(origin.shelf.list().map(({ digest }) => [digest, true]));
  expect(await readdir(join(origin.directory, 'deltas'))).toHaveLength(2);
  expect((await openDeltaFiles(join(agent.directory, 'deltas'))).found).toEqual([]);
});

test('a set whose payload is lost is forgotten at the next start', async () => {
  const { origin } = await fleet(1);
  const directory = join(origin.directory, 'deltas');
  for (const name of await readdir(directory)) if (name.endsWith('.payload')) await rm(join(directory, name));
  expect((await openDeltaFiles(directory)).found).toEqual([]);
  expect(await readdir(directory)).toEqual([]);
});

test('as many sets are made as there is room for, the dearest, each once', async () => {
  const origin = await scene.machine(['seed'], 2);
  for (const revision of [one, two, three]) await origin.hold(revision);
  const maker = scene.maker(origin);
  const wanted = [{ from: two.digest, to: three.digest }, { from: one.digest, to: three.digest }, { from: one.digest, to: two.digest }];
  await maker.want(wanted, new Set([two.digest, three.digest]));
  await maker.idle();
  expect(maker.kept()).toEqual(wanted.slice(0, 2));
  // Of another list, too, none is made again that made room.
  await maker.want([...wanted].reverse(), new Set([two.digest, three.digest]));
  await maker.idle();
  await maker.want(wanted, new Set([two.digest, three.digest]));
  await maker.idle();
  const made = (await origin.metrics.deltasMade.get()).values.reduce((sum, { value }) => sum + value, 0);
  expect([made, maker.kept().length]).toEqual([3, 2]);
});

test('sets to what nobody wants any more are dropped', async () => {
  const { origin, maker } = await fleet(1);
  expect(origin.shelf.list()).toHaveLength(1);
  await maker.want([], new Set());
  expect(origin.shelf.list()).toEqual([]);
  expect(await readdir(join(origin.directory, 'deltas'))).toEqual([]);
});
