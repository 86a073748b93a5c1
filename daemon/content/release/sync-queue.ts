// Syncs files and directories in the background, a few at a time. A sync that failed is never tried again: the kernel may have
// dropped the pages that it could not write, and a second call would say that all is well.

import { close, fsync } from 'node:fs';
import { promisify } from 'node:util';

/** At once: file systems commit several in one go, but each holds a thread of the pool that all other file calls need. */
const runningMax = 2;
/** Descriptors that wait for their turn, until those that bring more are made to wait as well. */
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
  /** Who brought the last of those that wait, each woken when it has moved up far enough; and who waits for the end of all. */
  const bringers: (() => void)[] = [];
  let enders: (() => void)[] = [];

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
    start();
    if (running > 0) return;
    for (const resolve of enders) resolve();
    enders = [];
  };
  const start = (): void => {
    while (running < runningMax) {
      const file = waiting.shift();
      if (file === undefined) return;
      running += 1;
      bringers.shift()?.();
      void run(file);
    }
  };
  const idle = async (): Promise<void> => {
    while (running > 0) await new Promise<void>((resolve) => enders.push(resolve));
  };
  const check = (): void => {
    if (failure !== undefined) throw failure.cause;
  };

  return {
    async add(file) {
      waiting.push(file);
      start();
      if (waiting.length >= waitingMax) await new Promise<void>((resolve) => bringers.push(resolve));
      check();
    },
    async drained() {
      await idle();
      check();
    },
    settled: idle,
  };
}
