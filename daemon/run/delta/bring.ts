// One delta set being used: its parts brought over its topic, segments decoded as soon as theirs are there, chunks that verify handed on.
// Which set, and whether to wait for one, is use.ts's.

import { createBitmap, type Bitmap } from '../../../proto/bitmap.ts';
import { segmentSlices, type DeltaSegment, type PayloadSlice } from '../../../proto/delta-set.ts';
import type { Transfer } from '../../../proto/fleet.ts';
import { limits } from '../../../proto/limits.ts';
import type { Clock } from '../../clock.ts';
import type { Manifest } from '../../content/manifests.ts';
import type { ChunkSource } from '../../content/store.ts';
import type { DeltaDecoder } from '../../delta/delta.ts';
import type { Logger } from '../../log.ts';
import type { DaemonMetrics } from '../../metrics.ts';
import type { KeptDelta } from './files.ts';
import type { DeltaShelf } from './shelf.ts';

/** Without a part for so long, the plain chunks are asked for: someone who waits, an index that the release waits for, and a prefetch under a cap. */
const stalledMs = { patient: 10_000, index: 3_000, background: 60_000 } as const;
/** A set that saves less than this of the chunks it makes is not worth its work. */
const gainMin = 0.1;

export interface DeltaBringingDeps {
  readonly shelf: DeltaShelf;
  readonly base: ChunkSource;
  readonly decoder: DeltaDecoder;
  readonly clock: Clock;
  readonly metrics: DaemonMetrics;
  readonly log: Logger;
  readonly delta: KeptDelta;
  readonly from: Manifest;
  readonly isPatient: boolean;
}

export interface BringOptions {
  /** Takes a chunk that verified. What it rejects with ends the whole. */
  readonly write: (ordinal: number, bytes: Uint8Array) => Promise<void>;
  readonly signal: AbortSignal;
  readonly urgent?: AbortSignal;
}

/** What came of it. `deltaBytes` are those of parts that were fetched now, `savedBytes` by how much the chunks are longer. */
export interface Brought {
  readonly transfer: Transfer | undefined;
  readonly deltaBytes: number;
  readonly savedBytes: number;
}

export interface DeltaBringing {
  /** Whether fewer bytes are moved than for the plain chunks. */
  readonly pays: boolean;
  /** Wanted ordinals that the set should make. */
  readonly covered: Bitmap;
  /** Makes what can be made; ends early when no part comes any more. @throws what `write` rejects with, ABORTED. */
  bring(options: BringOptions): Promise<Brought>;
  /** Brings parts only; says whether all are there. */
  parts(wanted: Bitmap, options: { readonly signal: AbortSignal }): Promise<boolean>;
  /** The first parts, one after the other; `undefined` when one is not there. */
  read(parts: Bitmap): Promise<Uint8Array | undefined>;
}

/** What is wanted, of which revision. */
export interface DeltaTarget {
  readonly manifest: Manifest;
  readonly wanted: Bitmap;
}

interface Needed {
  readonly position: number;
  readonly slice: PayloadSlice;
  readonly ordinals: readonly number[];
}

/** @param target none when only parts are wanted, for the index in them. */
export function createDeltaBringing(deps: DeltaBringingDeps, target?: DeltaTarget): DeltaBringing {
  const { shelf, delta, metrics, log } = deps;
  const { needed, covered, parts, chunkBytes } = needs(delta, target);
  return {
    covered,
    pays: chunkBytes > 0 && missing(delta, parts).bytes <= chunkBytes * (1 - gainMin),
    async bring(options) {
      const fetch = missing(delta, parts);
      let madeBytes = 0;
      let gotBytes = 0;
      let failed = 0;
      let why: string | undefined;
      let failure: { readonly cause: unknown } | undefined;
      const waiting = new Set(needed);
      // One after the other: each takes its base and its result in memory.
      let last: Promise<void> = Promise.resolve();
      const decodeReady = async (): Promise<void> => {
        for (const segment of waiting) {
          if (!hasAll(delta.held, segment.slice.parts)) continue;
          waiting.delete(segment);
          const { bytes, fallen, reason } = await decode(deps, target, segment, options);
          madeBytes += bytes;
          failed += fallen;
          why ??= reason;
        }
      };
      const inTurn = async (): Promise<void> => {
        last = last.then(decodeReady).catch((cause: unknown) => {
          failure ??= { cause };
          throw cause;
        });
        await last;
      };
      await inTurn();
      const transfer = fetch.bitmap.count === 0 ? undefined : await fetchParts(deps, fetch.bitmap, async (ordinal) => {
        gotBytes += delta.set.parts[ordinal]?.length ?? 0;
        await inTurn();
      }, options);
      // What the release could not take is for the caller, whatever became of the parts.
      if (failure !== undefined) throw failure.cause;
      if (failed > 0) {
        metrics.deltaFallbacks.inc({ reason: 'damaged' });
        log.warn({ revision: delta.set.to, from: delta.set.from, chunks: failed, reason: why }, 'chunks were not made out of those at hand; they are fetched');
      }
      metrics.deltaBytes.inc(gotBytes);
      const savedBytes = Math.max(0, madeBytes - gotBytes);
      metrics.deltaSavedBytes.inc(savedBytes);
      return { transfer, deltaBytes: gotBytes, savedBytes };
    },
    async parts(wanted, { signal }) {
      const fetch = missing(delta, wanted);
      if (fetch.bitmap.count === 0) return true;
      const transfer = await fetchParts(deps, fetch.bitmap, async () => await Promise.resolve(), { signal });
      if (transfer !== undefined) metrics.deltaBytes.inc(fetch.bytes);
      return transfer !== undefined;
    },
    read: async (wanted) => await readParts(shelf, delta, each(wanted)),
  };
}

/** The segments that make something of what is wanted, what that is, and the parts that they take. */
function needs({ set }: KeptDelta, target: DeltaTarget | undefined) {
  const slices = segmentSlices(set);
  const needed: Needed[] = target === undefined ? [] : set.segments.flatMap((segment, position) => {
    const slice = slices[position];
    const ordinals = ordinalsOf(segment, target.wanted);
    return slice === undefined || ordinals.length === 0 ? [] : [{ position, slice, ordinals }];
  });
  const covered = createBitmap(target?.wanted.size ?? 0);
  const parts = createBitmap(set.parts.length);
  let chunkBytes = 0;
  for (const { slice, ordinals } of needed) {
    parts.setRange(slice.parts.from, slice.parts.to);
    for (const ordinal of ordinals) if (covered.set(ordinal)) chunkBytes += target?.manifest.tree.chunkLength(ordinal) ?? 0;
  }
  return { needed, covered, parts, chunkBytes };
}

function missing({ set, held }: KeptDelta, wanted: Bitmap): { readonly bitmap: Bitmap; readonly bytes: number } {
  const bitmap = createBitmap(wanted.size);
  let bytes = 0;
  for (const ordinal of each(wanted)) {
    if (held.has(ordinal)) continue;
    bitmap.set(ordinal);
    bytes += set.parts[ordinal]?.length ?? 0;
  }
  return { bitmap, bytes };
}

/** Brings parts, and gives up when none comes any more or our copy of the set fails; `undefined` then. @throws when the signal fires. */
async function fetchParts(deps: DeltaBringingDeps, wanted: Bitmap, onPart: (ordinal: number) => Promise<void>, { signal, urgent }: Pick<BringOptions, 'signal' | 'urgent'>): Promise<Transfer | undefined> {
  const { shelf, delta, clock, metrics, log } = deps;
  const stalled = new AbortController();
  const done = new AbortController();
  let seen = 0;
  const watch = async (): Promise<void> => {
    for (let before = -1; before !== seen; ) {
      before = seen;
      const ms = !deps.isPatient ? stalledMs.index : urgent?.aborted === false ? stalledMs.background : stalledMs.patient;
      await clock.wait(ms, { signal: done.signal });
    }
    stalled.abort(new Error('no part came'));
  };
  watch().catch(() => undefined);
  try {
    return await shelf.fetch(delta, {
      wanted,
      onPart: async (ordinal) => {
        seen += 1;
        await onPart(ordinal);
      },
      signal: AbortSignal.any([signal, stalled.signal]),
      ...(urgent === undefined ? {} : { urgent }),
    });
  } catch (cause) {
    if (signal.aborted) throw cause;
    metrics.deltaFallbacks.inc({ reason: 'stalled' });
    log.warn({ err: cause, revision: delta.set.to, from: delta.set.from, parts: seen }, 'not all parts of a delta set come; plain chunks are taken');
    return undefined;
  } finally {
    done.abort();
  }
}

interface Decoded {
  readonly bytes: number;
  /** Chunks that were wanted and not made. */
  readonly fallen: number;
  readonly reason: string | undefined;
}

/** Hands on the chunks of a segment that verify. */
async function decode({ shelf, delta, from, decoder, base }: DeltaBringingDeps, target: DeltaTarget | undefined, { position, slice, ordinals }: Needed, { write, signal }: BringOptions): Promise<Decoded> {
  const { set } = delta;
  const payload = await readParts(shelf, delta, range(slice.parts.from, slice.parts.to));
  if (payload === undefined || target === undefined) return { bytes: 0, fallen: ordinals.length, reason: 'a part is gone' };
  const offset = slice.parts.from * limits.deltaPartBytes;
  const encoded = payload.subarray(slice.begin - offset, slice.end - offset);
  const { made, failed, reason } = await decoder.segment({ set, segment: position, from: from.tree, to: target.manifest.tree, encoded, base, signal });
  const asked = new Set(ordinals);
  let bytes = 0;
  for (const chunk of made) {
    if (!asked.has(chunk.ordinal)) continue;
    await write(chunk.ordinal, chunk.bytes);
    bytes += chunk.bytes.length;
  }
  const fallen = failed.filter((ordinal) => asked.has(ordinal)).length;
  return { bytes, fallen, reason };
}

/** One after the other; `undefined` when one is not there. */
async function readParts(shelf: DeltaShelf, delta: KeptDelta, ordinals: Iterable<number>): Promise<Uint8Array | undefined> {
  const pieces: Uint8Array[] = [];
  for (const ordinal of ordinals) {
    const part = await shelf.part(delta, ordinal);
    if (part === undefined) return undefined;
    pieces.push(part);
  }
  return Uint8Array.from(Buffer.concat(pieces));
}

function* range(from: number, to: number): Generator<number> {
  for (let ordinal = from; ordinal < to; ordinal += 1) yield ordinal;
}

function* each(bitmap: Bitmap): Generator<number> {
  for (const { from, to } of bitmap.ranges()) for (let ordinal = from; ordinal < to; ordinal += 1) yield ordinal;
}

function hasAll(held: Bitmap, { from, to }: { readonly from: number; readonly to: number }): boolean {
  for (let ordinal = from; ordinal < to; ordinal += 1) if (!held.has(ordinal)) return false;
  return true;
}

/** Of a segment, what is wanted; ordinals that the tree does not have are nobody's. */
function ordinalsOf({ out }: DeltaSegment, wanted: Bitmap): readonly number[] {
  const ordinals: number[] = [];
  for (const { from, to } of out) for (let ordinal = from; ordinal < Math.min(to, wanted.size); ordinal += 1) if (wanted.has(ordinal)) ordinals.push(ordinal);
  return ordinals;
}
