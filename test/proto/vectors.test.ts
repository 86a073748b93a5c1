// The golden vectors: what two versions of the program agree on. Where one of these fails, either the change is a mistake or the protocol
// has a new version; test/vectors/generate.ts says how they were made.

import { describe, expect, test } from 'vitest';
import { chunkLengths, gearTable } from '../../proto/chunker.ts';
import { decodeFrame, encodeMessage } from '../../proto/exchange-codec.ts';
import { decodeRevision, encodeRevision } from '../../proto/revision-codec.ts';
import { decodeTree, encodeTree } from '../../proto/tree-index.ts';
import { decodeUploadFrame, encodeUploadFrame } from '../../proto/upload-frame.ts';
import chunkerVectors from '../vectors/chunker.json' with { type: 'json' };
import exchangeVectors from '../vectors/exchange.json' with { type: 'json' };
import revisionVectors from '../vectors/revision.json' with { type: 'json' };
import treeVectors from '../vectors/tree-index.json' with { type: 'json' };
import uploadVectors from '../vectors/upload-frame.json' with { type: 'json' };
import { digestOf, everyMessage, plainRevision, repeatableBytes, smallRevision, smallTree } from './fixtures.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));

test('the gear table is the one of the profile', () => {
  expect([...gearTable.subarray(0, 8)].map((word) => (word >>> 0).toString(16).padStart(8, '0'))).toEqual(chunkerVectors.gearTableHead);
  expect(digestOf(new Uint8Array(gearTable.buffer))).toBe(chunkerVectors.gearTableDigest);
});

test.each(chunkerVectors.files)('chunkLengths() cuts $length bytes as it always did', ({ seed, length, chunks }) => {
  const file = seed === undefined ? new Uint8Array(length) : repeatableBytes(seed, length);
  expect(chunkLengths(file)).toEqual(chunks);
});

describe('the tree index', () => {
  test.each([
    { name: 'insensitive', entries: smallTree, caseSensitive: false, golden: treeVectors.insensitive },
    { name: 'sensitive', entries: smallTree, caseSensitive: true, golden: treeVectors.sensitive },
    { name: 'empty', entries: [], caseSensitive: false, golden: treeVectors.empty },
  ])('is the golden one: $name', ({ entries, caseSensitive, golden }) => {
    expect(hex(encodeTree(entries, { caseSensitive }))).toBe(golden);
    expect(decodeTree(bytes(golden)).entryCount).toBe(entries.length);
  });
});

test('the revision manifest is the golden one, and so is its digest', () => {
  for (const [index, revision] of [smallRevision, plainRevision].entries()) {
    const golden = revisionVectors.revisions[index];
    expect(hex(encodeRevision(revision))).toBe(golden?.bytes);
    expect(digestOf(encodeRevision(revision))).toBe(golden?.digest);
    expect(decodeRevision(bytes(golden?.bytes ?? ''))).toEqual(revision);
  }
});

test('every exchange message has its golden frame', () => {
  expect(everyMessage.map((message) => ({ kind: message.kind, bytes: hex(Buffer.concat(encodeMessage(message))) }))).toEqual(exchangeVectors.frames);
  expect(exchangeVectors.frames.map((frame) => decodeFrame(bytes(frame.bytes)))).toEqual(everyMessage);
});

test('the upload frame is the golden one', () => {
  const parts = [{ ordinal: 3, bytes: Uint8Array.of(1, 2, 3) }, { ordinal: 1, bytes: Uint8Array.of(0xff) }];
  expect(hex(encodeUploadFrame(parts))).toBe(uploadVectors.bytes);
  expect(decodeUploadFrame(bytes(uploadVectors.bytes))).toEqual(parts);
});
