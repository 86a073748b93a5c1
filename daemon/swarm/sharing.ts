// One topic as its user sees it: holdings, at most one fetch at a time, its counts and its end. exchange.ts leads events here and there.

import type { Transfer } from '../../proto/fleet.ts';
import { DaemonError } from '../errors.ts';
import type { FetchOptions, Holdings, Topic } from './swarm.ts';

/** A fetch under way. */
export interface Fetching {
  readonly options: FetchOptions;
  readonly totalBytes: number;
  haveBytes: number;
  originBytes: number;
  peerBytes: number;
  wastedBytes: number;
  /** Writes that have not come back. */
  writing: number;
  /** How it ended, once it has; it settles when no write is left. */
  end: { readonly error: unknown } | 'done' | undefined;
  readonly settled: PromiseWithResolvers<Transfer>;
}

export interface SharedTopic {
  readonly id: number;
  readonly topic: Topic;
  readonly holdings: Holdings;
  fetching?: Fetching | undefined;
}

/** A fetch that begins. What the holdings had when they were shared is not counted. */
export function createFetching({ topic, holdings }: SharedTopic, options: FetchOptions): Fetching {
  let totalBytes = 0;
  for (const { from, to } of options.wanted.ranges()) {
    for (let ordinal = from; ordinal < to; ordinal += 1) {
      if (!holdings.held.has(ordinal)) totalBytes += topic.chunk(ordinal).length;
    }
  }
  return { options, totalBytes, haveBytes: 0, originBytes: 0, peerBytes: 0, wastedBytes: 0, writing: 0, end: undefined, settled: Promise.withResolvers() };
}

/** Settles the fetch when it has ended and nothing is being written any more, so that the caller may remove what it wrote to. */
export function settle(shared: SharedTopic): void {
  const { fetching } = shared;
  if (fetching?.end === undefined || fetching.writing > 0) return;
  shared.fetching = undefined;
  if (fetching.end === 'done') {
    const { originBytes, peerBytes, wastedBytes } = fetching;
    fetching.settled.resolve({ originBytes, peerBytes, wastedBytes, reusedBytes: 0 });
    return;
  }
  const { error } = fetching.end;
  fetching.settled.reject(error instanceof Error ? error : new DaemonError('STORAGE_FAILED', `a chunk could not be kept: ${String(error)}`));
}

/** The error of a fetch that the caller, or the end of the topic, cut short. */
export function aborted(topic: Topic, cause: unknown): DaemonError {
  return new DaemonError('ABORTED', `the fetch of the ${topic.blob} of revision ${topic.revision} was ended before it was whole`, { cause });
}
