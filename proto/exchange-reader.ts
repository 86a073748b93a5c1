// Cuts a stream of byte slices into exchange messages, wherever the slices happen to end.
// The form of a frame is in exchange-codec.ts.

import { decodeHeader, decodePayload, type FrameHeader } from './exchange-codec.ts';
import type { ExchangeMessage } from './exchange.ts';
import { limits } from './limits.ts';

/** One stream's reader. */
export interface FrameReader {
  /**
   * The messages that these bytes complete, in order. Bulk bytes of a message are views of `bytes` where its payload lay in it whole,
   * else of one buffer of its own: do not reuse `bytes` afterwards.
   * @throws {ProtocolError} when the stream breaks the protocol; the stream is then of no further use, and every later call throws the same.
   */
  push(bytes: Uint8Array): ExchangeMessage[];
  /** Bytes of an unfinished frame. At the end of a stream anything but 0 means that it was cut off. */
  readonly pendingBytes: number;
}

/** A reader at the beginning of a stream. It holds at most one unfinished frame, whose size was checked at its header. */
export function createFrameReader(): FrameReader {
  const head = new Uint8Array(limits.exchangeHeaderBytes);
  let headFilled = 0;
  let header: FrameHeader | undefined;
  let payload = new Uint8Array(0);
  let payloadFilled = 0;
  let failure: { readonly error: unknown } | undefined;

  /** Takes the next whole message's bytes from `bytes` at `offset`; returns how far it got, and the message if it is complete. */
  const step = (bytes: Uint8Array, offset: number): { readonly offset: number; readonly message?: ExchangeMessage } => {
    if (header === undefined) {
      const taken = Math.min(head.length - headFilled, bytes.length - offset);
      head.set(bytes.subarray(offset, offset + taken), headFilled);
      headFilled += taken;
      if (headFilled < head.length) return { offset: offset + taken };
      headFilled = 0;
      const next = decodeHeader(head);
      const begin = offset + taken;
      if (bytes.length - begin >= next.payloadBytes) {
        const end = begin + next.payloadBytes;
        return { offset: end, message: decodePayload(next, bytes.subarray(begin, end)) };
      }
      header = next;
      payload = new Uint8Array(next.payloadBytes);
      payloadFilled = 0;
      return { offset: begin };
    }
    const taken = Math.min(payload.length - payloadFilled, bytes.length - offset);
    payload.set(bytes.subarray(offset, offset + taken), payloadFilled);
    payloadFilled += taken;
    if (payloadFilled < payload.length) return { offset: offset + taken };
    const message = decodePayload(header, payload);
    header = undefined;
    payload = new Uint8Array(0);
    payloadFilled = 0;
    return { offset: offset + taken, message };
  };

  return {
    push(bytes) {
      if (failure !== undefined) throw failure.error;
      const messages: ExchangeMessage[] = [];
      try {
        for (let offset = 0; offset < bytes.length; ) {
          const taken = step(bytes, offset);
          if (taken.message !== undefined) messages.push(taken.message);
          offset = taken.offset;
        }
      } catch (error) {
        failure = { error };
        throw error;
      }
      return messages;
    },
    get pendingBytes() {
      return header === undefined ? headFilled : limits.exchangeHeaderBytes + payloadFilled;
    },
  };
}
