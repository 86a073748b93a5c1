// The little of DER (X.690) that a certificate needs: writing elements and taking them apart. What they mean is certificate.ts's.

import { DaemonError } from '../../errors.ts';

/** Tags that are used here. */
export const tags = { boolean: 0x01, integer: 0x02, bitString: 0x03, octetString: 0x04, oid: 0x06, utf8String: 0x0c, utcTime: 0x17, generalizedTime: 0x18, sequence: 0x30, set: 0x31, version: 0xa0, extensions: 0xa3 } as const;

/** One element: its tag, and its content without tag and length. */
export interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
}

/** An element made of its parts. */
export function element(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const head = length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}

/** An object identifier from its dotted form; its first two numbers are below 40. */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return element(tags.oid, Uint8Array.from([first * 40 + second, ...rest.flatMap(base128)]));
}

/** The elements that follow one another in `bytes`. @throws {DaemonError} PEER_REFUSED when they are not whole, or longer than 64 KiB. */
export function elementsOf(bytes: Uint8Array): readonly Element[] {
  const found: Element[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const tag = bytes[offset] ?? 0;
    const short = bytes[offset + 1] ?? 0xff;
    const lengthBytes = short < 0x80 ? 0 : short - 0x80;
    if (lengthBytes > 2) throw malformed();
    let length = lengthBytes === 0 ? short : 0;
    for (let at = 0; at < lengthBytes; at += 1) length = length * 256 + (bytes[offset + 2 + at] ?? 0);
    const begin = offset + 2 + lengthBytes;
    if (begin + length > bytes.length) throw malformed();
    found.push({ tag, content: bytes.subarray(begin, begin + length) });
    offset = begin + length;
  }
  return found;
}

/** The parts of an element of this tag. @throws {DaemonError} PEER_REFUSED when it has another one. */
export function partsOf(found: Element | undefined, tag: number): readonly Element[] {
  return elementsOf(contentOf(found, tag));
}

/** The content of an element of this tag. @throws {DaemonError} PEER_REFUSED when it has another one. */
export function contentOf(found: Element | undefined, tag: number): Uint8Array {
  if (found?.tag !== tag) throw malformed();
  return found.content;
}

function malformed(): DaemonError {
  return new DaemonError('PEER_REFUSED', 'a certificate is not the DER that it should be');
}

function base128(number: number): readonly number[] {
  const digits = [number & 0x7f];
  for (let rest = number >>> 7; rest > 0; rest >>>= 7) digits.unshift((rest & 0x7f) | 0x80);
  return digits;
}
