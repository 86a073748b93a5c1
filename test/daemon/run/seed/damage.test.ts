// A seed whose disk flips bits: real packs, a real library and swarms on a memory network. Faults 11 of faults.md.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { expect, it, onTestFinished } from 'vitest';
import { createBitmap, fullBitmap } from '../../../../proto/bitmap.ts';
import type { Role, Roster } from '../../../../proto/statement.ts';
import { systemClock } from '../../../../daemon/clock.ts';
import { openManifests } from '../../../../daemon/content/manifests.ts';
import { openPackStore } from '../../../../daemon/content/pack/pack.ts';
import { verified } from '../../../../daemon/content/verified.ts';
import type { Link } from '../../../../daemon/link/link.ts';
import { createMetrics } from '../../../../daemon/metrics.ts';
import { createLibrary } from '../../../../daemon/run/library.ts';
import { createSeed, type Seed } from '../../../../daemon/run/seed/seed.ts';
import { createSwarm } from '../../../../daemon/swarm/exchange/exchange.ts';
import { createMemoryHub } from '../../../../daemon/swarm/memory/memory-network.ts';
import { unending } from '../../../contract/chunk-store.ts';
import { silent } from '../../../contract/trust-fixture.ts';
import { repeatableBytes } from '../../../proto/fixtures.ts';
import { seeded } from '../../../support/random.ts';
import { buildRevision } from '../../../support/revisions.ts';
import { certificateOf, counts, identityOf } from '../../swarm/swarm-fixture.ts';

const noLink: Link = {
  sync: async () => await Promise.reject(new Error('not asked')),
  report: async () => await Promise.reject(new Error('not asked')),
  handOver: async () => await Promise.reject(new Error('not asked')),
  manifest: async () => await Promise.resolve(undefined),
};

const revision = buildRevision('web', { program: Buffer.from(repeatableBytes('program', 900_000)), notes: 'one' });
const chunks = Array.from({ length: revision.tree.chunkCount }, (_, ordinal) => ({ id: revision.tree.chunk(ordinal).id, bytes: revision.chunk(ordinal) }));
const topic = { revision: revision.digest, blob: 'tree', chunkCount: chunks.length, chunk: (ordinal: number) => revision.tree.chunk(ordinal), environments: ['prod'] } as const;

async function fleet() {
  const hub = createMemoryHub({ clock: systemClock, latencyMs: 0, uplink: () => 1_000_000 });
  const roles: Record<string, Role[]> = { seed: ['seed'], holder: ['agent'], asker: ['agent'] };
  const members = new Map(await Promise.all(Object.keys(roles).map(async (name) => [name, (await identityOf(name)).member] as const)));
  const join = (name: string) => {
    const member = members.get(name) ?? '';
    return createSwarm({
      network: hub.join(member, certificateOf(member, name, roles[name] ?? [])), roles: roles[name] ?? [], manifests: async () => await Promise.resolve(undefined),
      metrics: counts(), clock: systemClock, random: seeded(1).next, log: silent,
    });
  };
  const roster = (...names: string[]): Roster => ({
    epoch: 0,
    members: names.map((name) => ({ member: members.get(name) ?? '', roles: roles[name] ?? [], addresses: [`/memory/${members.get(name) ?? ''}`], environments: ['prod'], zone: 'a' })).toSorted((a, b) => (a.member < b.member ? -1 : 1)),
    revoked: [],
  });
  return { join, roster };
}

/** A seed over a pack store in which the bytes of one chunk were flipped while nobody looked. */
async function damagedSeed() {
  const directory = await mkdtemp(join(tmpdir(), 'starling-seed-'));
  onTestFinished(async () => await rm(directory, { recursive: true, force: true }));
  const manifests = await openManifests(join(directory, 'manifests'));
  await manifests.keep(manifests.assemble(revision.digest, revision.manifest, revision.index));
  {
    await using packs = await openPackStore(join(directory, 'store'));
    await packs.put(chunks, unending);
  }
  const damaged = chunks[3]?.id ?? '';
  const path = join(directory, 'store', 'packs', '00000001.pack');
  const pack = await readFile(path);
  const at = pack.indexOf(chunks[3]?.bytes ?? '');
  pack[at + 1000] = (pack[at + 1000] ?? 0) ^ 4;
  await writeFile(path, pack);
  return { directory, manifests, damaged };
}

it('fault 11: a chunk that is damaged on the disk of a seed is not served, told of once, and brought again from a target that has it', { timeout: 60_000 }, async () => {
  const { directory, manifests, damaged } = await damagedSeed();
  const { join: joinHub, roster } = await fleet();
  const stop = new AbortController();
  const packs = await openPackStore(join(directory, 'store'));
  const told: string[] = [];
  let seed: Seed | undefined;
  const store = verified(packs, (id) => {
    told.push(id);
    seed?.lost(id);
  });
  const swarms = { seed: joinHub('seed'), holder: joinHub('holder'), asker: joinHub('asker') };
  const library = createLibrary({ manifests, swarm: swarms.seed, link: noLink, log: silent, origin: true });
  const trust = { versions: () => ({ 'env-prod': 1 }), authorised: () => ({ environment: 'prod', version: 1, freshness: 'FRESH' as const, revisions: new Map([['web', { revision: revision.digest, number: 1, bytes: revision.manifest.length }]]) }) };
  seed = createSeed({ store, manifests, library, trust, metrics: createMetrics(new Registry(), { version: '0', nodeVersion: '0' }), log: silent, signal: stop.signal });
  try {
    seed.refresh();
    swarms.holder.share(topic, { held: fullBitmap(chunks.length), read: async (ordinal) => await Promise.resolve(revision.chunk(ordinal)) });
    // The asker meets the seed alone: what it gets, the seed gave it.
    swarms.asker.setRoster(roster('seed', 'asker'));
    swarms.holder.setRoster(roster('seed', 'holder'));
    swarms.seed.setRoster(roster('seed', 'holder', 'asker'));
    const got = new Map<number, string>();
    const sharing = swarms.asker.share(topic, { held: createBitmap(chunks.length), read: async () => await Promise.resolve(undefined) });
    await sharing.fetch({
      wanted: fullBitmap(chunks.length),
      write: async (ordinal, bytes) => {
        await Promise.resolve();
        got.set(ordinal, Buffer.from(bytes).toString('latin1'));
      },
      signal: stop.signal,
    });
    expect([...got].toSorted(([a], [b]) => a - b)).toEqual(chunks.map(({ bytes }, ordinal) => [ordinal, Buffer.from(bytes).toString('latin1')]));
    expect(swarms.asker.neighbours().map(({ name }) => name)).toEqual(['seed']);
    expect(told).toEqual([damaged]);
    expect(await packs.has([damaged])).toEqual([true]);
  } finally {
    stop.abort();
    library.close();
    for (const swarm of Object.values(swarms)) await swarm.close();
    await packs.close();
  }
  await using again = await openPackStore(join(directory, 'store'));
  expect(Buffer.compare((await again.get(damaged, unending)) ?? new Uint8Array(), chunks[3]?.bytes ?? new Uint8Array())).toBe(0);
  expect(again.usage().chunks).toBe(new Set(chunks.map(({ id }) => id)).size);
});
