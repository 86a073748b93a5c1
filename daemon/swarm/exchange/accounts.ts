// Keeps the accounts of the fetches under way: what came from whom, and how each stands from time to time. What an account holds is
// core/schedule/fetch/fetch-account.ts's; when a fetch begins and ends is exchange.ts's.

import type { Roster } from '../../../proto/statement.ts';
import type { Clock } from '../../clock.ts';
import type { Schedule } from '../../core/schedule/schedule.ts';
import type { Effect } from '../../core/schedule/state/swarm-events.ts';
import type { SharedTopic } from './sharing.ts';

export interface Accounts {
  /** Zones of members are the newest roster's. */
  setRoster(roster: Roster): void;
  received(effect: Extract<Effect, { kind: 'received' }>): void;
  wasted(topic: number | undefined, bytes: number): void;
  /** Against some neighbour: each fetch under way may have been held up by it. */
  strike(): void;
  /** Called after each step; looks closer from time to time. */
  look(): void;
}

/** How often the state of fetches is looked at: each look goes through all requests. */
const lookMs = 20;

export function createAccounts({ self, topics, schedule, clock }: { readonly self: string; readonly topics: ReadonlyMap<number, SharedTopic>; readonly schedule: Schedule; readonly clock: Clock }): Accounts {
  let zones: ReadonlyMap<string, string> = new Map();
  let lookedAt = Number.NEGATIVE_INFINITY;
  return {
    setRoster({ members }) {
      zones = new Map(members.map(({ member, zone }) => [member, zone]));
    },
    received({ topic, source, member, bytes }) {
      const sameZone = zones.get(member) === zones.get(self);
      topics.get(topic)?.fetching?.account.received({ member, origin: source === 'origin', sameZone }, bytes, clock.monotonic());
    },
    wasted(topic, bytes) {
      if (topic !== undefined) topics.get(topic)?.fetching?.account.wasted(bytes);
    },
    strike() {
      for (const { fetching } of topics.values()) fetching?.account.strike();
    },
    look() {
      const now = clock.monotonic();
      if (now - lookedAt < lookMs) return;
      lookedAt = now;
      for (const { id, fetching } of topics.values()) {
        if (fetching !== undefined) fetching.account.look({ ...schedule.fetchMoment(id), unstoredBytes: fetching.writingBytes, unstoredChunks: fetching.writing }, now);
      }
    },
  };
}
