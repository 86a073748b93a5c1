// What waits to be written to a bulk channel: words before answers, and one write at a time, since what waits in the socket is put together in new memory
// and nothing can be put before it. When a channel ends is channel.ts's.

import type { TLSSocket } from 'node:tls';

export interface BulkQueue {
  /** Given here and not yet taken by the kernel. */
  readonly bytes: number;
  /** An answer, whose parts must not change until `onTaken`. */
  send(parts: readonly Uint8Array[], onTaken?: () => void): void;
  /** A word: goes with all others of this turn of the loop. */
  say(parts: readonly Uint8Array[]): void;
  /** Forgets what waits, and takes nothing any more. */
  close(): void;
}

interface Answer {
  readonly parts: readonly Uint8Array[];
  readonly onTaken: (() => void) | undefined;
}

/** `onSent` is called when the queue has become shorter. */
export function createBulkQueue(socket: TLSSocket, onSent: () => void): BulkQueue {
  const words: Uint8Array[] = [];
  const answers: Answer[] = [];
  let waiting = 0;
  let isWriting = false;
  let isClosed = false;

  /** Answers that lie one behind the other in memory, as those that were read together do, are written as one. */
  const take = (): Answer | undefined => {
    const first = answers.shift();
    const [part] = first?.parts ?? [];
    if (first === undefined || part === undefined || first.parts.length > 1) return first;
    const takers = [first.onTaken];
    let length = part.length;
    for (let [next] = answers; next !== undefined && isBehind(part, length, next.parts); [next] = answers) {
      answers.shift();
      takers.push(next.onTaken);
      length += bytesOf(next.parts);
    }
    if (takers.length === 1) return first;
    return { parts: [new Uint8Array(part.buffer, part.byteOffset, length)], onTaken: () => takers.forEach((taken) => taken?.()) };
  };
  const write = (): void => {
    if (isWriting || isClosed) return;
    const [word] = words;
    const answer = word === undefined ? take() : undefined;
    const parts = word === undefined ? (answer?.parts ?? []) : [words.length === 1 ? word : Buffer.concat(words)];
    words.length = 0;
    const bytes = bytesOf(parts);
    const sent = (error?: Error | null): void => {
      isWriting = false;
      if (error === undefined || error === null) answer?.onTaken?.();
      if (isClosed) return;
      waiting -= bytes;
      write();
      onSent();
    };
    for (const [at, part] of parts.entries()) {
      isWriting = true;
      if (at < parts.length - 1) socket.write(part);
      else socket.write(part, sent);
    }
  };
  return {
    get bytes() {
      return waiting;
    },
    send(parts, onTaken) {
      if (isClosed) return;
      waiting += bytesOf(parts);
      answers.push({ parts, onTaken });
      // What is sent in one go waits for the rest of it.
      if (!isWriting && answers.length === 1) queueMicrotask(write);
    },
    say(parts) {
      if (isClosed) return;
      waiting += bytesOf(parts);
      if (words.length === 0) setImmediate(write);
      words.push(...parts);
    },
    close() {
      isClosed = true;
      waiting = 0;
      words.length = 0;
      answers.length = 0;
    },
  };
}

function isBehind(first: Uint8Array, length: number, [part, ...more]: readonly Uint8Array[]): boolean {
  return part?.buffer === first.buffer && part.byteOffset === first.byteOffset + length && more.length === 0;
}

function bytesOf(parts: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const { length } of parts) bytes += length;
  return bytes;
}
