// Makes the delta sets that the fleet will want, in the background: one at a time, newest first, and lets go those that nobody wants any more.
// Which pairs of revisions those are is seed.ts's to say.

import { hash } from 'node:crypto';
import type { Digest } from '../../../proto/cid.ts';
import { payloadBytes } from '../../../proto/delta-set.ts';
import type { DeltaStatement } from '../../../proto/statement.ts';
import type { Clock } from '../../clock.ts';
import type { Manifests } from '../../content/manifests.ts';
import type { ChunkSource } from '../../content/store.ts';
import { planDelta } from '../../core/delta/plan.ts';
import type { DeltaEncoder } from '../../delta/delta.ts';
import type { Logger } from '../../log.ts';
import type { DaemonMetrics } from '../../metrics.ts';
import type { DeltaQuestion, DeltaSource } from '../../swarm/swarm.ts';
import type { KeptDelta } from './files.ts';
import type { DeltaPair } from './pairs.ts';
import { createDeltaProgress, unknownMs, type DeltaProgress } from './progress.ts';
import type { DeltaShelf } from './shelf.ts';

/** Indexes that are made at once for those who come with a base that was not expected. */
const indexesAtOnceMax = 2;
/** Remembered pairs of indexes that are too different; beyond, they are tried again. */
const uselessMax = 4_096;
/** What is told of one that takes longer than it should. */
const soonMs = 200;

/** Signs what is said of a set. */
export type SignDelta = (about: Omit<DeltaStatement, 'member'>) => string;

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
  /**
   * All that is wanted from now on, dearest first, of which as many are made as the shelf takes; what is no longer wanted is not made any more. Sets to other revisions than `targets` are dropped;
   * those to these stay, whatever they start from: a target that was away may come with it.
   */
  want(pairs: readonly DeltaPair[], targets: ReadonlySet<Digest>): Promise<void>;
  /** What there are whole sets for. */
  kept(): readonly DeltaPair[];
  /** Answers neighbours. */
  readonly source: DeltaSource;
  /** Resolves when nothing is being made. */
  idle(): Promise<void>;
}

interface Job {
  readonly pair: DeltaPair;
  readonly abort: AbortController;
  readonly progress: DeltaProgress;
}

export function createDeltaMaker(deps: DeltaMakerDeps): DeltaMaker {
  const { shelf, environmentsOf, clock, metrics, log, signal } = deps;
  let wanted: readonly DeltaPair[] = [];
  let job: Job | undefined;
  let running: Promise<void> = Promise.resolve();
  /** Pairs for which a set saves nothing, that failed, or whose set made room for another; tried again when the daemon starts anew. */
  const settled = new Set<string>();
  const indexOf = createIndexes(deps);

  const isMade = (pair: DeltaPair): boolean => shelf.list().some(({ extent, set, held }) => extent === 'all' && held.isFull && keyOf(set) === keyOf(pair));
  const open = (): DeltaPair[] => wanted.filter((pair) => !settled.has(keyOf(pair)) && !isMade(pair));

  const work = async (): Promise<void> => {
    for (let [next] = open(); next !== undefined && !signal.aborted; [next] = open()) {
      const current: Job = { pair: next, abort: new AbortController(), progress: createDeltaProgress(clock.monotonic()) };
      job = current;
      try {
        const kept = await make(deps, next, 'all', AbortSignal.any([signal, current.abort.signal]), current.progress);
        if (kept === undefined) settled.add(keyOf(next));
        for (const { set } of kept?.gone ?? []) settled.add(keyOf(set));
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

  return {
    async want(pairs, targets) {
      // More would push out the dearest, which would then be made again, and so on without end.
      wanted = pairs.slice(0, shelf.setsMax);
      for (const { digest, set, isMade, held } of shelf.list()) if (isMade && !(targets.has(set.to) && held.isFull)) await shelf.drop(digest);
      for (const kept of shelf.list()) if (kept.isMade) await shelf.put(kept, environmentsOf(kept.set.to));
      const keys = new Set(pairs.map(keyOf));
      if (job !== undefined && !keys.has(keyOf(job.pair))) job.abort.abort(new Error('superseded'));
      running = running.then(work, work);
    },
    kept: () => shelf.list().filter(({ isMade, extent }) => isMade && extent === 'all').map(({ set: { from, to } }) => ({ from, to })),
    async source(question) {
      const environments = environmentsOf(question.to);
      if (environments.length === 0) return undefined;
      const etaMs = etaOf(question, open(), job, clock.monotonic());
      const best = shelf.best(question) ?? (await indexOf(question));
      if (best === undefined) return etaMs === 0 ? undefined : { etaMs, statement: '', descriptor: new Uint8Array(0), environments };
      return { etaMs: best.set.segments.length > 0 ? 0 : etaMs, statement: best.statement, descriptor: best.descriptor, environments };
    },
    async idle() {
      await running;
    },
  };
}

/** A set, and those that made room for it. */
type Made = KeptDelta & { readonly gone: readonly KeptDelta[] };

/** `undefined` when there is nothing to be saved. `progress` is told how it goes. */
async function make(deps: DeltaMakerDeps, pair: DeltaPair, extent: 'index' | 'all', signal: AbortSignal, progress?: DeltaProgress): Promise<Made | undefined> {
  const { shelf, manifests, encoders, clock, metrics, log } = deps;
  const from = await manifests.get(pair.from);
  const to = await manifests.get(pair.to);
  if (from === undefined || to === undefined) return undefined;
  progress?.planned(planDelta(from.tree, to.tree).missingBytes, clock.monotonic());
  const draft = await shelf.draft();
  try {
    const encoder = extent === 'all' ? encoders.sets : encoders.indexes;
    const onEncoded = (bytes: number): void => progress?.encoded(bytes);
    const made = await encoder.encode({ from, to, chunks: deps.chunks, extent, sink: async (part) => await draft.add(part), onEncoded, signal });
    if (made === undefined) return undefined;
    const bytes = payloadBytes(made.set);
    const statement = deps.sign({ from: pair.from, to: pair.to, set: hash('sha256', made.descriptor), bytes });
    const kept = await draft.keep({ descriptor: made.descriptor, statement, extent });
    const gone = await shelf.put(kept, deps.environmentsOf(pair.to));
    const earlier = shelf.list().filter(({ set, digest }) => keyOf(set) === keyOf(pair) && digest !== kept.digest);
    if (extent === 'all') for (const { digest } of earlier) await shelf.drop(digest);
    metrics.deltasMade.inc({ extent });
    log.info({ revision: pair.to, from: pair.from, extent, bytes, missingBytes: made.summary.missingBytes, coveredBytes: made.summary.coveredBytes }, 'a delta set was made');
    return { ...kept, gone };
  } finally {
    await draft.discard();
  }
}

/** Sets of the index alone for those who come with a base that no set starts from: made while they wait, each once. */
function createIndexes(deps: DeltaMakerDeps): (question: DeltaQuestion) => Promise<KeptDelta | undefined> {
  const { manifests, signal } = deps;
  const running = new Map<string, Promise<KeptDelta | undefined>>();
  /** Pairs whose indexes are not worth a delta. */
  const useless = new Set<string>();
  return async ({ to, bases }) => {
    const kept = new Set(await manifests.list());
    const from = bases.find((base) => kept.has(base));
    if (from === undefined || from === to || !kept.has(to)) return undefined;
    const key = keyOf({ from, to });
    if (useless.has(key) || (!running.has(key) && running.size >= indexesAtOnceMax)) return undefined;
    const making = running.get(key) ?? make(deps, { from, to }, 'index', signal).finally(() => running.delete(key));
    running.set(key, making);
    const made = await making;
    if (made === undefined && useless.size < uselessMax) useless.add(key);
    return made;
  };
}

/** When the first of these pairs that answers the question is done; 0 when none does. */
function etaOf({ to, bases }: DeltaQuestion, queue: readonly DeltaPair[], job: Job | undefined, now: number): number {
  const at = queue.findIndex((pair) => pair.to === to && bases.includes(pair.from));
  if (at < 0) return 0;
  const restMs = job === undefined ? 0 : Math.max(soonMs, job.progress.restMs(now));
  const before = queue.slice(0, at + 1).filter((pair) => job === undefined || keyOf(pair) !== keyOf(job.pair));
  return Math.round(restMs + before.length * unknownMs);
}

function keyOf({ from, to }: DeltaPair): string {
  return `${from} ${to}`;
}
