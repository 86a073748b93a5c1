// Serving: reads chunks and sends them, at the pace of the reader. Which requests are served when is core/schedule/serve/serving.ts's.

import { encodeMessage } from '../../../proto/exchange-codec.ts';
import type { Clock } from '../../clock.ts';
import type { Effect } from '../../core/schedule/state/swarm-events.ts';
import type { Logger } from '../../log.ts';
import type { Buffers } from '../buffers.ts';
import { backlogLowBytes, type Neighbour } from '../network.ts';
import { type ChunkReader, headBytes, type ReadChunk, readRun } from './chunk-run.ts';
import { createPace } from './pace.ts';
import type { Packing } from './packing.ts';
import { createReaders, type Readers } from './readers.ts';
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
  /** Chunks are read into these, behind the room for their headers, and leave as one piece. */
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

/** Queued for one neighbour before more is read: with the stream's window, what one that does not read can cost. */
const backlogHighBytes = 256 * 1024;
/**
 * A request is served when no more than this is left of what is queued. Were it when all is queued, every request would be served at once: no line would form
 * in which the neediest comes first, and each of twenty neighbours would get a twentieth of the line, so that nobody has anything whole to pass on for long.
 */
const backlogDoneBytes = 16 * 1024;
/** Who takes this long to take the rest is waited for; less is the turn of the loop. */
const waitMs = 10;

type Serve = Extract<Effect, { kind: 'serve' }>;

export function createUploads(deps: UploadsDeps): Uploads {
  const { log, served, unread } = deps;
  const stop = new AbortController();
  const send = createSending(deps, createReaders({ ...deps, signal: stop.signal }));
  const running = new Map<number, { readonly abort: AbortController; readonly done: Promise<void> }>();

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

/** Sends what a request asks for; what is not there it gives, and what could not be read goes to `failed`. */
function createSending(deps: UploadsDeps, readers: Readers): (effect: Serve, neighbour: Neighbour, shared: Shared, signal: AbortSignal, failed: number[]) => Promise<readonly number[]> {
  const { buffers, packing, clock, metrics, log, rates } = deps;
  const pace = rates?.send === undefined ? undefined : createPace(rates.send, clock, (ms) => rates.throttled('send', ms));
  /** Sends what was read together; gives what was not there. */
  const sendRun = async ({ topic, request }: Serve, neighbour: Neighbour, run: readonly ReadChunk[], waits: boolean, signal: AbortSignal): Promise<readonly number[]> => {
    let kept = run.length;
    const done = (room: Uint8Array): void => {
      kept -= 1;
      if (kept === 0) buffers.give(room);
    };
    for (const { ordinal, room, bytes } of run) {
      const packed = bytes === undefined ? undefined : packing.pack(neighbour, bytes);
      const wire = packed ?? bytes;
      if (bytes === undefined || wire === undefined) {
        done(room);
        continue;
      }
      if (pace !== undefined) await pace.take(wire.length, { signal });
      packing.sent(neighbour, wire.length, waits);
      const [head, ...rest] = encodeMessage({ kind: 'data', topic, request, ordinal, compression: packed === undefined ? 'none' : 'zstd', bytes: wire });
      if (packed !== undefined) metrics.packedBytes(bytes.length - packed.length);
      if (head?.length === headBytes && isIn(room, wire)) {
        room.set(head);
        neighbour.send([room], () => done(room));
      } else {
        done(room);
        neighbour.send(head === undefined ? rest : [head, ...rest]);
      }
      metrics.sentBytes(bytes.length);
    }
    return run.flatMap(({ ordinal, bytes }) => (bytes === undefined ? [ordinal] : []));
  };
  return async (effect: Serve, neighbour: Neighbour, { topic, holdings }: Shared, signal: AbortSignal, failed: number[]): Promise<readonly number[]> => {
    const absent: number[] = [];
    const onFailed = (ordinal: number, error: unknown): void => {
      log.warn({ ordinal, error: messageOf(error) }, 'a chunk could not be read for a neighbour');
      failed.push(ordinal);
    };
    const reader: ChunkReader = { buffers, topic, holdings, signal, onFailed };
    for (let next = 0; next < effect.ordinals.length; ) {
      const waits = neighbour.backlogBytes > backlogHighBytes;
      if (waits) await readers.drained(neighbour, backlogLowBytes, signal);
      signal.throwIfAborted();
      // Only a buffer that nobody reads into any more is given back.
      const run = await readRun(reader, effect.ordinals, next);
      signal.throwIfAborted();
      next += run.length;
      absent.push(...(await sendRun(effect, neighbour, run, waits, signal)));
    }
    await taken(deps, readers, neighbour, signal);
    return absent;
  };
}

/** Resolves when what was queued for a neighbour has left. */
async function taken({ packing, clock }: UploadsDeps, readers: Readers, neighbour: Neighbour, signal: AbortSignal): Promise<void> {
  const since = clock.monotonic();
  await readers.drained(neighbour, backlogDoneBytes, signal);
  packing.sent(neighbour, 0, clock.monotonic() - since >= waitMs);
}

/** Whether a chunk lies right behind the room for its header, and fills the rest. */
function isIn(room: Uint8Array, bytes: Uint8Array): boolean {
  return bytes.buffer === room.buffer && bytes.byteOffset === room.byteOffset + headBytes && bytes.length === room.length - headBytes;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
