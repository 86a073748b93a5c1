// The column of paths in a tree index: checking it once, and reading single paths from it afterwards.
// Paths stay front-coded in memory: written out, a hostile index of 128 MiB would be a gigabyte of them.

import { ProtocolError } from './errors.ts';
import { limits } from './limits.ts';
import { checkPath, collisionKey, quoted } from './path.ts';
import type { ByteReader } from './tree-index-bytes.ts';
import { findDuplicate, fingerprintOf } from './tree-index-unique.ts';

/** Every so many entries the whole path is kept, so that reading one path undoes at most as many steps of front coding. */
const stride = 32;

/** A checked column of paths. */
export interface PathColumn {
  /** The path of an entry. Cheapest in ascending order: each is then one step from the one before. */
  path(index: number): string;
}

interface Cursor {
  readonly path: Buffer;
  length: number;
}

interface Restart {
  readonly offset: number;
  readonly before: Uint8Array;
}

/**
 * Reads and checks the column: each path by checkPath, strictly ascending, each parent declared as a directory, and no two that
 * differ only in case or normalisation unless `caseSensitive`.
 * @throws {ProtocolError} INVALID_PATH, NOT_CANONICAL, TOO_LARGE, TRUNCATED, MALFORMED.
 */
export function decodePaths(
  bytes: Uint8Array,
  reader: ByteReader,
  count: number,
  isDirectory: (index: number) => boolean,
  caseSensitive: boolean,
): PathColumn {
  const cursor: Cursor = { path: Buffer.alloc(limits.pathBytesMax), length: 0 };
  const restarts: Restart[] = [];
  const fingerprints = new Float64Array(caseSensitive ? 0 : count);
  // directoryAt[n] = 1 while the first n bytes of the current path are a declared directory. Whatever lies between a directory and
  // what is in it begins with the directory's path too, so nothing but the shared beginning has to be remembered.
  const directoryAt = new Uint8Array(limits.pathBytesMax + 1);
  for (let index = 0; index < count; index += 1) {
    if (index % stride === 0) restarts.push({ offset: reader.offset, before: Uint8Array.from(cursor.path.subarray(0, cursor.length)) });
    const before = cursor.length;
    const shared = readNext(reader, cursor);
    directoryAt.fill(0, shared + 1, before + 1);
    checkPathBytes(cursor);
    const slash = cursor.path.lastIndexOf(slashByte, cursor.length - 1);
    if (slash > 0 && directoryAt[slash] !== 1) {
      throw new ProtocolError('INVALID_PATH', `path ${quoted(textOf(cursor))} lies in a directory that the tree does not declare`);
    }
    if (isDirectory(index)) directoryAt[cursor.length] = 1;
    if (!caseSensitive) fingerprints[index] = collisionFingerprint(cursor);
  }
  const column = createColumn(bytes, restarts);
  const pair = findDuplicate(fingerprints, (a, b) => collisionKey(column.path(a)) === collisionKey(column.path(b)));
  if (pair !== undefined) {
    const [earlier, later] = pair;
    throw new ProtocolError(
      'INVALID_PATH',
      `paths ${quoted(column.path(earlier))} and ${quoted(column.path(later))} differ only in case or normalisation, and the tree is not marked case-sensitive`,
    );
  }
  return column;
}

const slashByte = 0x2f;
const dotByte = 0x2e;
const colonByte = 0x3a;

/** Moves the cursor to the next path; returns how many bytes it shares with the one before. */
function readNext(reader: ByteReader, cursor: Cursor): number {
  const shared = reader.number('a shared length', limits.pathBytesMax);
  const added = reader.number("a path's length", limits.pathBytesMax);
  if (shared > cursor.length) throw new ProtocolError('MALFORMED', `a path shares ${shared} bytes with one of ${cursor.length}`);
  if (shared + added > limits.pathBytesMax) throw new ProtocolError('INVALID_PATH', `a path is longer than ${limits.pathBytesMax} bytes`);
  const suffix = reader.bytes(added);
  // Ascending, and sharing all that can be shared: both say that the first new byte is above the one in its place.
  if (added === 0 || (shared < cursor.length && (suffix[0] ?? 0) <= (cursor.path[shared] ?? 0))) {
    throw new ProtocolError('NOT_CANONICAL', `the path after ${quoted(textOf(cursor))} does not follow it in the order of bytes, or shares more with it than it says`);
  }
  for (let index = 0; index < added; index += 1) cursor.path[shared + index] = suffix[index] ?? 0;
  cursor.length = shared + added;
  return shared;
}

function checkPathBytes(cursor: Cursor): void {
  if (isPlainPath(cursor.path, cursor.length)) return;
  checkPath(strictTextOf(cursor));
}

/** A quick yes for the usual ASCII path; no means "look closely", not "wrong". */
function isPlainPath(path: Uint8Array, length: number): boolean {
  if (path[1] === colonByte) return false;
  let partStart = 0;
  let depth = 1;
  for (let index = 0; index <= length; index += 1) {
    const byte = index === length ? slashByte : (path[index] ?? 0);
    if (byte < 0x20 || byte > 0x7e) return false;
    if (byte !== slashByte) continue;
    const partBytes = index - partStart;
    if (partBytes === 0 || partBytes > limits.pathPartBytesMax) return false;
    if (partBytes <= 2 && path[partStart] === dotByte && path[index - 1] === dotByte) return false;
    if (index < length) depth += 1;
    partStart = index + 1;
  }
  return depth <= limits.pathDepthMax;
}

/** Fingerprint of the path's collision key. ASCII is folded in place; it must come out as the string's key would. */
function collisionFingerprint({ path, length }: Cursor): number {
  let ascii = true;
  for (let index = 0; index < length && ascii; index += 1) ascii = (path[index] ?? 0) < 0x80;
  if (!ascii) {
    const key = collisionKey(path.toString('utf8', 0, length));
    return fingerprintOf(key.length, (index) => key.charCodeAt(index));
  }
  return fingerprintOf(length, (index) => {
    const byte = path[index] ?? 0;
    return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
  });
}

/** The paths of a column that was checked before. Remembers where it last was. */
function createColumn(bytes: Uint8Array, restarts: readonly Restart[]): PathColumn {
  const cursor: Cursor = { path: Buffer.alloc(limits.pathBytesMax), length: 0 };
  let offset = 0;
  let next = Number.POSITIVE_INFINITY;
  const readNumber = (): number => {
    const low = bytes[offset++] ?? 0;
    // Lengths of paths take at most two bytes of a varint.
    return low < 0x80 ? low : (low & 0x7f) + (bytes[offset++] ?? 0) * 0x80;
  };
  const advance = (): void => {
    const shared = readNumber();
    const added = readNumber();
    for (let index = 0; index < added; index += 1) cursor.path[shared + index] = bytes[offset + index] ?? 0;
    offset += added;
    cursor.length = shared + added;
    next += 1;
  };
  return {
    path(index) {
      if (index + 1 !== next) {
        if (index < next || index - next >= stride) {
          const restart = restarts[Math.floor(index / stride)];
          if (restart === undefined) throw new RangeError(`there is no entry ${index}`);
          cursor.path.set(restart.before);
          cursor.length = restart.before.length;
          offset = restart.offset;
          next = index - (index % stride);
        }
        while (next <= index) advance();
      }
      return textOf(cursor);
    },
  };
}

function textOf({ path, length }: Cursor): string {
  return path.toString('utf8', 0, length);
}

function strictTextOf({ path, length }: Cursor): string {
  return decodeText(path.subarray(0, length));
}

const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Well-formed UTF-8 as a string. @throws {ProtocolError} INVALID_PATH when it is not. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return strictDecoder.decode(bytes);
  } catch (cause) {
    throw new ProtocolError('INVALID_PATH', `path ${quoted(Buffer.from(bytes).toString('utf8'))} is not well-formed UTF-8`, { cause });
  }
}
