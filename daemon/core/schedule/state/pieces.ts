// The missing chunks of a topic, packed into pieces, and which of those that somebody offers the fewest neighbours have.
// Which of them to ask for, and whom, is decided in requesting.ts.

import { swarmBounds } from './swarm-bounds.ts';

/** Where a chunk stands. `taken` is asked for, `arrived` is on its way to the disk. */
export const chunkState = { held: 0, missing: 1, taken: 2, arrived: 3 } as const;

/**
 * The pieces of a fetch: runs of missing chunks in ordinal order, each what one request asks for. In arrays of numbers, since all that comes looks at them: an object
 * for each piece takes ten times the memory, and the processor waits for that more than it computes.
 */
export interface PieceTable {
  /** How many pieces there are. */
  readonly count: number;
  /** What is missing, ascending; piece `p` is what stands from `begins[p]` up to but without `begins[p + 1]`, not all of it adjacent. */
  readonly ordinals: Int32Array;
  readonly begins: Int32Array;
  /** For each piece, its chunks in state `missing`: free to be asked for. */
  readonly openChunks: Int32Array;
  /** And those that cannot be read yet. */
  readonly leftChunks: Int32Array;
  /** The origin said that others have it: not before this time again. */
  readonly originAfter: Float64Array;
  /** And not before this one only because it is our turn. */
  readonly turnAfter: Float64Array;
  /** Piece of an ordinal, or -1. */
  pieceOf(ordinal: number): number;
  readonly state: Uint8Array;
  /** The length that pieces were to have, or have on average where chunks are longer than that. */
  readonly pieceBytes: number;
  /** For each piece, how many neighbours, origins aside, hold something of it that had not arrived when they said so. */
  readonly holders: Int32Array;
  /** Pieces of which something is free to be asked for. */
  readonly open: PieceSet;
  /**
   * Visits the open pieces of `offers`, and of `mask` if there is one: from rare to common, or as they come; among equals from a random start (`random` is from
   * 0 up to 1). Stops when `visit` returns true; whether it did.
   */
  rarestAmong(offers: PieceSet, mask: PieceSet | undefined, order: 'rarest' | 'any', random: number, visit: (piece: number) => boolean): boolean;
}

/** Some of the pieces of a table: one bit each. */
export type PieceSet = Int32Array;

/** A set of none of `count` pieces. */
export function createPieceSet(count: number): PieceSet {
  return new Int32Array(Math.ceil(count / 32));
}

/** Of what is fetched or seen no longer. */
export const noPieces = createPieceSet(0);

/** What a request asks for: a power of two that makes 4,096 to 8,192 pieces of what is missing, fewer of little: with longer ones, each takes too long to be passed on. */
export function pieceBytesFor(missingBytes: number): number {
  let bytes: number = swarmBounds.pieceBytesMin;
  while (bytes < swarmBounds.pieceBytesMax && 2 * bytes * swarmBounds.piecesAim <= missingBytes) bytes *= 2;
  return bytes;
}

/** Packs `missing` (ascending ordinals) into pieces. */
export function createPieceTable(chunkCount: number, missing: readonly number[], lengthOf: (ordinal: number) => number): PieceTable {
  const state = new Uint8Array(chunkCount);
  const index = new Int32Array(chunkCount).fill(-1);
  let missingBytes = 0;
  for (const ordinal of missing) missingBytes += lengthOf(ordinal);
  const aim = pieceBytesFor(missingBytes);
  const begun: number[] = [];
  let bytes = 0;
  let chunks = 0;
  for (const [position, ordinal] of missing.entries()) {
    const length = lengthOf(ordinal);
    if (position === 0 || bytes + length > aim || chunks === swarmBounds.pieceChunksMax) {
      begun.push(position);
      bytes = 0;
      chunks = 0;
    }
    state[ordinal] = chunkState.missing;
    index[ordinal] = begun.length - 1;
    bytes += length;
    chunks += 1;
  }
  const count = begun.length;
  const begins = Int32Array.from([...begun, missing.length]);
  const openChunks = new Int32Array(count);
  const open = createPieceSet(count);
  for (let piece = 0; piece < count; piece += 1) {
    openChunks[piece] = (begins[piece + 1] ?? 0) - (begins[piece] ?? 0);
    putPiece(open, piece, true);
  }
  const holders = new Int32Array(count);
  return {
    count, ordinals: Int32Array.from(missing), begins, openChunks, leftChunks: openChunks.slice(), originAfter: new Float64Array(count), turnAfter: new Float64Array(count),
    state, pieceBytes: Math.max(aim, Math.ceil(missingBytes / Math.max(1, count))), pieceOf: (ordinal) => index[ordinal] ?? -1, holders, open, rarestAmong: rarestAmong(holders, open),
  };
}

/** Whether a chunk has neither arrived nor been held before. */
export function isMissing({ state }: PieceTable, ordinal: number): boolean {
  const found = state[ordinal];
  return found === chunkState.missing || found === chunkState.taken;
}

/** Whether a piece is in a set. */
export function hasPiece(set: PieceSet, piece: number): boolean {
  return ((set[piece >>> 5] ?? 0) & (1 << (piece & 31))) !== 0;
}

/** Whether two sets of pieces of one table have one in common. */
export function haveCommon(a: PieceSet, b: PieceSet): boolean {
  for (let word = 0; word < a.length; word += 1) if (((a[word] ?? 0) & (b[word] ?? 0)) !== 0) return true;
  return false;
}

/** Puts a piece into a set, or takes it out. Whether that changed anything. */
export function putPiece(set: PieceSet, piece: number, isIn: boolean): boolean {
  const bit = 1 << (piece & 31);
  const before = set[piece >>> 5] ?? 0;
  const after = isIn ? before | bit : before & ~bit;
  set[piece >>> 5] = after;
  return after !== before;
}

/**
 * Looks only at pieces that the one to be asked has and that are free, 32 at a time: a fleet's agents hold much the same, so those are few.
 * (Buckets by availability, as libtorrent keeps them, find the rarest piece at once, and then walk past all that this neighbour has not.)
 */
function rarestAmong(holders: Int32Array, open: PieceSet): PieceTable['rarestAmong'] {
  return (offers, mask, order, random, visit) => {
    for (let tried = -1; ; ) {
      let rarest = Number.POSITIVE_INFINITY;
      let size = 0;
      for (let word = 0; word < open.length; word += 1) {
        for (let bits = candidates(open, offers, mask, word); bits !== 0; bits &= bits - 1) {
          const here = order === 'any' ? 0 : (holders[pieceOfBit(word, bits)] ?? 0);
          if (here <= tried || here > rarest) continue;
          size = here === rarest ? size + 1 : 1;
          rarest = here;
        }
      }
      if (size === 0) return false;
      const skip = Math.floor(random * size);
      // Those of this rarity from the drawn one on, then those before it.
      for (const [from, to] of [[skip, size], [0, skip]] as const) {
        let nth = 0;
        for (let word = 0; word < open.length && nth < to; word += 1) {
          for (let bits = candidates(open, offers, mask, word); bits !== 0 && nth < to; bits &= bits - 1) {
            const piece = pieceOfBit(word, bits);
            if (order !== 'any' && holders[piece] !== rarest) continue;
            if (nth >= from && visit(piece)) return true;
            nth += 1;
          }
        }
      }
      tried = rarest;
    }
  };
}

function candidates(open: PieceSet, offers: PieceSet, mask: PieceSet | undefined, word: number): number {
  return (open[word] ?? 0) & (offers[word] ?? 0) & (mask === undefined ? -1 : (mask[word] ?? 0));
}

/** The piece of the lowest bit of a word of a set. */
function pieceOfBit(word: number, bits: number): number {
  return 32 * word + 31 - Math.clz32(bits & -bits);
}
