// Long synchronous work in slices, so that the rest of the program gets its turn.

import { throwIfAborted } from './failures.ts';

/** Bytes read or written between turns of the event loop: some 10 ms. */
const sliceBytes = 4 * 1024 * 1024;
/** What a system call or two cost, in bytes that could have been read instead. */
export const callBytes = 32 * 1024;

/**
 * To be called with the work done since the last call; what it gives, if anything, is to be awaited.
 * @throws {DaemonError} ABORTED out of the promise when the signal has fired.
 */
export type Spend = (bytes: number) => Promise<void> | undefined;

/** Slices of one task; `what` it is completes the sentence of an abort. */
export function createSlices(signal: AbortSignal, what: string): Spend {
  let spent = 0;
  const turn = async (): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve));
    throwIfAborted(signal, what);
  };
  return (bytes) => {
    spent += bytes;
    if (spent < sliceBytes) return undefined;
    spent = 0;
    return turn();
  };
}
