// Reading the columns of a tree index from bytes that nobody vouches for. The form is described in tree-index.ts.
// Every count is held against the limits and against the bytes that are left before anything is allocated for it.

import { digestBytes } from './cid.ts';
import { ProtocolError } from './errors.ts';
import { limits } from './limits.ts';
import { checkSymlink, quoted } from './path.ts';
import { type ByteReader, createByteReader } from './tree-index-bytes.ts';
import { decodePaths, decodeText, type PathColumn } from './tree-index-paths.ts';
import { findDuplicate, joinFingerprint } from './tree-index-unique.ts';
import { type Columns, emptyDigest, entryTypes, modeAt, modeMask, symlinkMode } from './tree-index-view.ts';

/** 'STIX': the first bytes of every index. */
export const indexMagic: readonly number[] = [0x53, 0x54, 0x49, 0x58];
/** The version of the form that this program reads and writes. */
export const indexVersion = 1;

/** Of an entry: a mode, and a path of one new byte after two lengths. Of a chunk: identifier, length, and one reference. */
const entryBytesMin = 5;
const chunkBytesMin = digestBytes + 2;

/** The columns of an index. @throws {ProtocolError} when it is not the one encoding of a tree. */
export function decodeColumns(bytes: Uint8Array): Columns {
  const columns = openColumns(bytes);
  checkIds(columns);
  return columns;
}

/** The same, with whatever stands for identifiers. @throws {ProtocolError} when anything else is not as in the encoding of a tree. */
export function openColumns(bytes: Uint8Array): Columns {
  if (bytes.length > limits.indexBytesMax) {
    throw new ProtocolError('TOO_LARGE', `the tree index has ${bytes.length} bytes; at most ${limits.indexBytesMax} are allowed`);
  }
  const reader = createByteReader(bytes);
  const caseSensitive = decodeHeader(reader);
  const entryCount = reader.number('the number of entries', limits.treeEntriesMax);
  const chunkCount = reader.number('the number of chunks', limits.treeChunksMax);
  if (entryCount * entryBytesMin + chunkCount * chunkBytesMin > reader.remaining) {
    throw new ProtocolError('TRUNCATED', `${reader.remaining} bytes are too few for ${entryCount} entries and ${chunkCount} chunks`);
  }
  const modes = reader.bytes(entryCount * 2);
  checkModes(modes, entryCount);
  const isDirectory = (index: number): boolean => (modeAt(modes, index) & entryTypes.mask) === entryTypes.directory;
  const paths = decodePaths(bytes, reader, entryCount, isDirectory, caseSensitive);
  const links = decodeTargets(reader, modes, entryCount, paths);
  const lengths = decodeLengths(reader, chunkCount);
  const files = decodeFiles(reader, modes, entryCount, lengths);
  const ranks = rank(modes, entryCount, files.starts);
  const digests = reader.bytes(files.digestCount * digestBytes);
  const ids = reader.bytes(chunkCount * digestBytes);
  if (reader.remaining > 0) throw new ProtocolError('MALFORMED', `${reader.remaining} bytes follow the end of the tree index`);
  return { entryCount, chunkCount, caseSensitive, modes, paths, ...links, lengths, ...files, ranks, digests, ids };
}

/** Returns whether the tree is case-sensitive. */
function decodeHeader(reader: ByteReader): boolean {
  const magic = reader.bytes(indexMagic.length);
  if (indexMagic.some((byte, index) => magic[index] !== byte)) throw new ProtocolError('MALFORMED', "a tree index begins with 'STIX'");
  const [version = 0, flags = 0] = reader.bytes(2);
  if (version !== indexVersion) {
    throw new ProtocolError('UNSUPPORTED_VERSION', `the tree index has version ${version}; this program reads version ${indexVersion}`);
  }
  if (flags > 1) throw new ProtocolError('MALFORMED', `the tree index has unknown flags 0x${flags.toString(16)}`);
  return flags === 1;
}

function checkModes(modes: Uint8Array, entryCount: number): void {
  for (let index = 0; index < entryCount; index += 1) {
    const mode = modeAt(modes, index);
    const plain = mode & ~modeMask;
    if (plain !== entryTypes.directory && plain !== entryTypes.file && mode !== symlinkMode) {
      throw new ProtocolError('MALFORMED', `entry ${index} has mode 0o${mode.toString(8)}, which no directory, file or link of a tree has`);
    }
  }
}

function decodeTargets(
  reader: ByteReader,
  modes: Uint8Array,
  entryCount: number,
  paths: PathColumn,
): { readonly targets: Uint8Array; readonly targetEnds: Uint32Array } {
  const links: number[] = [];
  for (let index = 0; index < entryCount; index += 1) if (modeAt(modes, index) === symlinkMode) links.push(index);
  const targetEnds = new Uint32Array(links.length);
  const targets: Uint8Array[] = [];
  let end = 0;
  links.forEach((index, position) => {
    const target = reader.bytes(reader.number("the length of a link's target", limits.symlinkTargetBytesMax));
    checkSymlink(paths.path(index), decodeText(target));
    targets.push(target);
    end += target.length;
    targetEnds[position] = end;
  });
  return { targets: Buffer.concat(targets), targetEnds };
}

function decodeLengths(reader: ByteReader, chunkCount: number): Uint32Array {
  const lengths = new Uint32Array(chunkCount);
  for (let ordinal = 0; ordinal < chunkCount; ordinal += 1) {
    const length = reader.number('the length of a chunk', limits.chunkBytesMax);
    if (length === 0) throw new ProtocolError('MALFORMED', `chunk ${ordinal} is empty`);
    lengths[ordinal] = length;
  }
  return lengths;
}

interface FileColumns {
  readonly starts: Uint32Array;
  readonly ordinals: Uint32Array;
  readonly digestCount: number;
  readonly bytes: number;
}

function decodeFiles(reader: ByteReader, modes: Uint8Array, entryCount: number, lengths: Uint32Array): FileColumns {
  const starts = new Uint32Array(entryCount + 1);
  let references = 0;
  let digestCount = 0;
  for (let index = 0; index < entryCount; index += 1) {
    starts[index] = references;
    if ((modeAt(modes, index) & entryTypes.mask) !== entryTypes.file) continue;
    const count = reader.number("a file's number of chunks", limits.treeChunksMax);
    if (count > 1) digestCount += 1;
    references += count;
  }
  starts[entryCount] = references;
  if (references > limits.treeChunksMax) {
    throw new ProtocolError('TOO_LARGE', `the files have ${references} chunks together; at most ${limits.treeChunksMax} are allowed`);
  }
  if (references + digestCount * digestBytes + lengths.length * digestBytes > reader.remaining) {
    throw new ProtocolError('TRUNCATED', `${reader.remaining} bytes are too few for ${references} references to chunks`);
  }
  const ordinals = decodeOrdinals(reader, references, lengths.length);
  return { starts, ordinals, digestCount, bytes: checkSizes(starts, ordinals, lengths) };
}

function decodeOrdinals(reader: ByteReader, references: number, chunkCount: number): Uint32Array {
  const ordinals = new Uint32Array(references);
  let next = 0;
  for (let position = 0; position < references; position += 1) {
    const back = reader.number('a reference to a chunk', limits.treeChunksMax);
    if (back > next) throw new ProtocolError('MALFORMED', `a reference goes back ${back} chunks where only ${next} came before`);
    if (back === 0 && next === chunkCount) throw new ProtocolError('MALFORMED', `a reference asks for one more than the ${chunkCount} chunks`);
    ordinals[position] = next - back;
    if (back === 0) next += 1;
  }
  if (next !== chunkCount) throw new ProtocolError('MALFORMED', `no file refers to chunk ${next} of ${chunkCount}`);
  return ordinals;
}

/** The sum of all sizes. A file of several chunks must be too long to be one. */
function checkSizes(starts: Uint32Array, ordinals: Uint32Array, lengths: Uint32Array): number {
  let bytes = 0;
  for (let index = 0; index + 1 < starts.length; index += 1) {
    const begin = starts[index] ?? 0;
    const end = starts[index + 1] ?? 0;
    let size = 0;
    for (let position = begin; position < end; position += 1) size += lengths[ordinals[position] ?? 0] ?? 0;
    if (end - begin > 1 && size <= limits.singleChunkBytesMax) {
      throw new ProtocolError('NOT_CANONICAL', `entry ${index} has ${size} bytes in ${end - begin} chunks; up to ${limits.singleChunkBytesMax} bytes are one`);
    }
    bytes += size;
  }
  return bytes;
}

function rank(modes: Uint8Array, entryCount: number, starts: Uint32Array): Uint32Array {
  const ranks = new Uint32Array(entryCount);
  let links = 0;
  let digests = 0;
  for (let index = 0; index < entryCount; index += 1) {
    if (modeAt(modes, index) === symlinkMode) ranks[index] = links++;
    else if ((starts[index + 1] ?? 0) - (starts[index] ?? 0) > 1) ranks[index] = digests++;
  }
  return ranks;
}

/** @throws {ProtocolError} when two chunks have the same identifier, or one that of no bytes. */
export function checkIds({ ids, chunkCount }: Pick<Columns, 'ids' | 'chunkCount'>): void {
  const buffer = Buffer.from(ids.buffer, ids.byteOffset, ids.length);
  const fingerprints = new Float64Array(chunkCount);
  const at = (ordinal: number): Buffer => buffer.subarray(ordinal * digestBytes, (ordinal + 1) * digestBytes);
  for (let ordinal = 0; ordinal < chunkCount; ordinal += 1) {
    fingerprints[ordinal] = joinFingerprint(buffer.readInt32BE(ordinal * digestBytes), buffer.readInt32BE(ordinal * digestBytes + 4));
  }
  const pair = findDuplicate(fingerprints, (a, b) => at(a).equals(at(b)));
  if (pair !== undefined) throw new ProtocolError('NOT_CANONICAL', `chunks ${pair[0]} and ${pair[1]} have the same identifier`);
  const empty = Buffer.from(emptyDigest, 'hex');
  for (let ordinal = 0; ordinal < chunkCount; ordinal += 1) {
    if (buffer[ordinal * digestBytes] === empty[0] && at(ordinal).equals(empty)) {
      throw new ProtocolError('MALFORMED', `chunk ${ordinal} has the identifier of no bytes, ${quoted(emptyDigest)}`);
    }
  }
}
