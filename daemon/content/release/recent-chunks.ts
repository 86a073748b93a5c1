// Chunks that came in a moment ago, kept in memory: what is rarest is asked for at once by whoever hears of it, and reading, opening and hashing it
// again would cost as much as receiving it did. What lies longer is read from disk, and hashed, like everything else.
// They are copied into one piece of memory and out of it again: a copy costs a tenth of what the garbage collector makes of a buffer for each chunk.

/** Bytes kept: about the time that a chunk takes from one neighbour to the next, at a gigabit a second. */
const bytesMax = 16 * 1024 * 1024;

/** The newest chunks of one release under construction. */
export interface RecentChunks {
  /** `bytes` have been verified; they are copied. */
  add(ordinal: number, bytes: Uint8Array): void;
  /** A copy, in `into` when it fits there. */
  get(ordinal: number, into?: Uint8Array): Uint8Array | undefined;
  /** Copies the first of these into their places, as many as there are, and gives how many. */
  getRun(ordinals: readonly number[], places: readonly Uint8Array[]): number;
  clear(): void;
}

interface Kept {
  readonly ordinal: number;
  readonly at: number;
  readonly length: number;
}

/** Forgets the oldest beyond `limitBytes`. The memory is taken with the first chunk, and used as far as chunks have come. */
export function createRecentChunks(limitBytes: number = bytesMax): RecentChunks {
  /** In the order in which they lie, the oldest first; after the end of the memory comes its beginning. */
  const kept = new Map<number, Kept>();
  let memory: Uint8Array | undefined;
  let end = 0;

  const forgetUpTo = (from: number, to: number): void => {
    for (const { ordinal, at, length } of kept.values()) {
      if (at >= to || at + length <= from) return;
      kept.delete(ordinal);
    }
  };
  const find = (ordinal: number): Uint8Array | undefined => {
    const found = kept.get(ordinal);
    return found === undefined ? undefined : memory?.subarray(found.at, found.at + found.length);
  };
  return {
    add(ordinal, bytes) {
      if (kept.has(ordinal) || bytes.length > limitBytes) return;
      memory ??= Buffer.allocUnsafeSlow(limitBytes);
      if (end + bytes.length > limitBytes) {
        // What lies in the rest is older than what lies at the beginning.
        forgetUpTo(end, limitBytes);
        end = 0;
      }
      forgetUpTo(end, end + bytes.length);
      memory.set(bytes, end);
      kept.set(ordinal, { ordinal, at: end, length: bytes.length });
      end += bytes.length;
    },
    get(ordinal, into) {
      const bytes = find(ordinal);
      if (bytes === undefined) return undefined;
      if (into === undefined || into.length < bytes.length) return Uint8Array.from(bytes);
      into.set(bytes);
      return into.subarray(0, bytes.length);
    },
    getRun(ordinals, places) {
      for (const [at, ordinal] of ordinals.entries()) {
        const bytes = find(ordinal);
        if (bytes === undefined) return at;
        places[at]?.set(bytes);
      }
      return ordinals.length;
    },
    clear() {
      kept.clear();
      memory = undefined;
      end = 0;
    },
  };
}
