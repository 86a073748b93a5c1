// Revisions in memory for the tests of deltas: trees of made-up files, changed in made-up ways, with their chunks at hand.

import { hash } from 'node:crypto';
import { chunkLengths } from '../../../proto/chunker.ts';
import type { Digest } from '../../../proto/cid.ts';
import { type EntryInput, decodeTree, encodeTree } from '../../../proto/tree-index.ts';
import type { ChunkSource } from '../../../daemon/content/store.ts';
import type { DecodedIndex, DeltaEncoder, DeltaRevision, MadeChunk, MadeDelta } from '../../../daemon/delta/delta.ts';
import { createDeltaDecoder } from '../../../daemon/delta/decode.ts';
import { createDeltaEncoder } from '../../../daemon/delta/encode.ts';
import { segmentSlices } from '../../../proto/delta-set.ts';

/** Files by path; directories are made as needed. */
export type Files = Readonly<Record<string, Uint8Array>>;

export interface TestRevision extends DeltaRevision {
  readonly chunks: ReadonlyMap<Digest, Uint8Array>;
  readonly wanted: { readonly tree: Digest; readonly indexBytes: number };
}

/** Bytes without any structure, the same for a seed. */
export function noise(seed: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed | 1;
  for (let index = 0; index < length; index += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[index] = state >>> 11;
  }
  return bytes;
}

/** What machine code looks like to a compressor: words with many zero bytes, some of them addresses that all move by `moved`. */
export function code(seed: number, length: number, moved = 0): Uint8Array {
  const random = noise(seed, length);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at + 8 <= length; at += 8) {
    view.setUint32(at, ((random[at] ?? 0) << 16) | ((random[at + 1] ?? 0) << 8));
    view.setUint32(at + 4, (random[at + 2] ?? 0) < 64 ? 0x00400000 + (random[at + 3] ?? 0) * 4096 + moved : (random[at + 4] ?? 0));
  }
  return bytes;
}

/** A copy with other bytes at some places. */
export function edited(bytes: Uint8Array, places: readonly number[]): Uint8Array {
  const copy = Uint8Array.from(bytes);
  for (const place of places) copy[place] = (copy[place] ?? 0) ^ 0x5a;
  return copy;
}

export function revisionOf(files: Files): TestRevision {
  const chunks = new Map<Digest, Uint8Array>();
  const entries: EntryInput[] = [];
  const directories = new Set<string>();
  for (const [path, bytes] of Object.entries(files)) {
    const names = path.split('/').slice(0, -1);
    names.forEach((_, index) => directories.add(names.slice(0, index + 1).join('/')));
    let offset = 0;
    const refs = chunkLengths(bytes).map((length) => {
      const chunk = bytes.subarray(offset, (offset += length));
      const id = hash('sha256', chunk);
      chunks.set(id, chunk);
      return { id, length };
    });
    entries.push({ kind: 'file', path, mode: 0o644, size: bytes.length, digest: hash('sha256', bytes), chunks: refs });
  }
  for (const path of directories) entries.push({ kind: 'directory', path, mode: 0o755 });
  const index = encodeTree(entries, { caseSensitive: true });
  const tree = hash('sha256', index);
  return { digest: hash('sha256', tree), index, tree: decodeTree(index), chunks, wanted: { tree, indexBytes: index.length } };
}

/** The chunks of some revisions, but not those of `without`; `damage` may give others. */
export function sourceOf(revisions: readonly TestRevision[], damage: (id: Digest, bytes: Uint8Array) => Uint8Array | undefined = (_, bytes) => bytes): ChunkSource {
  const find = (id: Digest): Uint8Array | undefined => {
    const bytes = revisions.map(({ chunks }) => chunks.get(id)).find((found) => found !== undefined);
    return bytes === undefined ? undefined : damage(id, bytes);
  };
  return {
    has: async (ids) => await Promise.resolve(ids.map((id) => find(id) !== undefined)),
    get: async (id) => await Promise.resolve(find(id)),
  };
}

export const never = new AbortController().signal;

export interface Made extends MadeDelta {
  readonly payload: Uint8Array;
  readonly parts: readonly Uint8Array[];
}

/** The set from one to the other, on one thread, or by an encoder that is there already. */
export async function makeDelta(from: TestRevision, to: TestRevision, extent: 'index' | 'all' = 'all', shared?: DeltaEncoder): Promise<Made | undefined> {
  const parts: Uint8Array[] = [];
  await using own = shared === undefined ? createDeltaEncoder({ threads: 1 }) : undefined;
  const encoder = shared ?? own;
  if (encoder === undefined) return undefined;
  const sink = async (part: Uint8Array): Promise<void> => {
    parts.push(Uint8Array.from(part));
    await Promise.resolve();
  };
  const made = await encoder.encode({ from, to, chunks: sourceOf([from, to]), extent, sink, signal: never });
  return made && { ...made, parts, payload: Uint8Array.from(Buffer.concat(parts)) };
}

export interface Applied {
  readonly index: DecodedIndex | undefined;
  readonly made: readonly MadeChunk[];
  readonly failed: readonly number[];
}

/** What a target makes of a set. Without the set's index it takes the right one, as from plain chunks. */
export async function applyDelta({ set, payload }: Pick<Made, 'set' | 'payload'>, from: TestRevision, to: TestRevision, base: ChunkSource = sourceOf([from])): Promise<Applied> {
  await using decoder = createDeltaDecoder();
  const index = await decoder.index({ set, from, wanted: to.wanted, payload, base, signal: never });
  if (index !== undefined && index.made.length > 0) return { index, made: index.made, failed: [] };
  const made: MadeChunk[] = [];
  const failed: number[] = [];
  for (const [segment, { begin, end }] of segmentSlices(set).entries()) {
    const result = await decoder.segment({ set, segment, from: from.tree, to: to.tree, encoded: payload.subarray(begin, end), base, signal: never });
    made.push(...result.made);
    failed.push(...result.failed);
  }
  return { index, made, failed };
}
