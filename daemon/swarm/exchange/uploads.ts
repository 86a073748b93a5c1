// Serving: reads chunks and sends them, at the pace of the reader. Which requests are served when is core/schedule/serve/serving.ts's.

import { encodeMessage } from '../../../proto/exchange-codec.ts';
import { ordinalBytes } from '../../../proto/exchange-frame.ts';
import { limits } from '../../../proto/limits.ts';
import type { Clock } from '../../clock.ts';
import type { Effect } from '../../core/schedule/state/swarm-events.ts';
import type { Logger } from '../../log.ts';
import type { Buffers } from '../buffers.ts';
import { backlogLowBytes, type Neighbour } from '../network.ts';
import { createPace } from './pace.ts';
import type { Packing } from './packing.ts';
import { createReaders, type Readers } from './readers.ts';
import type { ReadOptions } from '../../content/store.ts';
import type { Holdings, SwarmMetrics, SwarmRates, Topic } from '../swarm.ts';

/** What is served from. */
export interface Shared {
  readonly topic: Pick<Topic, 'chunk'>;
  readonly holdings: Holdings;
}

export interface Uploads {
  /** Whether nothing is being served. */
  readonly idle: boolean;
  start(effect: Extract<Effect, { kind: 'serve' }>, neighbour: Neighbour | undefined, shared: Shared | undefined): void;
  stop(upload: number): void;
  /** Ends all of them and waits until none reads any more. */
  close(): Promise<void>;
}

export interface UploadsDeps {
  /** Each chunk is read into one of these, behind the room for its header, and leaves as one piece. */
  readonly buffers: Buffers;
  readonly packing: Packing;
  readonly clock: Clock;
  readonly metrics: SwarmMetrics;
  readonly log: Logger;
  /** Our own cap; absent: as fast as the neighbour reads. */
  readonly rates?: SwarmRates | undefined;
  readonly served: (upload: number, absent: readonly number[]) => void;
  /** Of a topic, what of `absent` could not be read: it may be there all the same. Told after that. */
  readonly unread: (topic: number, ordinals: readonly number[]) => void;
}

/** Before a chunk's bytes in a frame. */
const headBytes = limits.exchangeHeaderBytes + ordinalBytes;
/** Queued for one neighbour before more is read: with the stream's window, what one that does not read can cost. */
const backlogHighBytes = 256 * 1024;
/**
 * A request is served when no more than this is left of what is queued. Were it when all is queued, every request would be served at once: no line would form
 * in which the neediest comes first, and each of twenty neighbours would get a twentieth of the line, so that nobody has anything whole to pass on for long.
 */
const backlogDoneBytes = 16 * 1024;
/** Who takes this long to take the rest is waited for; less is the turn of the loop. */
const waitMs = 10;

export function createUploads(deps: UploadsDeps): Uploads {
  const { buffers, packing, metrics, log, served, unread, rates } = deps;
  const pace = rates?.send === undefined ? undefined : createPace(rates.send, deps.clock, (ms) => rates.throttled('send', ms));
  const stop = new AbortController();
  const readers = createReaders({ ...deps, signal: stop.signal });
  const running = new Map<number, { readonly abort: AbortController; readonly done: Promise<void> }>();

  const send = async (effect: Extract<Effect, { kind: 'serve' }>, neighbour: Neighbour, { topic: { chunk }, holdings }: Shared, signal: AbortSignal, failed: number[]): Promise<readonly number[]> => {
    const { topic, request } = effect;
    const absent: number[] = [];
    for (const ordinal of effect.ordinals) {
      const waits = neighbour.backlogBytes > backlogHighBytes;
      if (waits) await readers.drained(neighbour, backlogLowBytes, signal);
      signal.throwIfAborted();
      const buffer = buffers.take(headBytes + chunk(ordinal).length);
      const into = buffer.subarray(headBytes);
      // Only a buffer that nobody reads into any more is given back.
      const bytes = await read(deps, holdings, ordinal, { signal, into }, failed);
      signal.throwIfAborted();
      if (bytes === undefined) {
        buffers.give(buffer);
        absent.push(ordinal);
        continue;
      }
      const packed = packing.pack(neighbour, bytes);
      const wireBytes = (packed ?? bytes).length;
      if (pace !== undefined) await pace.take(wireBytes, { signal });
      packing.sent(neighbour, wireBytes, waits);
      const [head, ...rest] = encodeMessage({ kind: 'data', topic, request, ordinal, compression: packed === undefined ? 'none' : 'zstd', bytes: packed ?? bytes });
      if (packed !== undefined) metrics.packedBytes(bytes.length - packed.length);
      if (packed === undefined && bytes.buffer === buffer.buffer && bytes.byteOffset === into.byteOffset && head?.length === headBytes) {
        buffer.set(head);
        neighbour.send([buffer.subarray(0, headBytes + bytes.length)], () => buffers.give(buffer));
      } else {
        buffers.give(buffer);
        neighbour.send(head === undefined ? rest : [head, ...rest]);
      }
      metrics.sentBytes(bytes.length);
    }
    await taken(deps, readers, neighbour, signal);
    return absent;
  };
  return {
    get idle() {
      return running.size === 0;
    },
    start(effect, neighbour, shared) {
      const abort = new AbortController();
      const run = async (): Promise<void> => {
        // Never in the step that asked for it: `served` is the next event.
        await Promise.resolve();
        const [absent, failed]: readonly [number[], number[]] = [[], []];
        try {
          absent.push(...(neighbour === undefined || shared === undefined ? effect.ordinals : await send(effect, neighbour, shared, abort.signal, failed)));
        } catch (error) {
          log.debug({ member: effect.member, error: messageOf(error) }, 'a request was not served to its end');
        }
        running.delete(effect.upload);
        served(effect.upload, absent);
        if (failed.length > 0) unread(effect.topic, failed);
      };
      running.set(effect.upload, { abort, done: run() });
    },
    stop(upload) {
      running.get(upload)?.abort.abort();
    },
    async close() {
      stop.abort();
      for (const { abort } of running.values()) abort.abort();
      await Promise.all([...running.values()].map(({ done }) => done));
    },
  };
}

/** Resolves when what was queued for a neighbour has left. */
async function taken({ packing, clock }: UploadsDeps, readers: Readers, neighbour: Neighbour, signal: AbortSignal): Promise<void> {
  const since = clock.monotonic();
  await readers.drained(neighbour, backlogDoneBytes, signal);
  packing.sent(neighbour, 0, clock.monotonic() - since >= waitMs);
}

/** What could not be read goes to `failed`. */
async function read({ log }: UploadsDeps, holdings: Holdings, ordinal: number, options: ReadOptions, failed: number[]): Promise<Uint8Array | undefined> {
  try {
    return await holdings.read(ordinal, options);
  } catch (error) {
    if (options.signal.aborted) return undefined;
    log.warn({ ordinal, error: messageOf(error) }, 'a chunk could not be read for a neighbour');
    failed.push(ordinal);
    return undefined;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
