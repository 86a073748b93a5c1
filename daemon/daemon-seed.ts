// The roles of seed and proxy: a store of chunks that is shared with the swarm, and, on a proxy, the upload API that fills it.

import { join } from 'node:path';
import type { Registry } from 'prom-client';
import type { Digest } from '../proto/cid.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import type { Manifests } from './content/manifests.ts';
import { createDigestSet } from './content/digest-set.ts';
import { openPackStore } from './content/pack/pack.ts';
import type { ChunkSource } from './content/store.ts';
import { verified } from './content/verified.ts';
import { createDeltaEncoder } from './delta/encode.ts';
import { createServer, listen } from './http/server.ts';
import type { Link } from './link/link.ts';
import type { Logger } from './log.ts';
import type { DaemonMetrics } from './metrics.ts';
import type { Random } from './random.ts';
import type { Library } from './run/library.ts';
import { createDeltaMaker, type DeltaMaker } from './run/delta/make.ts';
import type { DeltaDesk, DeltaShelf } from './run/delta/shelf.ts';
import { createCollector } from './run/seed/collect.ts';
import { createSeed, type Seed } from './run/seed/seed.ts';
import type { Swarm } from './swarm/swarm.ts';
import { signDeltaStatement } from './trust/statements/delta-statement.ts';
import type { Identity } from './trust/identity/identity.ts';
import type { Trust } from './trust/trust.ts';
import { uploadRoutes, uploadTimeouts } from './upload/routes.ts';
import type { Uploads } from './upload/upload.ts';
import { createUploads } from './upload/sessions.ts';

/** What the roles of one daemon share. */
export interface RoleDeps {
  readonly config: Config;
  readonly trust: Trust;
  readonly manifests: Manifests;
  readonly library: Library;
  readonly link: Link;
  readonly swarm: Swarm;
  readonly identity: Identity;
  readonly deltas: { readonly desk: DeltaDesk; readonly shelf: DeltaShelf };
  readonly metrics: DaemonMetrics;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly stop: AbortSignal;
}

/** The seed, and the proxy beside it. */
export interface SeedRole extends AsyncDisposable {
  /** Where clients upload; absent on a seed that is no proxy. */
  readonly uploadUrl: string | undefined;
  /** What the store holds, verified: for an agent in the same daemon. */
  readonly chunks: ChunkSource;
  /** Metadata changed. */
  refresh(): void;
}

const sessionIdBytes = 16;
/** One core of an origin makes deltas, the others serve. */
const encodeThreads = 1;

/** @throws {DaemonError} DATA_DIRECTORY_IN_USE, PORT_IN_USE, STORAGE_FAILED. */
export async function openSeed(deps: RoleDeps): Promise<SeedRole> {
  await using stack = new AsyncDisposableStack();
  const { config, manifests, library, trust, metrics, stop } = deps;
  const log = deps.log.child({ component: 'seed' });
  const packs = stack.use(await openPackStore(join(config.dataDir, 'store')));
  let seed: Seed | undefined;
  const onDamaged = (chunk: Digest): void => {
    metrics.storeDamagedChunks.inc();
    log.error({ chunk }, 'a chunk in the store was damaged on disk: it is no longer served, and is brought again from whoever has it; check the disk when there are more');
    seed?.lost(chunk);
  };
  const store = verified(packs, onDamaged);
  const encoders = { sets: stack.use(createDeltaEncoder({ threads: encodeThreads, yields: true })), indexes: stack.use(createDeltaEncoder({ threads: 1 })) };
  const makeDeltas = (environmentsOf: (revision: Digest) => readonly string[]): DeltaMaker => {
    const maker = createDeltaMaker({
      shelf: deps.deltas.shelf, manifests, chunks: store, encoders, environmentsOf, clock: deps.clock, metrics, log, signal: stop,
      sign: (about) => signDeltaStatement(deps.identity, about),
    });
    deps.deltas.desk.answerWith(maker.source);
    stack.defer(async () => await maker.idle());
    return maker;
  };
  const seeding = createSeed({ store, manifests, library, trust, metrics, log, deltas: makeDeltas, signal: stop });
  seed = seeding;

  let uploads: Uploads | undefined;
  let uploadUrl: string | undefined;
  if (config.roles.includes('proxy')) {
    const opened = createUploads({
      store,
      ownership: packs.ownership,
      manifests,
      link: deps.link,
      clock: deps.clock,
      newId: () => Buffer.from(deps.random.bytes(sessionIdBytes)).toString('hex'),
      onRevision: (manifest) => seeding.add(manifest),
      onReceived: (bytes) => metrics.uploadedBytes.inc(bytes),
    });
    const server = createServer(log, uploadTimeouts);
    stack.defer(async () => await server.close());
    uploads = opened;
    uploadRoutes(server, { uploads: opened, verifyGrant: async (compact) => await trust.verifyGrant(compact), signal: stop });
    const listening = await listen(server, config.upload, 'uploads');
    uploadUrl = config.upload.url ?? listening;
  }
  const collector = createCollector({
    store: packs, manifests, library, createSet: createDigestSet, chunksInUse: () => uploads?.chunksInUse() ?? [], environmentsOf: (revision) => seeding.environmentsOf(revision),
    onDamaged, keepRevisions: config.keepRevisions, clock: deps.clock, metrics, log,
  });
  const collecting = collector.run(stop);
  stack.defer(async () => await collecting);
  const owned = stack.move();
  return { uploadUrl, chunks: store, refresh: () => seeding.refresh(), [Symbol.asyncDispose]: async () => await owned.disposeAsync() };
}
