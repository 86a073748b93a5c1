// The missing chunks of a topic, packed into pieces, and which of those that somebody offers the fewest neighbours have.
// Which of them to ask for, and whom, is decided in requesting.ts.

import { swarmBounds } from './swarm-bounds.ts';

/** Where a chunk stands. `taken` is asked for, `arrived` is on its way to the disk. */
export const chunkState = { held: 0, missing: 1, taken: 2, arrived: 3 } as const;

/** A run of missing chunks in ordinal order: what one request asks for. */
export interface Piece {
  /** Ordinals, ascending, not all of them adjacent. */
  readonly ordinals: readonly number[];
  /** Chunks in state `missing`: free to be asked for. */
  open: number;
  /** Chunks not stored yet. */
  left: number;
  /** The origin said that others have it: not before this time again. */
  originAfter: number;
  /** And not before this one only because it is our turn. */
  turnAfter: number;
}

export interface PieceTable {
  readonly pieces: readonly Piece[];
  /** Piece of an ordinal, or -1. */
  pieceOf(ordinal: number): number;
  readonly state: Uint8Array;
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

/** What a request asks for: a power of two that makes 256 to 512 pieces of what is missing (swarm.md, section 2.1): with half as many, each takes too long to be passed on. */
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
  const pieceBytes = pieceBytesFor(missingBytes);
  const pieces: Piece[] = [];
  let ordinals: number[] = [];
  let bytes = 0;
  const finish = (): void => {
    if (ordinals.length === 0) return;
    pieces.push({ ordinals, open: ordinals.length, left: ordinals.length, originAfter: 0, turnAfter: 0 });
    ordinals = [];
    bytes = 0;
  };
  for (const ordinal of missing) {
    const length = lengthOf(ordinal);
    if (bytes + length > pieceBytes || ordinals.length === swarmBounds.pieceChunksMax) finish();
    state[ordinal] = chunkState.missing;
    index[ordinal] = pieces.length;
    ordinals.push(ordinal);
    bytes += length;
  }
  finish();
  const open = createPieceSet(pieces.length);
  for (const piece of pieces.keys()) putPiece(open, piece, true);
  const holders = new Int32Array(pieces.length);
  return { pieces, state, pieceBytes, pieceOf: (ordinal) => index[ordinal] ?? -1, holders, open, rarestAmong: rarestAmong(holders, open) };
}

/** Whether a piece is in a set. */
export function hasPiece(set: PieceSet, piece: number): boolean {
  return ((set[piece >>> 5] ?? 0) & (1 << (piece & 31))) !== 0;
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
