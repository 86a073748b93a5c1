// What a seed lets go of: real packs and manifests, and uploads under way as the proxy tells of them.

import { mkdtemp, rm, truncate, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../../daemon/clock.ts';
import { createDigestSet } from '../../../../daemon/content/digest-set.ts';
import { openManifests } from '../../../../daemon/content/manifests.ts';
import { openPackStore } from '../../../../daemon/content/pack/pack.ts';
import { createMetrics } from '../../../../daemon/metrics.ts';
import { createCollector } from '../../../../daemon/run/seed/collect.ts';
import { chunkOf, unending } from '../../../contract/chunk-store.ts';
import { silent } from '../../../contract/trust-fixture.ts';
import { buildRevision, type BuiltRevision } from '../../../support/revisions.ts';

const revisions = [1, 2, 3].map((number) => buildRevision('web', { common: 'in all of them', own: `of ${number} alone` }));
const other = buildRevision('api', { own: 'of another application' });
const garbage = chunkOf('of an upload that was given up');
const inUse = chunkOf('of an upload under way');

function chunksOf(revision: BuiltRevision) {
  const { tree } = revision;
  return Array.from({ length: tree.chunkCount }, (_, ordinal) => ({ id: tree.chunk(ordinal).id, bytes: revision.chunk(ordinal) }));
}

async function seed(keepRevisions: number | undefined, named: readonly string[] = []) {
  const directory = await mkdtemp(join(tmpdir(), 'starling-collect-'));
  const manifests = await openManifests(join(directory, 'manifests'));
  const store = await openPackStore(join(directory, 'store'));
  onTestFinished(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });
  for (const [at, revision] of [other, ...revisions].entries()) {
    await manifests.keep(manifests.assemble(revision.digest, revision.manifest, revision.index));
    await utimes(join(directory, 'manifests', `${revision.digest}.manifest`), at + 1, at + 1);
    await store.put(chunksOf(revision), unending);
  }
  await store.put([garbage, inUse], unending);
  const unshared: string[] = [];
  const collector = createCollector({
    store, manifests, library: { unshare: (revision) => void unshared.push(revision) }, createSet: createDigestSet, chunksInUse: () => [inUse.id],
    environmentsOf: (revision) => (named.includes(revision) ? ['prod'] : []), onDamaged: () => undefined, keepRevisions, clock: systemClock,
    metrics: createMetrics(new Registry(), { version: '0', nodeVersion: '0' }), log: silent,
  });
  const holds = async (revision: BuiltRevision): Promise<boolean> => (await store.has(chunksOf(revision).map(({ id }) => id))).every(Boolean);
  return { directory, manifests, store, unshared, holds, collect: async () => await collector.collect(unending.signal) };
}

it('chunks of uploads that were given up go; those of kept revisions and of uploads under way stay', async () => {
  const { store, holds, collect, manifests } = await seed(undefined);
  await collect();
  expect(await store.has([garbage.id, inUse.id])).toEqual([false, true]);
  for (const revision of [other, ...revisions]) expect(await holds(revision)).toBe(true);
  expect(await manifests.list()).toHaveLength(4);
});

it('`keepRevisions` lets the oldest of an application go, but none that an environment names, and nothing of another application', async () => {
  const [first, second, third] = revisions;
  if (first === undefined || second === undefined || third === undefined) throw new Error('three of them');
  const { holds, collect, manifests, unshared } = await seed(1, [first.digest]);
  await collect();
  expect(unshared).toEqual([second.digest]);
  expect((await manifests.list()).toSorted()).toEqual([first.digest, third.digest, other.digest].toSorted());
  expect(await Promise.all([first, second, third, other].map(holds))).toEqual([true, false, true, true]);
});

it('while the manifest of a kept revision cannot be read, nothing goes', async () => {
  const { directory, store, holds, collect } = await seed(undefined);
  const [first] = revisions;
  await truncate(join(directory, 'manifests', `${first?.digest ?? ''}.index`), 10);
  await expect(collect()).rejects.toMatchObject({ code: 'CORRUPT_STATE', message: expect.stringContaining('nothing is removed') });
  expect(await store.has([garbage.id])).toEqual([true]);
  for (const revision of revisions) expect(await holds(revision)).toBe(true);
});
