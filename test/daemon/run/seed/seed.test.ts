// Which revisions a seed shares: real manifests on disk, a real library and swarms on a memory network.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { expect, it, onTestFinished } from 'vitest';
import { decodeRevision } from '../../../../proto/revision-codec.ts';
import { decodeTree } from '../../../../proto/tree-index.ts';
import { systemClock } from '../../../../daemon/clock.ts';
import { openManifests } from '../../../../daemon/content/manifests.ts';
import { createMemoryStore } from '../../../../daemon/content/memory.ts';
import type { Link } from '../../../../daemon/link/link.ts';
import { createMetrics } from '../../../../daemon/metrics.ts';
import { createLibrary } from '../../../../daemon/run/library.ts';
import { createSeed } from '../../../../daemon/run/seed/seed.ts';
import { createVisibility, formerMax, uploadedMax } from '../../../../daemon/run/seed/visibility.ts';
import { createSwarm } from '../../../../daemon/swarm/exchange/exchange.ts';
import { createMemoryHub } from '../../../../daemon/swarm/memory/memory-network.ts';
import { unending } from '../../../contract/chunk-store.ts';
import { silent } from '../../../contract/trust-fixture.ts';
import { seeded } from '../../../support/random.ts';
import { buildRevision, type BuiltRevision } from '../../../support/revisions.ts';
import { certificateOf, counts, identityOf } from '../../swarm/swarm-fixture.ts';

const revisionOf = (app: string, version = 1): BuiltRevision => buildRevision(app, { program: `${app} ${version}` });

/** A seed that keeps `kept`, in a fleet whose environment prod names what `named` holds. The control plane has every manifest; nobody else has anything. */
async function seedOf(kept: readonly BuiltRevision[], all: readonly BuiltRevision[] = kept) {
  const directory = await mkdtemp(join(tmpdir(), 'starling-shares-'));
  const { member } = await identityOf('seed');
  const swarm = createSwarm({
    network: createMemoryHub({ clock: systemClock, latencyMs: 0, uplink: () => 1_000_000 }).join(member, certificateOf(member, 'seed', ['seed'])),
    roles: ['seed'], manifests: async () => await Promise.resolve(undefined), metrics: counts(), clock: systemClock, random: seeded(1).next, log: silent,
  });
  const manifests = await openManifests(join(directory, 'manifests'));
  const store = createMemoryStore();
  const keep = async (revision: BuiltRevision): Promise<void> => {
    const { digest, manifest, index, tree } = revision;
    await manifests.keep(manifests.assemble(digest, manifest, index));
    await store.put(Array.from({ length: tree.chunkCount }, (_, ordinal) => ({ id: tree.chunk(ordinal).id, bytes: revision.chunk(ordinal) })), unending);
  };
  for (const one of kept) await keep(one);
  const stop = new AbortController();
  const link: Pick<Link, 'manifest'> = { manifest: async (digest) => await Promise.resolve(all.find((one) => one.digest === digest)?.manifest) };
  const unasked = async (): Promise<never> => await Promise.reject(new Error('not asked'));
  const library = createLibrary({ manifests, swarm, link: { sync: unasked, report: unasked, handOver: unasked, ...link }, log: silent, origin: true });
  const named = new Map<string, BuiltRevision>();
  const authorised = () => ({ environment: 'prod', version: 1, freshness: 'FRESH' as const, revisions: new Map([...named].map(([app, { digest, manifest }]) => [app, { revision: digest, number: 1, bytes: manifest.length }])) });
  const seed = createSeed({ store, manifests, library, trust: { versions: () => ({ 'env-prod': 1 }), authorised }, metrics: createMetrics(new Registry(), { version: '0', nodeVersion: '0' }), log: silent, signal: stop.signal });
  onTestFinished(async () => {
    stop.abort();
    library.close();
    await swarm.close();
    await rm(directory, { recursive: true, force: true });
  });
  return { seed, library, keep, name: (...revisions: BuiltRevision[]) => revisions.forEach((one, at) => named.set(`app-${at}`, one)) };
}

it('everything that an environment names is shared, however many applications that are, and stays shared', async () => {
  const revisions = Array.from({ length: 40 }, (_, at) => revisionOf(`app-${at}`));
  const { seed, library, name } = await seedOf(revisions);
  name(...revisions);
  seed.refresh();
  await expect.poll(() => library.shared().size).toBe(40);
  const sharings = revisions.map(({ digest }) => library.sharing(digest));
  seed.add(manifestOf(revisionOf('another')));
  await expect.poll(() => library.shared().size).toBe(41);
  expect(revisions.map(({ digest }) => library.sharing(digest))).toEqual(sharings);
});

it('a revision that nobody has holds up no other', async () => {
  const [nowhere, here] = [revisionOf('nowhere'), revisionOf('here')];
  const { seed, library, name, keep } = await seedOf([], [nowhere, here]);
  name(nowhere);
  seed.refresh();
  await keep(here);
  name(nowhere, here);
  seed.refresh();
  await expect.poll(() => [...library.shared()]).toEqual([[here.digest, ['prod']]]);
});

it('what no environment names any more is shared for a while, and then no longer', async () => {
  const versions = Array.from({ length: formerMax + 3 }, (_, at) => revisionOf('web', at));
  const { seed, library, name } = await seedOf(versions);
  for (const one of versions) {
    name(one);
    seed.refresh();
    await expect.poll(() => library.shared().has(one.digest)).toBe(true);
  }
  await expect.poll(() => versions.map(({ digest }) => library.shared().has(digest))).toEqual(versions.map((_, at) => at >= 2));
});

it('of what was uploaded and nobody names the newest is shared; what environments name comes first at the bound of all', () => {
  const visibility = createVisibility();
  const ids = Array.from({ length: 1_000 }, (_, at) => at.toString(16).padStart(64, '0'));
  for (const id of ids) visibility.upload(id);
  expect([...visibility.wanted()]).toEqual(ids.slice(-uploadedMax));
  const named = ids.slice(0, 500);
  visibility.name(named.map((revision) => ({ environment: 'prod', revision })));
  expect(visibility.wanted().size).toBe(512);
  expect(named.filter((id) => !visibility.wanted().has(id))).toEqual([]);
});

function manifestOf({ digest, manifest, index }: BuiltRevision) {
  return { digest, bytes: manifest, revision: decodeRevision(manifest), index, tree: decodeTree(index) };
}

it('whoever waits for a revision goes on waiting when the one who asked for it first gives up', async () => {
  // The control plane knows its manifest, and nobody has its index: it is waited for.
  const awaited = revisionOf('awaited');
  const { library } = await seedOf([], [awaited]);
  const [first, second] = [new AbortController(), new AbortController()];
  const waits = [first, second].map(async ({ signal }) => await library.obtain(awaited.digest, ['prod'], { signal }).then(() => 'had it', () => 'gave up'));
  first.abort(new Error('no longer of interest'));
  expect(await waits[0]).toBe('gave up');
  expect(await Promise.race([waits[1], Promise.resolve('waits')])).toBe('waits');
  second.abort();
  expect(await waits[1]).toBe('gave up');
});
