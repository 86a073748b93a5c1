// What differs between two pieces of machine code, in the manner of bsdiff (C. Percival, "Naive differences of executable code", 2003): long stretches
// that are nearly the same, as differences byte by byte, which are nearly all zero where only addresses moved; and what is new in between. Where
// the stretches begin is found by a hash of 12 bytes instead of a suffix array: somewhat more bytes, a hundredth of the time.
// The other direction is in bspatch.ts.

/** Three streams; see bspatch.ts for what is in them. */
export interface Difference {
  readonly control: Uint8Array;
  readonly changes: Uint8Array;
  readonly additions: Uint8Array;
}

/** Finds the difference of `out` from `base`. */
export type Differ = (base: Uint8Array, out: Uint8Array) => Difference;

const tableBits = 20;
const keyBytes = 12;
/** Every so many bytes of the base are in the table. Code is aligned to nothing, but whatever matches for 16 bytes has a key at one of them. */
const tableStride = 4;
const matchBytesMin = 16;
/** How many bytes more must match at another place for a stretch to end: one costs about as much to describe. */
const gainBytesMin = 8;
/** How many bytes more differ than not before a stretch is not followed any further back. */
const lossBytesMax = 512;

/** A differ. It keeps a table of 4 MiB between calls. */
export function createDiffer(): Differ {
  const table = new Int32Array(1 << tableBits);
  return (base, out) => {
    fillTable(table, base);
    const olds = new DataView(base.buffer, base.byteOffset, base.length);
    const news = new DataView(out.buffer, out.byteOffset, out.length);
    const stretches = createStretches(base, out, olds, news);
    let position = 0;
    while (position + keyBytes <= out.length) {
      const same = position + stretches.offset();
      if (same >= 0 && same + 16 <= base.length && position + 16 <= out.length) {
        if (equalWords(olds, same, news, position, 8)) {
          position += 8;
          continue;
        }
        // What goes on behind is an operand that changed: looking for another place there is most of the work, and finds none that is better.
        if (equalWords(olds, same + 8, news, position + 8, 8)) {
          position += 16;
          continue;
        }
      }
      const place = table[keyAt(news, position)] ?? -1;
      if (place < 0 || place === same || !equalWords(olds, place, news, position, 4)) {
        position += 1;
        continue;
      }
      position += stretches.offer(position, place);
    }
    return stretches.finish();
  };
}

function keyAt(view: DataView, at: number): number {
  const a = Math.imul(view.getInt32(at, true), 0x9e3779b1);
  const b = Math.imul(view.getInt32(at + 4, true), 0x85ebca6b);
  const c = Math.imul(view.getInt32(at + 8, true), 0xc2b2ae35);
  return (a ^ b ^ c) >>> (32 - tableBits);
}

function fillTable(table: Int32Array, base: Uint8Array): void {
  const view = new DataView(base.buffer, base.byteOffset, base.length);
  table.fill(-1);
  for (let at = 0; at + keyBytes <= base.length; at += tableStride) table[keyAt(view, at)] = at;
}

function equalWords(a: DataView, atA: number, b: DataView, atB: number, bytes: number): boolean {
  for (let at = 0; at < bytes; at += 4) if (a.getInt32(atA + at, true) !== b.getInt32(atB + at, true)) return false;
  return true;
}

/** Stretches as they are found, written out one behind: where one ends is known when the next begins. */
function createStretches(base: Uint8Array, out: Uint8Array, olds: DataView, news: DataView) {
  const changes = new Uint8Array(out.length);
  const additions = new Uint8Array(out.length);
  const control: number[] = [];
  let changed = 0;
  let added = 0;
  /** Where the open stretch begins, in `out` and in `base`. */
  let begin = 0;
  let place = 0;

  /** Closes the open stretch where the one that matches at `next` and `nextPlace` takes over, and opens that. */
  const turn = (next: number, nextPlace: number): void => {
    let forward = extent(olds, place, news, begin, next, 1);
    let backward = next < out.length ? extent(olds, nextPlace - 1, news, next - 1, begin, -1) : 0;
    const overlap = begin + forward - (next - backward);
    if (overlap > 0) {
      const kept = split(base, out, { at: begin + forward - overlap, first: place + forward - overlap, second: nextPlace - backward }, overlap);
      forward -= overlap - kept;
      backward -= kept;
    }
    for (let index = 0; index < forward; ) {
      // Where nothing changed the zeros are there already.
      if (index + 4 <= forward && olds.getInt32(place + index) === news.getInt32(begin + index)) index += 4;
      else {
        changes[changed + index] = (out[begin + index] ?? 0) - (base[place + index] ?? 0);
        index += 1;
      }
    }
    changed += forward;
    const addedBytes = next - backward - (begin + forward);
    additions.set(out.subarray(begin + forward, next - backward), added);
    added += addedBytes;
    control.push(forward, addedBytes, nextPlace - backward - (place + forward));
    begin = next - backward;
    place = nextPlace - backward;
  };
  return {
    offset: () => place - begin,
    /** A place where some bytes match; gives how far to go on from `at`. */
    offer: (at: number, candidate: number): number => {
      let after = 0;
      while (at + after < out.length && candidate + after < base.length && base[candidate + after] === out[at + after]) after += 1;
      let before = 0;
      while (at - before > begin && candidate - before > 0 && base[candidate - before - 1] === out[at - before - 1]) before += 1;
      if (after + before < matchBytesMin) return 1;
      let matching = 0;
      const offset = place - begin;
      for (let index = at - before; index < at + after; index += 1) if (base[index + offset] === out[index]) matching += 1;
      if (after + before <= matching + gainBytesMin) return Math.max(1, after >> 1);
      turn(at - before, candidate - before);
      return after;
    },
    finish: (): Difference => {
      turn(out.length, place + out.length - begin);
      return { control: encodeControl(control), changes: changes.subarray(0, changed), additions: additions.subarray(0, added) };
    },
  };
}

/** How far from here, forwards or backwards up to `limit`, more bytes are the same than not: the length that gains most. */
function extent(base: DataView, place: number, out: DataView, at: number, limit: number, step: 1 | -1): number {
  const room = Math.min(step > 0 ? limit - at : at - limit + 1, step > 0 ? base.byteLength - place : place + 1);
  let best = 0;
  let score = 0;
  let bestScore = 0;
  // A stretch of its own offset comes back after a gap, and nobody else would find it; one that is followed backwards was looked for already on the way here.
  const lossMax = step > 0 ? Infinity : lossBytesMax;
  for (let length = 0; length < room; ) {
    const word = step > 0 ? length : -length - 3;
    if (length + 4 <= room && base.getInt32(place + word) === out.getInt32(at + word)) {
      score += 4;
      length += 4;
    } else {
      score += base.getUint8(place + length * step) === out.getUint8(at + length * step) ? 1 : -1;
      length += 1;
    }
    if (score > bestScore) {
      bestScore = score;
      best = length;
    } else if (score < bestScore - lossMax) break;
  }
  return best;
}

/** Of bytes that both stretches could make, how many the first should. */
function split(base: Uint8Array, out: Uint8Array, { at, first, second }: { readonly at: number; readonly first: number; readonly second: number }, length: number): number {
  let score = 0;
  let best = 0;
  let kept = 0;
  for (let index = 0; index < length; index += 1) {
    if (base[first + index] === out[at + index]) score += 1;
    if (base[second + index] === out[at + index]) score -= 1;
    if (score > best) {
      best = score;
      kept = index + 1;
    }
  }
  return kept;
}

/** Numbers as varints; every third goes either way: 2n forwards, 2n - 1 backwards. */
function encodeControl(control: readonly number[]): Uint8Array {
  const bytes: number[] = [];
  control.forEach((number, index) => {
    let rest = index % 3 < 2 ? number : number >= 0 ? 2 * number : -2 * number - 1;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
    bytes.push(rest);
  });
  return Uint8Array.from(bytes);
}
