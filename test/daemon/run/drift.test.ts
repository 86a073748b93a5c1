// Releases on a disk that somebody works on by hand: real files, a real location index, and swarms on a memory network. Threat F7.

import { chmod, lstat, mkdtemp, readFile, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { expect, it, onTestFinished } from 'vitest';
import { fullBitmap } from '../../../proto/bitmap.ts';
import type { Role, Roster } from '../../../proto/statement.ts';
import { systemClock, type Clock } from '../../../daemon/clock.ts';
import { drift } from '../../../daemon/content/installed/drift.ts';
import { createInstalledTrees } from '../../../daemon/content/installed/installed.ts';
import { openManifests } from '../../../daemon/content/manifests.ts';
import type { InstalledApp } from '../../../daemon/install/installer.ts';
import { createMetrics } from '../../../daemon/metrics.ts';
import { createDriftWatch, type DriftConfig } from '../../../daemon/run/drift.ts';
import { createSwarm } from '../../../daemon/swarm/exchange/exchange.ts';
import { createMemoryHub } from '../../../daemon/swarm/memory/memory-network.ts';
import { repeatableBytes } from '../../proto/fixtures.ts';
import { seeded } from '../../support/random.ts';
import { buildRevision, type BuiltRevision } from '../../support/revisions.ts';
import { certificateOf, counts, identityOf, keptLog } from '../swarm/swarm-fixture.ts';

const program = Buffer.from(repeatableBytes('program', 900_000));
/** Of 255 bytes. */
const longName = '\u6587'.repeat(85);
const first = buildRevision('web', { program, notes: 'one', settings: 'as shipped', [longName]: 'long' });
const second = buildRevision('web', { program, notes: 'two', settings: 'as shipped', [longName]: 'long' });

/** A machine with both revisions installed, and a neighbour that holds the second one whole. */
async function machine(use: DriftConfig['use'] = 'repair') {
  const root = await mkdtemp(join(tmpdir(), 'starling-drift-'));
  const stop = new AbortController();
  const hub = createMemoryHub({ clock: systemClock, latencyMs: 0, uplink: () => 1_000_000 });
  const roles: Role[] = ['agent'];
  const members = await Promise.all(['target', 'neighbour'].map(async (name) => (await identityOf(name)).member));
  const roster: Roster = { epoch: 0, members: members.map((member) => ({ member, roles, addresses: [`/memory/${member}`], environments: ['prod'], zone: 'a' })).toSorted((a, b) => (a.member < b.member ? -1 : 1)), revoked: [] };
  const log = keptLog();
  const [swarm, neighbour] = members.map((member) => createSwarm({
    network: hub.join(member, certificateOf(member, member.slice(-6), roles)), roles, manifests: async () => await Promise.resolve(undefined), metrics: counts(), clock: systemClock, random: seeded(1).next, log,
  }));
  if (swarm === undefined || neighbour === undefined) throw new Error('two swarms');
  const topicOf = ({ digest, tree }: BuiltRevision) => ({ revision: digest, blob: 'tree', chunkCount: tree.chunkCount, chunk: (ordinal: number) => tree.chunk(ordinal), environments: ['prod'] }) as const;
  neighbour.share(topicOf(second), { held: fullBitmap(second.tree.chunkCount), read: async (ordinal) => await Promise.resolve(second.chunk(ordinal)) });

  const manifests = await openManifests(join(root, 'manifests'));
  const installed = createInstalledTrees(() => undefined);
  const releases: InstalledApp['releases'][number][] = [];
  for (const [at, revision] of [first, second].entries()) {
    await manifests.keep(manifests.assemble(revision.digest, revision.manifest, revision.index));
    const id = `${at + 1}-${revision.digest.slice(0, 12)}`;
    const directory = await mkdtemp(join(root, `${id}-`));
    for (const entry of revision.tree.entries()) {
      if (entry.kind === 'file') await writeFile(join(directory, entry.path), Buffer.concat(entry.chunks.map((ordinal) => revision.chunk(ordinal))), { mode: entry.mode });
    }
    await installed.add(revision.tree, directory);
    releases.push({ id, revision: revision.digest, revisionNumber: at + 1, environment: 'prod', directory, bad: false });
  }
  const [older, current] = releases;
  if (older === undefined || current === undefined) throw new Error('two releases');
  const sharing = swarm.share(topicOf(second), { held: fullBitmap(second.tree.chunkCount), read: async (ordinal, options) => await installed.get(second.tree.chunk(ordinal).id, options) });
  for (const each of [swarm, neighbour]) each.setRoster(roster);
  let waitedMs = 0;
  const clock: Clock = {
    now: () => 1_000 + waitedMs,
    monotonic: () => waitedMs,
    wait: async (ms) => {
      waitedMs += ms;
      await Promise.resolve();
    },
  };
  const metrics = createMetrics(new Registry(), { version: '0', nodeVersion: '0' });
  const app: InstalledApp = { app: 'web', root, releases, current: { ...current, healthy: true } };
  const installer = { status: async () => await Promise.resolve([app]) };
  const watch = createDriftWatch({ drift, installer, installed, manifests, library: { sharing: (revision) => (revision === second.digest ? sharing : undefined) }, config: { use, minutes: 60 }, clock, metrics, log });
  onTestFinished(async () => {
    stop.abort();
    await swarm.close();
    await neighbour.close();
    await rm(root, { recursive: true, force: true });
  });
  const value = async (metric: { get(): Promise<{ readonly values: readonly { readonly value: number }[] }> }): Promise<number> => (await metric.get()).values[0]?.value ?? Number.NaN;
  return {
    watch, installed, app: { releases }, older: older.directory, current: current.directory, log, aside: join(root, '.state', 'drifted'),
    look: async () => await watch.look(stop.signal),
    waitedMs: () => waitedMs,
    counted: async () => ({ found: await value(metrics.driftFound), repaired: await value(metrics.driftRepaired), left: await value(metrics.driftedFiles) }),
  };
}

it('threat F7: a byte changed in every copy of a file is found, and the file is put back from a neighbour; what was there is kept', async () => {
  const { watch, installed, older, current, look, aside, counted, log } = await machine();
  for (const directory of [older, current]) {
    const bytes = await readFile(join(directory, 'program'));
    bytes[500_000] = (bytes[500_000] ?? 0) ^ 1;
    await writeFile(join(directory, 'program'), bytes);
  }
  await look();
  for (const directory of [older, current]) expect(Buffer.compare(await readFile(join(directory, 'program')), program)).toBe(0);
  expect(await counted()).toEqual({ found: 2, repaired: 2, left: 0 });
  expect(watch.drifted()).toEqual([]);
  const kept = await readdir(aside);
  expect(kept).toHaveLength(2);
  const changed = await readFile(join(aside, kept[0] ?? ''));
  expect([...changed.keys()].filter((at) => changed[at] !== program[at])).toEqual([500_000]);
  expect(log.lines.filter(({ message }) => message.startsWith('an installed file is not what was installed'))).toHaveLength(2);
  // Shared again, as before.
  expect(await installed.get(second.tree.chunk(3).id, { signal: AbortSignal.timeout(60_000) })).toBeDefined();
});

it('a file that is gone, one that became a link, and one with another mode are put back from the other release on this machine', async () => {
  const { current, older, look, counted } = await machine();
  await rm(join(current, 'program'));
  await rm(join(current, 'settings'));
  await symlink('/etc/passwd', join(current, 'settings'));
  await chmod(join(older, 'notes'), 0o600);
  await look();
  expect(Buffer.compare(await readFile(join(current, 'program')), program)).toBe(0);
  expect((await lstat(join(current, 'settings'))).isFile()).toBe(true);
  expect(await readFile(join(current, 'settings'), 'utf8')).toBe('as shipped');
  expect((await lstat(join(older, 'notes'))).mode & 0o7777).toBe(0o644);
  expect(await counted()).toEqual({ found: 3, repaired: 3, left: 0 });
});

it('what nobody has is reported until it is put back by hand, and told in the log once', async () => {
  const { watch, older, look, counted, log } = await machine();
  await writeFile(join(older, 'notes'), 'ONE');
  await look();
  await look();
  expect(await readFile(join(older, 'notes'), 'utf8')).toBe('ONE');
  expect(watch.drifted()).toMatchObject([{ app: 'web', path: 'notes' }]);
  expect(watch.count(older)).toBe(1);
  expect(await counted()).toEqual({ found: 1, repaired: 0, left: 1 });
  expect(log.lines.filter(({ message }) => message === 'an installed file is not what was installed')).toHaveLength(1);
  await writeFile(join(older, 'notes'), 'one');
  await look();
  expect(await counted()).toEqual({ found: 1, repaired: 0, left: 0 });
  expect(watch.drifted()).toEqual([]);
});

it('with `use: report` nothing is written', async () => {
  const { current, look, counted } = await machine('report');
  await writeFile(join(current, 'settings'), 'by hand');
  await look();
  expect(await readFile(join(current, 'settings'), 'utf8')).toBe('by hand');
  expect(await counted()).toEqual({ found: 1, repaired: 0, left: 1 });
});

it('a release that is removed during the look is no drift, and reading is slower than a mebibyte a second', async () => {
  const { older, look, counted, waitedMs } = await machine();
  await rename(older, `${older}.gone`);
  await look();
  expect(await counted()).toEqual({ found: 0, repaired: 0, left: 0 });
  // The current release alone, but for what is less than a step.
  expect(waitedMs()).toBeGreaterThanOrEqual(((program.length - 256 * 1024) / (1024 * 1024)) * 1000);
});

it('a file with the longest name that there is, in whatever script, is put back too', async () => {
  const { current, look, counted } = await machine();
  await writeFile(join(current, longName), 'by hand');
  await look();
  expect(await readFile(join(current, longName), 'utf8')).toBe('long');
  expect(await counted()).toEqual({ found: 1, repaired: 1, left: 0 });
});

it('what has drifted in a release that is gone by now is not counted any more', async () => {
  const { app, older, look, counted } = await machine();
  await writeFile(join(older, 'notes'), 'ONE');
  await look();
  expect((await counted()).left).toBe(1);
  app.releases.splice(0, 1);
  await look();
  expect((await counted()).left).toBe(0);
});
