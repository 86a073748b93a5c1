// Revision manifests: one encoding each, and nothing else is taken.

import * as dagCbor from '@ipld/dag-cbor';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseDeploySpec } from '../../proto/deploy-spec-codec.ts';
import { limits } from '../../proto/limits.ts';
import { decodeRevision, encodeRevision } from '../../proto/revision-codec.ts';
import type { Revision } from '../../proto/revision.ts';
import { chunkOf, mutated, outcome, plainRevision, smallRevision } from './fixtures.ts';

const revision: fc.Arbitrary<Revision> = fc
  .record({
    app: fc.stringMatching(/^[a-z0-9]{1,10}(-[a-z0-9]{1,10}){0,3}$/),
    lengths: fc.array(fc.integer({ min: 1, max: limits.chunkBytesMax }), { minLength: 1, maxLength: 20 }),
    entries: fc.nat(limits.treeEntriesMax),
    chunks: fc.nat(limits.treeChunksMax),
    bytes: fc.maxSafeNat(),
    spec: fc.constantFrom(smallRevision.spec, plainRevision.spec),
  })
  .map(({ lengths, ...rest }) => ({
    ...smallRevision,
    ...rest,
    indexBytes: lengths.reduce((sum, length) => sum + length, 0),
    indexChunks: lengths.map((length, index) => chunkOf(`${index}`, length)),
  }));

describe('decodeRevision()', () => {
  test('gives back what was encoded', () => {
    fc.assert(
      fc.property(revision, (given) => {
        expect(decodeRevision(encodeRevision(given))).toEqual(given);
      }),
    );
  });

  test('fills in no default of the deploy spec', () => {
    const spec = decodeRevision(encodeRevision(plainRevision)).spec;
    expect(spec).toEqual({ apiVersion: 'starling/v1', kind: 'DeploySpec', install: { layout: 'releases' }, service: { manager: 'none' }, health: [] });
  });

  test('answers any bytes with a ProtocolError', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => 'code' in outcome(() => decodeRevision(bytes))));
    const value = fc.anything({ withDate: false, withMap: false, withSet: false, withTypedArray: false, withBigInt: false, maxDepth: 3 });
    fc.assert(
      fc.property(value, fc.constantFrom('spec', 'tree', 'indexChunks', 'bytes', 'app', 'extra'), (any, field) => {
        const encoded = outcomeOfEncoder({ ...dagCbor.decode<object>(encodeRevision(plainRevision)), [field]: any });
        if (encoded !== undefined) outcome(() => decodeRevision(encoded));
      }),
    );
  });

  test('takes a changed manifest for a ProtocolError or for what encodes to the very same bytes', () => {
    fc.assert(
      fc.property(fc.constantFrom(smallRevision, plainRevision).chain((given) => mutated(encodeRevision(given))), (bytes) => {
        const decoded = outcome(() => decodeRevision(bytes));
        if ('value' in decoded) expect(Uint8Array.from(encodeRevision(decoded.value))).toEqual(bytes);
      }),
      { numRuns: 1000 },
    );
  });

  test('refuses a manifest above its limit before it looks inside', () => {
    expect(outcome(() => decodeRevision(new Uint8Array(limits.revisionBytesMax + 1)))).toEqual({ code: 'TOO_LARGE' });
  });

  test('has room for the largest index', () => {
    const count = limits.indexBytesMax / (16 * 1024);
    const indexChunks = Array.from({ length: count }, (_, index) => chunkOf(`${index}`, 16 * 1024));
    const bytes = encodeRevision({ ...smallRevision, indexBytes: limits.indexBytesMax, indexChunks });
    expect(decodeRevision(bytes).indexChunks).toEqual(indexChunks);
  });
});

describe('encodeRevision()', () => {
  test.each<{ name: string; change: Partial<Revision>; code: string }>([
    { name: 'an empty name', change: { app: '' }, code: 'INVALID_NAME' },
    { name: 'a name in capitals', change: { app: 'Web' }, code: 'INVALID_NAME' },
    { name: 'chunks that do not add up', change: { indexBytes: 1 }, code: 'MALFORMED' },
    { name: 'too many chunks', change: { chunks: limits.treeChunksMax + 1 }, code: 'TOO_LARGE' },
    { name: 'a negative size', change: { bytes: -1 }, code: 'MALFORMED' },
    { name: 'a short digest', change: { tree: 'ab' }, code: 'MALFORMED' },
    { name: 'a spec without health', change: { spec: JSON.parse('{"apiVersion":"starling/v1"}') }, code: 'MALFORMED' },
  ])('refuses what no decoder takes: $name', ({ change, code }) => {
    expect(outcome(() => encodeRevision({ ...smallRevision, ...change }))).toEqual({ code });
  });
});

describe('parseDeploySpec()', () => {
  test('names each place that is wrong', () => {
    const wrong = { ...plainRevision.spec, shell: true, health: [{ kind: 'http', url: 'ftp://host' }] };
    expect(() => parseDeploySpec(wrong)).toThrow(/"\/" must not have additional properties: "shell".*"\/health\/0\/url" must match pattern/);
  });

  test('refuses a spec above its limit', () => {
    const env = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`NAME_${index}`, 'x'.repeat(4096)]));
    const spec = { ...plainRevision.spec, service: { manager: 'process', command: ['node'], env } };
    expect(outcome(() => parseDeploySpec(spec))).toEqual({ code: 'TOO_LARGE' });
  });
});

/** The value as DAG-CBOR, or undefined where that has no form for it. */
function outcomeOfEncoder(value: object): Uint8Array | undefined {
  try {
    return dagCbor.encode(value);
  } catch {
    return undefined;
  }
}
