// Chunks that could not be read for a neighbour though nobody says that they are gone: the disk was full for a moment, or there was no descriptor left. They
// count as not held like any other that is not given (core/schedule/serve/serving.ts), and a while later as held again, which neighbours are told; whether they can be read
// by then is found out by the next one who asks.

import type { Clock } from '../../clock.ts';

/** A disk is not mended sooner, and while it is not, each chunk is tried once in this time. */
export const rereadMs = 10_000;

export interface Unread {
  /** At most what the topic has. */
  add(topic: number, ordinals: readonly number[]): void;
}

export interface UnreadDeps {
  readonly clock: Pick<Clock, 'wait'>;
  /** Fires when the swarm closes. */
  readonly signal: AbortSignal;
  readonly again: (topic: number, ordinals: readonly number[]) => void;
}

/** None yet. */
export function createUnread({ clock, signal, again }: UnreadDeps): Unread {
  const waiting = new Map<number, Set<number>>();
  const later = async (topic: number, ordinals: ReadonlySet<number>): Promise<void> => {
    await clock.wait(rereadMs, { signal });
    waiting.delete(topic);
    again(topic, [...ordinals]);
  };
  return {
    add(topic, ordinals) {
      const known = waiting.get(topic);
      if (known !== undefined) return ordinals.forEach((ordinal) => known.add(ordinal));
      const some = new Set(ordinals);
      waiting.set(topic, some);
      // Only the end of the swarm ends it.
      later(topic, some).catch(() => undefined);
    },
  };
}
