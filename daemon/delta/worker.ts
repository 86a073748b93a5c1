// The worker thread of the encoder: takes a base and what is to be encoded against it, gives back the shorter encoding. It holds nothing
// between two jobs but room to work in. What a job is, and who hands them out, is in pool.ts.

import { constants, platform, setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { createDiffer } from './bsdiff.ts';
import { compress, encodeSegment } from './codec.ts';
import { createLikeness } from './likeness.ts';
import type { EncodeJob, EncodeResult, EncodeThreads } from './pool.ts';

// Elsewhere than on Linux the whole process would be put back, and not only this thread.
const { yields }: Pick<EncodeThreads, 'yields'> = workerData;
if (yields && platform() === 'linux') setPriority(constants.priority.PRIORITY_BELOW_NORMAL);

const lookers = { differ: createDiffer(), isAlike: createLikeness() };

parentPort?.on('message', ({ kind, memory, baseBytes, outBytes, level }: EncodeJob) => {
  const base = new Uint8Array(memory, 0, baseBytes);
  const out = new Uint8Array(memory, baseBytes, outBytes);
  const { codec, bytes } = kind === 'segment' ? encodeSegment(base, out, level, lookers) : { codec: 'zstd-dict' as const, bytes: compress(out, base, level) };
  // A view of a larger buffer would take all of that along.
  const own = Uint8Array.from(bytes);
  const result: EncodeResult = { encoded: { codec, bytes: own }, memory };
  parentPort?.postMessage(result, [own.buffer, memory]);
});
