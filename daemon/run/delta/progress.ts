// How long a set that is being made still takes: for what is told to those who would wait for it. Who is told is make.ts's.

/**
 * What is like nothing old is encoded thirty times as fast as what is, and given up after a few tries (delta/encode.ts). So those who ask early are told to ask again
 * this soon, and those who ask later how fast it goes.
 */
const earlyMs = 200;
/** Says how fast it goes, when it is encoded: more than what is tried. */
const measuredBytes = 16 * 1024 * 1024;
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
      return done < Math.min(measuredBytes, missing / 2) ? earlyMs : (rest / done) * (now - since);
    },
  };
}
