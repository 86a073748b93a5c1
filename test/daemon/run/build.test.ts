// An agent in the daemon of a seed: it builds from what the seed holds, which nobody else may have, and leaves the seed its shares and manifests.

import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { fullBitmap } from '../../../proto/bitmap.ts';
import type { Order } from '../../../proto/statement.ts';
import { systemClock } from '../../../daemon/clock.ts';
import { createInstalledTrees } from '../../../daemon/content/installed/installed.ts';
import { openManifests } from '../../../daemon/content/manifests.ts';
import { materialize } from '../../../daemon/content/release/materialize.ts';
import { createMemoryStore } from '../../../daemon/content/memory.ts';
import type { InstalledApp } from '../../../daemon/install/installer.ts';
import { createBuilder } from '../../../daemon/run/build.ts';
import { createLibrary } from '../../../daemon/run/library.ts';
import { createSwarm } from '../../../daemon/swarm/exchange/exchange.ts';
import { createMemoryHub } from '../../../daemon/swarm/memory/memory-network.ts';
import { unending } from '../../contract/chunk-store.ts';
import { silent } from '../../contract/trust-fixture.ts';
import { seeded } from '../../support/random.ts';
import { buildRevision } from '../../support/revisions.ts';
import { certificateOf, counts, identityOf } from '../swarm/swarm-fixture.ts';

const revision = buildRevision('web', { program: 'of the seed' });
const order: Order = { environment: 'prod', app: 'web', deployment: 'd', seq: 1, action: 'activate', revision: revision.digest, revisionNumber: 1, roleVersion: 1, batch: 0, targets: [], notBefore: 0, notAfter: 0 };

it('builds without a neighbour, and when the release goes the seed still shares what it shared', async () => {
  const root = await mkdtemp(join(tmpdir(), 'starling-build-'));
  const { member } = await identityOf('both');
  const swarm = createSwarm({
    network: createMemoryHub({ clock: systemClock, latencyMs: 0, uplink: () => 1_000_000 }).join(member, certificateOf(member, 'both', ['agent', 'seed'])),
    roles: ['agent', 'seed'], manifests: async () => await Promise.resolve(undefined), metrics: counts(), clock: systemClock, random: seeded(1).next, log: silent,
  });
  const manifests = await openManifests(join(root, 'manifests'));
  const manifest = manifests.assemble(revision.digest, revision.manifest, revision.index);
  await manifests.keep(manifest);
  const store = createMemoryStore();
  await store.put(Array.from({ length: revision.tree.chunkCount }, (_, ordinal) => ({ id: revision.tree.chunk(ordinal).id, bytes: revision.chunk(ordinal) })), unending);
  const unasked = async (): Promise<never> => await Promise.reject(new Error('not asked'));
  const library = createLibrary({ manifests, swarm, link: { sync: unasked, report: unasked, handOver: unasked, manifest: unasked }, log: silent, origin: true });
  onTestFinished(async () => {
    library.close();
    await swarm.close();
    await rm(root, { recursive: true, force: true });
  });
  const shares = library.share(manifest, ['beta', 'prod'], { held: fullBitmap(revision.tree.chunkCount), read: async (ordinal, options) => await store.get(revision.tree.chunk(ordinal).id, options) });
  let releases: InstalledApp['releases'] = [];
  const builder = createBuilder({
    installer: { status: async () => await Promise.resolve([{ app: 'web', root, releases }]) },
    installed: createInstalledTrees(() => undefined), materialize, manifests, library, seed: store, log: silent,
  });
  const directory = join(root, '1-release');
  await builder.build(order, manifest, `${directory}.tmp`, { signal: AbortSignal.timeout(20_000), onProgress: () => undefined });
  await rename(`${directory}.tmp`, directory);
  expect(await readFile(join(directory, 'program'), 'utf8')).toBe('of the seed');
  releases = [{ id: '1', revision: revision.digest, revisionNumber: 1, environment: 'prod', directory, bad: false }];
  await builder.refresh();
  expect([library.sharing(revision.digest), library.shared().get(revision.digest)]).toEqual([shares, ['beta', 'prod']]);
  releases = [];
  await builder.refresh();
  expect(library.sharing(revision.digest)).toBe(shares);
  expect(await manifests.list()).toEqual([revision.digest]);
});
