// Makes the delta sets that the fleet will want, in the background: one at a time, newest first, and lets go those that nobody wants any more.
// Which pairs of revisions those are is seed.ts's to say.

import { hash } from 'node:crypto';
import type { Digest } from '../../proto/cid.ts';
import { payloadBytes } from '../../proto/delta-set.ts';
import type { DeltaStatement } from '../../proto/statement.ts';
import type { Clock } from '../clock.ts';
import type { Manifests } from '../content/manifests.ts';
import type { ChunkSource } from '../content/store.ts';
import { planDelta } from '../core/delta-plan.ts';
import type { DeltaEncoder } from '../delta/delta.ts';
import type { Logger } from '../log.ts';
import type { DaemonMetrics } from '../metrics.ts';
import type { DeltaQuestion, DeltaSource } from '../swarm/swarm.ts';
import type { KeptDelta } from './delta-files.ts';
import type { DeltaShelf } from './delta-shelf.ts';

/** Missing bytes that one core encodes in a second, roughly: for what is told to those who wait. */
const encodeBytesPerSecond = 14e6;
/** Before a set has been planned nobody knows how long it takes. */
const unknownMs = 2_000;
/** Indexes that are made at once for those who come with a base that was not expected. */
const indexesAtOnceMax = 2;

/** Signs what is said of a set. */
export type SignDelta = (about: Omit<DeltaStatement, 'member'>) => string;

export interface DeltaPair {
  readonly from: Digest;
  readonly to: Digest;
}

export interface DeltaMakerDeps {
  readonly shelf: DeltaShelf;
  readonly manifests: Manifests;
  readonly chunks: ChunkSource;
  /** For whole sets, and for indexes alone, which must not wait for those. */
  readonly encoders: { readonly sets: DeltaEncoder; readonly indexes: DeltaEncoder };
  readonly sign: SignDelta;
  readonly environmentsOf: (revision: Digest) => readonly string[];
  readonly clock: Clock;
  readonly metrics: DaemonMetrics;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export interface DeltaMaker {
  /** All that is wanted from now on, dearest first; what was wanted before and is not among it is dropped, or no longer made. */
  want(pairs: readonly DeltaPair[]): Promise<void>;
  /** Answers neighbours. */
  readonly source: DeltaSource;
  /** Resolves when nothing is being made; for tests and for closing. */
  idle(): Promise<void>;
}

interface Job {
  readonly pair: DeltaPair;
  readonly abort: AbortController;
  readonly startedAt: number;
  expectedMs: number;
}

export function createDeltaMaker(deps: DeltaMakerDeps): DeltaMaker {
  const { shelf, manifests, environmentsOf, clock, metrics, log, signal } = deps;
  let wanted: readonly DeltaPair[] = [];
  let job: Job | undefined;
  let running: Promise<void> = Promise.resolve();
  /** Pairs for which a set saves nothing, or that failed; tried again when the daemon starts anew. */
  const settled = new Set<string>();
  const indexes = new Map<string, Promise<KeptDelta | undefined>>();

  const isMade = (pair: DeltaPair): boolean => settled.has(keyOf(pair)) || shelf.list().some((kept) => kept.extent === 'all' && kept.set.from === pair.from && kept.set.to === pair.to);
  const open = (): DeltaPair[] => wanted.filter((pair) => !isMade(pair));

  const make = async (pair: DeltaPair, extent: 'index' | 'all', at: AbortSignal, onPlan?: (missingBytes: number) => void): Promise<KeptDelta | undefined> => {
    const from = await manifests.get(pair.from);
    const to = await manifests.get(pair.to);
    if (from === undefined || to === undefined) return undefined;
    onPlan?.(planDelta(from.tree, to.tree).missingBytes);
    const draft = await shelf.draft();
    try {
      const encoder = extent === 'all' ? deps.encoders.sets : deps.encoders.indexes;
      const made = await encoder.encode({ from, to, chunks: deps.chunks, extent, sink: async (part) => await draft.add(part), signal: at });
      if (made === undefined) return undefined;
      const bytes = payloadBytes(made.set);
      const statement = deps.sign({ from: pair.from, to: pair.to, set: hash('sha256', made.descriptor), bytes });
      const kept = await draft.keep({ descriptor: made.descriptor, statement, extent });
      const earlier = shelf.list().filter(({ set, digest: other }) => set.from === pair.from && set.to === pair.to && other !== kept.digest);
      await shelf.put(kept, environmentsOf(pair.to));
      if (extent === 'all') for (const { digest: other } of earlier) await shelf.drop(other);
      metrics.deltasMade.inc({ extent });
      log.info({ revision: pair.to, from: pair.from, extent, bytes, missingBytes: made.summary.missingBytes, coveredBytes: made.summary.coveredBytes }, 'a delta set was made');
      return kept;
    } finally {
      await draft.discard();
    }
  };

  const work = async (): Promise<void> => {
    for (let [next] = open(); next !== undefined && !signal.aborted; [next] = open()) {
      const current: Job = { pair: next, abort: new AbortController(), startedAt: clock.monotonic(), expectedMs: unknownMs };
      job = current;
      try {
        const kept = await make(next, 'all', AbortSignal.any([signal, current.abort.signal]), (bytes) => {
          current.expectedMs = (bytes / encodeBytesPerSecond) * 1000;
        });
        if (kept === undefined) settled.add(keyOf(next));
      } catch (cause) {
        if (signal.aborted) return;
        if (current.abort.signal.aborted) continue;
        settled.add(keyOf(next));
        metrics.failures.inc({ component: 'delta' });
        log.warn({ err: cause, revision: next.to, from: next.from }, 'a delta set could not be made; targets take plain chunks');
      } finally {
        job = undefined;
      }
    }
  };
  const start = (): void => {
    running = running.then(work, work);
  };

  const indexOf = async (pair: DeltaPair): Promise<KeptDelta | undefined> => {
    const key = keyOf(pair);
    if (!indexes.has(key) && indexes.size >= indexesAtOnceMax) return undefined;
    const making = indexes.get(key) ?? make(pair, 'index', signal).finally(() => indexes.delete(key));
    indexes.set(key, making);
    return await making;
  };

  const etaOf = ({ to, bases }: DeltaQuestion): number => {
    const queue = open();
    const at = queue.findIndex((pair) => pair.to === to && bases.includes(pair.from));
    if (at < 0) return 0;
    const first = job === undefined ? 0 : Math.max(200, job.expectedMs - (clock.monotonic() - job.startedAt));
    return Math.round(first + queue.slice(0, at + 1).filter((pair) => job === undefined || keyOf(pair) !== keyOf(job.pair)).length * unknownMs);
  };

  return {
    async want(pairs) {
      wanted = pairs;
      const keys = new Set(pairs.map(keyOf));
      const targets = new Set(pairs.map(({ to }) => to));
      for (const { digest, set, extent } of shelf.list()) {
        // An index for a base that somebody came with is kept as long as its revision is wanted.
        if (extent === 'all' ? !keys.has(keyOf(set)) : !targets.has(set.to)) await shelf.drop(digest);
      }
      for (const kept of shelf.list()) await shelf.put(kept, environmentsOf(kept.set.to));
      if (job !== undefined && !keys.has(keyOf(job.pair))) job.abort.abort(new Error('superseded'));
      start();
    },
    async source(question) {
      const { to, bases } = question;
      const environments = environmentsOf(to);
      if (environments.length === 0) return undefined;
      const etaMs = etaOf(question);
      let best = shelf.best(question);
      if (best === undefined) {
        const kept = new Set(await manifests.list());
        const from = bases.find((base) => kept.has(base));
        if (from !== undefined && kept.has(to) && from !== to && !settled.has(`index ${keyOf({ from, to })}`)) {
          best = await indexOf({ from, to });
          if (best === undefined && indexes.size < indexesAtOnceMax && settled.size < 4_096) settled.add(`index ${keyOf({ from, to })}`);
        }
      }
      if (best === undefined) return etaMs === 0 ? undefined : { etaMs, statement: '', descriptor: new Uint8Array(0), environments };
      return { etaMs: best.set.segments.length > 0 ? 0 : etaMs, statement: best.statement, descriptor: best.descriptor, environments };
    },
    async idle() {
      await running;
    },
  };
}

function keyOf({ from, to }: DeltaPair): string {
  return `${from} ${to}`;
}
