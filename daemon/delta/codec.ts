// The compression under delta segments and indexes: zstd of the runtime, with or without old bytes as a raw dictionary, and for machine code the
// difference of bsdiff.ts. Synchronous: the encoder calls it on worker threads; decoding a segment takes milliseconds.

import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { SegmentCodec } from '../../proto/delta-set.ts';
import { ProtocolError } from '../../proto/errors.ts';
import { limits } from '../../proto/limits.ts';
import { createByteReader, createByteWriter } from '../../proto/tree-index-bytes.ts';
import type { Difference, Differ } from './bsdiff.ts';
import type { Likeness } from './likeness.ts';
import { patchStretches, readStretches, usesOf } from './bspatch.ts';

/** Levels of zstd. `dictionary`: below 9, matches far back in a megabyte of dictionary are not found, and a segment grows tenfold. */
export const deltaLevels = { plain: 3, dictionary: 9, thorough: 19 } as const;

/** Powers of two that zstd takes as window. 2^27 bytes reach back over the index of a million files. */
const windowLogMin = 10;
const windowLogMax = 27;

/** An encoded segment: whichever codec came out shorter. */
export interface EncodedSegment {
  readonly codec: SegmentCodec;
  readonly bytes: Uint8Array;
}

/** What looks for what is the same; each keeps room to work in. */
export interface Lookers {
  readonly differ: Differ;
  readonly isAlike: Likeness;
}

/** Bytes of which a quick look leaves more than this are not compressed any better by a thorough one. */
const denseShare = 0.97;

/** `out` in few bytes; `base` is empty when nothing old is like it. Machine code as a difference, all else with the base as dictionary. */
export function encodeSegment(base: Uint8Array, out: Uint8Array, level: number, { differ, isAlike }: Lookers): EncodedSegment {
  if (base.length === 0 || !isAlike(base, out)) {
    const quick = compress(out, undefined, deltaLevels.plain);
    if (quick.length > out.length * denseShare) return { codec: 'zstd', bytes: quick };
  }
  const difference = base.length > 0 && looksLikeCode(out) ? encodeDifference(differ(base, out), level) : undefined;
  // Where it shrinks so far, nothing else would do much better; looking would take twice the time.
  if (difference !== undefined && difference.length * 4 < out.length) return { codec: 'bsdiff', bytes: difference };
  const compressed = encodeCompressed(base, out, level);
  return difference !== undefined && difference.length < compressed.bytes.length ? { codec: 'bsdiff', bytes: difference } : compressed;
}

function encodeCompressed(base: Uint8Array, out: Uint8Array, level: number): EncodedSegment {
  const delta = base.length > 0 ? compress(out, base, level) : undefined;
  // What shrinks to a quarter of what is usual without a base is not looked at twice.
  if (delta !== undefined && delta.length * 16 < out.length) return { codec: 'zstd-dict', bytes: delta };
  const plain = compress(out, undefined, delta === undefined ? level : deltaLevels.plain);
  return delta !== undefined && delta.length < plain.length ? { codec: 'zstd-dict', bytes: delta } : { codec: 'zstd', bytes: plain };
}

/** Text has no zeros, and what is compressed already has one in 256; the operands of machine code are full of them. */
function looksLikeCode(bytes: Uint8Array): boolean {
  let zeros = 0;
  for (let index = 0; index < bytes.length; index += 7) if (bytes[index] === 0) zeros += 1;
  return zeros * 7 * 20 > bytes.length;
}

/** Lengths of control and changes before and after compression, as varints; then the three streams, each compressed by itself unless empty. */
function encodeDifference({ control, changes, additions }: Difference, level: number): Uint8Array {
  const [first, second, third] = [control, changes, additions].map((bytes) => (bytes.length === 0 ? bytes : compress(bytes, undefined, level)));
  const writer = createByteWriter();
  for (const bytes of [control, first, changes, second]) writer.number(bytes?.length ?? 0);
  for (const bytes of [first, second, third]) if (bytes !== undefined) writer.bytes(bytes);
  return writer.written();
}

function openDifference(baseLength: number, encoded: Uint8Array, length: number): OpenSegment | undefined {
  const reader = createByteReader(encoded);
  try {
    // A stretch takes three numbers of at most four bytes, and of sixteen bytes there may be one.
    const controlBytes = reader.number('the length of the control', 16 + length);
    const controlLength = reader.number('the length of the control', encoded.length);
    const changedBytes = reader.number('the length of the changes', length);
    const changesLength = reader.number('the length of the changes', encoded.length);
    const control = inflate(reader.bytes(controlLength), controlBytes);
    const changes = inflate(reader.bytes(changesLength), changedBytes);
    const additions = inflate(reader.bytes(reader.remaining), length - changedBytes);
    if (control === undefined || changes === undefined || additions === undefined) return undefined;
    const difference: Difference = { control, changes, additions };
    const stretches = readStretches(difference, baseLength, length);
    return stretches && { needs: usesOf(stretches, baseLength), make: (base) => patchStretches(base, stretches, difference, length) };
  } catch (cause) {
    if (cause instanceof ProtocolError) return undefined;
    throw cause;
  }
}

function inflate(encoded: Uint8Array, length: number): Uint8Array | undefined {
  if (length === 0) return encoded.length === 0 ? encoded : undefined;
  return decompress(encoded, undefined, length);
}

/** A segment before its base is there. */
export interface OpenSegment {
  /** Whether these bytes of the base may be looked at. Others need not be had. */
  needs(begin: number, end: number): boolean;
  /** What it makes of the base, which is as long as was said; `undefined` when it is not what was said. */
  make(base: Uint8Array): Uint8Array | undefined;
}

/** What makes exactly `length` bytes of a base of `baseLength`; `undefined` when that is known not to be so. */
export function openSegment(codec: SegmentCodec, baseLength: number, encoded: Uint8Array, length: number): OpenSegment | undefined {
  switch (codec) {
    case 'zstd':
      return { needs: () => false, make: () => decompress(encoded, undefined, length) };
    case 'zstd-dict':
      return { needs: () => true, make: (base) => decompress(encoded, base, length) };
    case 'bsdiff':
      return openDifference(baseLength, encoded, length);
    default:
      codec satisfies never;
      return undefined;
  }
}

/** `bytes` with `dictionary` as raw dictionary; without a checksum, since whatever comes out is hashed. */
export function compress(bytes: Uint8Array, dictionary: Uint8Array | undefined, level: number): Uint8Array {
  return zstdCompressSync(bytes, {
    ...(dictionary === undefined ? {} : { dictionary }),
    chunkSize: Math.max(1024, Math.min(bytes.length, 1024 * 1024)),
    params: {
      [constants.ZSTD_c_compressionLevel]: level,
      [constants.ZSTD_c_windowLog]: windowLogFor(bytes.length, dictionary),
      [constants.ZSTD_c_contentSizeFlag]: 0,
      [constants.ZSTD_c_checksumFlag]: 0,
    },
  });
}

/** The other way round; `undefined` when the bytes are no frame, or one of another length. */
export function decompress(encoded: Uint8Array, dictionary: Uint8Array | undefined, length: number): Uint8Array | undefined {
  try {
    const bytes = zstdDecompressSync(encoded, {
      ...(dictionary === undefined ? {} : { dictionary }),
      // One more than comes: a buffer that is full has a second one made after it, and both copied into a third.
      chunkSize: Math.max(64, Math.min(length + 1, limits.deltaOutBytesMax)),
      maxOutputLength: length,
      params: { [constants.ZSTD_d_windowLogMax]: windowLogFor(length, dictionary) },
    });
    return bytes.length === length ? bytes : undefined;
  } catch {
    // Whatever it is: the frame is not what the set says.
    return undefined;
  }
}

/** The window that a frame of so many bytes needs and may ask for: a decoder allocates no more. */
function windowLogFor(length: number, dictionary: Uint8Array | undefined): number {
  return Math.max(windowLogMin, Math.min(windowLogMax, Math.ceil(Math.log2(length + (dictionary?.length ?? 0) + 1))));
}

/** Whether the runtime really compresses with a dictionary: some versions of it take the option and ignore it. */
export function honoursDictionaries(): boolean {
  const bytes = new Uint8Array(20_000);
  let state = 1;
  for (let index = 0; index < bytes.length; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes[index] = state >>> 24;
  }
  const encoded = compress(bytes, bytes, deltaLevels.dictionary);
  const decoded = decompress(encoded, bytes, bytes.length);
  return encoded.length < 100 && decoded !== undefined && Buffer.compare(decoded, bytes) === 0;
}
