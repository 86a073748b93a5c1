// Chunks that came in a moment ago, kept in memory: what is rarest is asked for at once by whoever hears of it, and reading, opening and hashing it
// again would cost as much as receiving it did. What lies longer is read from disk, and hashed, like everything else.

/** Bytes kept: about the time that a chunk takes from one neighbour to the next, at a gigabit a second. */
const bytesMax = 16 * 1024 * 1024;

/** The newest chunks of one release under construction. */
export interface RecentChunks {
  /** `bytes` have been verified, and do not change. */
  add(ordinal: number, bytes: Uint8Array): void;
  get(ordinal: number): Uint8Array | undefined;
  clear(): void;
}

/** Forgets the oldest beyond `limitBytes`. */
export function createRecentChunks(limitBytes: number = bytesMax): RecentChunks {
  const kept = new Map<number, Uint8Array>();
  let held = 0;
  return {
    add(ordinal, bytes) {
      if (kept.has(ordinal) || bytes.length > limitBytes) return;
      kept.set(ordinal, bytes);
      held += bytes.length;
      for (const [oldest, dropped] of kept) {
        if (held <= limitBytes) return;
        kept.delete(oldest);
        held -= dropped.length;
      }
    },
    get: (ordinal) => kept.get(ordinal),
    clear() {
      kept.clear();
      held = 0;
    },
  };
}
