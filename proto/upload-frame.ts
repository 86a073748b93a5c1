// What one upload frame holds before it is compressed: whole chunks, each as ordinal u32, length u32 and its bytes. Big-endian.
// Compression and the digests of the chunks are the upload's business.

import { ProtocolError } from './errors.ts';
import { limits } from './limits.ts';

/** One chunk under way to a proxy. `ordinal` counts in the tree that is being uploaded, or as the two sides agree. */
export interface UploadPart {
  readonly ordinal: number;
  readonly bytes: Uint8Array;
}

/** Bytes of a frame that come before each chunk. */
export const uploadPartHeaderBytes = 8;

/**
 * The frame of these chunks, in their order.
 * @throws {ProtocolError} when no decoder would accept it: none, one twice, one empty or too long, or more than `uploadFrameBytesMax` together.
 */
export function encodeUploadFrame(parts: readonly UploadPart[]): Uint8Array {
  const length = parts.reduce((sum, { bytes }) => sum + uploadPartHeaderBytes + bytes.length, 0);
  checkFrameBytes(length);
  const frame = new Uint8Array(length);
  const view = new DataView(frame.buffer);
  const seen = new Set<number>();
  let offset = 0;
  for (const { ordinal, bytes } of parts) {
    checkPart(seen, ordinal, bytes.length);
    view.setUint32(offset, ordinal);
    view.setUint32(offset + 4, bytes.length);
    frame.set(bytes, offset + uploadPartHeaderBytes);
    offset += uploadPartHeaderBytes + bytes.length;
  }
  return frame;
}

/**
 * The chunks in a frame, in their order, as views of `bytes`.
 * @throws {ProtocolError} TOO_LARGE, TRUNCATED, MALFORMED.
 */
export function decodeUploadFrame(bytes: Uint8Array): UploadPart[] {
  checkFrameBytes(bytes.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const seen = new Set<number>();
  const parts: UploadPart[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    if (bytes.length - offset < uploadPartHeaderBytes) throw new ProtocolError('TRUNCATED', 'an upload frame ends inside the header of a chunk');
    const ordinal = view.getUint32(offset);
    const length = view.getUint32(offset + 4);
    checkPart(seen, ordinal, length);
    const begin = offset + uploadPartHeaderBytes;
    if (length > bytes.length - begin) {
      throw new ProtocolError('TRUNCATED', `an upload frame has ${bytes.length - begin} bytes of a chunk of ${length}`);
    }
    parts.push({ ordinal, bytes: bytes.subarray(begin, begin + length) });
    offset = begin + length;
  }
  return parts;
}

function checkFrameBytes(length: number): void {
  if (length === 0) throw new ProtocolError('MALFORMED', 'an upload frame holds at least one chunk');
  if (length > limits.uploadFrameBytesMax) {
    throw new ProtocolError('TOO_LARGE', `an upload frame has ${length} bytes; at most ${limits.uploadFrameBytesMax} are allowed`);
  }
}

function checkPart(seen: Set<number>, ordinal: number, length: number): void {
  if (!(Number.isInteger(ordinal) && ordinal >= 0 && ordinal <= 0xffffffff)) {
    throw new ProtocolError('MALFORMED', `${ordinal} is no ordinal of 32 bits`);
  }
  if (seen.has(ordinal)) throw new ProtocolError('MALFORMED', `an upload frame has chunk ${ordinal} twice`);
  seen.add(ordinal);
  if (length === 0) throw new ProtocolError('MALFORMED', `chunk ${ordinal} of an upload frame is empty`);
  if (length > limits.chunkBytesMax) {
    throw new ProtocolError('TOO_LARGE', `chunk ${ordinal} of an upload frame has ${length} bytes; at most ${limits.chunkBytesMax} are allowed`);
  }
}
