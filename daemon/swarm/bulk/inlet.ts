// What comes out of a socket, in the order in which it is wanted: first so many bytes of a preface, then everything to the channel.

import { DaemonError } from '../../errors.ts';

export interface Inlet {
  /** The socket's bytes; what is given on may lie in a buffer that is used again at once. */
  push(bytes: Uint8Array): void;
  /** The next bytes of the preface. One call at a time. */
  exactly(length: number): Promise<Uint8Array>;
  /** The preface is over: what has come since, and everything that comes, goes there. */
  start(sink: (bytes: Uint8Array) => void): void;
}

/** What may come between the preface and the start: what a socket gives in one turn. */
const earlyBytesMax = 64 * 1024;

/** `onOverflow` is told when more comes than anybody has asked for. */
export function createInlet(onOverflow: (error: DaemonError) => void): Inlet {
  let early = Buffer.alloc(0);
  let sink: ((bytes: Uint8Array) => void) | undefined;
  let waiting: { readonly length: number; readonly resolve: (bytes: Uint8Array) => void } | undefined;
  const settle = (): void => {
    if (waiting === undefined || early.length < waiting.length) return;
    const { length, resolve } = waiting;
    waiting = undefined;
    const taken = early.subarray(0, length);
    early = early.subarray(length);
    resolve(taken);
  };
  return {
    push(bytes) {
      if (sink !== undefined) return sink(bytes);
      if (early.length + bytes.length > earlyBytesMax) return onOverflow(new DaemonError('PEER_REFUSED', `more than ${earlyBytesMax} bytes came before a bulk channel was open`));
      early = Buffer.concat([early, bytes]);
      settle();
    },
    async exactly(length) {
      const { promise, resolve } = Promise.withResolvers<Uint8Array>();
      waiting = { length, resolve };
      settle();
      return await promise;
    },
    start(to) {
      sink = to;
      const rest = early;
      early = Buffer.alloc(0);
      if (rest.length > 0) to(rest);
    },
  };
}
