// Upload frames, there and back, and what is refused on either side.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { limits } from '../../proto/limits.ts';
import { decodeUploadFrame, encodeUploadFrame } from '../../proto/upload-frame.ts';
import { mutated, outcome } from './fixtures.ts';

const parts = fc.uniqueArray(fc.record({ ordinal: fc.nat(0xffffffff), bytes: fc.uint8Array({ minLength: 1, maxLength: 50 }) }), {
  minLength: 1,
  maxLength: 6,
  selector: ({ ordinal }) => ordinal,
});

test('chunks come out as they went in, as views', () => {
  fc.assert(
    fc.property(parts, (given) => {
      const frame = encodeUploadFrame(given);
      const decoded = decodeUploadFrame(frame);
      expect(decoded).toEqual(given);
      expect(decoded.every(({ bytes }) => bytes.buffer === frame.buffer)).toBe(true);
    }),
  );
});

test('any bytes, and any change of a frame, give a ProtocolError or what encodes to the very same bytes', () => {
  const bytes = fc.oneof(fc.uint8Array({ maxLength: 60 }), parts.chain((given) => mutated(encodeUploadFrame(given))));
  fc.assert(
    fc.property(bytes, (given) => {
      const decoded = outcome(() => decodeUploadFrame(given));
      if ('value' in decoded) expect(encodeUploadFrame(decoded.value)).toEqual(given);
    }),
    { numRuns: 500 },
  );
});

test('encodeUploadFrame() refuses what no decoder takes', () => {
  const one = Uint8Array.of(1);
  const large = new Uint8Array(limits.chunkBytesMax);
  expect(outcome(() => encodeUploadFrame([]))).toEqual({ code: 'MALFORMED' });
  expect(outcome(() => encodeUploadFrame([{ ordinal: 1, bytes: one }, { ordinal: 1, bytes: one }]))).toEqual({ code: 'MALFORMED' });
  expect(outcome(() => encodeUploadFrame([{ ordinal: 1, bytes: new Uint8Array(0) }]))).toEqual({ code: 'MALFORMED' });
  expect(outcome(() => encodeUploadFrame([{ ordinal: -1, bytes: one }]))).toEqual({ code: 'MALFORMED' });
  expect(outcome(() => encodeUploadFrame([{ ordinal: 1, bytes: new Uint8Array(limits.chunkBytesMax + 1) }]))).toEqual({ code: 'TOO_LARGE' });
  const fits = Array.from({ length: 4 }, (_, ordinal) => ({ ordinal, bytes: large }));
  expect(encodeUploadFrame(fits).length).toBeLessThan(limits.uploadFrameBytesMax);
  expect(outcome(() => encodeUploadFrame([...fits, { ordinal: 9, bytes: large }]))).toEqual({ code: 'TOO_LARGE' });
});

test('decodeUploadFrame() refuses a frame above its limit whatever it holds', () => {
  expect(outcome(() => decodeUploadFrame(new Uint8Array(limits.uploadFrameBytesMax + 1)))).toEqual({ code: 'TOO_LARGE' });
});
