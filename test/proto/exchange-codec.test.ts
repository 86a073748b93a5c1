// Frames of the exchange: there and back, out of a stream cut anywhere, and never more memory than a frame may take.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createFrameReader, decodeFrame, encodeMessage } from '../../proto/exchange-codec.ts';
import type { ExchangeMessage } from '../../proto/exchange.ts';
import { limits } from '../../proto/limits.ts';
import { digestOf, everyMessage, mutated, outcome } from './fixtures.ts';

const u32 = fc.nat(0xffffffff);
const ranges = fc
  .array(fc.tuple(fc.nat(0xfffffffe), fc.integer({ min: 1, max: 1000 })), { minLength: 1, maxLength: 6 })
  .map((pairs) => pairs.map(([from, length]) => ({ from, to: Math.min(from + length, 0xffffffff) })));
const blob = (minLength: number) => fc.uint8Array({ minLength, maxLength: 300 });
const revision = fc.nat(3).map((number) => digestOf(`revision ${number}`));
const message: fc.Arbitrary<ExchangeMessage> = fc.oneof(
  fc.record({ kind: fc.constant('open'), topic: u32, blob: fc.constantFrom('tree', 'index', 'delta'), revision, held: blob(0) }),
  fc.record({ kind: fc.constant('close'), topic: u32 }),
  fc.record({ kind: fc.constantFrom('have', 'suggest'), topic: u32, ranges }),
  fc.record({ kind: fc.constant('request'), topic: u32, request: u32, ranges }),
  fc.record({ kind: fc.constant('data'), topic: u32, request: u32, ordinal: u32, compression: fc.constantFrom('none', 'zstd'), bytes: blob(1) }),
  fc.record({ kind: fc.constant('busy'), request: u32, retryAfterMs: u32 }),
  fc.record({ kind: fc.constant('absent'), request: u32, ranges }),
  fc.record({ kind: fc.constant('elsewhere'), request: u32, holders: fc.array(fc.stringMatching(/^[A-Za-z0-9]{1,60}$/), { maxLength: 5 }) }),
  fc.record({ kind: fc.constant('cancel'), request: u32 }),
  fc.record({ kind: fc.constant('want-manifest'), request: u32, revision }),
  fc.record({ kind: fc.constant('manifest'), request: u32, bytes: blob(0) }),
  fc.record({ kind: fc.constant('want-delta'), request: u32, to: revision, bases: fc.array(revision, { minLength: 1, maxLength: 8 }) }),
  fc.record({ kind: fc.constant('delta'), request: u32, etaMs: u32, statement: fc.stringMatching(/^[A-Za-z0-9_.-]{1,60}$/), descriptor: blob(1) }),
  fc.record({ kind: fc.constant('delta'), request: u32, etaMs: u32, statement: fc.constant(''), descriptor: fc.constant(new Uint8Array(0)) }),
  fc.record({ kind: fc.constant('bulk'), port: fc.integer({ min: 1, max: 0xffff }), token: fc.uint8Array({ minLength: 16, maxLength: 16 }) }),
  fc.record({ kind: fc.constantFrom('mark', 'taken'), number: fc.maxSafeNat() }),
);

const frameOf = (one: ExchangeMessage): Uint8Array => Uint8Array.from(Buffer.concat(encodeMessage(one)));

/** What a stream's slices give, or the code with which it breaks. */
function read(slices: readonly Uint8Array[]): ExchangeMessage[] {
  const reader = createFrameReader();
  return slices.flatMap((slice) => reader.push(slice));
}

/** A stream cut at these places. */
function cutAt(stream: Uint8Array, places: readonly number[]): Uint8Array[] {
  const cuts = [0, ...places.map((place) => place % (stream.length + 1)).sort((a, b) => a - b), stream.length];
  return cuts.slice(1).map((end, index) => stream.slice(cuts[index], end));
}

test('every message survives a stream that is cut anywhere', () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 30 }), (messages, places) => {
      const stream = Uint8Array.from(Buffer.concat(messages.map(frameOf)));
      expect(read(cutAt(stream, places))).toEqual(messages);
    }),
  );
});

test('a stream one byte at a time gives each message as soon as it is whole', () => {
  const reader = createFrameReader();
  for (const one of everyMessage) {
    const frame = frameOf(one);
    const before = [...frame.subarray(0, -1)].flatMap((byte) => reader.push(Uint8Array.of(byte)));
    expect(before).toEqual([]);
    expect(reader.pendingBytes).toBe(frame.length - 1);
    expect(reader.push(frame.subarray(-1))).toEqual([one]);
    expect(reader.pendingBytes).toBe(0);
  }
});

describe('bulk bytes', () => {
  const bytes = new Uint8Array(limits.chunkBytesMax).fill(7);
  const data: ExchangeMessage = { kind: 'data', topic: 1, request: 2, ordinal: 3, compression: 'none', bytes };

  test('are not copied when a message is encoded', () => {
    expect(encodeMessage(data)[1]).toBe(bytes);
    const held = new Uint8Array(9);
    expect(encodeMessage({ kind: 'open', topic: 1, blob: 'tree', revision: digestOf('x'), held })[1]).toBe(held);
  });

  test('are views of the slice that holds them whole', () => {
    const frame = frameOf(data);
    const [decoded] = createFrameReader().push(frame);
    expect(decoded?.kind === 'data' && decoded.bytes.buffer).toBe(frame.buffer);
  });

  test('do not change when the next frame comes', () => {
    const reader = createFrameReader();
    const frame = frameOf(data);
    const other = frameOf({ ...data, bytes: new Uint8Array(limits.chunkBytesMax).fill(9) });
    reader.push(frame.slice(0, 5000));
    const [first] = reader.push(frame.slice(5000));
    reader.push(other.slice(0, 5000));
    reader.push(other.slice(5000));
    expect(first).toEqual(data);
  });
});

describe('createFrameReader()', () => {
  test('refuses a long frame at its header, before any of it is buffered', () => {
    const header = Uint8Array.from(frameOf(everyMessage[5] ?? { kind: 'cancel', request: 0 }).subarray(0, 16));
    new DataView(header.buffer).setUint32(12, limits.chunkBytesMax + 5);
    expect(outcome(() => createFrameReader().push(header))).toEqual({ code: 'TOO_LARGE' });
    new DataView(header.buffer).setUint32(12, limits.chunkBytesMax + 4);
    expect(outcome(() => createFrameReader().push(header))).toEqual({ value: [] });
  });

  test('is of no use after the stream broke the protocol', () => {
    const reader = createFrameReader();
    const close = frameOf({ kind: 'close', topic: 1 });
    expect(outcome(() => reader.push(new Uint8Array(16)))).toEqual({ code: 'MALFORMED' });
    expect(outcome(() => reader.push(close))).toEqual({ code: 'MALFORMED' });
  });

  test('answers any bytes with messages or a ProtocolError', () => {
    fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 100 })), (slices) => outcome(() => read(slices)) !== undefined));
    fc.assert(fc.property(fc.constantFrom(...everyMessage).chain((one) => mutated(frameOf(one))), (bytes) => outcome(() => read([bytes])) !== undefined));
  });
});

describe('decodeFrame()', () => {
  test('takes a changed frame for a ProtocolError or for what encodes to the very same bytes', () => {
    fc.assert(
      fc.property(fc.constantFrom(...everyMessage).chain((one) => mutated(frameOf(one))), (bytes) => {
        const decoded = outcome(() => decodeFrame(bytes));
        if ('value' in decoded) expect(frameOf(decoded.value)).toEqual(bytes);
      }),
      { numRuns: 500 },
    );
  });

  test('refuses more or fewer bytes than announced', () => {
    const frame = frameOf({ kind: 'busy', request: 1, retryAfterMs: 2 });
    expect(outcome(() => decodeFrame(frame.subarray(0, -1)))).toEqual({ code: 'TRUNCATED' });
    expect(outcome(() => decodeFrame(Uint8Array.of(...frame, 0)))).toEqual({ code: 'TRUNCATED' });
  });
});

test.each<{ name: string; message: ExchangeMessage; code: string }>([
  { name: 'a negative topic', message: { kind: 'close', topic: -1 }, code: 'MALFORMED' },
  { name: 'a request of 33 bits', message: { kind: 'cancel', request: 2 ** 32 }, code: 'MALFORMED' },
  { name: 'a broken time', message: { kind: 'busy', request: 1, retryAfterMs: 0.5 }, code: 'MALFORMED' },
  { name: 'an empty range', message: { kind: 'have', topic: 1, ranges: [{ from: 1, to: 1 }] }, code: 'MALFORMED' },
  { name: 'no range', message: { kind: 'have', topic: 1, ranges: [] }, code: 'MALFORMED' },
  { name: 'too many ranges', message: { kind: 'have', topic: 1, ranges: Array.from({ length: 513 }, (_, from) => ({ from, to: from + 1 })) }, code: 'TOO_LARGE' },
  { name: 'no data', message: { kind: 'data', topic: 1, request: 1, ordinal: 1, compression: 'none', bytes: new Uint8Array(0) }, code: 'MALFORMED' },
  { name: 'too much data', message: { kind: 'data', topic: 1, request: 1, ordinal: 1, compression: 'none', bytes: new Uint8Array(262_145) }, code: 'TOO_LARGE' },
  { name: 'a strange peer id', message: { kind: 'elsewhere', request: 1, holders: ['a/b'] }, code: 'MALFORMED' },
  { name: 'too many peer ids', message: { kind: 'elsewhere', request: 1, holders: Array.from({ length: 65 }, () => 'a') }, code: 'TOO_LARGE' },
])('encodeMessage() refuses what no decoder takes: $name', ({ message: wrong, code }) => {
  expect(outcome(() => encodeMessage(wrong))).toEqual({ code });
});
