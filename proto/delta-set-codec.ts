// The bytes of a delta set's descriptor: small, since a whole set may be a kilobyte. One set has one encoding.
//
//   'STDS', version u8 = 1, from 32 bytes, to 32 bytes, then numbers:
//   index     0 for none, 1 zstd-dict, 2 zstd-outline; unless none, its encoded length less 1
//   segments  their number, and for each: codec (0 zstd, 1 zstd-dict, 2 bsdiff), encoded length less 1, out, base
//   out       number of ranges less 1; for each: ordinals left out since the range before (for the first: since the first ordinal of the
//             segment before, that one included; less 1 for the others), number of ordinals less 1
//   base      unless zstd: number of ranges less 1; for each: how far it begins from the end of the range before, in this or an earlier
//             segment (0 at first), as 2n forwards and 2n - 1 backwards; number of ordinals less 1
//   parts     32 bytes each; their number and lengths follow from the lengths above
//
// Numbers are varints as in tree-index-bytes.ts.

import { digestBytes, type Digest, digestFromBytes, digestToBytes } from './cid.ts';
import { type DeltaIndex, type DeltaSegment, type DeltaSet, deltaFormat, partLengths, payloadBytes } from './delta-set.ts';
import { ProtocolError } from './errors.ts';
import type { OrdinalRange } from './exchange.ts';
import { limits } from './limits.ts';
import { type ByteReader, type ByteWriter, createByteReader, createByteWriter } from './tree-index-bytes.ts';

const magic: readonly number[] = [0x53, 0x54, 0x44, 0x53];
const version = 1;
const segmentCodecs = ['zstd', 'zstd-dict', 'bsdiff'] as const;
const indexCodecs = [undefined, 'zstd-dict', 'zstd-outline'] as const;

/** Of a segment: codec, length, number of ranges and one range. */
const segmentBytesMin = 5;
const rangeBytesMin = 2;

/**
 * The one encoding of a descriptor; its sha2-256 names the set.
 * @throws {ProtocolError} when no decoder would accept it.
 */
export function encodeDeltaSet(set: DeltaSet): Uint8Array {
  checkSet(set);
  const writer = createByteWriter();
  writer.bytes(Uint8Array.from([...magic, version]));
  writer.bytes(digestToBytes(set.from));
  writer.bytes(digestToBytes(set.to));
  writer.number(indexCodecs.indexOf(set.index?.codec));
  if (set.index !== undefined) writer.number(set.index.length - 1);
  writer.number(set.segments.length);
  let first = 0;
  let baseEnd = 0;
  for (const { codec, length, out, base } of set.segments) {
    writer.number(segmentCodecs.indexOf(codec));
    writer.number(length - 1);
    writeOut(writer, out, first);
    first = (out[0]?.from ?? 0) + 1;
    if (codec !== 'zstd') baseEnd = writeBase(writer, base, baseEnd);
  }
  for (const { id } of set.parts) writer.bytes(digestToBytes(id));
  const bytes = writer.written().slice();
  checkLength(bytes);
  return bytes;
}

/**
 * The descriptor in `bytes`. Whether the ordinals exist is for who holds the trees to say.
 * @throws {ProtocolError} TOO_LARGE, TRUNCATED, UNSUPPORTED_VERSION, MALFORMED, or NOT_CANONICAL when the same set is encoded otherwise.
 */
export function decodeDeltaSet(bytes: Uint8Array): DeltaSet {
  checkLength(bytes);
  const reader = createByteReader(bytes);
  decodeHeader(reader);
  const from = readDigest(reader);
  const to = readDigest(reader);
  const index = decodeIndex(reader);
  const segments = decodeSegments(reader);
  const lengths = partLengths(payloadBytes({ index, segments }));
  if (lengths.length * digestBytes !== reader.remaining) {
    throw new ProtocolError(
      lengths.length * digestBytes > reader.remaining ? 'TRUNCATED' : 'MALFORMED',
      `${reader.remaining} bytes are left for the digests of ${lengths.length} parts, which take ${lengths.length * digestBytes}`,
    );
  }
  const parts = lengths.map((length) => ({ id: readDigest(reader), length }));
  const set: DeltaSet = { format: deltaFormat, from, to, index, segments, parts };
  checkSet(set);
  return set;
}

function decodeHeader(reader: ByteReader): void {
  const found = reader.bytes(magic.length);
  if (magic.some((byte, index) => found[index] !== byte)) throw new ProtocolError('MALFORMED', "a delta set begins with 'STDS'");
  const [read = 0] = reader.bytes(1);
  if (read !== version) throw new ProtocolError('UNSUPPORTED_VERSION', `the delta set has version ${read}; this program reads version ${version}`);
}

function decodeIndex(reader: ByteReader): DeltaIndex | undefined {
  const codec = indexCodecs[reader.number("the index's codec", indexCodecs.length - 1)];
  return codec === undefined ? undefined : { codec, length: reader.number("the index's length", limits.indexBytesMax - 1) + 1 };
}

function decodeSegments(reader: ByteReader): readonly DeltaSegment[] {
  const count = reader.number('the number of segments', limits.deltaSegmentsMax);
  if (count * segmentBytesMin > reader.remaining) throw new ProtocolError('TRUNCATED', `${reader.remaining} bytes are too few for ${count} segments`);
  let first = 0;
  let baseEnd = 0;
  return Array.from({ length: count }, () => {
    const codec = segmentCodecs[reader.number("a segment's codec", segmentCodecs.length - 1)] ?? 'zstd';
    const length = reader.number("a segment's length", limits.deltaSegmentBytesMax - 1) + 1;
    const out = decodeOut(reader, first);
    first = (out[0]?.from ?? 0) + 1;
    const base = codec === 'zstd' ? [] : decodeBase(reader, baseEnd);
    baseEnd = base.at(-1)?.to ?? baseEnd;
    return { codec, base, out, length };
  });
}

function readRangeCount(reader: ByteReader): number {
  const count = reader.number('the number of ranges', limits.deltaRangesMax - 1) + 1;
  if (count * rangeBytesMin > reader.remaining) throw new ProtocolError('TRUNCATED', `${reader.remaining} bytes are too few for ${count} ranges`);
  return count;
}

function readRange(reader: ByteReader, from: number): OrdinalRange {
  const to = from + reader.number('the length of a range', limits.treeChunksMax) + 1;
  if (from < 0 || to > limits.treeChunksMax) throw new ProtocolError('TOO_LARGE', `a range of ordinals goes from ${from} to ${to}; 0 to ${limits.treeChunksMax} are allowed`);
  return { from, to };
}

function decodeOut(reader: ByteReader, first: number): readonly OrdinalRange[] {
  let end = first - 1;
  return Array.from({ length: readRangeCount(reader) }, () => {
    const range = readRange(reader, end + 1 + reader.number('a gap between ordinals', limits.treeChunksMax));
    end = range.to;
    return range;
  });
}

function decodeBase(reader: ByteReader, before: number): readonly OrdinalRange[] {
  let end = before;
  return Array.from({ length: readRangeCount(reader) }, () => {
    const step = reader.number('a step between ordinals', 2 * limits.treeChunksMax);
    const range = readRange(reader, end + (step % 2 === 0 ? step / 2 : -(step + 1) / 2));
    end = range.to;
    return range;
  });
}

function writeOut(writer: ByteWriter, ranges: readonly OrdinalRange[], first: number): void {
  writer.number(ranges.length - 1);
  let end = first - 1;
  for (const { from, to } of ranges) {
    writer.number(from - end - 1);
    writer.number(to - from - 1);
    end = to;
  }
}

function writeBase(writer: ByteWriter, ranges: readonly OrdinalRange[], before: number): number {
  writer.number(ranges.length - 1);
  let end = before;
  for (const { from, to } of ranges) {
    const step = from - end;
    writer.number(step >= 0 ? 2 * step : -2 * step - 1);
    writer.number(to - from - 1);
    end = to;
  }
  return end;
}

/** What must hold of a set, whoever made it. */
function checkSet(set: DeltaSet): void {
  if (set.from === set.to) throw new ProtocolError('MALFORMED', `a delta set makes revision ${set.to} out of itself`);
  if (set.index === undefined && set.segments.length === 0) throw new ProtocolError('MALFORMED', 'a delta set makes neither an index nor chunks');
  if (set.index?.codec === 'zstd-outline' && set.segments.length === 0) {
    throw new ProtocolError('MALFORMED', 'the outline of an index leaves out what segments tell, and there are none');
  }
  if (set.index !== undefined) checkCount("the index's length", set.index.length, limits.indexBytesMax);
  if (set.segments.length > 0) checkCount('the number of segments', set.segments.length, limits.deltaSegmentsMax);
  for (const segment of set.segments) checkSegment(segment);
  checkDisjoint(set.segments);
  const lengths = partLengths(payloadBytes(set));
  if (lengths.length !== set.parts.length || set.parts.some(({ length }, ordinal) => length !== lengths[ordinal])) {
    throw new ProtocolError('MALFORMED', `a payload of ${payloadBytes(set)} bytes is not cut into the ${set.parts.length} parts of the set`);
  }
}

function checkSegment({ codec, base, out, length }: DeltaSegment): void {
  checkCount("a segment's length", length, limits.deltaSegmentBytesMax);
  checkCount("the number of a segment's ranges", out.length, limits.deltaRangesMax);
  if (codec === 'zstd') {
    if (base.length > 0) throw new ProtocolError('MALFORMED', "a segment of codec 'zstd' has a base");
  } else checkCount("the number of a base's ranges", base.length, limits.deltaRangesMax);
  for (const range of [...out, ...base]) checkRange(range);
  for (const [position, range] of out.entries()) {
    if (position > 0 && range.from <= (out[position - 1]?.to ?? 0)) throw new ProtocolError('NOT_CANONICAL', `the ranges of a segment touch or go back at ordinal ${range.from}`);
  }
  for (const [position, range] of base.entries()) {
    if (position > 0 && range.from === base[position - 1]?.to) throw new ProtocolError('NOT_CANONICAL', `two ranges of a base are one at ordinal ${range.from}`);
  }
}

function checkRange({ from, to }: OrdinalRange): void {
  if (!(Number.isInteger(from) && Number.isInteger(to) && from >= 0 && from < to)) throw new ProtocolError('MALFORMED', `${from} to ${to} is not a range of ordinals`);
  if (to > limits.treeChunksMax) throw new ProtocolError('TOO_LARGE', `a range of ordinals goes to ${to}; ${limits.treeChunksMax} is the end`);
}

/** Segments ascend by their first ordinal, and nothing is made twice. */
function checkDisjoint(segments: readonly DeltaSegment[]): void {
  for (const [position, { out }] of segments.entries()) {
    if (position > 0 && (out[0]?.from ?? 0) <= (segments[position - 1]?.out[0]?.from ?? 0)) {
      throw new ProtocolError('NOT_CANONICAL', `segment ${position} does not begin after the one before it`);
    }
  }
  const ranges = segments.flatMap(({ out }) => out).sort((a, b) => a.from - b.from);
  for (const [position, range] of ranges.entries()) {
    if (position > 0 && range.from < (ranges[position - 1]?.to ?? 0)) throw new ProtocolError('MALFORMED', `ordinal ${range.from} is made by two segments`);
  }
}

function checkCount(what: string, value: number, maximum: number): void {
  if (!(Number.isInteger(value) && value > 0)) throw new ProtocolError('MALFORMED', `${what} is ${value}, not a whole number from 1`);
  if (value > maximum) throw new ProtocolError('TOO_LARGE', `${what} is ${value}; at most ${maximum} is allowed`);
}

function checkLength(bytes: Uint8Array): void {
  if (bytes.length > limits.deltaDescriptorBytesMax) {
    throw new ProtocolError('TOO_LARGE', `the delta set's descriptor has ${bytes.length} bytes; at most ${limits.deltaDescriptorBytesMax} are allowed`);
  }
}

function readDigest(reader: ByteReader): Digest {
  return digestFromBytes(reader.bytes(digestBytes));
}
