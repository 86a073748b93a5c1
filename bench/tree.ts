// The tree that P5, P6 and P8 work on: 21,078 files with 393 MB in 2,238 directories up to 11 deep, as a real application with its packages
// has them, made from a seed: the same bytes on every machine. Sizes are log-normal (median 2.6 KB) with a few large files; contents are
// drawn from a small vocabulary, so that they compress about as program text does, and no two files are alike.

import { mkdirSync, writeFileSync } from 'node:fs';

/** What a tree shall hold. */
export interface TreePlan {
  readonly files: number;
  readonly bytes: number;
  /** Another seed is another tree. */
  readonly seed?: number;
}

/** The application of content.md, section 1. */
export const applicationTree: TreePlan = { files: 21_078, bytes: 393_000_000 };

const filesOfADirectory = 9.4;
const depthMax = 11;
/** Of the logarithm of sizes, and where the tail is cut. */
const [median, sigma, sizeMax] = [2_600, 1.95, 12_000_000] as const;
const wordCount = 4096;

/** A small generator of 32-bit numbers (xorshift): no other randomness is used. */
export function numbers(seed: number): () => number {
  let state = (seed * 0x9e3779b1) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** Writes the tree to `directory`, which must not exist; gives the paths of its files. */
export function writeTree(directory: string, { files, bytes, seed = 1 }: TreePlan): string[] {
  const next = numbers(seed);
  const unit = (): number => (next() + 1) / 2 ** 32;
  const directories = makeDirectories(directory, Math.max(1, Math.round(files / filesOfADirectory)), next);
  const drawn = Array.from({ length: files }, () => Math.min(sizeMax, median * Math.exp(sigma * Math.sqrt(-2 * Math.log(unit())) * Math.cos(2 * Math.PI * unit()))));
  const scale = bytes / drawn.reduce((sum, size) => sum + size, 0);
  const buffer = Buffer.alloc(Math.ceil(sizeMax * Math.max(1, scale) + 8));
  const words = vocabulary(next);
  const paths: string[] = [];
  for (const [at, size] of drawn.entries()) {
    const path = `${directories[at % directories.length]}/module-${at.toString(36)}.${at % 5 === 0 ? 'd.ts' : 'js'}`;
    const length = Math.max(1, Math.round(size * scale));
    fill(buffer, length, words, next);
    writeFileSync(`${directory}/${path}`, buffer.subarray(0, length));
    paths.push(path);
  }
  return paths;
}

/** Bytes as a file of the tree has them. */
export function writeText(path: string, length: number, seed: number): void {
  const next = numbers(seed);
  const buffer = Buffer.alloc(length + 8);
  fill(buffer, length, vocabulary(next), next);
  writeFileSync(path, buffer.subarray(0, length));
}

function makeDirectories(root: string, count: number, next: () => number): string[] {
  const made = ['node_modules'];
  mkdirSync(`${root}/node_modules`, { recursive: true });
  for (let at = 1; at < count; at += 1) {
    const parent = made[next() % 3 === 0 ? 0 : next() % made.length] ?? '';
    const path = parent.split('/').length < depthMax ? `${parent}/part-${at.toString(36)}` : `node_modules/part-${at.toString(36)}`;
    mkdirSync(`${root}/${path}`);
    made.push(path);
  }
  return made;
}

/** Words of four letters, spaces among them. */
function vocabulary(next: () => number): Uint32Array {
  const letters = Buffer.from(' etaoinshrdlucmfwypvbgkjqxz(){};=.\n');
  const words = new Uint8Array(wordCount * 4);
  for (let at = 0; at < words.length; at += 1) words[at] = letters[Math.min(next() % letters.length, next() % letters.length)] ?? 32;
  return new Uint32Array(words.buffer);
}

function fill(buffer: Buffer, length: number, words: Uint32Array, next: () => number): void {
  const view = new Uint32Array(buffer.buffer, buffer.byteOffset, Math.floor(buffer.length / 4));
  for (let at = 0; at < Math.ceil(length / 4); at += 1) {
    const drawn = next();
    // The product of two draws favours the first words, as languages do.
    view[at] = words[((drawn & 0xfff) * ((drawn >>> 16) & 0xfff)) >>> 12] ?? 0;
  }
}
