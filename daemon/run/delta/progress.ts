// How long a set that is being made still takes: for what is told to those who would wait for it. Who is told is make.ts's.

/**
 * Missing bytes that are encoded in a second where nothing old is like them, the quickest that may be; what is like something old takes ten times as long,
 * and any multiple of that on a busy machine. So those who ask early are told to ask again soon, and later how fast it goes.
 */
const quickestBytesPerSecond = 150e6;
/** Says how fast it goes, when it is encoded. */
const measuredBytes = 4 * 1024 * 1024;
/** Before a set has been planned nobody knows how long it takes. */
export const unknownMs = 2_000;

/** Of one set. Times are of a monotonic clock, in milliseconds. */
export interface DeltaProgress {
  /** So many bytes are missing; encoding them begins. */
  planned(missingBytes: number, now: number): void;
  /** So many more of them have been encoded. */
  encoded(bytes: number): void;
  /** What is left; negative when it should have been over by now. */
  restMs(now: number): number;
}

/** Begins with planning. */
export function createDeltaProgress(startedAt: number): DeltaProgress {
  let since = startedAt;
  let missing: number | undefined;
  let done = 0;
  return {
    planned(missingBytes, now) {
      missing = missingBytes;
      since = now;
    },
    encoded(bytes) {
      done += bytes;
    },
    restMs(now) {
      if (missing === undefined) return unknownMs - (now - since);
      const rest = Math.max(0, missing - done);
      return done < measuredBytes ? (rest / quickestBytesPerSecond) * 1000 : (rest / done) * (now - since);
    },
  };
}
