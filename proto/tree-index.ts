// The encoded index of a tree: flat, sorted, in columns, with one sha2-256 (content.md, section 3). Here are its form and its writing;
// checking what is read is in tree-index-decode.ts and tree-index-paths.ts.
//
//   'STIX', version u8 = 1, flags u8 (1 = case-sensitive), number of entries, number of chunks, then the columns:
//   modes     u16 big-endian for each entry, as stat has them: 0o040000 | mode directory, 0o100000 | mode file, 0o120777 link
//   paths     for each entry: bytes shared with the path before, number of new bytes, the new bytes
//   targets   for each link: number of bytes, bytes
//   lengths   of each chunk, in bytes
//   counts    of chunks, for each file
//   chunks    for each file, for each of its chunks: 0 for the next new chunk, else how far back from it the chunk is
//   digests   32 bytes for each file of more than one chunk (of one: the chunk's identifier; of none: that of no bytes)
//   ids       32 bytes for each chunk
//
// Numbers are varints. A file's size is the sum of its chunks' lengths, so it cannot contradict them and takes no bytes.
// There is one encoding of a tree, whatever the order in which it was put together, and the reader refuses every other.

import { checkDigest, type Digest, digestToBytes } from './cid.ts';
import { ProtocolError } from './errors.ts';
import { limits } from './limits.ts';
import { checkPath, checkSymlink, pathOrder, quoted } from './path.ts';
import { type ByteWriter, createByteWriter } from './tree-index-bytes.ts';
import { checkIds, decodeColumns, indexMagic, indexVersion, openColumns } from './tree-index-decode.ts';
import { createTree, emptyDigest, entryTypes, modeMask, symlinkMode } from './tree-index-view.ts';
import type { ChunkRef, DirectoryEntry, FileEntry, SymlinkEntry, Tree } from './tree.ts';

/** A file for a tree to be built: its chunks by identifier, since ordinals are not given out yet. */
export interface FileInput extends Omit<FileEntry, 'chunks'> {
  readonly chunks: readonly ChunkRef[];
}

/** What a tree is built from. */
export type EntryInput = DirectoryEntry | FileInput | SymlinkEntry;

/** What holds for a tree as a whole. */
export interface TreeOptions {
  /** Whether names that differ only in case or normalisation may stand side by side. */
  readonly caseSensitive: boolean;
}

/** A tree that is being put together, in any order. */
export interface TreeBuilder {
  /**
   * @throws {ProtocolError} INVALID_PATH for a path or a link that no tree may hold, TOO_LARGE above the limits, MALFORMED when mode, size,
   * digest and chunks do not go together.
   */
  add(entry: EntryInput): void;
  /**
   * The index and the tree that it decodes to.
   * @throws {ProtocolError} INVALID_PATH when a path is there twice, has an undeclared parent, or collides with another.
   */
  finish(): { readonly bytes: Uint8Array; readonly tree: Tree };
}

/**
 * The tree in an index, checked in every respect that its bytes alone can show. Keeps `bytes`, which must not change afterwards.
 * Takes about a second for a million files.
 * @throws {ProtocolError} when `bytes` is not the one encoding of a tree.
 */
export function decodeTree(bytes: Uint8Array): Tree {
  return createTree(decodeColumns(bytes));
}

/** A tree whose identifiers are filled in later. */
export interface OpenTree {
  /** As the bytes have it at the time. */
  readonly tree: Tree;
  /** The tree with what has been filled in, from now on as if it were decoded. @throws {ProtocolError} as {@link decodeTree} does. */
  close(): Tree;
}

/**
 * The tree in an index of which identifiers of chunks and digests of files will be written into `bytes`; nothing else there may change.
 * @throws {ProtocolError} as {@link decodeTree} does, for all but those.
 */
export function openTree(bytes: Uint8Array): OpenTree {
  const columns = openColumns(bytes);
  const tree = createTree(columns);
  return {
    tree,
    close() {
      checkIds(columns);
      return tree;
    },
  };
}

/** The index of a tree with these entries, in any order. @throws {ProtocolError} as {@link TreeBuilder} does. */
export function encodeTree(entries: Iterable<EntryInput>, options: TreeOptions): Uint8Array {
  const builder = createTreeBuilder(options);
  for (const entry of entries) builder.add(entry);
  return builder.finish().bytes;
}

/** The entries of a tree as a builder takes them. */
export function* entryInputs(tree: Tree): Iterable<EntryInput> {
  for (const entry of tree.entries()) {
    yield entry.kind === 'file' ? { ...entry, chunks: entry.chunks.map((ordinal) => tree.chunk(ordinal)) } : entry;
  }
}

/** A builder with nothing in it. Keeps numbers and strings only, no objects per entry. */
export function createTreeBuilder(options: TreeOptions): TreeBuilder {
  const paths: string[] = [];
  const modes: number[] = [];
  /** Where the chunks of entry n begin in `references`; they end where those of the next begin. */
  const starts: number[] = [0];
  const references: number[] = [];
  const table: ChunkTable = { numbers: new Map(), ids: [], lengths: [] };
  /** The target of a link, the digest of a file of several chunks, by number of the entry. */
  const texts = new Map<number, string>();
  return {
    add(entry) {
      checkPath(entry.path);
      checkRoom(paths.length, limits.treeEntriesMax, 'entries');
      if (entry.kind === 'file') {
        checkFile(entry);
        checkRoom(references.length + entry.chunks.length - 1, limits.treeChunksMax, 'chunks');
        for (const chunk of entry.chunks) references.push(numberOf(table, chunk));
        if (entry.chunks.length > 1) texts.set(paths.length, entry.digest);
      }
      if (entry.kind === 'symlink') {
        checkSymlink(entry.path, entry.target);
        texts.set(paths.length, entry.target);
      }
      modes.push(entry.kind === 'symlink' ? symlinkMode : entryTypes[entry.kind] | checkMode(entry));
      paths.push(entry.path);
      starts.push(references.length);
    },
    finish() {
      const bytes = writeIndex({ ...options, paths, modes, starts, references, table, texts });
      return { bytes, tree: decodeTree(bytes) };
    },
  };
}

interface ChunkTable {
  readonly numbers: Map<Digest, number>;
  readonly ids: Digest[];
  readonly lengths: number[];
}

interface Built extends TreeOptions {
  readonly paths: readonly string[];
  readonly modes: readonly number[];
  readonly starts: readonly number[];
  readonly references: readonly number[];
  readonly table: ChunkTable;
  readonly texts: ReadonlyMap<number, string>;
}

function writeIndex(built: Built): Uint8Array {
  const { paths, modes, starts, table, texts } = built;
  const order = sortedOrder(paths);
  const { chunks, ordinals } = orderChunks(built, order);
  const writer = createByteWriter();
  writer.bytes(Uint8Array.from([...indexMagic, indexVersion, built.caseSensitive ? 1 : 0]));
  writer.number(paths.length);
  writer.number(chunks.length);
  for (const entry of order) writer.u16(modes[entry] ?? 0);
  writePaths(writer, paths, order);
  for (const entry of order) {
    if (modes[entry] !== symlinkMode) continue;
    const target = Buffer.from(texts.get(entry) ?? '');
    writer.number(target.length);
    writer.bytes(target);
  }
  for (const chunk of chunks) writer.number(table.lengths[chunk] ?? 0);
  const files = order.filter((entry) => ((modes[entry] ?? 0) & entryTypes.mask) === entryTypes.file);
  const countOf = (entry: number): number => (starts[entry + 1] ?? 0) - (starts[entry] ?? 0);
  for (const entry of files) writer.number(countOf(entry));
  writer.bytes(ordinals);
  for (const entry of files) if (countOf(entry) > 1) writer.bytes(digestToBytes(texts.get(entry) ?? ''));
  for (const chunk of chunks) writer.bytes(digestToBytes(table.ids[chunk] ?? ''));
  return writer.written().slice();
}

/** The numbers of the entries in the order of their paths. */
function sortedOrder(paths: readonly string[]): Uint32Array {
  const order = pathOrder(paths);
  for (let index = 1; index < order.length; index += 1) {
    const path = paths[order[index] ?? 0] ?? '';
    if (path === paths[order[index - 1] ?? 0]) throw new ProtocolError('INVALID_PATH', `path ${quoted(path)} is in the tree twice`);
  }
  return order;
}

/** The table's chunks in the order in which the sorted files use them first, and the column of references to them. */
function orderChunks(built: Built, order: Uint32Array): { readonly chunks: readonly number[]; readonly ordinals: Uint8Array } {
  const { starts, references, table } = built;
  const chunks: number[] = [];
  const ordinalOf = new Int32Array(table.ids.length).fill(-1);
  const writer = createByteWriter();
  for (const entry of order) {
    const end = starts[entry + 1] ?? 0;
    for (let position = starts[entry] ?? 0; position < end; position += 1) {
      const chunk = references[position] ?? 0;
      const ordinal = ordinalOf[chunk] ?? -1;
      writer.number(ordinal < 0 ? 0 : chunks.length - ordinal);
      if (ordinal < 0) ordinalOf[chunk] = chunks.push(chunk) - 1;
    }
  }
  return { chunks, ordinals: writer.written() };
}

function writePaths(writer: ByteWriter, paths: readonly string[], order: Uint32Array): void {
  let before = Buffer.alloc(0);
  for (const entry of order) {
    const path = Buffer.from(paths[entry] ?? '');
    let shared = 0;
    while (shared < before.length && before[shared] === path[shared]) shared += 1;
    writer.number(shared);
    writer.number(path.length - shared);
    writer.bytes(path.subarray(shared));
    before = path;
  }
}

function checkFile({ path, size, digest, chunks }: FileInput): void {
  const sum = chunks.reduce((total, { length }) => total + length, 0);
  if (sum !== size) throw new ProtocolError('MALFORMED', `file ${quoted(path)} has ${size} bytes, its chunks ${sum}`);
  if (chunks.length > 1 && size <= limits.singleChunkBytesMax) {
    throw new ProtocolError('NOT_CANONICAL', `file ${quoted(path)} of ${size} bytes is cut in ${chunks.length}; up to ${limits.singleChunkBytesMax} bytes are one chunk`);
  }
  checkDigest(digest);
  const implied = chunks.length === 0 ? emptyDigest : chunks[0]?.id;
  if (chunks.length <= 1 && digest !== implied) {
    throw new ProtocolError('DIGEST_MISMATCH', `file ${quoted(path)} has digest ${digest}, its only chunk ${implied}`);
  }
}

function checkMode({ path, mode }: FileInput | DirectoryEntry): number {
  if (!Number.isInteger(mode) || mode < 0 || (mode & ~modeMask) !== 0) {
    throw new ProtocolError('MALFORMED', `entry ${quoted(path)} has mode 0o${mode.toString(8)}; only bits of 0o${modeMask.toString(8)} are allowed`);
  }
  return mode;
}

/** The number under which the builder knows a chunk, given out at its first coming. */
function numberOf(table: ChunkTable, { id, length }: ChunkRef): number {
  const known = table.numbers.get(id);
  if (known !== undefined) {
    if (table.lengths[known] === length) return known;
    throw new ProtocolError('MALFORMED', `chunk ${id} has ${length} bytes here and ${table.lengths[known]} elsewhere`);
  }
  checkDigest(id);
  if (!(Number.isInteger(length) && length > 0 && length <= limits.chunkBytesMax)) {
    throw new ProtocolError('TOO_LARGE', `chunk ${id} has ${length} bytes; 1 to ${limits.chunkBytesMax} are allowed`);
  }
  const number = table.ids.push(id) - 1;
  table.lengths.push(length);
  table.numbers.set(id, number);
  return number;
}

function checkRoom(count: number, maximum: number, what: string): void {
  if (count >= maximum) throw new ProtocolError('TOO_LARGE', `the tree has more than ${maximum} ${what}`);
}
