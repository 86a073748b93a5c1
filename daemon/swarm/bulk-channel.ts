// One open bulk channel: answers of the exchange over a TLS socket whose other end has been proven to be the neighbour. How it comes to be open is
// bulk-port.ts's, which answers take it is bulk-link.ts's.

import type { TLSSocket } from 'node:tls';
import { ProtocolError } from '../../proto/errors.ts';
import { createFrameReader } from '../../proto/exchange-codec.ts';
import { isAnswer } from '../../proto/exchange-frame.ts';
import type { ExchangeMessage } from '../../proto/exchange.ts';
import type { Buffers } from './buffers.ts';
import type { Inlet } from './bulk-inlet.ts';

/** Whoever is at the end of a channel. */
export interface ChannelListener {
  onMessage(message: ExchangeMessage): void;
  /** Bytes have left; the backlog is smaller now. */
  onSent(): void;
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
  /** Queues one frame whose parts must not change until `onTaken`, which is not called for what could not be sent. After the end it does nothing. */
  send(parts: readonly Uint8Array[], onTaken?: () => void): void;
  close(): void;
}

/** A side that has something to send and gets rid of none of it for so long has lost the other, or a firewall in between has forgotten them. */
const stuckMs = 4_000;
/** Against firewalls that forget what is silent, and to notice a dead host at all. */
const keepAliveMs = 60_000;

/** Over a socket whose preface is done with. */
export function createBulkChannel(socket: TLSSocket, inlet: Inlet, buffers: Buffers, opened: boolean): BulkChannel {
  let backlog = 0;
  let listener: ChannelListener | undefined;
  let ended = false;

  const end = (reason: 'closed' | 'stuck' | 'protocol', detail: string): void => {
    if (ended) return;
    ended = true;
    backlog = 0;
    socket.destroy();
    listener?.onEnd(reason, detail);
  };
  socket.setNoDelay(true);
  socket.setKeepAlive(true, keepAliveMs);
  socket.setTimeout(stuckMs, () => {
    if (backlog > 0) end('stuck', `${backlog} bytes were not taken for ${stuckMs} ms`);
  });
  socket.on('error', (error) => end('closed', error.message));
  socket.on('close', () => end('closed', 'the connection was closed'));
  socket.on('end', () => end('closed', 'the other side closed it'));

  return {
    opened,
    get backlogBytes() {
      return backlog;
    },
    start(to) {
      listener = to;
      if (socket.destroyed) return end('closed', 'it was closed before it was used');
      const reader = createFrameReader((length) => buffers.take(length), true);
      inlet.start((bytes) => {
        if (ended) return;
        try {
          for (const message of reader.push(bytes)) {
            if (!isAnswer(message)) return end('protocol', `a '${message.kind}' frame on a bulk channel`);
            to.onMessage(message);
          }
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error;
          end('protocol', error.message);
        }
      });
    },
    send(parts, onTaken) {
      if (ended) return;
      let bytes = 0;
      for (const part of parts) bytes += part.length;
      backlog += bytes;
      const sent = (error?: Error | null): void => {
        if (error === undefined || error === null) onTaken?.();
        if (ended) return;
        backlog -= bytes;
        listener?.onSent();
      };
      const last = parts.length - 1;
      // Several parts in one write are put together in new memory first.
      if (last > 0) socket.cork();
      for (const [at, part] of parts.entries()) {
        if (at < last) socket.write(part);
        else socket.write(part, sent);
      }
      if (last > 0) socket.uncork();
    },
    close: () => end('closed', 'we closed it'),
  };
}
