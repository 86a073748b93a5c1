// What an earlier reading of a directory found, kept so that files that are as they were need not be read again: the index, and for each file what stat said
// of it. It is believed as git believes its index: a file that changed so shortly before it was read that a later change could bear the same time is
// not. Bytes only; where they are kept, and how many of them, is their owner's business.

import { hash } from 'node:crypto';
import type { Stats } from 'node:fs';
import type { Digest } from '../../../proto/cid.ts';
import { decodeTree } from '../../../proto/tree-index.ts';
import type { ChunkRef, Tree } from '../../../proto/tree.ts';
import type { Found } from './walk.ts';

/** Clocks of file systems tick in up to 2 s. A file that changed later than this before the reading began is read again. */
const racyMs = 2_000;
const magic = 0x53544d31;
const headBytes = 72;
const digestBytes = 32;
const recordsMax = 64 * 1024;
/** Columns of a file: device, inode, and both times in milliseconds. Its size is in the tree. */
const columns = 4;

/** What stat says that changes with a file's bytes. */
export type Stamp = Pick<Stats, 'dev' | 'ino' | 'size' | 'mode' | 'mtimeMs' | 'ctimeMs'>;

/** What is known of a file without reading it. */
export interface KnownFile {
  readonly size: number;
  readonly digest: Digest;
  readonly chunks: readonly ChunkRef[];
}

/** A tree in four numbers, so that a tree that did not change need not be decoded. */
export interface TreeTotals {
  readonly entries: number;
  readonly chunks: number;
  /** Sum of the sizes of all files. */
  readonly bytes: number;
  /** Sum of the lengths of all chunks, each distinct one once. */
  readonly distinctBytes: number;
}

export function totalsOf(tree: Tree): TreeTotals {
  let distinctBytes = 0;
  for (let ordinal = 0; ordinal < tree.chunkCount; ordinal += 1) distinctBytes += tree.chunkLength(ordinal);
  return { entries: tree.entryCount, chunks: tree.chunkCount, bytes: tree.bytes, distinctBytes };
}

/** An earlier reading. */
export interface Remembered {
  readonly index: Uint8Array;
  readonly totals: TreeTotals;
  readonly caseSensitive: boolean;
  /** Of everything that the walk found, when nothing of it was changing; `undefined` otherwise. */
  readonly fingerprint: string | undefined;
  /** The file at `path`, if it is the one that was read. */
  file(path: string, stamp: Stamp): KnownFile | undefined;
}

/** What {@link encodeRemembered} keeps. */
export interface Reading {
  readonly tree: Tree;
  readonly totals: TreeTotals;
  readonly index: Uint8Array;
  readonly stamps: ReadonlyMap<string, Stamp>;
  readonly fingerprint: string;
  /** When the reading began, by the clock of the machine, in milliseconds. */
  readonly startedAt: number;
}

/** The bytes to keep. */
export function encodeRemembered({ tree, totals, index, stamps, fingerprint, startedAt }: Reading): Uint8Array {
  const values = new Float64Array(stamps.size * columns);
  let files = 0;
  let racy = false;
  for (const { kind, path } of tree.entries()) {
    if (kind !== 'file') continue;
    const stamp = stamps.get(path);
    // Nothing equals NaN: the file will be read again.
    const settled = stamp !== undefined && stamp.ctimeMs < startedAt - racyMs;
    values.set(settled ? [stamp.dev, stamp.ino, stamp.mtimeMs, stamp.ctimeMs] : [NaN, NaN, NaN, NaN], files * columns);
    racy ||= !settled;
    files += 1;
  }
  const head = Buffer.alloc(headBytes);
  head.writeUInt32LE(magic, 0);
  head.writeUInt32LE((tree.caseSensitive ? 1 : 0) | (racy ? 0 : 2), 4);
  head.writeUInt32LE(files, 8);
  head.writeUInt32LE(index.length, 12);
  head.set(Buffer.from(fingerprint, 'hex'), 16);
  head.writeUInt32LE(totals.entries, 48);
  head.writeUInt32LE(totals.chunks, 52);
  head.writeDoubleLE(totals.bytes, 56);
  head.writeDoubleLE(totals.distinctBytes, 64);
  const body = Buffer.concat([head, Buffer.from(values.buffer, 0, files * columns * 8), index]);
  return Buffer.concat([body, Buffer.from(hash('sha256', body), 'hex')]);
}

/** The reading in `bytes`; `undefined` when they are damaged or of another version, which costs a reading and nothing else. */
export function decodeRemembered(bytes: Uint8Array): Remembered | undefined {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (all.length < headBytes + digestBytes || all.readUInt32LE(0) !== magic) return undefined;
  const [flags, files, indexBytes] = [all.readUInt32LE(4), all.readUInt32LE(8), all.readUInt32LE(12)];
  const columnBytes = files * columns * 8;
  const end = headBytes + columnBytes + indexBytes;
  if (all.length !== end + digestBytes || hash('sha256', all.subarray(0, end)) !== all.toString('hex', end)) return undefined;
  const index = all.subarray(headBytes + columnBytes, end);
  const values = new Float64Array(new Uint8Array(all.subarray(headBytes, headBytes + columnBytes)).buffer);
  let known: ReadonlyMap<string, KnownPlace> | undefined;
  let tree: Tree | undefined;
  return {
    index,
    totals: { entries: all.readUInt32LE(48), chunks: all.readUInt32LE(52), bytes: all.readDoubleLE(56), distinctBytes: all.readDoubleLE(64) },
    caseSensitive: (flags & 1) !== 0,
    fingerprint: (flags & 2) === 0 ? undefined : all.toString('hex', 16, 16 + digestBytes),
    file(path, stamp) {
      tree ??= decodeTree(index);
      known ??= placesOf(tree);
      const place = known.get(path);
      if (place === undefined || !isSame(values, place.rank * columns, stamp)) return undefined;
      const entry = tree.entry(place.position);
      if (entry.kind !== 'file' || entry.size !== stamp.size) return undefined;
      const of = tree;
      return { size: entry.size, digest: entry.digest, chunks: entry.chunks.map((ordinal) => of.chunk(ordinal)) };
    },
  };
}

interface KnownPlace {
  readonly position: number;
  /** Among the files. */
  readonly rank: number;
}

function placesOf(tree: Tree): ReadonlyMap<string, KnownPlace> {
  const places = new Map<string, KnownPlace>();
  let position = 0;
  for (const { kind, path } of tree.entries()) {
    if (kind === 'file') places.set(path, { position, rank: places.size });
    position += 1;
  }
  return places;
}

function isSame(values: Float64Array, at: number, { dev, ino, mtimeMs, ctimeMs }: Stamp): boolean {
  return values[at] === dev && values[at + 1] === ino && values[at + 2] === mtimeMs && values[at + 3] === ctimeMs;
}

/** A digest over everything that a walk finds, in its order: paths, kinds, rights, targets, and what stat says of files. */
export interface Fingerprint {
  add(found: Found, stamp: Stamp | undefined): void;
  /** As hexadecimal digits. To be called once. */
  digest(): string;
}

/** Over a running sha2-256. */
export function createFingerprint(digest: { update(bytes: Uint8Array): unknown; digest(encoding: 'hex'): string }): Fingerprint {
  const buffer = Buffer.alloc(recordsMax);
  let length = 0;
  return {
    add(found, stamp) {
      const text = found.kind === 'symlink' ? `l${found.path}\0${found.target}\0` : `${found.kind === 'file' ? 'f' : 'd'}${found.path}\0`;
      // Paths and targets have bounds of their own; three bytes a character is the most that UTF-8 takes of UTF-16.
      if (length + text.length * 3 + 64 > recordsMax) {
        digest.update(buffer.subarray(0, length));
        length = 0;
      }
      length += buffer.write(text, length);
      length = buffer.writeUInt32LE(found.kind === 'directory' ? found.mode : (stamp?.mode ?? 0), length);
      if (stamp === undefined) return;
      for (const value of [stamp.dev, stamp.ino, stamp.size, stamp.mtimeMs, stamp.ctimeMs]) length = buffer.writeDoubleLE(value, length);
    },
    digest() {
      digest.update(buffer.subarray(0, length));
      return digest.digest('hex');
    },
  };
}
