// A set of very many identifiers in little memory: eight bytes each, by their first 52 bits. It may take one for another once in billions of questions,
// which is harmless where it says what to keep.

import type { Digest } from '../../proto/cid.ts';
import type { DigestSet } from './store.ts';

/** Hex digits that fit a double exactly. */
const digits = 13;

/** An empty set. */
export function createDigestSet(): DigestSet {
  let keys = new Float64Array(1024);
  let count = 0;
  let sorted = true;
  return {
    add(id) {
      if (count === keys.length) {
        const larger = new Float64Array(2 * count);
        larger.set(keys);
        keys = larger;
      }
      keys[count] = keyOf(id);
      count += 1;
      sorted = false;
    },
    has(id) {
      if (!sorted) keys.subarray(0, count).sort();
      sorted = true;
      const wanted = keyOf(id);
      let low = 0;
      let high = count;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if ((keys[middle] ?? 0) < wanted) low = middle + 1;
        else high = middle;
      }
      return low < count && keys[low] === wanted;
    },
  };
}

function keyOf(id: Digest): number {
  return Number.parseInt(id.slice(0, digits), 16);
}
