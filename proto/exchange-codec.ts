// The bytes of the exchange: every message is one frame, a fixed header of 16 bytes and a payload. Big-endian.
//
//   0      1      2..3          4..7       8..11        12..15
//   type   flags  reserved = 0  topic u32  request u32  payload length u32
//
// A field that a type does not use is zero. Payloads: open = revision (32 bytes) and the bitmap; have, request, absent = ranges, each
// from u32 and to u32; data = ordinal u32 and the bytes; busy = milliseconds u32; elsewhere = peer ids, each after a length byte;
// want-manifest = revision; manifest = its bytes; close, cancel = nothing. Flag 1: on open, the blob is the index; on data,
// the bytes are zstd. What the messages mean is in exchange.ts, how frames are cut from a stream in exchange-reader.ts.

import { digestBytes, digestFromBytes, digestToBytes } from './cid.ts';
import { ProtocolError } from './errors.ts';
import type { ExchangeMessage, OrdinalRange } from './exchange.ts';
import { limits } from './limits.ts';

/** A frame's header, checked: what is known before any of the payload has come. */
export interface FrameHeader {
  readonly kind: ExchangeMessage['kind'];
  readonly flag: boolean;
  readonly topic: number;
  readonly request: number;
  readonly payloadBytes: number;
}

interface FrameType {
  readonly code: number;
  readonly topic: boolean;
  readonly request: boolean;
  readonly flag: boolean;
  readonly payloadBytesMin: number;
  readonly payloadBytesMax: number;
}

const rangeBytes = 8;
const ordinalBytes = 4;
const rangesBytesMax = limits.exchangeRangesMax * rangeBytes;
/** Members that one `elsewhere` may name; the asker needs a handful. */
export const exchangeHoldersMax = 64;
const holderPattern = /^[A-Za-z0-9]{1,128}$/;
const u32Max = 0xffffffff;

const frameTypes: Readonly<Record<ExchangeMessage['kind'], FrameType>> = {
  open: { code: 1, topic: true, request: false, flag: true, payloadBytesMin: digestBytes, payloadBytesMax: digestBytes + limits.exchangeBitmapBytesMax },
  close: { code: 2, topic: true, request: false, flag: false, payloadBytesMin: 0, payloadBytesMax: 0 },
  have: { code: 3, topic: true, request: false, flag: false, payloadBytesMin: rangeBytes, payloadBytesMax: rangesBytesMax },
  request: { code: 4, topic: true, request: true, flag: false, payloadBytesMin: rangeBytes, payloadBytesMax: rangesBytesMax },
  data: { code: 5, topic: true, request: true, flag: true, payloadBytesMin: ordinalBytes + 1, payloadBytesMax: ordinalBytes + limits.chunkBytesMax },
  busy: { code: 6, topic: false, request: true, flag: false, payloadBytesMin: 4, payloadBytesMax: 4 },
  absent: { code: 7, topic: false, request: true, flag: false, payloadBytesMin: rangeBytes, payloadBytesMax: rangesBytesMax },
  elsewhere: { code: 8, topic: false, request: true, flag: false, payloadBytesMin: 0, payloadBytesMax: exchangeHoldersMax * 129 },
  cancel: { code: 9, topic: false, request: true, flag: false, payloadBytesMin: 0, payloadBytesMax: 0 },
  'want-manifest': { code: 10, topic: false, request: true, flag: false, payloadBytesMin: digestBytes, payloadBytesMax: digestBytes },
  manifest: { code: 11, topic: false, request: true, flag: false, payloadBytesMin: 0, payloadBytesMax: limits.revisionBytesMax },
};

const kinds = Object.keys(frameTypes) as readonly ExchangeMessage['kind'][];
const kindsByCode = new Map(kinds.map((kind) => [frameTypes[kind].code, kind]));

/**
 * The frame of a message, as parts to be sent one after the other. Bulk bytes (`held`, `bytes`) are the caller's own, not copies.
 * @throws {ProtocolError} when no decoder would accept it.
 */
export function encodeMessage(message: ExchangeMessage): readonly Uint8Array[] {
  switch (message.kind) {
    case 'open':
      return frame('open', message.blob === 'index', message.topic, 0, digestToBytes(message.revision), message.held);
    case 'close':
      return frame('close', false, message.topic, 0);
    case 'have':
      return frame('have', false, message.topic, 0, encodeRanges(message.ranges));
    case 'request':
      return frame('request', false, message.topic, message.request, encodeRanges(message.ranges));
    case 'data':
      return frame('data', message.compression === 'zstd', message.topic, message.request, encodeU32(message.ordinal), message.bytes);
    case 'busy':
      return frame('busy', false, 0, message.request, encodeU32(message.retryAfterMs));
    case 'absent':
      return frame('absent', false, 0, message.request, encodeRanges(message.ranges));
    case 'elsewhere':
      return frame('elsewhere', false, 0, message.request, encodeHolders(message.holders));
    case 'cancel':
      return frame('cancel', false, 0, message.request);
    case 'want-manifest':
      return frame('want-manifest', false, 0, message.request, digestToBytes(message.revision));
    case 'manifest':
      return frame('manifest', false, 0, message.request, new Uint8Array(0), message.bytes);
  }
  message satisfies never;
}

/**
 * Reads and checks a header, before any of the payload is buffered.
 * @throws {ProtocolError} TRUNCATED, MALFORMED, or TOO_LARGE when the payload would be longer than its type allows.
 */
export function decodeHeader(bytes: Uint8Array): FrameHeader {
  if (bytes.length < limits.exchangeHeaderBytes) {
    throw new ProtocolError('TRUNCATED', `a frame header has ${limits.exchangeHeaderBytes} bytes, not ${bytes.length}`);
  }
  const view = viewOf(bytes);
  const kind = kindsByCode.get(view.getUint8(0));
  if (kind === undefined) throw new ProtocolError('MALFORMED', `there is no frame type ${view.getUint8(0)}`);
  const type = frameTypes[kind];
  const flags = view.getUint8(1);
  const topic = view.getUint32(4);
  const request = view.getUint32(8);
  const payloadBytes = view.getUint32(12);
  if (flags > (type.flag ? 1 : 0)) throw new ProtocolError('MALFORMED', `a '${kind}' frame has unknown flags 0x${flags.toString(16)}`);
  if (view.getUint16(2) !== 0 || (!type.topic && topic !== 0) || (!type.request && request !== 0)) {
    throw new ProtocolError('MALFORMED', `a '${kind}' frame has a value in a field that it does not use`);
  }
  checkPayloadBytes(kind, payloadBytes);
  return { kind, flag: flags === 1, topic, request, payloadBytes };
}

/**
 * The message of a header and its whole payload. `held` and `bytes` of the result are views of `payload`.
 * @throws {ProtocolError} when the payload does not fit the header's type.
 */
export function decodePayload(header: FrameHeader, payload: Uint8Array): ExchangeMessage {
  const { kind, topic, request } = header;
  if (payload.length !== header.payloadBytes) {
    throw new ProtocolError('TRUNCATED', `a '${kind}' frame announced ${header.payloadBytes} bytes of payload and has ${payload.length}`);
  }
  switch (kind) {
    case 'open': {
      const revision = digestFromBytes(payload.subarray(0, digestBytes));
      return { kind, topic, blob: header.flag ? 'index' : 'tree', revision, held: payload.subarray(digestBytes) };
    }
    case 'close':
      return { kind, topic };
    case 'have':
      return { kind, topic, ranges: decodeRanges(payload) };
    case 'request':
      return { kind, topic, request, ranges: decodeRanges(payload) };
    case 'data': {
      const ordinal = viewOf(payload).getUint32(0);
      return { kind, topic, request, ordinal, compression: header.flag ? 'zstd' : 'none', bytes: payload.subarray(ordinalBytes) };
    }
    case 'busy':
      return { kind, request, retryAfterMs: viewOf(payload).getUint32(0) };
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
  }
  kind satisfies never;
}

function frame(
  kind: ExchangeMessage['kind'],
  flag: boolean,
  topic: number,
  request: number,
  fields: Uint8Array = new Uint8Array(0),
  bulk?: Uint8Array,
): readonly Uint8Array[] {
  const payloadBytes = fields.length + (bulk?.length ?? 0);
  checkPayloadBytes(kind, payloadBytes);
  const head = new Uint8Array(limits.exchangeHeaderBytes + fields.length);
  const view = viewOf(head);
  view.setUint8(0, frameTypes[kind].code);
  view.setUint8(1, flag ? 1 : 0);
  view.setUint32(4, checkU32(topic));
  view.setUint32(8, checkU32(request));
  view.setUint32(12, payloadBytes);
  head.set(fields, limits.exchangeHeaderBytes);
  return bulk === undefined || bulk.length === 0 ? [head] : [head, bulk];
}

function checkPayloadBytes(kind: ExchangeMessage['kind'], payloadBytes: number): void {
  const { payloadBytesMin, payloadBytesMax } = frameTypes[kind];
  if (payloadBytes > payloadBytesMax) {
    throw new ProtocolError('TOO_LARGE', `a '${kind}' frame has ${payloadBytes} bytes of payload; at most ${payloadBytesMax} are allowed`);
  }
  if (payloadBytes < payloadBytesMin) {
    throw new ProtocolError('MALFORMED', `a '${kind}' frame has ${payloadBytes} bytes of payload; it needs at least ${payloadBytesMin}`);
  }
}

function encodeRanges(ranges: readonly OrdinalRange[]): Uint8Array {
  const bytes = new Uint8Array(ranges.length * rangeBytes);
  const view = viewOf(bytes);
  ranges.forEach(({ from, to }, index) => {
    checkRange(from, to);
    view.setUint32(index * rangeBytes, checkU32(from));
    view.setUint32(index * rangeBytes + 4, checkU32(to));
  });
  return bytes;
}

function decodeRanges(payload: Uint8Array): OrdinalRange[] {
  if (payload.length % rangeBytes !== 0) {
    throw new ProtocolError('MALFORMED', `ranges take ${rangeBytes} bytes each; ${payload.length} bytes are no whole number of them`);
  }
  const view = viewOf(payload);
  const ranges: OrdinalRange[] = [];
  for (let offset = 0; offset < payload.length; offset += rangeBytes) {
    const range = { from: view.getUint32(offset), to: view.getUint32(offset + 4) };
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

function encodeU32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, checkU32(value));
  return bytes;
}

function checkU32(value: number): number {
  if (!(Number.isInteger(value) && value >= 0 && value <= u32Max)) {
    throw new ProtocolError('MALFORMED', `${value} is not a whole number from 0 to ${u32Max}`);
  }
  return value;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

