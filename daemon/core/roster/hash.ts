// Spreading, not security: small hashes that let every member come to the same choice without a message. Nothing here guards anything;
// content is verified by sha2-256 in the shell.

/** FNV-1a over the code units, with a final avalanche: an unsigned 32-bit number. */
export function hash32(text: string, seed = 0): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return mix32(hash);
}

/** MurmurHash3's finaliser: every bit of `value` changes about half of the result's. Unsigned. */
export function mix32(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/**
 * Divides keys `first`, `first + 1`, … among candidates, given by their {@link hash32}: for each key the position of the one with the highest random weight that has not its
 * share yet, -1 when there are none. Nobody gets more than an even share, rounded up, and when one leaves few keys of others move (consistent hashing with bounded
 * loads, Mirrokni, Thorup and Zadimoghaddam, 2018). What one has more than another the origin sends last, to that one alone.
 */
export function evenOwners(first: number, hashes: readonly number[], keys: number): Int16Array {
  const share = Math.ceil(keys / hashes.length);
  const loads = new Int32Array(hashes.length);
  return Int16Array.from({ length: keys }, (_, key) => {
    const mixed = mix32(((first + key) >>> 0) + 0x9e3779b9);
    let best = -1;
    let bestScore = -1;
    for (let index = 0; index < hashes.length; index += 1) {
      if ((loads[index] ?? 0) >= share) continue;
      const score = mix32((hashes[index] ?? 0) ^ mixed);
      if (score <= bestScore) continue;
      best = index;
      bestScore = score;
    }
    if (best !== -1) loads[best] = (loads[best] ?? 0) + 1;
    return best;
  });
}
