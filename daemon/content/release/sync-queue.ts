// Syncs files and directories in the background, a few at a time. A sync that failed is never tried again: the kernel may have
// dropped the pages that it could not write, and a second call would say that all is well.

import { close, fsync } from 'node:fs';
import { promisify } from 'node:util';

/** At once: file systems commit several in one go, but each holds a thread of the pool that all other file calls need. */
const runningMax = 2;
/** Descriptors that wait for their turn. */
const waitingMax = 64;

const fsyncFile = promisify(fsync);
const closeFile = promisify(close);

/** Syncs under way. */
export interface SyncQueue {
  /** Takes over an open descriptor, syncs and closes it. Resolves when there is room for more. @throws what an earlier sync failed with. */
  add(file: number): Promise<void>;
  /** Resolves when everything added is synced. @throws what a sync failed with. */
  drained(): Promise<void>;
  /** Resolves when nothing is under way, however it ended. */
  settled(): Promise<void>;
}

/** An empty queue. */
export function createSyncQueue(): SyncQueue {
  const waiting: number[] = [];
  let running = 0;
  let failure: { readonly cause: unknown } | undefined;
  let wake: (() => void)[] = [];

  const run = async (file: number): Promise<void> => {
    try {
      if (failure === undefined) await fsyncFile(file);
    } catch (cause) {
      failure ??= { cause };
    }
    try {
      await closeFile(file);
    } catch (cause) {
      failure ??= { cause };
    }
    running -= 1;
    const woken = wake;
    wake = [];
    start();
    for (const resolve of woken) resolve();
  };
  const start = (): void => {
    while (running < runningMax) {
      const file = waiting.shift();
      if (file === undefined) return;
      running += 1;
      void run(file);
    }
  };
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await new Promise<void>((resolve) => wake.push(resolve));
  };
  const check = (): void => {
    if (failure !== undefined) throw failure.cause;
  };
  const idle = (): boolean => running === 0 && waiting.length === 0;

  return {
    async add(file) {
      waiting.push(file);
      start();
      await until(() => waiting.length < waitingMax);
      check();
    },
    async drained() {
      await until(idle);
      check();
    },
    settled: async () => await until(idle),
  };
}
