// Uses delta sets on a target: asks neighbours for one that starts from a revision at hand, brings its parts, and makes the index and the chunks.
// Nothing here is needed for a deployment: whatever is doubtful, late or missing leaves its chunks to be had plain, which is build.ts's.

import { hash } from 'node:crypto';
import { createBitmap, type Bitmap } from '../../../proto/bitmap.ts';
import type { Digest } from '../../../proto/cid.ts';
import { indexPartCount, payloadBytes } from '../../../proto/delta-set.ts';
import { decodeDeltaSet } from '../../../proto/delta-set-codec.ts';
import { ProtocolError } from '../../../proto/errors.ts';
import type { Transfer } from '../../../proto/fleet.ts';
import { limits } from '../../../proto/limits.ts';
import type { Revision } from '../../../proto/revision.ts';
import type { DeltaStatement } from '../../../proto/statement.ts';
import type { Clock } from '../../clock.ts';
import type { Manifest, Manifests } from '../../content/manifests.ts';
import type { ChunkSource } from '../../content/store.ts';
import type { DeltaDecoder } from '../../delta/delta.ts';
import { DaemonError } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import type { DaemonMetrics } from '../../metrics.ts';
import type { DeltaOffer, Swarm } from '../../swarm/swarm.ts';
import { createDeltaBringing, type DeltaBringing } from './bring.ts';
import type { KeptDelta } from './files.ts';
import type { DeltaShelf } from './shelf.ts';

/** Sets of neighbours that are kept: the one in use, and the one before for those who are slower. */
const adoptedMax = 2;
/** A set that is being made is waited for at most so long, and at most for this share of what the plain chunks would take. */
const waitMsMax = 5_000;
const waitShareMax = 0.5;
const askAgainMs = 250;
/** An origin's word that no better set is being made holds so long: from the question for the index to that for the chunks. */
const lastWordMs = 5_000;
/** Until a fetch was measured: 100 Mbit/s. */
const bytesPerSecondAtFirst = 12.5e6;
/** Fetches below this say more about round trips than about the line. */
const measuredBytesMin = 1024 * 1024;

/** @throws {DaemonError} STATEMENT_REFUSED. */
export type VerifyDelta = (compact: string, descriptor: Uint8Array) => Promise<DeltaStatement>;

export interface DeltaUseDeps {
  readonly shelf: DeltaShelf;
  readonly swarm: Pick<Swarm, 'askDelta'>;
  readonly manifests: Manifests;
  /** The installed releases. */
  readonly base: ChunkSource;
  /** Revisions of an application that are installed here, the running one first. */
  readonly bases: (app: string) => Promise<readonly Digest[]>;
  readonly decoder: DeltaDecoder;
  readonly verify: VerifyDelta;
  readonly clock: Clock;
  readonly metrics: DaemonMetrics;
  readonly log: Logger;
}

interface Waiting {
  readonly signal: AbortSignal;
}

export interface DeltaUse {
  /** The encoded tree index of a revision, verified, out of one at hand; `undefined` when it has to be had otherwise. @throws {DaemonError} ABORTED. */
  readonly index: (digest: Digest, revision: Revision, environments: readonly string[], options: Waiting) => Promise<Uint8Array | undefined>;
  /** A set that makes some of what is wanted, with everything ready to bring it; `undefined` when there is none that pays. @throws {DaemonError} ABORTED. */
  readonly open: (manifest: Manifest, environments: readonly string[], wanted: Bitmap, options: Waiting) => Promise<DeltaBringing | undefined>;
  /** What a fetch took, to know what waiting is worth. */
  measured(transfer: Transfer): void;
}

export function createDeltaUse(deps: DeltaUseDeps): DeltaUse {
  const { manifests, clock, metrics, log } = deps;
  let bytesPerSecond = bytesPerSecondAtFirst;

  const { basesOf, find } = createFinding(deps);

  const indexOf: DeltaUse['index'] = async (digest, revision, environments, { signal }) => {
    const bases = await basesOf(revision.app, digest);
    if (bases.length === 0) return undefined;
    const { delta } = await find(digest, bases, environments, signal);
    const from = delta === undefined ? undefined : await manifests.get(delta.set.from);
    if (delta?.set.index === undefined || from === undefined) return undefined;
    const bringing = createDeltaBringing({ ...deps, delta, from, isPatient: false });
    const first = createBitmap(delta.set.parts.length);
    first.setRange(0, indexPartCount(delta.set));
    if (!(await bringing.parts(first, { signal }))) return undefined;
    const payload = await bringing.read(first);
    const made = payload === undefined ? undefined : await deps.decoder.index({ set: delta.set, from, wanted: { tree: revision.tree, indexBytes: revision.indexBytes }, payload, base: deps.base, signal });
    if (made === undefined) metrics.deltaFallbacks.inc({ reason: 'damaged' });
    log.info({ revision: digest, from: delta.set.from, made: made !== undefined, bytes: delta.set.index.length }, 'the index was to be made out of one at hand');
    return made?.index;
  };
  const openOne: DeltaUse['open'] = async (manifest, environments, wanted, { signal }) => {
    const wantedBytes = bytesOf(manifest, wanted);
    const bases = await basesOf(manifest.revision.app, manifest.digest);
    if (bases.length === 0 || wantedBytes === 0) return undefined;
    const until = clock.monotonic() + Math.min(waitMsMax, (wantedBytes / bytesPerSecond) * 1000 * waitShareMax);
    for (;;) {
      const { delta, etaMs } = await find(manifest.digest, bases, environments, signal);
      const from = delta === undefined || delta.set.segments.length === 0 ? undefined : await manifests.get(delta.set.from);
      if (delta !== undefined && from !== undefined) {
        const bringing = createDeltaBringing({ ...deps, delta, from, isPatient: true }, { manifest, wanted });
        if (bringing.pays) return bringing;
      }
      if (etaMs === 0 || clock.monotonic() + etaMs > until) {
        metrics.deltaFallbacks.inc({ reason: etaMs === 0 ? 'none' : 'late' });
        return undefined;
      }
      await clock.wait(Math.max(askAgainMs, etaMs), { signal });
    }
  };

  /** Trouble with our own copies of sets is no reason not to deploy. */
  const orPlain = async <Result>(signal: AbortSignal, work: () => Promise<Result | undefined>): Promise<Result | undefined> => {
    try {
      return await work();
    } catch (cause) {
      if (!(cause instanceof DaemonError) || signal.aborted) throw cause;
      metrics.deltaFallbacks.inc({ reason: 'damaged' });
      log.warn({ err: cause }, 'a delta set cannot be used; plain chunks are taken');
      return undefined;
    }
  };
  return {
    index: async (digest, revision, environments, options) => await orPlain(options.signal, async () => await indexOf(digest, revision, environments, options)),
    open: async (manifest, environments, wanted, options) => await orPlain(options.signal, async () => await openOne(manifest, environments, wanted, options)),
    measured({ originBytes, peerBytes, timing }) {
      const bytes = originBytes + peerBytes;
      if (bytes >= measuredBytesMin && timing !== undefined && timing.totalMs > 0) bytesPerSecond = (bytes / timing.totalMs) * 1000;
    },
  };
}

/** Looks for sets on the shelf and among neighbours. */
function createFinding(deps: DeltaUseDeps) {
  const { shelf, manifests, clock } = deps;
  let lastWord: { readonly question: string; readonly at: number } | undefined;
  const basesOf = async (app: string, to: Digest): Promise<Digest[]> => {
    const kept = new Set(await manifests.list());
    return [...new Set(await deps.bases(app))].filter((digest) => digest !== to && kept.has(digest)).slice(0, limits.deltaBasesMax);
  };

  /** The best of what is on the shelf and what is offered, adopted; and when there may be a better one. */
  const find = async (to: Digest, bases: readonly Digest[], environments: readonly string[], signal: AbortSignal): Promise<{ readonly delta: KeptDelta | undefined; readonly etaMs: number }> => {
    const held = shelf.best({ to, bases });
    if (held !== undefined && held.set.segments.length > 0) return { delta: held, etaMs: 0 };
    const question = [to, ...bases].join();
    if (lastWord?.question === question && clock.monotonic() - lastWord.at < lastWordMs) return { delta: held, etaMs: 0 };
    const { offers, isLast } = await deps.swarm.askDelta({ to, bases }, { signal });
    signal.throwIfAborted();
    if (isLast) lastWord = { question, at: clock.monotonic() };
    const believed = (await Promise.all(offers.map(async (offer) => await believe(deps, offer, to, bases)))).filter((label) => label !== undefined);
    const [best] = believed.toSorted((a, b) => Number(b.segments) - Number(a.segments) || a.bytes - b.bytes);
    const etaMs = offers.reduce((least, offer) => (offer.etaMs > 0 ? Math.min(least, offer.etaMs) : least), Infinity);
    const eta = Number.isFinite(etaMs) ? etaMs : 0;
    if (best === undefined || shelf.get(best.digest) !== undefined) return { delta: held, etaMs: eta };
    const adopted = shelf.list().filter(({ set, isMade }) => !isMade && (set.to !== to || !bases.includes(set.from)));
    for (const oldest of adopted.slice(0, Math.max(0, adopted.length + 1 - adoptedMax))) await shelf.drop(oldest.digest);
    if (held?.isMade === false) await shelf.drop(held.digest);
    return { delta: await shelf.adopt(best.label, environments), etaMs: eta };
  };
  return { basesOf, find };
}

/** What an offer is worth when an origin vouches for it and it is about what was asked. */
async function believe({ verify, metrics, log }: DeltaUseDeps, { member, statement, descriptor }: DeltaOffer, to: Digest, bases: readonly Digest[]) {
  if (descriptor.length === 0) return undefined;
  try {
    const stated = await verify(statement, descriptor);
    const set = decodeDeltaSet(descriptor);
    if (set.to !== to || stated.to !== to || set.from !== stated.from || !bases.includes(set.from) || stated.bytes !== payloadBytes(set)) {
      throw new DaemonError('STATEMENT_REFUSED', `the set is from ${set.from} to ${set.to} and its statement is of another, or it is not what was asked for`);
    }
    const extent = set.segments.length > 0 ? ('all' as const) : ('index' as const);
    return { digest: hash('sha256', descriptor), label: { statement, descriptor, extent }, segments: extent === 'all', bytes: stated.bytes };
  } catch (cause) {
    if (!(cause instanceof DaemonError) && !(cause instanceof ProtocolError)) throw cause;
    metrics.deltaFallbacks.inc({ reason: 'refused' });
    log.warn({ member, revision: to, reason: cause.message }, 'a neighbour offered a delta set that is not believed');
    return undefined;
  }
}

function bytesOf({ tree }: Manifest, ordinals: Bitmap): number {
  let bytes = 0;
  for (const { from, to } of ordinals.ranges()) for (let ordinal = from; ordinal < to; ordinal += 1) bytes += tree.chunkLength(ordinal);
  return bytes;
}
