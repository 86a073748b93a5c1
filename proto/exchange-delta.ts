// The payloads of the two messages about delta sets; the others' are in exchange-codec.ts.
//
//   want-delta   to (32 bytes), 1 to 8 bases (32 bytes each)
//   delta        milliseconds u32, length of the statement u16, statement in ASCII, descriptor

import { digestBytes, digestFromBytes, digestToBytes, type Digest } from './cid.ts';
import { ProtocolError } from './errors.ts';
import { checkU32, deltaHeadBytes, viewOf } from './exchange-frame.ts';
import type { DeltaMessage, WantDeltaMessage } from './exchange.ts';
import { limits } from './limits.ts';

const statementPattern = /^[A-Za-z0-9_.-]*$/;

/** The payload of a `want-delta`. @throws {ProtocolError} when there are no bases or too many. */
export function encodeWantDelta({ to, bases }: WantDeltaMessage): Uint8Array {
  checkBases(bases.length);
  const bytes = new Uint8Array((1 + bases.length) * digestBytes);
  [to, ...bases].forEach((digest, at) => bytes.set(digestToBytes(digest), at * digestBytes));
  return bytes;
}

/** @throws {ProtocolError} MALFORMED when the payload is no whole number of digests. */
export function decodeWantDelta(request: number, payload: Uint8Array): WantDeltaMessage {
  if (payload.length % digestBytes !== 0) throw new ProtocolError('MALFORMED', `${payload.length} bytes are no whole number of digests of ${digestBytes} bytes`);
  const digests: Digest[] = [];
  for (let at = 0; at < payload.length; at += digestBytes) digests.push(digestFromBytes(payload.subarray(at, at + digestBytes)));
  const [to, ...bases] = digests;
  checkBases(bases.length);
  if (to === undefined) throw new ProtocolError('MALFORMED', 'a question for a delta set names no revision');
  return { kind: 'want-delta', request, to, bases };
}

/** What of a `delta` goes before its descriptor. @throws {ProtocolError} when no decoder would accept it. */
export function encodeDeltaHead({ etaMs, statement, descriptor }: DeltaMessage): Uint8Array {
  checkSet(statement, descriptor.length);
  const bytes = new Uint8Array(deltaHeadBytes + statement.length);
  const view = viewOf(bytes);
  view.setUint32(0, checkU32(etaMs));
  view.setUint16(4, statement.length);
  for (let at = 0; at < statement.length; at += 1) bytes[deltaHeadBytes + at] = statement.charCodeAt(at);
  return bytes;
}

/** `descriptor` of the result is a view of `payload`. @throws {ProtocolError} MALFORMED, TRUNCATED, TOO_LARGE. */
export function decodeDelta(request: number, payload: Uint8Array): DeltaMessage {
  const view = viewOf(payload);
  const end = deltaHeadBytes + view.getUint16(4);
  if (end > payload.length) throw new ProtocolError('TRUNCATED', `a statement ends at byte ${end} of an answer of ${payload.length}`);
  const statement = String.fromCharCode(...payload.subarray(deltaHeadBytes, Math.min(end, deltaHeadBytes + limits.deltaStatementBytesMax + 1)));
  const descriptor = payload.subarray(end);
  checkSet(statement, descriptor.length);
  return { kind: 'delta', request, etaMs: view.getUint32(0), statement, descriptor };
}

function checkBases(count: number): void {
  if (!(count >= 1 && count <= limits.deltaBasesMax)) throw new ProtocolError('MALFORMED', `a question for a delta set names ${count} bases; 1 to ${limits.deltaBasesMax} are allowed`);
}

function checkSet(statement: string, descriptorBytes: number): void {
  if (statement.length > limits.deltaStatementBytesMax || descriptorBytes > limits.deltaDescriptorBytesMax) {
    throw new ProtocolError('TOO_LARGE', `a delta set with a statement of ${statement.length} and a descriptor of ${descriptorBytes} bytes; at most ${limits.deltaStatementBytesMax} and ${limits.deltaDescriptorBytesMax} are allowed`);
  }
  if (!statementPattern.test(statement)) throw new ProtocolError('MALFORMED', 'a statement about a delta set is not in compact form');
  if ((statement === '') !== (descriptorBytes === 0)) throw new ProtocolError('MALFORMED', 'a delta set comes with a statement and a descriptor, or with neither');
}
