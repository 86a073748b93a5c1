// One scheduler and made-up neighbours, for tests of single rules.

import { createBitmap } from '../../../../proto/bitmap.ts';
import type { RateGate } from '../../../../daemon/core/rate.ts';
import { createSchedule } from '../../../../daemon/core/schedule/schedule.ts';
import { swarmBounds } from '../../../../daemon/core/schedule/state/swarm-bounds.ts';
import type { Effect, PeerInfo, ScheduledMessage, TopicInfo } from '../../../../daemon/core/schedule/state/swarm-events.ts';
import { all, topicOne } from './driver.ts';

/** A member that runs what it fetches. */
export const agent = (member: string, environments: readonly string[] = ['prod']): PeerInfo => ({ member, origin: false, environments });
/** A member whose bytes are the origin's. */
export const origin = (member: string): PeerInfo => ({ member, origin: true, environments: [] });

/** One scheduler in the hands of the test: others say what it says they say. */
export function alone(self: PeerInfo, info: TopicInfo, held: readonly number[] = [], receive?: RateGate) {
  const schedule = createSchedule({ self, random: () => 0, receive });
  const bitmap = createBitmap(info.chunkCount);
  for (const ordinal of held) bitmap.set(ordinal);
  let now = 0;
  const tell = (event: Parameters<typeof schedule.step>[0]): readonly Effect[] => schedule.step(event, now);
  const says = (member: string, message: ScheduledMessage): readonly Effect[] => tell({ kind: 'message', member, message });
  tell({ kind: 'share', topic: topicOne, info, held: bitmap });
  return {
    schedule,
    tell,
    says,
    /** A neighbour that has opened the topic, as its number 5, with these ordinals. */
    meet(peer: PeerInfo, holds: readonly number[] | 'all'): readonly Effect[] {
      const theirs = holds === 'all' ? all(info.chunkCount) : createBitmap(info.chunkCount);
      if (holds !== 'all') for (const ordinal of holds) theirs.set(ordinal);
      return [...tell({ kind: 'joined', peer }), ...says(peer.member, { kind: 'open', topic: 5, blob: info.blob, revision: info.revision, held: theirs.toBytes() })];
    },
    want: () => tell({ kind: 'want', topic: topicOne, fetch: 1, wanted: all(info.chunkCount) }),
    chunk: (member: string, request: number, ordinal: number, good = true) => tell({ kind: 'chunk', member, topic: 5, request, ordinal, bytes: info.lengthOf(ordinal), good }),
    /** Lets time pass in steps as a clock would. */
    pass(ms: number): readonly Effect[] {
      const effects: Effect[] = [];
      for (const end = now + ms; now < end; ) {
        now = Math.min(end, now + swarmBounds.tickMs);
        effects.push(...tell({ kind: 'tick' }));
      }
      return effects;
    },
  };
}

/** The messages of a kind among effects. */
export function sent<Kind extends ScheduledMessage['kind']>(effects: readonly Effect[], kind: Kind, to?: string) {
  const found: Extract<ScheduledMessage, { kind: Kind }>[] = [];
  const isOfKind = (message: ScheduledMessage): message is Extract<ScheduledMessage, { kind: Kind }> => message.kind === kind;
  for (const effect of effects) if (effect.kind === 'send' && isOfKind(effect.message) && (to === undefined || effect.member === to)) found.push(effect.message);
  return found;
}
