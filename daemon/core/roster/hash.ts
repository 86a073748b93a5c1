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
 * The position of the highest random weight for `key` (rendezvous hashing): when one candidate leaves, only its keys move.
 * `hashes` are the candidates' {@link hash32}; -1 when there are none.
 */
export function rendezvous(key: number, hashes: readonly number[]): number {
  let best = -1;
  let bestScore = -1;
  for (let index = 0; index < hashes.length; index += 1) {
    const score = mix32((hashes[index] ?? 0) ^ mix32(key + 0x9e3779b9));
    if (score > bestScore) {
      best = index;
      bestScore = score;
    }
  }
  return best;
}
