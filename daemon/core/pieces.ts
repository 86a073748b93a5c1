// The missing chunks of a topic, packed into pieces, and the pieces by how many neighbours have something of them: rarest first in O(1).
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
  /** Neighbours, origins aside, that hold a chunk of it that has not arrived. */
  holders: number;
  /** The origin said that others have it: not before this time again. */
  originAfter: number;
}

export interface PieceTable {
  readonly pieces: readonly Piece[];
  /** Piece of an ordinal, or -1. */
  pieceOf(ordinal: number): number;
  readonly state: Uint8Array;
  readonly pieceBytes: number;
  /** Must be called after every change of `holders`, with the change: +1 or -1. */
  moved(piece: number, change: 1 | -1): void;
  /** Pieces from rare to common; within one availability from a random start. Stops when `visit` returns true. */
  rarestFirst(random: number, visit: (piece: number) => boolean): void;
}

/** What a request asks for: about a 256th of what is missing (swarm.md, section 2.1). */
export function pieceBytesFor(missingBytes: number): number {
  let bytes: number = swarmBounds.pieceBytesMin;
  while (bytes < swarmBounds.pieceBytesMax && bytes * swarmBounds.piecesAim < missingBytes) bytes *= 2;
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
    pieces.push({ ordinals, open: ordinals.length, left: ordinals.length, holders: 0, originAfter: 0 });
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
  return { pieces, state, pieceBytes, pieceOf: (ordinal) => index[ordinal] ?? -1, ...byAvailability(pieces) };
}

/**
 * Pieces in one array sorted by bucket, with the bucket's bounds beside it: a change by one swaps with the bucket's edge
 * (libtorrent's piece picker does the same).
 */
function byAvailability(pieces: readonly Piece[]): Pick<PieceTable, 'moved' | 'rarestFirst'> {
  const last = swarmBounds.bucketsMax;
  const order = Int32Array.from(pieces.keys());
  const position = Int32Array.from(pieces.keys());
  /** Bucket b is order[start[b]] up to order[start[b + 1]]. Everything begins in bucket 0. */
  const start = new Int32Array(last + 2).fill(pieces.length);
  start[0] = 0;
  const at = (array: Int32Array, slot: number): number => array[slot] ?? 0;
  const swap = (a: number, b: number): void => {
    const [pieceA, pieceB] = [at(order, a), at(order, b)];
    order[a] = pieceB;
    order[b] = pieceA;
    position[pieceA] = b;
    position[pieceB] = a;
  };
  return {
    moved(piece, change) {
      const now = pieces[piece]?.holders ?? 0;
      const from = Math.min(now - change, last);
      const to = Math.min(now, last);
      if (from === to) return;
      if (change === 1) {
        swap(at(position, piece), at(start, to) - 1);
        start[to] = at(start, to) - 1;
      } else {
        swap(at(position, piece), at(start, from));
        start[from] = at(start, from) + 1;
      }
    },
    rarestFirst(random, visit) {
      for (let bucket = 0; bucket <= last; bucket += 1) {
        const from = at(start, bucket);
        const size = at(start, bucket + 1) - from;
        const offset = Math.floor(random * size);
        for (let step = 0; step < size; step += 1) {
          if (visit(at(order, from + ((offset + step) % size)))) return;
        }
      }
    },
  };
}
