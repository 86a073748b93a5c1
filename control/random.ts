// Randomness, handed in: the one place on this floor that draws it.

import { randomBytes } from 'node:crypto';

/** As many unpredictable bytes as asked for. */
export type RandomBytes = (length: number) => Uint8Array;

export const systemRandom: RandomBytes = (length) => randomBytes(length);
