// A neighbour over one libp2p stream: frames in and out with bounded buffers. Who becomes one is decided in libp2p.ts.
//
// Traps of the stream's interface that this file goes round: `onDrain()` answers from a promise that is never renewed, `drain` is announced to all
// streams of a connection whether or not theirs went out, and the async iterator queues without bound (swarm.md, section 3.4).

import type { Connection, Stream } from '@libp2p/interface';
import { ProtocolError } from '../../proto/errors.ts';
import { createFrameReader } from '../../proto/exchange-codec.ts';
import type { ExchangeMessage } from '../../proto/exchange.ts';
import type { Certificate } from '../../proto/statement.ts';
import { DaemonError } from '../errors.ts';
import { backlogBytesMax, backlogLowBytes, type CloseReason, type Neighbour } from './network.ts';

/** Messages kept for a receiver that is not there yet: it is set in the same turn, so more is a programmer's mistake. */
const keptMessagesMax = 256;

export interface StreamNeighbourOptions {
  readonly connection: Connection;
  readonly stream: Stream;
  readonly certificate: Certificate;
  /** The neighbour broke the protocol, or does not read what it asked for. */
  readonly onMisbehaviour: (reason: 'protocol' | 'stalled', detail: string) => void;
}

/** Listens from the call on. */
export function createStreamNeighbour({ connection, stream, certificate, onMisbehaviour }: StreamNeighbourOptions): Neighbour {
  const member = connection.remotePeer.toString();
  const reader = createFrameReader();
  const kept: ExchangeMessage[] = [];
  const closeListeners: ((reason: CloseReason) => void)[] = [];
  let receive: ((message: ExchangeMessage) => void) | undefined;
  let closed: CloseReason | undefined;

  const finish = (reason: CloseReason): void => {
    if (closed !== undefined) return;
    closed = reason;
    kept.length = 0;
    for (const listener of closeListeners.splice(0)) listener(reason);
  };
  const close = (reason: CloseReason): void => {
    if (closed !== undefined) return;
    finish(reason);
    connection.abort(new Error(`closed as ${reason}`));
  };
  const misbehave = (reason: 'protocol' | 'stalled', detail: string): void => {
    if (closed !== undefined) return;
    onMisbehaviour(reason, detail);
    close(reason);
  };
  const deliver = (bytes: Uint8Array): void => {
    for (const message of reader.push(bytes)) {
      if (closed !== undefined) return;
      if (receive !== undefined) receive(message);
      else if (kept.length < keptMessagesMax) kept.push(message);
      else misbehave('protocol', `more than ${keptMessagesMax} messages before anybody listens`);
    }
  };
  stream.addEventListener('message', ({ data }) => {
    try {
      for (const part of data instanceof Uint8Array ? [data] : data) if (closed === undefined) deliver(part);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      misbehave('protocol', error.message);
    }
  });
  const onEnd = (): void => close('gone');
  stream.addEventListener('close', onEnd);
  stream.addEventListener('remoteCloseWrite', onEnd);
  connection.addEventListener('close', onEnd);

  return {
    member,
    certificate,
    send(parts) {
      if (closed !== undefined) return;
      try {
        // One part each would be one small frame and one small write each; the copy is far cheaper.
        stream.send(parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts));
      } catch {
        return close('gone');
      }
      if (stream.writeBufferLength > backlogBytesMax) misbehave('stalled', `${stream.writeBufferLength} bytes wait to be read`);
    },
    get backlogBytes() {
      return closed === undefined ? stream.writeBufferLength : 0;
    },
    drained: ({ signal }) => drained(stream, signal, () => closed !== undefined, closeListeners),
    onMessage(listener) {
      receive = listener;
      for (const message of kept.splice(0)) listener(message);
    },
    onClose(listener) {
      if (closed === undefined) closeListeners.push(listener);
      else listener(closed);
    },
    close,
  };
}

async function drained(stream: Stream, signal: AbortSignal, isClosed: () => boolean, closeListeners: ((reason: CloseReason) => void)[]): Promise<void> {
  signal.throwIfAborted();
  const gone = (): DaemonError => new DaemonError('PEER_GONE', 'the neighbour left before it had read everything');
  if (isClosed()) throw gone();
  if (stream.writeBufferLength < backlogLowBytes) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const look = (): void => {
    if (stream.writeBufferLength < backlogLowBytes) resolve();
  };
  // The stream goes on sending in a microtask of its own listener; only after that is its length true.
  const onDrain = (): void => queueMicrotask(look);
  const onAbort = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
  const onClosed = (): void => reject(gone());
  stream.addEventListener('drain', onDrain);
  stream.addEventListener('idle', onDrain);
  signal.addEventListener('abort', onAbort, { once: true });
  closeListeners.push(onClosed);
  try {
    await promise;
  } finally {
    stream.removeEventListener('drain', onDrain);
    stream.removeEventListener('idle', onDrain);
    signal.removeEventListener('abort', onAbort);
    const index = closeListeners.indexOf(onClosed);
    if (index !== -1) closeListeners.splice(index, 1);
  }
}
