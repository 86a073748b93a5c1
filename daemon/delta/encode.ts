// Making a delta set: the plan of daemon/core is read chunk by chunk, encoded on threads, and what pays is put one after the other into parts.
// A few segments are in memory at a time, and the whole payload only while it is so small that the index goes as an outline.

import { hash } from 'node:crypto';
import { deltaFormat, type DeltaIndex, type DeltaSegment, type DeltaSet } from '../../proto/delta-set.ts';
import { encodeDeltaSet } from '../../proto/delta-set-codec.ts';
import type { Digest } from '../../proto/cid.ts';
import { limits } from '../../proto/limits.ts';
import type { ChunkRef } from '../../proto/tree.ts';
import { planDelta, type PlannedSegment } from '../core/delta/plan.ts';
import { DaemonError } from '../errors.ts';
import { deltaLevels, honoursDictionaries, type EncodedSegment } from './codec.ts';
import type { DeltaEncoder, DeltaRevision, EncodeOptions, MadeDelta } from './delta.ts';
import { outlineOf } from './outline.ts';
import { createEncodePool, type EncodePool } from './pool.ts';
import { readRanges } from './read-ranges.ts';

/** Of sets of so many segments and more some are tried first, from everywhere: where none of those pays, hardly any will, and who waits for the set should not wait for it all. */
const trialFrom = 32;
const trialSegments = 12;
/** How much of a segment must be saved against its chunks as they are; less is not worth a base, a part and the time of every target. */
const gainMin = 0.25;
/** Likewise for the index, whose base every target has at hand. */
const indexGainMin = 0.05;
/** Up to so many missing bytes the thorough level is used: some seconds of one thread, and tiny sets are sent most often. */
const thoroughBytesMax = 4 * 1024 * 1024;
/** Likewise for an index: of a long one the thorough level saves two per cent, and takes 50 MiB more. */
const thoroughIndexBytesMax = 512 * 1024;
/** An outline makes the index wait for the last part; longer payloads let the release begin with the first. */
const outlinePayloadMax = 1024 * 1024;
/** What a descriptor keeps for its parts and its head; segments that would need more are left out. */
const descriptorSegmentBytes = limits.deltaDescriptorBytesMax / 2;
const payloadBytesMax = (limits.deltaDescriptorBytesMax / 2 / 34) * limits.deltaPartBytes;

export interface DeltaEncoderOptions {
  /** Segments that are encoded at once, each on its own thread. */
  readonly threads: number;
  /** Whether everything else on the machine goes first: for sets that nobody waits for. */
  readonly yields?: boolean;
}

interface Encoded {
  readonly plan: PlannedSegment;
  readonly segment: EncodedSegment;
}

/**
 * An encoder. Its threads start with the first set.
 * @throws {DaemonError} CONFIG_INVALID when this runtime compresses without the dictionary that it is given.
 */
export function createDeltaEncoder(options: DeltaEncoderOptions): DeltaEncoder {
  if (!honoursDictionaries()) {
    throw new DaemonError('CONFIG_INVALID', 'this version of Node.js ignores dictionaries of zstd, so no deltas can be made; use 24.6.0 or later');
  }
  const pool = createEncodePool({ size: options.threads, yields: options.yields ?? false });
  let last: Promise<unknown> = Promise.resolve();
  return {
    async encode(encodeOptions) {
      const made = last.then(async () => await encode(pool, encodeOptions));
      last = made.catch(() => undefined);
      return await made;
    },
    async [Symbol.asyncDispose]() {
      await pool[Symbol.asyncDispose]();
    },
  };
}

async function encode(pool: EncodePool, options: EncodeOptions): Promise<MadeDelta | undefined> {
  const { from, to, extent, sink, signal } = options;
  if (from.digest === to.digest) return undefined;
  const plan = planDelta(from.tree, to.tree);
  const level = plan.missingBytes <= thoroughBytesMax ? deltaLevels.thorough : deltaLevels.dictionary;
  const planned = extent === 'all' ? withinDescriptor(plan.segments) : [];
  const summary = (covered: readonly DeltaSegment[], coveredBytes: number) => ({
    missingChunks: plan.missingChunks,
    missingBytes: plan.missingBytes,
    coveredBytes: covered.length === 0 ? 0 : coveredBytes,
  });
  const parts = createParts(sink);
  const segments: DeltaSegment[] = [];
  let coveredBytes = 0;
  const keep = ({ plan: { base, out, outBytes }, segment: { codec, bytes } }: Encoded): void => {
    segments.push({ codec, base: codec === 'zstd' ? [] : base, out, length: bytes.length });
    coveredBytes += outBytes;
  };
  let index: DeltaIndex | undefined;
  if (plan.missingBytes <= limits.deltaOutlineBytesMax && planned.length > 0) {
    const encoded: Encoded[] = [];
    for await (const one of encodeAll(pool, planned, level, options, new Map())) encoded.push(one);
    for (const one of encoded) keep(one);
    const small = encoded.reduce((sum, { segment }) => sum + segment.bytes.length, 0) <= outlinePayloadMax && segments.length > 0;
    index = await addIndex(pool, from, to, small ? segments : undefined, parts, signal);
    for (const { segment } of encoded) await parts.add(segment.bytes);
  } else {
    index = await addIndex(pool, from, to, undefined, parts, signal);
    for await (const one of encodeAll(pool, planned, level, options, await tryFirst(pool, planned, level, options))) {
      if (parts.bytes() + one.segment.bytes.length > payloadBytesMax) break;
      keep(one);
      await parts.add(one.segment.bytes);
    }
  }
  if (index === undefined && segments.length === 0) return undefined;
  const set: DeltaSet = { format: deltaFormat, from: from.digest, to: to.digest, index, segments, parts: await parts.finish() };
  return { set, descriptor: encodeDeltaSet(set), summary: summary(segments, coveredBytes) };
}

/** As many of the first segments as a descriptor has room for. */
function withinDescriptor(segments: readonly PlannedSegment[]): readonly PlannedSegment[] {
  let bytes = 0;
  // At most four bytes for each of a range's two numbers.
  const last = segments.findIndex(({ out, base }) => (bytes += 12 + 8 * (out.length + base.length)) > descriptorSegmentBytes);
  return (last < 0 ? segments : segments.slice(0, last)).slice(0, limits.deltaSegmentsMax);
}

/** Encodes the index before the segments, with or without their chunks; `undefined` when it is the same or gains too little. */
async function addIndex(pool: EncodePool, from: DeltaRevision, to: DeltaRevision, outlined: readonly DeltaSegment[] | undefined, parts: Parts, signal: AbortSignal): Promise<DeltaIndex | undefined> {
  if (Buffer.compare(from.index, to.index) === 0) return undefined;
  const out = outlined === undefined ? to.index : outlineOf(to.index, to.tree, outlined.flatMap((segment) => segment.out));
  const memory = pool.memory(from.index.length + out.length);
  new Uint8Array(memory).set(from.index);
  new Uint8Array(memory).set(out, from.index.length);
  const job = { kind: 'index', memory, baseBytes: from.index.length, outBytes: out.length, level: to.index.length <= thoroughIndexBytesMax ? deltaLevels.thorough : deltaLevels.dictionary } as const;
  const { bytes } = await pool.run(job, signal);
  if (bytes.length > to.index.length * (1 - indexGainMin) && outlined === undefined) return undefined;
  await parts.add(bytes);
  return { codec: outlined === undefined ? 'zstd-dict' : 'zstd-outline', length: bytes.length };
}

type Trial = ReadonlyMap<PlannedSegment, Encoded | undefined>;

/** Encodes some of many segments; `undefined` when none of them pays, else what came of them. They stay in memory: less than their 12 MiB. */
async function tryFirst(pool: EncodePool, planned: readonly PlannedSegment[], level: number, options: EncodeOptions): Promise<Trial | undefined> {
  const tried = new Map<PlannedSegment, Encoded | undefined>();
  if (planned.length < trialFrom) return tried;
  const chosen = Array.from({ length: trialSegments }, (_, at) => planned[Math.floor(((at + 0.5) * planned.length) / trialSegments)]).filter((plan) => plan !== undefined);
  for await (const one of encodeAll(pool, chosen, level, options, new Map())) tried.set(one.plan, one);
  if (tried.size === 0) return undefined;
  for (const plan of chosen) if (!tried.has(plan)) tried.set(plan, undefined);
  return tried;
}

/** The segments that pay, in order, some of which were tried before; as many at once as there are threads, and one more that is being read. None after a trial that failed. */
async function* encodeAll(pool: EncodePool, planned: readonly PlannedSegment[], level: number, options: EncodeOptions, trial: Trial | undefined): AsyncGenerator<Encoded> {
  if (trial === undefined) return;
  const running: Promise<Encoded | undefined>[] = [];
  try {
    for (const plan of planned) {
      const one = trial.has(plan) ? Promise.resolve(trial.get(plan)) : encodeOne(pool, plan, level, options);
      // It is awaited in its turn; until then a failure must not count as unheard.
      one.catch(() => undefined);
      running.push(one);
      if (running.length <= pool.size) continue;
      const first = await running.shift();
      if (first !== undefined) yield first;
    }
    while (running.length > 0) {
      const first = await running.shift();
      if (first !== undefined) yield first;
    }
  } finally {
    // What still runs reads from the caller's store: it ends before the call does.
    await Promise.allSettled(running);
  }
}

async function encodeOne(pool: EncodePool, plan: PlannedSegment, level: number, { from, to, chunks, onEncoded, signal }: EncodeOptions): Promise<Encoded | undefined> {
  const { baseBytes, outBytes } = plan;
  const memory = pool.memory(baseBytes + outBytes);
  const absent =
    (await readRanges(from.tree, plan.base, new Uint8Array(memory, 0, baseBytes), chunks, signal)) +
    (await readRanges(to.tree, plan.out, new Uint8Array(memory, baseBytes, outBytes), chunks, signal));
  if (absent > 0) {
    pool.recycle(memory);
    return undefined;
  }
  const segment = await pool.run({ kind: 'segment', memory, baseBytes, outBytes, level }, signal);
  onEncoded?.(outBytes);
  return segment.bytes.length <= plan.outBytes * (1 - gainMin) ? { plan, segment } : undefined;
}

interface Parts {
  add(bytes: Uint8Array): Promise<void>;
  /** Bytes added so far. */
  bytes(): number;
  finish(): Promise<readonly ChunkRef[]>;
}

/** Cuts what is added into parts, and hands each over as soon as it is full. */
function createParts(sink: (part: Uint8Array) => Promise<void>): Parts {
  const parts: ChunkRef[] = [];
  let part = new Uint8Array(limits.deltaPartBytes);
  let filled = 0;
  const emit = async (): Promise<void> => {
    const bytes = part.subarray(0, filled);
    const id: Digest = hash('sha256', bytes);
    parts.push({ id, length: filled });
    part = new Uint8Array(limits.deltaPartBytes);
    filled = 0;
    await sink(bytes);
  };
  return {
    bytes: () => parts.length * limits.deltaPartBytes + filled,
    async add(bytes) {
      for (let offset = 0; offset < bytes.length; ) {
        const count = Math.min(bytes.length - offset, limits.deltaPartBytes - filled);
        part.set(bytes.subarray(offset, offset + count), filled);
        filled += count;
        offset += count;
        if (filled === limits.deltaPartBytes) await emit();
      }
    },
    async finish() {
      if (filled > 0) await emit();
      return parts;
    },
  };
}
