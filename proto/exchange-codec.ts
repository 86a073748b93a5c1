// The payloads of the exchange's messages, and how messages are cut from a stream. The header before them is in exchange-frame.ts,
// what the messages mean in exchange.ts.
//
//   open           revision (32 bytes), bitmap       elsewhere      peer ids, each after a byte with its length
//   have, request  ranges: from u32, to u32          want-manifest  revision (32 bytes)
//   absent         the same                          manifest       its bytes
//   data           ordinal u32, bytes                close, cancel  nothing
//   want-delta, delta: exchange-delta.ts
//   busy           milliseconds u32                  bulk           port u16, and the token unless the port is 0
//   mark, taken    number u64

import { digestBytes, digestFromBytes, digestToBytes } from './cid.ts';
import { ProtocolError } from './errors.ts';
import {
  decodeHeader,
  encodeFrame,
  exchangeHoldersMax,
  type FrameHeader,
  holderLengthMax,
  bulkPortBytes,
  bulkTokenBytes,
  numberBytes,
  ordinalBytes,
  putU32,
  rangeBytes,
  u32At,
  viewOf,
} from './exchange-frame.ts';
import { decodeDelta, decodeWantDelta, encodeDeltaHead, encodeWantDelta } from './exchange-delta.ts';
import type { ExchangeMessage, OrdinalRange, TopicKind } from './exchange.ts';
import { limits } from './limits.ts';

/** By the flags of an `open`. */
const blobs: readonly TopicKind[] = ['tree', 'index', 'delta'];
const holderPattern = new RegExp(`^[A-Za-z0-9]{1,${holderLengthMax}}$`);

/**
 * The frame of a message, as parts to be sent one after the other. Bulk bytes (`held`, `bytes`) are the caller's own, not copies.
 * @throws {ProtocolError} when no decoder would accept it.
 */
export function encodeMessage(message: ExchangeMessage): readonly Uint8Array[] {
  switch (message.kind) {
    case 'open':
      return encodeFrame('open', blobs.indexOf(message.blob), message.topic, 0, digestToBytes(message.revision), message.held);
    case 'close':
      return encodeFrame('close', 0, message.topic, 0);
    case 'have':
    case 'suggest':
      return encodeFrame(message.kind, 0, message.topic, 0, encodeRanges(message.ranges));
    case 'request':
      return encodeFrame('request', 0, message.topic, message.request, encodeRanges(message.ranges));
    case 'data':
      return encodeFrame('data', message.compression === 'zstd' ? 1 : 0, message.topic, message.request, encodeU32(message.ordinal), message.bytes);
    case 'busy':
      return encodeFrame('busy', 0, 0, message.request, encodeU32(message.retryAfterMs));
    case 'absent':
      return encodeFrame('absent', 0, 0, message.request, encodeRanges(message.ranges));
    case 'elsewhere':
      return encodeFrame('elsewhere', 0, 0, message.request, encodeHolders(message.holders));
    case 'cancel':
      return encodeFrame('cancel', 0, 0, message.request);
    case 'want-manifest':
      return encodeFrame('want-manifest', 0, 0, message.request, digestToBytes(message.revision));
    case 'manifest':
      return encodeFrame('manifest', 0, 0, message.request, new Uint8Array(0), message.bytes);
    case 'want-delta':
      return encodeFrame('want-delta', 0, 0, message.request, encodeWantDelta(message));
    case 'delta':
      return encodeFrame('delta', 0, 0, message.request, encodeDeltaHead(message), message.descriptor);
    case 'mark':
    case 'taken':
      return encodeFrame(message.kind, 0, 0, 0, encodeNumber(message.number));
    case 'bulk':
      checkInvitation(message.port, message.token);
      return encodeFrame('bulk', 0, 0, 0, Uint8Array.of(message.port >> 8, message.port & 0xff, ...message.token));
  }
  message satisfies never;
}

/**
 * The message of one whole frame. `held` and `bytes` of the result are views of `bytes`.
 * @throws {ProtocolError} when it is not exactly one valid frame.
 */
export function decodeFrame(bytes: Uint8Array): ExchangeMessage {
  return decodePayload(decodeHeader(bytes), bytes.subarray(limits.exchangeHeaderBytes));
}

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

/**
 * A reader at the beginning of a stream. It holds at most one unfinished frame, whose size was checked at its header. `allocate` gives the buffer of a
 * payload that comes in parts, of exactly so many bytes and with any content. With `isReused` the bytes that are pushed are the caller's again at once:
 * nothing is a view of them.
 */
export function createFrameReader(allocate: (bytes: number) => Uint8Array = (bytes) => new Uint8Array(bytes), isReused = false): FrameReader {
  const head = new Uint8Array(limits.exchangeHeaderBytes);
  let headFilled = 0;
  let header: FrameHeader | undefined;
  let payload: Uint8Array = new Uint8Array(0);
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
      if (next.payloadBytes === 0 || (!isReused && bytes.length - begin >= next.payloadBytes)) {
        const end = begin + next.payloadBytes;
        return { offset: end, message: decodePayload(next, bytes.subarray(begin, end)) };
      }
      header = next;
      payload = allocate(next.payloadBytes);
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

function decodePayload(header: FrameHeader, payload: Uint8Array): ExchangeMessage {
  const { kind, topic, request } = header;
  if (payload.length !== header.payloadBytes) {
    throw new ProtocolError('TRUNCATED', `a '${kind}' frame announced ${header.payloadBytes} bytes of payload and has ${payload.length}`);
  }
  switch (kind) {
    case 'open': {
      const revision = digestFromBytes(payload.subarray(0, digestBytes));
      return { kind, topic, blob: blobs[header.flags] ?? 'tree', revision, held: payload.subarray(digestBytes) };
    }
    case 'close':
      return { kind, topic };
    case 'have':
    case 'suggest':
      return { kind, topic, ranges: decodeRanges(payload) };
    case 'request':
      return { kind, topic, request, ranges: decodeRanges(payload) };
    case 'data': {
      const ordinal = u32At(payload, 0);
      return { kind, topic, request, ordinal, compression: header.flags === 1 ? 'zstd' : 'none', bytes: payload.subarray(ordinalBytes) };
    }
    case 'busy':
      return { kind, request, retryAfterMs: u32At(payload, 0) };
    case 'absent':
      return { kind, request, ranges: decodeRanges(payload) };
    case 'elsewhere':
      return { kind, request, holders: decodeHolders(payload) };
    case 'cancel':
      return { kind, request };
    case 'want-manifest':
      return { kind, request, revision: digestFromBytes(payload) };
    case 'manifest':
      return { kind, request, bytes: payload };
    case 'want-delta':
      return decodeWantDelta(request, payload);
    case 'delta':
      return decodeDelta(request, payload);
    case 'mark':
    case 'taken':
      return { kind, number: decodeNumber(payload) };
    case 'bulk': {
      const port = viewOf(payload).getUint16(0);
      const token = payload.subarray(bulkPortBytes);
      checkInvitation(port, token);
      return { kind, port, token };
    }
  }
  kind satisfies never;
}

function encodeNumber(number: number): Uint8Array {
  const bytes = new Uint8Array(numberBytes);
  viewOf(bytes).setBigUint64(0, BigInt(number));
  return bytes;
}

function decodeNumber(payload: Uint8Array): number {
  const number = Number(viewOf(payload).getBigUint64(0));
  if (!Number.isSafeInteger(number)) throw new ProtocolError('MALFORMED', `${number} is no number of messages`);
  return number;
}

function encodeRanges(ranges: readonly OrdinalRange[]): Uint8Array {
  const bytes = new Uint8Array(ranges.length * rangeBytes);
  ranges.forEach(({ from, to }, index) => {
    checkRange(from, to);
    putU32(bytes, index * rangeBytes, from);
    putU32(bytes, index * rangeBytes + 4, to);
  });
  return bytes;
}

function decodeRanges(payload: Uint8Array): OrdinalRange[] {
  if (payload.length % rangeBytes !== 0) {
    throw new ProtocolError('MALFORMED', `ranges take ${rangeBytes} bytes each; ${payload.length} bytes are no whole number of them`);
  }
  const ranges: OrdinalRange[] = [];
  for (let offset = 0; offset < payload.length; offset += rangeBytes) {
    const range = { from: u32At(payload, offset), to: u32At(payload, offset + 4) };
    checkRange(range.from, range.to);
    ranges.push(range);
  }
  return ranges;
}

function checkRange(from: number, to: number): void {
  if (!(from < to)) throw new ProtocolError('MALFORMED', `the range from ${from} to ${to} is empty`);
}

function encodeHolders(holders: readonly string[]): Uint8Array {
  if (holders.length > exchangeHoldersMax) {
    throw new ProtocolError('TOO_LARGE', `${holders.length} holders are named; at most ${exchangeHoldersMax} are allowed`);
  }
  return Buffer.concat(
    holders.map((holder) => {
      checkHolder(holder);
      return Buffer.from(`${String.fromCharCode(holder.length)}${holder}`, 'latin1');
    }),
  );
}

function decodeHolders(payload: Uint8Array): string[] {
  const text = Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString('latin1');
  const holders: string[] = [];
  for (let offset = 0; offset < text.length; ) {
    const holder = text.slice(offset + 1, offset + 1 + text.charCodeAt(offset));
    if (holder.length !== text.charCodeAt(offset)) throw new ProtocolError('TRUNCATED', 'a list of holders ends inside a peer id');
    checkHolder(holder);
    holders.push(holder);
    offset += 1 + holder.length;
  }
  if (holders.length > exchangeHoldersMax) {
    throw new ProtocolError('TOO_LARGE', `${holders.length} holders are named; at most ${exchangeHoldersMax} are allowed`);
  }
  return holders;
}

function checkHolder(holder: string): void {
  if (!holderPattern.test(holder)) throw new ProtocolError('MALFORMED', 'a holder is not a peer id of 1 to 128 letters and digits');
}

function checkInvitation(port: number, token: Uint8Array): void {
  if (!(Number.isInteger(port) && port >= 0 && port <= 0xffff)) throw new ProtocolError('MALFORMED', `${port} is not a port`);
  const expected = port === 0 ? 0 : bulkTokenBytes;
  if (token.length !== expected) throw new ProtocolError('MALFORMED', `an invitation to port ${port} has a token of ${expected} bytes, not ${token.length}`);
}

function encodeU32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  putU32(bytes, 0, value);
  return bytes;
}
