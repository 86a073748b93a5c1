// One topic as its user sees it: holdings, at most one fetch at a time, its counts and its end. exchange.ts leads events here and there.

import type { Rates, Transfer } from '../../../proto/fleet.ts';
import { createFetchAccount, type FetchAccount } from '../../core/schedule/fetch/fetch-account.ts';
import { DaemonError } from '../../errors.ts';
import type { Clock } from '../../clock.ts';
import type { TrafficClass } from '../../core/rate.ts';
import type { FetchOptions, Holdings, SwarmRates, Topic } from '../swarm.ts';

/** A fetch under way. */
export interface Fetching {
  /** What the scheduler calls it by. */
  readonly id: number;
  readonly options: FetchOptions;
  readonly totalBytes: number;
  haveBytes: number;
  readonly account: FetchAccount;
  /** What it came to. */
  readonly transfer: () => Transfer;
  /** Writes that have not come back, and their bytes. */
  writing: number;
  writingBytes: number;
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

export interface FetchingDeps {
  readonly clock: Clock;
  readonly rates?: SwarmRates;
}

/** The length of each chunk, asked of the topic once: what gives it makes the identifier too, and the scheduler asks for lengths all the time. */
export function lengthsOf(topic: Topic): (ordinal: number) => number {
  const known = new Uint32Array(topic.chunkCount);
  return (ordinal) => (known[ordinal] ||= topic.chunk(ordinal).length);
}

/** A fetch that begins; `id` is our number for it. What the holdings had when they were shared is not counted. */
export function createFetching(id: number, { topic, holdings }: SharedTopic, options: FetchOptions, { clock, rates }: FetchingDeps): Fetching {
  let totalBytes = 0;
  for (const { from, to } of options.wanted.ranges()) {
    for (let ordinal = from; ordinal < to; ordinal += 1) {
      if (!holdings.held.has(ordinal)) totalBytes += topic.chunk(ordinal).length;
    }
  }
  const account = createFetchAccount(clock.monotonic());
  const transfer = (): Transfer => {
    const transfer = transferOf(account, clock.monotonic(), rates?.declared());
    rates?.throttled('receive', transfer.timing?.throttledMs ?? 0);
    return transfer;
  };
  return { id, options, totalBytes, haveBytes: 0, account, transfer, writing: 0, writingBytes: 0, end: undefined, settled: Promise.withResolvers() };
}

/** Settles the fetch when it has ended and nothing is being written any more, so that the caller may remove what it wrote to. */
export function settle(shared: SharedTopic): void {
  const { fetching } = shared;
  if (fetching?.end === undefined || fetching.writing > 0) return;
  shared.fetching = undefined;
  if (fetching.end === 'done') {
    fetching.settled.resolve(fetching.transfer());
    return;
  }
  const { error } = fetching.end;
  fetching.settled.reject(error instanceof Error ? error : new DaemonError('STORAGE_FAILED', `a chunk could not be kept: ${String(error)}`));
}

/** Tells of the class of a fetch, and when somebody begins to wait for it; what comes after the fetch is urgent again. */
export function followUrgency({ urgent }: FetchOptions, tell: (traffic: TrafficClass) => void): Disposable {
  const raise = (): void => tell('rollout');
  if (urgent === undefined || urgent.aborted) return { [Symbol.dispose]: () => undefined };
  tell('background');
  urgent.addEventListener('abort', raise, { once: true });
  return {
    [Symbol.dispose]: () => {
      urgent.removeEventListener('abort', raise);
      raise();
    },
  };
}

function transferOf(account: FetchAccount, now: number, rates: Rates | undefined): Transfer {
  const { originBytes, peerBytes, wastedBytes, zonePeerBytes, crossZoneBytes } = account;
  return {
    originBytes, peerBytes, wastedBytes, reusedBytes: 0, zonePeerBytes, crossZoneBytes,
    from: account.feeders(),
    timing: account.timing(now),
    ...(rates === undefined ? {} : { rates }),
  };
}

/** The error of a fetch that the caller, or the end of the topic, cut short. */
export function aborted(topic: Topic, cause: unknown): DaemonError {
  return new DaemonError('ABORTED', `the fetch of the ${topic.blob} of revision ${topic.revision} was ended before it was whole`, { cause });
}
