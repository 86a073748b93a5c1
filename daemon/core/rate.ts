// How fast this member may send and receive: a token bucket for each direction, the roll-out class before the background class, caps by hour of day.
// Pure: time comes in, and so does the local minute of day, which only the shell knows. Who waits, and for how long, is the shell's (swarm/exchange/pace.ts)
// and the scheduler's (schedule/books/peers.ts).

/** `rollout`: somebody waits for it. `background`: it is brought early, and takes what the other leaves. */
export type TrafficClass = 'rollout' | 'background';
export type Direction = 'send' | 'receive';

/** Bytes a second; absent: no limit. */
export interface Caps {
  /** Of everything in this direction. */
  readonly limit?: number;
  /** Of the background class; it counts against `limit` too. 0: none at all. */
  readonly background?: number;
}

/** Caps of one direction. The first of `hours` that holds the minute of day replaces what it names; the rest stays as it is. */
export interface RateProfile extends Caps {
  readonly hours: readonly HourCaps[];
}

/** Caps from one minute of the day, included, to another, excluded; over midnight when `to` is not after `from`, all day when they are equal. */
export interface HourCaps {
  readonly fromMinute: number;
  readonly toMinute: number;
  /** `'unlimited'` takes the limit of the day away. */
  readonly limit?: number | 'unlimited';
  readonly background?: number | 'unlimited';
}

/** One direction's gate. Milliseconds never go back. */
export interface RateGate {
  /** The caps in force. */
  caps(now: number): Caps;
  /**
   * How long until `bytes` of a class may go, 0 for now, Infinity when not before the caps change. `owed` bytes are spoken for and have not been
   * counted by {@link take}. Nothing is taken.
   */
  waitMs(traffic: TrafficClass, bytes: number, owed: number, now: number): number;
  /** Counts bytes that went, allowed or not: what was not is paid back later. */
  take(traffic: TrafficClass, bytes: number, now: number): void;
}

export const rateBounds = {
  /** What may go at once after a rest: this much time's worth … */
  burstMs: 250,
  /** … but two whole chunks at least, since a chunk goes in one piece. */
  burstBytesMin: 2 * 256 * 1024,
  /** How often the hour is looked at. */
  hourLookMs: 1_000,
} as const;

const minutesOfDay = 24 * 60;

/**
 * A gate that never lets more through than its rate times any span plus the burst (plus, where one item is longer than half the burst, that item).
 * `minuteOfDay` is local time, 0 to 1439.
 */
export function createRateGate(profile: RateProfile, minuteOfDay: () => number): RateGate {
  const all = createBucket();
  const background = createBucket();
  let lookedAt = Number.NEGATIVE_INFINITY;
  let inForce: Caps = profile;

  const look = (now: number): Caps => {
    if (now - lookedAt >= rateBounds.hourLookMs) {
      lookedAt = now;
      inForce = capsAt(profile, minuteOfDay());
    }
    all.refill(inForce.limit, now);
    background.refill(inForce.background, now);
    return inForce;
  };
  return {
    caps: look,
    waitMs(traffic, bytes, owed, now) {
      look(now);
      if (traffic === 'rollout') return all.waitMs(bytes, owed, 0);
      return Math.max(all.waitMs(bytes, owed, 0.5), background.waitMs(bytes, owed, 0));
    },
    take(traffic, bytes, now) {
      look(now);
      all.take(bytes);
      if (traffic === 'background') background.take(bytes);
    },
  };
}

/** The caps at a minute of the day. */
export function capsAt(profile: RateProfile, minute: number): Caps {
  const hour = profile.hours.find((candidate) => holds(candidate, minute));
  const limit = over(profile.limit, hour?.limit);
  const background = over(profile.background, hour?.background);
  return { ...(limit === undefined ? {} : { limit }), ...(background === undefined ? {} : { background }) };
}

function over(day: number | undefined, hour: number | 'unlimited' | undefined): number | undefined {
  if (hour === undefined) return day;
  return hour === 'unlimited' ? undefined : hour;
}

function holds({ fromMinute, toMinute }: HourCaps, minute: number): boolean {
  const span = (toMinute - fromMinute + minutesOfDay) % minutesOfDay || minutesOfDay;
  return (minute - fromMinute + minutesOfDay) % minutesOfDay < span;
}

interface Bucket {
  refill(bytesPerSecond: number | undefined, now: number): void;
  /** Until the bucket holds `bytes` above `floor`, a share of the burst that is left to others. An item longer than half the burst needs half of it. */
  waitMs(bytes: number, owed: number, floor: number): number;
  take(bytes: number): void;
}

/** Full at first. May go below zero, and is then silent for as long as that takes. */
function createBucket(): Bucket {
  let rate: number | undefined;
  let burst = 0;
  let tokens = 0;
  let filledAt: number | undefined;
  return {
    refill(bytesPerSecond, now) {
      const perMs = bytesPerSecond === undefined ? undefined : bytesPerSecond / 1000;
      if (perMs !== rate || filledAt === undefined) {
        const isNew = rate === undefined || filledAt === undefined;
        if (rate !== undefined && filledAt !== undefined) tokens += rate * (now - filledAt);
        rate = perMs;
        burst = Math.max(rateBounds.burstBytesMin, (perMs ?? 0) * rateBounds.burstMs);
        tokens = isNew ? burst : Math.min(burst, tokens);
      } else if (rate !== undefined) tokens = Math.min(burst, tokens + rate * (now - filledAt));
      filledAt = now;
    },
    waitMs(bytes, owed, floor) {
      if (rate === undefined) return 0;
      if (rate === 0) return Number.POSITIVE_INFINITY;
      const lacks = burst * floor + Math.min(bytes, burst / 2) + owed - tokens;
      return lacks <= 0 ? 0 : lacks / rate;
    },
    take(bytes) {
      if (rate !== undefined) tokens -= bytes;
    },
  };
}
