// Chunks that wait to be written to a pack: calls that come while others are being synced share the next sync.

import { DaemonError } from '../../errors.ts';
import type { Chunk } from '../store.ts';

/** Bytes that one sync covers at most, and that may wait for theirs. Callers wait for their own, so more is a caller without bounds. */
const groupBytesMax = 16 * 1024 * 1024;
const waitingBytesMax = 256 * 1024 * 1024;

interface Waiting {
  readonly chunks: readonly Chunk[];
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (cause: unknown) => void;
}

/** Calls in line. */
export interface PutQueue {
  /** Resolves when all of them are synced. @throws {DaemonError} STORAGE_FAILED when too much waits for the disk of `directory`; what `append` throws. */
  put(chunks: readonly Chunk[], directory: string): Promise<void>;
  /** Resolves when nothing is being written. */
  idle(): Promise<void>;
}

/** An empty queue; `append` writes and syncs, one call at a time. */
export function createPutQueue(append: (chunks: readonly Chunk[]) => Promise<void>): PutQueue {
  let waiting: Waiting[] = [];
  let waitingBytes = 0;
  let writing: Promise<void> | undefined;

  /** At least one, in the order in which they came. */
  const nextGroup = (): Waiting[] => {
    let bytes = 0;
    const end = waiting.findIndex((one, at) => (bytes += one.bytes) > groupBytesMax && at > 0);
    const group = end < 0 ? waiting : waiting.slice(0, end);
    waiting = waiting.slice(group.length);
    for (const one of group) waitingBytes -= one.bytes;
    return group;
  };
  const drain = async (): Promise<void> => {
    while (waiting.length > 0) {
      const group = nextGroup();
      try {
        await append(group.flatMap(({ chunks }) => chunks));
        for (const { resolve } of group) resolve();
      } catch (cause) {
        for (const { reject } of group) reject(cause);
      }
    }
    writing = undefined;
  };
  return {
    async put(chunks, directory) {
      const bytes = chunks.reduce((sum, chunk) => sum + chunk.bytes.length, 0);
      if (waitingBytes + bytes > waitingBytesMax) {
        throw new DaemonError('STORAGE_FAILED', `${waitingBytes} bytes wait to be written to ${directory}, more than its disk keeps up with; try again later`);
      }
      waitingBytes += bytes;
      const done = new Promise<void>((resolve, reject) => waiting.push({ chunks, bytes, resolve, reject }));
      writing ??= drain();
      await done;
    },
    async idle() {
      await writing;
    },
  };
}
