// Members that send corrupt chunks: real members, admitted with certificates of their own, over real libp2p connections. They hold everything and
// flip one bit of each chunk that they send.

import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../daemon/clock.ts';
import { openManifests } from '../../daemon/content/manifests.ts';
import { readConfig } from '../../daemon/config.ts';
import { joinFleet, readMembership } from '../../daemon/daemon-join.ts';
import { openSwarm } from '../../daemon/daemon-swarm.ts';
import { createHttpLink } from '../../daemon/link/http-link.ts';
import { createMetrics } from '../../daemon/metrics.ts';
import { createIdentity } from '../../daemon/trust/identity/identity.ts';
import { createRequestSigner } from '../../daemon/trust/identity/member-request.ts';
import { openTrust } from '../../daemon/trust/file-trust.ts';
import { fullBitmap } from '../../proto/bitmap.ts';
import { decodeRevision } from '../../proto/revision-codec.ts';
import { randomBytes } from 'node:crypto';
import { Registry } from 'prom-client';
import { ingest } from '../../daemon/content/ingest/ingest.ts';
import { Fleet, fleetNames } from '../support/fleet.ts';
import { listing } from '../support/same-tree.ts';
import { noise } from '../support/trees.ts';

const honest = 5;
const corrupters = 3;
const config = { batches: ['100%'], maxParallel: '100%', minHealthy: 0, bakeMs: 0, autoRollback: true, failureThreshold: { count: 100, percent: 100 }, lostAfterMs: 600_000 };
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined, child: () => silent };

/** Joins as an agent of no environment's targets, then takes part in the newest revision with spoilt bytes. */
async function corrupter(fleet: Fleet, name: string, source: string, signal: AbortSignal): Promise<AsyncDisposable & { readonly member: string }> {
  const dataDir = join(fleet.directory, name);
  const settings = readConfig({ environment: {}, hostname: name, flags: {}, file: { path: name, text: JSON.stringify({ dataDir, name, listen: '/ip4/127.0.0.1/tcp/0' }) } });
  const { body } = await fleet.api('POST', '/v1/tokens', { use: 'join', name, roles: ['agent'], usesMax: 1, environments: ['prod'], labels: { env: 'none' } });
  if (typeof body !== 'object' || body === null || !('text' in body) || typeof body.text !== 'string') throw new Error('no token');
  const { member } = await joinFleet(settings, fleet.url, body.text, { clock: systemClock, attributes: {}, signal });
  const identity = await createIdentity(dataDir);
  const trust = await openTrust({ dataDir, pin: undefined, now: () => Date.now() });
  const link = createHttpLink(fleet.url, createRequestSigner(identity, { now: () => Date.now(), random: (length) => randomBytes(length) }));
  const membership = await readMembership(dataDir);
  let addresses: readonly string[] = [];
  const sync = async () => {
    const reply = await link.sync({ seqSeen: {}, metadata: { ...trust.versions() }, rosterEpoch: trust.roster()?.epoch ?? 0, addresses: [...addresses], running: [], progress: [], waitMs: 0, version: 'test' }, { signal });
    await trust.update(reply.metadata);
    if (reply.roster !== undefined) await trust.acceptRoster(reply.roster);
    if (reply.rosterChange !== undefined) await trust.acceptRosterChange(reply.rosterChange);
  };
  await sync();
  const manifests = await openManifests(join(dataDir, 'manifests'));
  const metrics = createMetrics(new Registry(), { version: 'test', nodeVersion: 'test' });
  const swarm = await openSwarm(settings, { identity, trust, manifests, metrics, clock: systemClock, random: { unit: Math.random, bytes: randomBytes }, log: silent, certificate: () => membership?.certificate ?? '' });
  addresses = swarm.addresses();
  await sync();
  const { tree } = await ingest(source, { signal });
  const read = await spoiltReader(source, signal);
  const loop = (async () => {
    let shared = '';
    let epoch = 0;
    while (!signal.aborted) {
      await sync().catch(() => undefined);
      const roster = trust.roster();
      if (roster !== undefined && roster.epoch > epoch) {
        swarm.setRoster(roster);
        epoch = roster.epoch;
      }
      const revision = [...(trust.authorised('prod')?.revisions.values() ?? [])][0]?.revision;
      if (revision !== undefined && revision !== shared) {
        const bytes = await link.manifest(revision, { signal });
        if (bytes !== undefined && decodeRevision(bytes).chunks === tree.chunkCount) {
          shared = revision;
          swarm.share({ revision, blob: 'tree', chunkCount: tree.chunkCount, chunk: (ordinal) => tree.chunk(ordinal), environments: ['prod'] }, { held: fullBitmap(tree.chunkCount), read });
        }
      }
      await systemClock.wait(100, { signal }).catch(() => undefined);
    }
  })();
  return {
    member,
    async [Symbol.asyncDispose]() {
      await loop;
      await swarm.close();
    },
  };
}

async function spoiltReader(source: string, signal: AbortSignal): Promise<(ordinal: number) => Promise<Uint8Array>> {
  const ingested = await ingest(source, { signal });
  return async (ordinal) => {
    const bytes = Uint8Array.from(await ingested.readChunk(ordinal));
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    return bytes;
  };
}

test('a third of the agents sends corrupt chunks: every target is whole, and the senders are named', { timeout: 240_000 }, async () => {
  const source = await realpath(await mkdtemp(join(tmpdir(), 'starling-corrupt-')));
  const stop = new AbortController();
  await using fleet = await Fleet.start(honest, config);
  try {
    for (let file = 0; file < 60; file += 1) {
      await mkdir(join(source, `d${file % 6}`), { recursive: true });
      await writeFile(join(source, `d${file % 6}`, `${file}.bin`), noise(150_000, file));
    }
    const bad = await Promise.all(Array.from({ length: corrupters }, async (_, at) => await corrupter(fleet, `corrupter-${at + 1}`, source, stop.signal)));
    expect((await fleet.starling('push', source, '--app', fleetNames.app)).code).toBe(0);
    const promoted = await fleet.starling('promote', '--to', fleetNames.environment, '--revision', 'latest', '--wait', '3m');
    expect(promoted.code, promoted.err).toBe(0);

    const wanted = listing(source);
    for (const agent of fleet.agents) expect(listing(await realpath(join(fleet.root(agent), 'current'))), agent).toEqual(wanted);
    const logs = (await Promise.all(fleet.agents.map(async (agent) => await fleet.log(agent)))).join('');
    const strikes = logs.split('\n').filter((line) => line.includes('corrupt-chunk'));
    for (const { member } of bad) expect(strikes.some((line) => line.includes(member)), member).toBe(true);
    let counted = 0;
    for (const agent of fleet.agents) {
      const url = (await readFile(join(fleet.directory, agent, 'http.url'), 'utf8')).trim();
      const text = await (await fetch(`${url}/metrics`)).text();
      counted += Number(/^starling_agent_peer_strikes_total\{reason="corrupt-chunk"\} (\d+)/m.exec(text)?.[1] ?? 0);
    }
    expect(counted).toBeGreaterThanOrEqual(corrupters);
    stop.abort();
    for (const each of bad) await each[Symbol.asyncDispose]();
  } finally {
    stop.abort();
    await rm(source, { recursive: true, force: true });
  }
});
