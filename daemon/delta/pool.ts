// Worker threads that encode, so that the loop of a proxy stays free. Threads start with the first job and end with the pool; each has one
// job at a time, and whoever hands out more than there are threads waits.

import { Worker } from 'node:worker_threads';
import { DaemonError } from '../errors.ts';
import type { EncodedSegment } from './codec.ts';

/** One piece of work. The buffers move to the thread: the caller must not use them afterwards. */
export interface EncodeJob {
  readonly kind: 'segment' | 'index';
  readonly base: Uint8Array;
  readonly out: Uint8Array;
  /** Of zstd. */
  readonly level: number;
}

export type EncodeResult = EncodedSegment;

/** Runs jobs. */
export interface EncodePool extends AsyncDisposable {
  /** How many jobs run at once. */
  readonly size: number;
  /** @throws {DaemonError} ABORTED when the signal fires first (a job that has begun is thrown away), or STORAGE_FAILED when its thread ends. */
  run(job: EncodeJob, signal: AbortSignal): Promise<EncodeResult>;
}

interface Waiting {
  readonly job: EncodeJob;
  readonly signal: AbortSignal;
  readonly resolve: (result: EncodeResult) => void;
  readonly reject: (error: Error) => void;
}

/** A pool of `size` threads. */
export function createEncodePool(size: number): EncodePool {
  const idle: Worker[] = [];
  const workers = new Set<Worker>();
  const queue: Waiting[] = [];
  let closed = false;

  const pump = (): void => {
    while (queue.length > 0 && (idle.length > 0 || workers.size < size)) {
      const next = queue.shift();
      if (next !== undefined && !next.signal.aborted) start(next, idle.pop() ?? spawn());
    }
  };
  const spawn = (): Worker => {
    const worker = new Worker(new URL('worker.ts', import.meta.url), { execArgv: [], env: {} });
    workers.add(worker);
    return worker;
  };
  const start = ({ job, resolve, reject }: Waiting, worker: Worker): void => {
    const settle = (): void => {
      // Each by name: a Worker listens to itself.
      worker.off('message', done).off('error', lost).off('exit', lost);
      worker.unref();
    };
    const done = (result: EncodeResult): void => {
      settle();
      idle.push(worker);
      resolve(result);
      pump();
    };
    const lost = (cause: unknown): void => {
      settle();
      workers.delete(worker);
      // What else it has to say about its end is of no use to anybody.
      worker.on('error', () => undefined);
      reject(new DaemonError(closed ? 'ABORTED' : 'STORAGE_FAILED', closed ? 'encoding a delta was interrupted' : 'a thread that encodes deltas ended; see the cause', { cause }));
      if (!closed) pump();
    };
    worker.ref();
    worker.on('message', done).on('error', lost).on('exit', lost);
    worker.postMessage(job, [...new Set([ownBuffer(job.base), ownBuffer(job.out)])]);
  };
  return {
    size,
    async run(job, signal) {
      return await new Promise((resolve, reject) => {
        const abort = (): void => reject(new DaemonError('ABORTED', 'encoding a delta was interrupted', { cause: signal.reason }));
        if (signal.aborted || closed) return abort();
        signal.addEventListener('abort', abort, { once: true });
        const done = (): void => signal.removeEventListener('abort', abort);
        queue.push({
          job,
          signal,
          resolve: (result) => {
            done();
            resolve(result);
          },
          reject: (error) => {
            done();
            reject(error);
          },
        });
        pump();
      });
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      const abandoned = queue.splice(0);
      for (const { reject } of abandoned) reject(new DaemonError('ABORTED', 'encoding a delta was interrupted'));
      await Promise.all([...workers].map(async (worker) => await worker.terminate()));
    },
  };
}

/** The memory under a view that is all of it: nothing else moves along. */
function ownBuffer({ buffer, byteLength }: Uint8Array): ArrayBuffer {
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength !== byteLength) throw new TypeError('the bytes of a job must have a buffer of their own');
  return buffer;
}
