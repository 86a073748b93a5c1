// Making and applying deltas, whole: what was changed comes out again, and whatever is wrong ends in fewer chunks made, never in wrong ones.

import { hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeDeltaSet } from '../../../proto/delta-set-codec.ts';
import { createDeltaEncoder } from '../../../daemon/delta/encode.ts';
import { createDeltaDecoder } from '../../../daemon/delta/decode.ts';
import { applyDelta, code, edited, makeDelta, never, noise, revisionOf, sourceOf, type Applied, type Made, type TestRevision } from './revisions.ts';

const MiB = 1024 * 1024;
const big = noise(7, 3 * MiB);
const one = revisionOf({ 'bin/app': big, 'etc/a.conf': Buffer.from('port = 1\n'), 'lib/same': noise(3, 200_000) });
const two = revisionOf({ 'bin/app': edited(big, [10, 900_000, 2_000_000, 3_000_000]), 'etc/a.conf': Buffer.from('port = 2\n'), 'lib/same': noise(3, 200_000) });
const unwrap = (made: Made | undefined): Made => {
  if (made === undefined) throw new Error('nothing was made');
  return made;
};
const missing = (from: TestRevision, to: TestRevision): number => [...to.chunks.keys()].filter((id) => !from.chunks.has(id)).length;

/** Every chunk is what it claims, nothing is made twice, and what was not made was said. */
function expectSound({ made, failed, index }: Applied, to: TestRevision): void {
  for (const { ordinal, id, bytes } of made) {
    expect(to.tree.chunk(ordinal).id).toBe(id);
    expect(hash('sha256', bytes)).toBe(id);
  }
  expect(new Set([...made.map(({ ordinal }) => ordinal), ...failed]).size).toBe(made.length + failed.length);
  if (index !== undefined) expect(Buffer.from(index.index).equals(to.index)).toBe(true);
}

describe('a set', () => {
  test('of a few changed bytes makes every missing chunk and the index in a fraction of a percent', async () => {
    const made = unwrap(await makeDelta(one, two));
    expect(decodeDeltaSet(made.descriptor)).toEqual(made.set);
    expect(made.parts.map((part) => ({ id: hash('sha256', part), length: part.length }))).toEqual(made.set.parts);
    expect(made.set.index?.codec).toBe('zstd-outline');
    expect(made.payload.length + made.descriptor.length).toBeLessThan(1_000);
    expect(made.summary.coveredBytes).toBe(made.summary.missingBytes);
    const applied = await applyDelta(made, one, two);
    expectSound(applied, two);
    expect(applied.index).toBeDefined();
    expect(applied.made).toHaveLength(missing(one, two));
  });

  test('is the same whenever it is made', async () => {
    const [first, second] = [await makeDelta(one, two), await makeDelta(one, two)];
    expect(second?.descriptor).toEqual(first?.descriptor);
  });

  test('of the index alone holds no segments', async () => {
    const made = unwrap(await makeDelta(one, two, 'index'));
    expect(made.set.segments).toEqual([]);
    const applied = await applyDelta(made, one, two);
    expectSound(applied, two);
    expect(applied.index?.tree.chunkCount).toBe(two.tree.chunkCount);
  });

  test('is not made of a revision and itself', async () => {
    expect(await makeDelta(one, one)).toBeUndefined();
  });

  test('leaves out what does not shrink', async () => {
    const made = unwrap(await makeDelta(one, revisionOf({ 'bin/app': big, 'data/new': noise(99, 700_000), 'etc/a.conf': Buffer.from('port = 2\n') })));
    expect(made.summary.missingBytes - made.summary.coveredBytes).toBeGreaterThanOrEqual(700_000);
  });

  test('is given up after a few tries where nothing old is like anything new, and made whole where some is', async () => {
    const from = revisionOf({ 'bin/app': noise(1, 34 * MiB) });
    const encoded = async (to: TestRevision): Promise<{ readonly bytes: number; readonly segments: number }> => {
      await using encoder = createDeltaEncoder({ threads: 2 });
      let bytes = 0;
      const made = await encoder.encode({ from, to, chunks: sourceOf([from, to]), extent: 'all', sink: async () => await Promise.resolve(), onEncoded: (more) => (bytes += more), signal: never });
      return { bytes, segments: made?.set.segments.length ?? 0 };
    };
    const fresh = await encoded(revisionOf({ 'bin/app': noise(2, 34 * MiB) }));
    expect(fresh.segments).toBe(0);
    expect(fresh.bytes).toBeLessThan(14 * MiB);
    const half = Buffer.concat([noise(3, 17 * MiB), edited(Buffer.from(noise(1, 34 * MiB)).subarray(17 * MiB), Array.from({ length: 68 }, (_, at) => at * 262_000))]);
    const mixed = await encoded(revisionOf({ 'bin/app': half }));
    expect(mixed.segments).toBeGreaterThan(4);
    expect(mixed.bytes).toBeGreaterThan(18 * MiB);
  });

  test('finds the old bytes of files that moved, changed version or changed hash', async () => {
    const from = revisionOf({ 'lib/app-1.2.3/main.3f9ab27c.js': noise(1, 300_000), 'old/place/tool': noise(2, 400_000) });
    const to = revisionOf({ 'lib/app-1.2.4/main.77e0d1aa.js': edited(noise(1, 300_000), [5, 150_000]), 'new/tool': edited(noise(2, 400_000), [77]) });
    const made = unwrap(await makeDelta(from, to));
    expect(made.payload.length).toBeLessThan(1_000);
    expectSound(await applyDelta(made, from, to), to);
  });

  test('of machine code whose addresses moved is a fraction of what a dictionary alone would leave', async () => {
    const from = revisionOf({ 'bin/app': code(9, 2 * MiB) });
    const to = revisionOf({ 'bin/app': Buffer.concat([code(10, 4_096), code(9, 2 * MiB, 4_096)]) });
    const made = unwrap(await makeDelta(from, to));
    expect(new Set(made.set.segments.map(({ codec }) => codec))).toEqual(new Set(['bsdiff']));
    expect(made.payload.length).toBeLessThan(200_000);
    const applied = await applyDelta(made, from, to);
    expectSound(applied, to);
    expect(applied.failed).toEqual([]);
    expect(applied.index).toBeDefined();
  });

  test('follows content that was pushed far along in its file', async () => {
    const body = noise(5, 6 * MiB);
    const places = Array.from({ length: 60 }, (_, index) => 100_000 * index + 50_000);
    const from = revisionOf({ image: body });
    const to = revisionOf({ image: Buffer.concat([noise(6, 2 * MiB), edited(body, places)]) });
    const made = unwrap(await makeDelta(from, to));
    expect(made.summary.coveredBytes).toBeGreaterThan(3 * MiB);
    // One chunk lies across the seam and brings its new bytes along.
    expect(made.payload.length).toBeLessThan(150_000);
  });
});

describe('any two trees', () => {
  const file = fc.record({ seed: fc.integer({ min: 1, max: 9 }), length: fc.integer({ min: 0, max: 180_000 }), edits: fc.array(fc.nat(180_000), { maxLength: 3 }) });
  const trees = fc.dictionary(fc.constantFrom('a', 'b-1.0', 'b-1.1', 'c/d', 'c/e', 'f/g/h'), file, { noNullPrototype: true });
  const build = (drafts: Record<string, { seed: number; length: number; edits: number[] }>): TestRevision =>
    revisionOf(Object.fromEntries(Object.entries(drafts).map(([path, { seed, length, edits }]) => [path, edited(noise(seed, length), edits.filter((place) => place < length))])));

  test('are turned into each other, and damage never yields a wrong chunk', async () => {
    await using encoder = createDeltaEncoder({ threads: 1 });
    await fc.assert(
      fc.asyncProperty(trees, trees, fc.nat(), fc.integer({ min: 1, max: 255 }), async (before, after, position, flip) => {
        const [from, to] = [build(before), build(after)];
        const made = await makeDelta(from, to, 'all', encoder);
        if (made === undefined) return;
        const whole = await applyDelta(made, from, to);
        expectSound(whole, to);
        expect(whole.failed).toEqual([]);
        if (made.set.index !== undefined) expect(whole.index).toBeDefined();
        const payload = Uint8Array.from(made.payload);
        const at = position % payload.length;
        payload[at] = (payload[at] ?? 0) ^ flip;
        expectSound(await applyDelta({ set: made.set, payload }, from, to), to);
        expectSound(await applyDelta({ set: made.set, payload: made.payload.subarray(0, at) }, from, to), to);
      }),
      { numRuns: 15 },
    );
  }, 60_000);
});

describe('a set of more than an outline may make', () => {
  const image = noise(8, 33 * MiB);
  const from = revisionOf({ image });
  const to = revisionOf({ image: edited(image, Array.from({ length: 33 * 64 }, (_, index) => index * 16_384)) });

  test('has an index of its own, and doubt about one chunk of the base costs the chunks that were copied from it, not the set', async () => {
    const made = unwrap(await makeDelta(from, to));
    expect(made.set.index?.codec).toBe('zstd-dict');
    const whole = await applyDelta(made, from, to);
    expectSound(whole, to);
    expect(whole.index).toBeDefined();
    expect(whole.failed).toEqual([]);
    expect(whole.made.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBe(made.summary.coveredBytes);
    const lost = from.tree.chunk(200).id;
    const applied = await applyDelta(made, from, to, sourceOf([from], (id, bytes) => (id === lost ? undefined : bytes)));
    expectSound(applied, to);
    expect(applied.failed.length).toBeGreaterThan(0);
    expect(applied.failed.length).toBeLessThan(12);
    expect(applied.made.length).toBeGreaterThan(300);
    const drifted = await applyDelta(made, from, to, sourceOf([from], (id, bytes) => (id === lost ? edited(bytes, [9]) : bytes)));
    expectSound(drifted, to);
    expect(drifted.failed).toHaveLength(1);
  }, 60_000);
});

describe('doubt', () => {
  test('about the base makes an outline nothing, and the segments of it nothing wrong', async () => {
    const made = unwrap(await makeDelta(one, two));
    const other = revisionOf({ 'bin/app': noise(70, 3 * MiB), 'etc/a.conf': Buffer.from('port = 1\n'), 'lib/same': noise(30, 200_000) });
    const wrong = await applyDelta(made, other, two);
    expect(wrong.index).toBeUndefined();
    expect(wrong.made.length).toBeLessThan(3);
    expectSound(wrong, two);
    expect((await applyDelta(made, one, two, sourceOf([]))).index).toBeUndefined();
  });

  test('about what the index should be makes none', async () => {
    for (const extent of ['index', 'all'] as const) {
      const made = unwrap(await makeDelta(one, two, extent));
      await using decoder = createDeltaDecoder();
      const options = { set: made.set, from: one, payload: made.payload, base: sourceOf([one]), signal: never };
      expect(await decoder.index({ ...options, wanted: { ...two.wanted, tree: one.wanted.tree } })).toBeUndefined();
      expect(await decoder.index({ ...options, wanted: { ...two.wanted, indexBytes: two.wanted.indexBytes - 1 } })).toBeUndefined();
      expect(await decoder.index({ ...options, wanted: { ...two.wanted, indexBytes: 2 ** 40 } })).toBeUndefined();
    }
  });

  test('about ordinals that no tree has fails what there is of the segment', async () => {
    const made = unwrap(await makeDelta(one, two));
    const [segment] = made.set.segments;
    if (segment === undefined) throw new Error('no segment');
    const base = sourceOf([one]);
    await using decoder = createDeltaDecoder();
    for (const odd of [{ ...segment, base: [{ from: 9_000_000, to: 9_000_001 }] }, { ...segment, out: [{ from: 0, to: 16_000_000 }] }]) {
      const result = await decoder.segment({ set: { ...made.set, segments: [odd] }, segment: 0, from: one.tree, to: two.tree, encoded: made.payload.subarray(0, odd.length), base, signal: never });
      expect(result.made).toEqual([]);
      expect(result.failed.every((ordinal) => ordinal < two.tree.chunkCount)).toBe(true);
      expect(result.reason).toBeDefined();
    }
  });
});

describe('createDeltaEncoder()', () => {
  test('makes no segments of chunks that cannot be had', async () => {
    await using encoder = createDeltaEncoder({ threads: 2 });
    const made = await encoder.encode({ from: one, to: two, chunks: sourceOf([one]), extent: 'all', sink: async () => await Promise.resolve(), signal: never });
    expect(made?.set.segments).toEqual([]);
    expect(made?.set.index?.codec).toBe('zstd-dict');
  });

  test('ends with ABORTED when it is interrupted, and works again afterwards', async () => {
    await using encoder = createDeltaEncoder({ threads: 2 });
    const controller = new AbortController();
    const options = { from: one, to: two, chunks: sourceOf([one, two]), extent: 'all' as const, sink: async () => await Promise.resolve() };
    const interrupted = encoder.encode({ ...options, signal: controller.signal });
    controller.abort();
    await expect(interrupted).rejects.toMatchObject({ code: 'ABORTED' });
    expect((await encoder.encode({ ...options, signal: never }))?.set.segments).toHaveLength(1);
  });

  test('ends with what its sink or its source throws', async () => {
    await using encoder = createDeltaEncoder({ threads: 1 });
    const failure = new Error('the disk is full');
    const options = { from: one, to: two, extent: 'all' as const, signal: never };
    await expect(encoder.encode({ ...options, chunks: sourceOf([one, two]), sink: async () => await Promise.reject(failure) })).rejects.toBe(failure);
    const broken = { has: async () => await Promise.resolve([]), get: async () => await Promise.reject(failure) };
    await expect(encoder.encode({ ...options, chunks: broken, sink: async () => await Promise.resolve() })).rejects.toBe(failure);
  });

  test('lets nobody wait for it after it was closed', async () => {
    const encoder = createDeltaEncoder({ threads: 1 });
    const running = encoder.encode({ from: one, to: two, chunks: sourceOf([one, two]), extent: 'all', sink: async () => await Promise.resolve(), signal: never });
    running.catch(() => undefined);
    await encoder[Symbol.asyncDispose]();
    await expect(running).rejects.toMatchObject({ code: 'ABORTED' });
  });
});
