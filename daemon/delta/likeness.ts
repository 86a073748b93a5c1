// Whether an old piece of bytes has anything of a new one, by samples: what is new throughout, such as a compressed file after its first change, is not
// worth looking for in a dictionary, which takes thirty times as long as this and finds nothing. What is then done with it is codec.ts's.

/** Gives whether more than a stray sample of `out` is in `base`. A guess: what is shorter than some 20 bytes in both may not be seen. */
export type Likeness = (base: Uint8Array, out: Uint8Array) => boolean;

/** Less than this is encoded in less time than looking takes. */
const outBytesMin = 64 * 1024;
const tableBits = 19;
/** Every so many bytes of the base are in the table; of `out` as many places in a row are looked for, so that one of them is at a place in the table. */
const strideBytes = 8;
/** From one sample to the next. */
const sampleBytes = 2 * 1024;
const sameBytes = 16;
/** Of so many samples one: a set in which less is the same saves far less than what makes it worth its base. */
const samplesForOne = 64;

/** It keeps a table of 2 MiB between calls. */
export function createLikeness(): Likeness {
  const table = new Int32Array(1 << tableBits);
  return (base, out) => {
    if (out.length < outBytesMin || base.length < outBytesMin) return true;
    const olds = new DataView(base.buffer, base.byteOffset, base.length);
    const news = new DataView(out.buffer, out.byteOffset, out.length);
    table.fill(-1);
    for (let at = 0; at + sameBytes <= base.length; at += strideBytes) table[keyAt(olds, at)] = at;
    let samples = 0;
    let found = 0;
    for (let from = 0; from + strideBytes + sameBytes <= out.length; from += sampleBytes) {
      samples += 1;
      for (let at = from; at < from + strideBytes; at += 1) {
        const place = table[keyAt(news, at)] ?? -1;
        if (place < 0 || !isSame(olds, place, news, at)) continue;
        found += 1;
        break;
      }
    }
    return found * samplesForOne >= samples;
  };
}

function keyAt(view: DataView, at: number): number {
  return (Math.imul(view.getInt32(at, true), 0x9e3779b1) ^ Math.imul(view.getInt32(at + 4, true), 0x85ebca6b)) >>> (32 - tableBits);
}

function isSame(a: DataView, atA: number, b: DataView, atB: number): boolean {
  for (let at = 0; at < sameBytes; at += 4) if (a.getInt32(atA + at, true) !== b.getInt32(atB + at, true)) return false;
  return true;
}
