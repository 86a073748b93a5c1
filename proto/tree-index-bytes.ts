// Writing and reading the numbers and bytes that the columns of a tree index are made of. What the columns are is in tree-index.ts.
// A number is an unsigned LEB128 varint of at most 32 bits, in its shortest form.

import { ProtocolError } from './errors.ts';

const u32Max = 0xffffffff;

/** A growing run of bytes. */
export interface ByteWriter {
  number(value: number): void;
  u16(value: number): void;
  bytes(bytes: Uint8Array): void;
  /** What was written; a view that is good until the next write. */
  written(): Uint8Array;
}

/** A writer with nothing in it. */
export function createByteWriter(): ByteWriter {
  let buffer = new Uint8Array(64 * 1024);
  let length = 0;
  const reserve = (extra: number): void => {
    if (length + extra <= buffer.length) return;
    const larger = new Uint8Array(Math.max(buffer.length * 2, length + extra));
    larger.set(buffer.subarray(0, length));
    buffer = larger;
  };
  return {
    number(value) {
      reserve(5);
      let rest = value;
      for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) buffer[length++] = (rest % 0x80) | 0x80;
      buffer[length++] = rest;
    },
    u16(value) {
      reserve(2);
      buffer[length++] = value >>> 8;
      buffer[length++] = value & 0xff;
    },
    bytes(bytes) {
      reserve(bytes.length);
      buffer.set(bytes, length);
      length += bytes.length;
    },
    written: () => buffer.subarray(0, length),
  };
}

/** A position in bytes from outside that moves forward as it is read. Every method throws {@link ProtocolError} TRUNCATED at the end. */
export interface ByteReader {
  readonly offset: number;
  readonly remaining: number;
  /** The next varint. @throws {ProtocolError} NOT_CANONICAL when it is not in its shortest form, TOO_LARGE above `maximum`. */
  number(what: string, maximum: number): number;
  /** The next `length` bytes, as a view. */
  bytes(length: number): Uint8Array;
}

/** A reader at the beginning of `bytes`. */
export function createByteReader(bytes: Uint8Array): ByteReader {
  let offset = 0;
  const truncated = (): ProtocolError => new ProtocolError('TRUNCATED', `the bytes end at ${bytes.length}, inside a field at ${offset}`);
  return {
    get offset() {
      return offset;
    },
    get remaining() {
      return bytes.length - offset;
    },
    number(what, maximum) {
      let value = 0;
      let place = 1;
      for (let index = offset; ; index += 1) {
        const byte = bytes[index];
        if (byte === undefined) throw truncated();
        value += (byte & 0x7f) * place;
        if (value > maximum || value > u32Max) throw new ProtocolError('TOO_LARGE', `${what} at ${offset} is more than ${Math.min(maximum, u32Max)}`);
        if (byte < 0x80) {
          if (byte === 0 && index > offset) throw new ProtocolError('NOT_CANONICAL', `${what} at ${offset} is not in its shortest form`);
          offset = index + 1;
          return value;
        }
        place *= 0x80;
        // Zeros could go on for ever without the value growing.
        if (index - offset >= 4) throw new ProtocolError('NOT_CANONICAL', `${what} at ${offset} takes more than 5 bytes`);
      }
    },
    bytes(length) {
      if (length > bytes.length - offset) throw truncated();
      offset += length;
      return bytes.subarray(offset - length, offset);
    },
  };
}
