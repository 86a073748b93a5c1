// One open bulk channel: the exchange over a TLS socket whose other end has been proven to be the neighbour. Words go before answers that wait, so that
// what is to be asked for next is not held up by chunks. How a channel comes to be open is port.ts's, what takes it is link.ts's.

import type { TLSSocket } from 'node:tls';
import { ProtocolError } from '../../../proto/errors.ts';
import { createFrameReader } from '../../../proto/exchange-codec.ts';
import type { ExchangeMessage } from '../../../proto/exchange.ts';
import type { Buffers } from '../buffers.ts';
import type { Inlet } from './inlet.ts';
import { createBulkQueue } from './queue.ts';

/** Whoever is at the end of a channel. */
export interface ChannelListener {
  onMessage(message: ExchangeMessage): void;
  /** Bytes have left; the backlog is smaller now. */
  onSent(): void;
  /** Nothing has come or gone for a while. Whether the other side should have said something. */
  onQuiet(): boolean;
  /** Once, also when we closed it. `protocol`: what came is not what a channel carries. */
  onEnd(reason: 'closed' | 'stuck' | 'protocol', detail: string): void;
}

export interface BulkChannel {
  /** Whether this side opened it; the other side accepted it. */
  readonly opened: boolean;
  /** Queued and not yet taken by the kernel. */
  readonly backlogBytes: number;
  /** To be called once, in the turn in which the channel was given: what has come already follows. */
  start(listener: ChannelListener): void;
  /** Queues one answer whose parts must not change until `onTaken`, which is not called for what could not be sent. After the end it does nothing. */
  send(parts: readonly Uint8Array[], onTaken?: () => void): void;
  /** Sends one word with all others of this turn, before any answer that waits. Its parts must not change. */
  say(parts: readonly Uint8Array[]): void;
  close(): void;
}

/** A side that has something to send and gets rid of none of it for so long has lost the other, or a firewall in between has forgotten them. */
const stuckMs = 4_000;
/** Against firewalls that forget what is silent, and to notice a dead host at all. */
const keepAliveMs = 60_000;

/** Over a socket whose preface is done with. */
export function createBulkChannel(socket: TLSSocket, inlet: Inlet, buffers: Buffers, opened: boolean): BulkChannel {
  let listener: ChannelListener | undefined;
  let ended = false;
  /** The other side was to say something when it was last quiet. */
  let isOwed = false;
  const queue = createBulkQueue(socket, () => listener?.onSent());

  const end = (reason: 'closed' | 'stuck' | 'protocol', detail: string): void => {
    if (ended) return;
    ended = true;
    queue.close();
    socket.destroy();
    listener?.onEnd(reason, detail);
  };
  socket.setNoDelay(true);
  socket.setKeepAlive(true, keepAliveMs);
  socket.setTimeout(stuckMs, () => {
    if (queue.bytes > 0) return end('stuck', `${queue.bytes} bytes were not taken for ${stuckMs} ms`);
    const wasOwed = isOwed;
    isOwed = listener?.onQuiet() === true;
    if (isOwed && wasOwed) return end('stuck', `words were not confirmed for ${2 * stuckMs} ms`);
    if (isOwed) socket.setTimeout(stuckMs);
  });
  socket.on('error', (error) => end('closed', error.message));
  socket.on('close', () => end('closed', 'the connection was closed'));
  socket.on('end', () => end('closed', 'the other side closed it'));

  return {
    opened,
    get backlogBytes() {
      return queue.bytes;
    },
    start(to) {
      listener = to;
      if (socket.destroyed) return end('closed', 'it was closed before it was used');
      const reader = createFrameReader((length) => buffers.take(length), true);
      inlet.start((bytes) => {
        if (ended) return;
        isOwed = false;
        try {
          for (const message of reader.push(bytes)) to.onMessage(message);
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error;
          end('protocol', error.message);
        }
      });
    },
    send: (parts, onTaken) => queue.send(parts, onTaken),
    say: (parts) => queue.say(parts),
    close: () => end('closed', 'we closed it'),
  };
}
