// One step of P4 in a process of its own, so that its processor time and memory are its own: `index` a tree, `make` a set, `apply` it.
// Files go to a scratch directory; what was measured goes to standard output as one line of JSON.

import { hash } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Digest } from '../proto/cid.ts';
import { decodeDeltaSet } from '../proto/delta-set-codec.ts';
import { indexPartCount, segmentSlices } from '../proto/delta-set.ts';
import { limits } from '../proto/limits.ts';
import { decodeTree } from '../proto/tree-index.ts';
import type { Tree } from '../proto/tree.ts';
import { createRevision, ingest } from '../daemon/content/ingest/ingest.ts';
import { firstPlaces } from '../daemon/content/places.ts';
import type { ChunkSource } from '../daemon/content/store.ts';
import { createDeltaDecoder } from '../daemon/delta/decode.ts';
import { createDeltaEncoder } from '../daemon/delta/encode.ts';
import type { DeltaRevision } from '../daemon/delta/delta.ts';
import { rateBytesMin } from './p4-pairs.ts';

const { signal } = new AbortController();

/** A rate is of so many bytes or more: a small set is made and applied again and again, or starting would be most of it. */
const ratedBytesMin = 64_000_000;

/** A revision of the pair: its index as a file, its chunks in the tree that was read. */
interface Side extends DeltaRevision {
  readonly chunks: ChunkSource;
}

function side(name: string, directory: string, scratch: string): Side {
  const index = readFileSync(join(scratch, `${name}.index`));
  const tree = decodeTree(index);
  return { digest: hash('sha256', index), index, tree, chunks: directorySource(tree, directory) };
}

/** The chunks of a tree that lies in a directory, as installed: read where they are, not hashed again. */
function directorySource(tree: Tree, directory: string): ChunkSource {
  const ordinals = new Map<Digest, number>();
  for (let ordinal = 0; ordinal < tree.chunkCount; ordinal += 1) ordinals.set(tree.chunk(ordinal).id, ordinal);
  const places = firstPlaces(tree);
  return {
    has: async (ids) => await Promise.resolve(ids.map((id) => ordinals.has(id))),
    async get(id, { into }) {
      const ordinal = ordinals.get(id);
      if (ordinal === undefined) return await Promise.resolve(undefined);
      const { entry, offset } = places.of(ordinal);
      const length = tree.chunkLength(ordinal);
      const bytes = into !== undefined && into.length >= length ? into.subarray(0, length) : new Uint8Array(length);
      const file = openSync(`${directory}/${tree.path(entry)}`, 'r');
      readSync(file, bytes, 0, bytes.length, offset);
      closeSync(file);
      return bytes;
    },
  };
}

const processorSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
const rssMiB = (): number => process.memoryUsage.rss() / 2 ** 20;
const peakMiB = (): number => process.resourceUsage().maxRSS / 1024;

async function indexTree(directory: string, output: string): Promise<object> {
  const found = await ingest(directory, { signal, caseSensitive: true });
  writeFileSync(output, found.index);
  return { files: found.tree.entryCount, bytes: found.tree.bytes, indexBytes: found.index.length, manifestBytes: createRevision('bench', found).bytes.length };
}

async function make(fromDirectory: string, toDirectory: string, scratch: string): Promise<object> {
  const [from, to] = [side('from', fromDirectory, scratch), side('to', toDirectory, scratch)];
  const chunks: ChunkSource = { has: async (ids) => await from.chunks.has(ids), get: async (id, options) => (await from.chunks.get(id, options)) ?? (await to.chunks.get(id, options)) };
  const payload = openSync(join(scratch, 'payload'), 'w');
  await using encoder = createDeltaEncoder({ threads: 1 });
  const restingMiB = rssMiB();
  const begin = processorSeconds();
  const made = await encoder.encode({ from, to, chunks, extent: 'all', sink: async (part) => await Promise.resolve(void writeSync(payload, part)), signal });
  closeSync(payload);
  if (made === undefined) throw new Error('the encoder found nothing to save');
  let ratedBytes = made.summary.missingBytes;
  // A set that is too small to be rated is made once only.
  for (; made.summary.missingBytes >= rateBytesMin && ratedBytes < ratedBytesMin; ratedBytes += made.summary.missingBytes) {
    await encoder.encode({ from, to, chunks, extent: 'all', sink: async () => await Promise.resolve(), signal });
  }
  const seconds = processorSeconds() - begin;
  writeFileSync(join(scratch, 'descriptor'), made.descriptor);
  const { set, summary } = made;
  return { ...summary, ratedBytes, seconds, restingMiB, peakMiB: peakMiB(), descriptorBytes: made.descriptor.length, indexBytes: set.index?.length ?? to.index.length, payloadBytes: set.parts.reduce((sum, { length }) => sum + length, 0), segments: set.segments.length, dictionaries: set.segments.filter(({ codec }) => codec !== 'zstd').length };
}

/** Applies the set, and compares every chunk with the new tree byte for byte. */
async function apply(fromDirectory: string, toDirectory: string, scratch: string): Promise<object> {
  const [from, to] = [side('from', fromDirectory, scratch), side('to', toDirectory, scratch)];
  const set = decodeDeltaSet(readFileSync(join(scratch, 'descriptor')));
  const payload = openSync(join(scratch, 'payload'), 'r');
  const read = (begin: number, end: number): Uint8Array => {
    const bytes = new Uint8Array(end - begin);
    readSync(payload, bytes, 0, bytes.length, begin);
    return bytes;
  };
  await using decoder = createDeltaDecoder();
  const compared = { chunks: 0, bytes: 0 };
  const compare = async (ordinal: number, bytes: Uint8Array): Promise<void> => {
    const wanted = await to.chunks.get(to.tree.chunk(ordinal).id, { signal });
    if (wanted === undefined || Buffer.compare(wanted, bytes) !== 0) throw new Error(`chunk ${ordinal} came out wrong`);
    compared.chunks += 1;
    compared.bytes += bytes.length;
  };
  let seconds = 0;
  const timed = async <T>(work: () => Promise<T>): Promise<T> => {
    const begin = processorSeconds();
    try {
      return await work();
    } finally {
      seconds += processorSeconds() - begin;
    }
  };
  const head = read(0, Math.min(indexPartCount(set) * limits.deltaPartBytes, set.parts.reduce((sum, { length }) => sum + length, 0)));
  const makeIndex = async () => await timed(async () => await decoder.index({ set, from, wanted: { tree: to.digest, indexBytes: to.index.length }, payload: head, base: from.chunks, signal }));
  const makeSegment = async (segment: number, { begin, end }: { readonly begin: number; readonly end: number }) => {
    const encoded = read(begin, end);
    return await timed(async () => await decoder.segment({ set, segment, from: from.tree, to: to.tree, encoded, base: from.chunks, signal }));
  };
  const slices = [...(set.index?.codec === 'zstd-outline' ? [] : segmentSlices(set)).entries()];
  const index = await makeIndex();
  if (set.index !== undefined && (index === undefined || Buffer.compare(index.index, to.index) !== 0)) throw new Error('the index came out wrong');
  for (const { ordinal, bytes } of index?.made ?? []) await compare(ordinal, bytes);
  for (const [segment, slice] of slices) {
    const { made, reason } = await makeSegment(segment, slice);
    if (reason !== undefined) throw new Error(reason);
    for (const { ordinal, bytes } of made) await compare(ordinal, bytes);
  }
  let ratedBytes = compared.bytes;
  for (; compared.bytes > 0 && ratedBytes < ratedBytesMin; ratedBytes += compared.bytes) {
    await makeIndex();
    for (const [segment, slice] of slices) await makeSegment(segment, slice);
  }
  return { ...compared, ratedBytes, seconds, peakMiB: peakMiB() };
}

const [step, a = '', b = '', scratch = ''] = process.argv.slice(2);
const result = step === 'index' ? await indexTree(a, b) : step === 'make' ? await make(a, b, scratch) : await apply(a, b, scratch);
process.stdout.write(`${JSON.stringify(result)}\n`);
