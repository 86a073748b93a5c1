// Worker threads that encode, so that the loop of a proxy stays free. Threads start with the first job and end with the pool; each has one
// job at a time, and whoever hands out more than there are threads waits.

import { Worker } from 'node:worker_threads';
import { deltaPlanBytes } from '../core/delta/plan.ts';
import { DaemonError } from '../errors.ts';
import type { EncodedSegment } from './codec.ts';

/** One piece of work: the base lies at the beginning of `memory`, what is to be encoded after it. The memory moves to the thread and back. */
export interface EncodeJob {
  readonly kind: 'segment' | 'index';
  readonly memory: ArrayBuffer;
  readonly baseBytes: number;
  readonly outBytes: number;
  /** Of zstd. */
  readonly level: number;
}

/** What a thread answers. */
export interface EncodeResult {
  readonly encoded: EncodedSegment;
  readonly memory: ArrayBuffer;
}

/** Memory of one length that is used again: a segment takes megabytes, and the collector is in no hurry with them. */
const reusedBytes = deltaPlanBytes.baseMax + 2 * deltaPlanBytes.segment;

/** Runs jobs. */
export interface EncodePool extends AsyncDisposable {
  /** How many jobs run at once. */
  readonly size: number;
  /** Memory for a job of at least so many bytes; what is in it is left over from another. */
  memory(bytes: number): ArrayBuffer;
  /** Takes memory back that went into no job. */
  recycle(memory: ArrayBuffer): void;
  /** @throws {DaemonError} ABORTED when the signal fires first (a job that has begun is thrown away), or STORAGE_FAILED when its thread ends. */
  run(job: EncodeJob, signal: AbortSignal): Promise<EncodedSegment>;
}

interface Waiting {
  readonly job: EncodeJob;
  readonly signal: AbortSignal;
  readonly resolve: (encoded: EncodedSegment) => void;
  readonly reject: (error: Error) => void;
}

/** What threads a pool has. */
export interface EncodeThreads {
  readonly size: number;
  /**
   * Whether they let what is being served go first: on a small machine they took a core from the deployment that made them. Not at the lowest priority:
   * beside one busy thread that is a hundredth of a core, and sets would come when nobody wants them any more; this is a tenth.
   */
  readonly yields: boolean;
}

/** A pool of threads. */
export function createEncodePool({ size, yields }: EncodeThreads): EncodePool {
  const idle: Worker[] = [];
  const workers = new Set<Worker>();
  const queue: Waiting[] = [];
  const spare: ArrayBuffer[] = [];
  let closed = false;

  const recycle = (memory: ArrayBuffer): void => {
    if (memory.byteLength === reusedBytes && spare.length <= size + 1) spare.push(memory);
  };
  const pump = (): void => {
    while (queue.length > 0 && (idle.length > 0 || workers.size < size)) {
      const next = queue.shift();
      if (next !== undefined && !next.signal.aborted) start(next, idle.pop() ?? spawn());
    }
  };
  const spawn = (): Worker => {
    const worker = new Worker(new URL('worker.ts', import.meta.url), { execArgv: [], env: {}, workerData: { yields } });
    workers.add(worker);
    return worker;
  };
  const start = ({ job, resolve, reject }: Waiting, worker: Worker): void => {
    runOn(worker, job, {
      done: ({ encoded, memory }) => {
        idle.push(worker);
        recycle(memory);
        resolve(encoded);
        pump();
      },
      lost: (cause) => {
        workers.delete(worker);
        reject(closed ? interrupted(cause) : new DaemonError('STORAGE_FAILED', 'a thread that encodes deltas ended; see the cause', { cause }));
        if (!closed) pump();
      },
    });
  };
  return {
    size,
    recycle,
    memory: (bytes) => (bytes <= reusedBytes ? (spare.pop() ?? new ArrayBuffer(reusedBytes)) : new ArrayBuffer(bytes)),
    async run(job, signal) {
      return await new Promise((resolve, reject) => {
        const abort = (): void => reject(interrupted(signal.reason));
        if (signal.aborted || closed) return abort();
        signal.addEventListener('abort', abort, { once: true });
        const deaf = <T>(tell: (value: T) => void) => (value: T): void => {
          signal.removeEventListener('abort', abort);
          tell(value);
        };
        queue.push({ job, signal, resolve: deaf(resolve), reject: deaf(reject) });
        pump();
      });
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      for (const { reject } of queue.splice(0)) reject(interrupted(undefined));
      await Promise.all([...workers].map(async (worker) => await worker.terminate()));
    },
  };
}

/** Gives a job to a thread that has none; exactly one of the two is called. The thread keeps the process alive only meanwhile. */
function runOn(worker: Worker, job: EncodeJob, { done, lost }: { readonly done: (result: EncodeResult) => void; readonly lost: (cause: unknown) => void }): void {
  const settle = (): void => {
    // Each by name: a Worker listens to itself.
    worker.off('message', succeed).off('error', fail).off('exit', fail);
    worker.unref();
  };
  const succeed = (result: EncodeResult): void => {
    settle();
    done(result);
  };
  const fail = (cause: unknown): void => {
    settle();
    // What else it has to say about its end is of no use to anybody.
    worker.on('error', () => undefined);
    lost(cause);
  };
  worker.ref();
  worker.on('message', succeed).on('error', fail).on('exit', fail);
  worker.postMessage(job, [job.memory]);
}

function interrupted(cause: unknown): DaemonError {
  return new DaemonError('ABORTED', 'encoding a delta was interrupted', { cause });
}
