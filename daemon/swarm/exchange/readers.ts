// Neighbours that are waited for until they have read what was sent to them: those that read too slowly are cut. What is sent to them is uploads.ts's.

import type { Clock } from '../../clock.ts';
import type { Logger } from '../../log.ts';
import type { Neighbour } from '../network.ts';
import type { SwarmMetrics } from '../swarm.ts';

export interface Readers {
  /** Resolves when the neighbour's backlog is under `below` bytes; closes it when it reads too slowly. @throws {DaemonError} PEER_GONE when it is closed first. */
  drained(neighbour: Neighbour, below: number, signal: AbortSignal): Promise<void>;
}

export interface ReadersDeps {
  readonly clock: Clock;
  readonly metrics: SwarmMetrics;
  readonly log: Logger;
  /** Ends the watch. */
  readonly signal: AbortSignal;
}

/** A neighbour must take 16 kB/s, measured over this, or it is cut (trust.md, section 7). */
const progressMs = 10_000;
const progressBytes = 16_000 * (progressMs / 1000);
/** How often all who are waited for are looked at: a timer for each wait, which ends after a few milliseconds mostly, cost more than sending. */
const lookMs = 1_000;

interface Watched {
  /** Uploads that wait for it. */
  count: number;
  since: number;
  /** Its backlog then. */
  backlogBytes: number;
}

export function createReaders({ clock, metrics, log, signal }: ReadersDeps): Readers {
  const watched = new Map<Neighbour, Watched>();
  let isWatching = false;

  const look = (): void => {
    const now = clock.monotonic();
    for (const [neighbour, one] of watched) {
      if (now - one.since < progressMs) continue;
      const { member, certificate, backlogBytes } = neighbour;
      const taken = one.backlogBytes - backlogBytes;
      one.since = now;
      one.backlogBytes = backlogBytes;
      if (taken >= progressBytes) continue;
      metrics.strike('stalled');
      log.warn({ member, neighbour: certificate.name, backlogBytes }, 'closed a neighbour that does not read what it asked for');
      neighbour.close('stalled');
    }
  };
  const watch = async (): Promise<void> => {
    isWatching = true;
    try {
      while (watched.size > 0) {
        await clock.wait(lookMs, { signal });
        look();
      }
    } finally {
      isWatching = false;
    }
  };
  return {
    async drained(neighbour, below, until) {
      const one = watched.get(neighbour) ?? { count: 0, since: clock.monotonic(), backlogBytes: neighbour.backlogBytes };
      watched.set(neighbour, one);
      one.count += 1;
      if (!isWatching) watch().catch(() => undefined);
      try {
        await neighbour.drained({ signal: until, below });
        // It has read; who waits for it from now on begins anew.
        one.since = clock.monotonic();
        one.backlogBytes = neighbour.backlogBytes;
      } finally {
        one.count -= 1;
        if (one.count === 0) watched.delete(neighbour);
      }
    },
  };
}
