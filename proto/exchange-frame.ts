// The frame of an exchange message: a fixed header of 16 bytes and a payload. Big-endian.
//
//   0      1      2..3          4..7       8..11        12..15
//   type   flags  reserved = 0  topic u32  request u32  payload length u32
//
// A field that a type does not use is zero. Flags: on open, 1 says that the blob is the index, 2 that it is a delta set; on data, 1 that
// the bytes are zstd.
// What is in a payload is in exchange-codec.ts.

import { digestBytes } from './cid.ts';
import { ProtocolError } from './errors.ts';
import type { ExchangeMessage } from './exchange.ts';
import { limits } from './limits.ts';

/** A frame's header, checked: what is known before any of the payload has come. */
export interface FrameHeader {
  readonly kind: ExchangeMessage['kind'];
  readonly flags: number;
  readonly topic: number;
  readonly request: number;
  readonly payloadBytes: number;
}

interface FrameType {
  readonly code: number;
  readonly topic: boolean;
  readonly request: boolean;
  readonly flagsMax: number;
  readonly payloadBytesMin: number;
  readonly payloadBytesMax: number;
}

/** Bytes of one encoded range. */
export const rangeBytes = 8;
/** Bytes of the ordinal before a chunk's bytes. */
export const ordinalBytes = 4;
const rangesBytesMax = limits.exchangeRangesMax * rangeBytes;
/** Members that one `elsewhere` may name; the asker needs a handful. */
export const exchangeHoldersMax = 64;
/** Length of a peer id in characters; those of Ed25519 keys have 52. */
export const holderLengthMax = 128;
/** Bytes of a delta's fields before its statement. */
export const deltaHeadBytes = 6;
/** Bytes of the token that opens a bulk channel. */
export const bulkTokenBytes = 16;
/** Bytes of a number of messages. */
export const numberBytes = 8;
/** Bytes of the port before it. */
export const bulkPortBytes = 2;
const u32Max = 0xffffffff;

const frameTypes: Readonly<Record<ExchangeMessage['kind'], FrameType>> = {
  open: { code: 1, topic: true, request: false, flagsMax: 2, payloadBytesMin: digestBytes, payloadBytesMax: digestBytes + limits.exchangeBitmapBytesMax },
  close: { code: 2, topic: true, request: false, flagsMax: 0, payloadBytesMin: 0, payloadBytesMax: 0 },
  have: { code: 3, topic: true, request: false, flagsMax: 0, payloadBytesMin: rangeBytes, payloadBytesMax: rangesBytesMax },
  request: { code: 4, topic: true, request: true, flagsMax: 0, payloadBytesMin: rangeBytes, payloadBytesMax: rangesBytesMax },
  data: { code: 5, topic: true, request: true, flagsMax: 1, payloadBytesMin: ordinalBytes + 1, payloadBytesMax: ordinalBytes + limits.chunkBytesMax },
  busy: { code: 6, topic: false, request: true, flagsMax: 0, payloadBytesMin: 4, payloadBytesMax: 4 },
  absent: { code: 7, topic: false, request: true, flagsMax: 0, payloadBytesMin: rangeBytes, payloadBytesMax: rangesBytesMax },
  elsewhere: { code: 8, topic: false, request: true, flagsMax: 0, payloadBytesMin: 0, payloadBytesMax: exchangeHoldersMax * (1 + holderLengthMax) },
  cancel: { code: 9, topic: false, request: true, flagsMax: 0, payloadBytesMin: 0, payloadBytesMax: 0 },
  suggest: { code: 12, topic: true, request: false, flagsMax: 0, payloadBytesMin: rangeBytes, payloadBytesMax: rangesBytesMax },
  'want-manifest': { code: 10, topic: false, request: true, flagsMax: 0, payloadBytesMin: digestBytes, payloadBytesMax: digestBytes },
  manifest: { code: 11, topic: false, request: true, flagsMax: 0, payloadBytesMin: 0, payloadBytesMax: limits.revisionBytesMax },
  'want-delta': { code: 17, topic: false, request: true, flagsMax: 0, payloadBytesMin: 2 * digestBytes, payloadBytesMax: (1 + limits.deltaBasesMax) * digestBytes },
  delta: { code: 18, topic: false, request: true, flagsMax: 0, payloadBytesMin: deltaHeadBytes, payloadBytesMax: deltaHeadBytes + limits.deltaStatementBytesMax + limits.deltaDescriptorBytesMax },
  mark: { code: 19, topic: false, request: false, flagsMax: 0, payloadBytesMin: numberBytes, payloadBytesMax: numberBytes },
  taken: { code: 20, topic: false, request: false, flagsMax: 0, payloadBytesMin: numberBytes, payloadBytesMax: numberBytes },
  bulk: { code: 16, topic: false, request: false, flagsMax: 0, payloadBytesMin: bulkPortBytes, payloadBytesMax: bulkPortBytes + bulkTokenBytes },
};

/** What answers a request and may come after others of its answers: these travel the same way, so that none overtakes another. */
const answers = new Set<ExchangeMessage['kind']>(['data', 'absent', 'elsewhere']);
const answerCodes = new Set([...answers].map((kind) => frameTypes[kind].code));

/** Bytes of the chunk in an encoded `data` frame; 0 of any other. */
export function chunkBytesOf(parts: readonly Uint8Array[]): number {
  if (parts[0]?.[0] !== frameTypes.data.code) return 0;
  return parts.reduce((sum, { length }) => sum + length, -(limits.exchangeHeaderBytes + ordinalBytes));
}

/** Whether an encoded frame that begins with these bytes is an answer. */
export function isAnswerFrame(head: Uint8Array): boolean {
  return answerCodes.has(head[0] ?? 0);
}

/** The same of a message. */
export function isAnswer({ kind }: ExchangeMessage): boolean {
  return answers.has(kind);
}

const kinds = Object.keys(frameTypes) as readonly ExchangeMessage['kind'][];
const kindsByCode = new Map(kinds.map((kind) => [frameTypes[kind].code, kind]));

/**
 * The parts of a frame: header with the small fields of the payload, then the bulk bytes as they are.
 * @throws {ProtocolError} when the payload is longer or shorter than its type allows, or a number is no u32.
 */
export function encodeFrame(
  kind: ExchangeMessage['kind'],
  flags: number,
  topic: number,
  request: number,
  fields: Uint8Array = new Uint8Array(0),
  bulk?: Uint8Array,
): readonly Uint8Array[] {
  const payloadBytes = fields.length + (bulk?.length ?? 0);
  checkPayloadBytes(kind, payloadBytes);
  const head = new Uint8Array(limits.exchangeHeaderBytes + fields.length);
  head[0] = frameTypes[kind].code;
  head[1] = flags;
  putU32(head, 4, topic);
  putU32(head, 8, request);
  putU32(head, 12, payloadBytes);
  head.set(fields, limits.exchangeHeaderBytes);
  return bulk === undefined || bulk.length === 0 ? [head] : [head, bulk];
}

/**
 * Reads and checks a header, before any of the payload is buffered.
 * @throws {ProtocolError} TRUNCATED, MALFORMED, or TOO_LARGE when the payload would be longer than its type allows.
 */
export function decodeHeader(bytes: Uint8Array): FrameHeader {
  if (bytes.length < limits.exchangeHeaderBytes) {
    throw new ProtocolError('TRUNCATED', `a frame header has ${limits.exchangeHeaderBytes} bytes, not ${bytes.length}`);
  }
  const code = bytes[0] ?? 0;
  const flags = bytes[1] ?? 0;
  const kind = kindsByCode.get(code);
  if (kind === undefined) throw new ProtocolError('MALFORMED', `there is no frame type ${code}`);
  const type = frameTypes[kind];
  const topic = u32At(bytes, 4);
  const request = u32At(bytes, 8);
  const payloadBytes = u32At(bytes, 12);
  if (flags > type.flagsMax) throw new ProtocolError('MALFORMED', `a '${kind}' frame has unknown flags 0x${flags.toString(16)}`);
  if (bytes[2] !== 0 || bytes[3] !== 0 || (!type.topic && topic !== 0) || (!type.request && request !== 0)) {
    throw new ProtocolError('MALFORMED', `a '${kind}' frame has a value in a field that it does not use`);
  }
  checkPayloadBytes(kind, payloadBytes);
  return { kind, flags, topic, request, payloadBytes };
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

/** `value` itself. @throws {ProtocolError} MALFORMED when it is no unsigned 32-bit integer. */
export function checkU32(value: number): number {
  if (!(Number.isInteger(value) && value >= 0 && value <= u32Max)) {
    throw new ProtocolError('MALFORMED', `${value} is not a whole number from 0 to ${u32Max}`);
  }
  return value;
}

/** The number at `offset`; a `DataView` for a single one costs more than all else that is done with a frame. */
export function u32At(bytes: Uint8Array, offset: number): number {
  return (((bytes[offset] ?? 0) << 24) | ((bytes[offset + 1] ?? 0) << 16) | ((bytes[offset + 2] ?? 0) << 8) | (bytes[offset + 3] ?? 0)) >>> 0;
}

/** Writes `value` at `offset`, without a view for the same reason. @throws {ProtocolError} MALFORMED when it is no unsigned 32-bit integer. */
export function putU32(bytes: Uint8Array, offset: number, value: number): void {
  checkU32(value);
  bytes[offset] = value >>> 24;
  bytes[offset + 1] = value >>> 16;
  bytes[offset + 2] = value >>> 8;
  bytes[offset + 3] = value;
}

/** The numbers in `bytes`. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

