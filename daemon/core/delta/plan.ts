// Which chunks of a new tree are missing when an old one is there, and which old chunks to encode them against: the old bytes at the same
// place (content.md, section 2). Encoding is the shell's; which old file is meant is in base-file.ts.

import type { Digest } from '../../../proto/cid.ts';
import type { OrdinalRange } from '../../../proto/exchange.ts';
import { limits } from '../../../proto/limits.ts';
import { rangesOf } from '../../../proto/ordinal-ranges.ts';
import type { FileEntry, Tree } from '../../../proto/tree.ts';
import { baseFiles } from './base-file.ts';

const MiB = 1024 * 1024;

/** Lengths in bytes, measured in content.md: larger segments or windows cost bytes at the level that is fast enough. */
export const deltaPlanBytes = {
  /** Missing bytes of a segment. */
  segment: 1 * MiB,
  /** Old bytes before and after the place of the missing ones, while there is one place. Many places share {@link deltaPlanBytes}.base. */
  window: 1 * MiB,
  base: 3 * MiB,
  /** A base that is cut out along chunks may become longer, up to here. */
  baseMax: 6 * MiB,
} as const;

/** Places of one segment: more of them are small files, and each takes two bytes or more of descriptor. */
const runsMax = 2_048;

/** Chunks to encode together, and what against; no base when nothing old is like them. */
export interface PlannedSegment {
  readonly out: readonly OrdinalRange[];
  readonly base: readonly OrdinalRange[];
  readonly outBytes: number;
  readonly baseBytes: number;
}

/** Segments in ascending order of their ordinals; each missing chunk is in one of them. */
export interface DeltaPlan {
  readonly missingChunks: number;
  readonly missingBytes: number;
  readonly segments: readonly PlannedSegment[];
}

/** Missing chunks that follow each other in a file, and where their old version begins and ends in the base file. */
interface Run {
  readonly base: FileEntry | undefined;
  readonly ordinals: number[];
  begin: number;
  end: number;
}

/** The plan for `to` where `from` is held. Holds one map entry for each chunk of `from`. */
export function planDelta(from: Tree, to: Tree): DeltaPlan {
  const held = new Map<Digest, number>();
  for (let ordinal = 0; ordinal < from.chunkCount; ordinal += 1) held.set(from.chunk(ordinal).id, ordinal);
  const missing = new Uint8Array(to.chunkCount);
  let missingChunks = 0;
  let missingBytes = 0;
  for (let ordinal = 0; ordinal < to.chunkCount; ordinal += 1) {
    const { id, length } = to.chunk(ordinal);
    if (held.has(id)) continue;
    missing[ordinal] = 1;
    missingChunks += 1;
    missingBytes += length;
  }
  const files: number[] = [];
  for (let index = 0; index < to.entryCount; index += 1) {
    const entry = to.entry(index);
    if (entry.kind === 'file' && entry.chunks.some((ordinal) => missing[ordinal] === 1)) files.push(index);
  }
  const bases = baseFiles(from, to, files);
  const gathering = gather(from, to);
  for (const index of files) {
    const file = to.entry(index);
    const position = bases.get(index);
    const base = position === undefined ? undefined : from.entry(position);
    if (file.kind === 'file') addFile(file, base?.kind === 'file' ? base : undefined, { from, to, held, missing }, gathering.add);
  }
  return { missingChunks, missingBytes, segments: gathering.finish() };
}

interface Trees {
  readonly from: Tree;
  readonly to: Tree;
  readonly held: ReadonlyMap<Digest, number>;
  /** 1 for each ordinal of `to` that is still to be put into a segment. */
  readonly missing: Uint8Array;
}

/** Hands over the file's missing chunks one by one, each with its place in the base file: moved as far as the last unchanged chunk was. */
function addFile(file: FileEntry, base: FileEntry | undefined, { from, to, held, missing }: Trees, add: (ordinal: number, base: FileEntry | undefined, place: number) => void): void {
  const places = new Map<number, number>();
  let offset = 0;
  for (const ordinal of base?.chunks ?? []) {
    places.set(ordinal, offset);
    offset += from.chunkLength(ordinal);
  }
  let shift = 0;
  offset = 0;
  for (const ordinal of file.chunks) {
    const { id, length } = to.chunk(ordinal);
    if (missing[ordinal] === 1) {
      missing[ordinal] = 0;
      add(ordinal, base, Math.max(0, offset + shift));
    } else {
      const place = places.get(held.get(id) ?? -1);
      if (place !== undefined) shift = place - offset;
    }
    offset += length;
  }
}

/** Collects chunks into runs and runs into segments. */
function gather(from: Tree, to: Tree) {
  const segments: PlannedSegment[] = [];
  let runs: Run[] = [];
  let outBytes = 0;
  let baseBytes = 0;
  const close = (): void => {
    if (runs.length > 0) segments.push(segmentOf(from, runs, outBytes));
    runs = [];
    outBytes = 0;
    baseBytes = 0;
  };
  return {
    add: (ordinal: number, base: FileEntry | undefined, place: number): void => {
      const length = to.chunkLength(ordinal);
      const last = runs.at(-1);
      const joins = last !== undefined && last.base === base && place >= last.begin && place <= last.end + length;
      // A new place brings at least the old chunks that it touches.
      const touched = base === undefined || joins ? 0 : Math.min(base.size, length + limits.singleChunkBytesMax * 2);
      if (outBytes + length > deltaPlanBytes.segment || baseBytes + touched > deltaPlanBytes.base || runs.length >= runsMax) {
        close();
        runs.push({ base, ordinals: [ordinal], begin: place, end: place + length });
        baseBytes = base === undefined ? 0 : Math.min(base.size, length + limits.singleChunkBytesMax * 2);
      } else if (joins) {
        last.ordinals.push(ordinal);
        last.end = Math.max(last.end, place + length);
      } else {
        runs.push({ base, ordinals: [ordinal], begin: place, end: place + length });
        baseBytes += touched;
      }
      outBytes += length;
    },
    finish: (): readonly PlannedSegment[] => {
      close();
      return segments;
    },
  };
}

function segmentOf(from: Tree, runs: readonly Run[], outBytes: number): PlannedSegment {
  const placed = runs.filter(({ base }) => base !== undefined);
  const spare = deltaPlanBytes.base - placed.reduce((sum, { begin, end }) => sum + end - begin, 0);
  const window = Math.min(deltaPlanBytes.window, Math.max(0, spare / (2 * Math.max(1, placed.length))));
  const ordinals = new Set<number>();
  let baseBytes = 0;
  for (const { base, begin, end } of placed) {
    let offset = 0;
    for (const ordinal of base?.chunks ?? []) {
      const length = from.chunkLength(ordinal);
      const inside = offset + length > begin - window && offset < end + window;
      if (inside && !ordinals.has(ordinal) && baseBytes + length <= deltaPlanBytes.baseMax) {
        ordinals.add(ordinal);
        baseBytes += length;
      }
      offset += length;
    }
  }
  const base = rangesOf([...ordinals]).slice(0, limits.deltaRangesMax);
  return { out: rangesOf(runs.flatMap((run) => run.ordinals)), base, outBytes, baseBytes };
}
