// The queue before the scheduler: events wait until the turn of the event loop is over, and are taken one after the other. What they bring about is carried
// out in exchange.ts.

import type { Clock } from '../../clock.ts';
import type { Schedule } from '../../core/schedule/schedule.ts';
import type { Effect, ScheduleEvent } from '../../core/schedule/state/swarm-events.ts';

export interface Turns {
  /** Keeps an event for the next look; `bytes` are those of a chunk. What one turn of the event loop brings bounds how many wait. */
  tell(event: ScheduleEvent, bytes?: Uint8Array): void;
}

export interface TurnsDeps {
  readonly schedule: Schedule;
  readonly clock: Clock;
  /** Calls `look` in the same turn of the event loop, after all that comes in it on any connection; at once, and for each event by itself, when it is left out. */
  readonly soon?: ((look: () => void) => void) | undefined;
  /** `bytes` are those of the chunk whose event asked for the effect. */
  readonly perform: (effect: Effect, bytes: Uint8Array | undefined) => void;
  /** Everything that waited has been looked at. */
  readonly onLooked: () => void;
}

/** Nothing waits. */
export function createTurns({ schedule, clock, soon, perform, onLooked }: TurnsDeps): Turns {
  const waiting: { readonly event: ScheduleEvent; readonly bytes: Uint8Array | undefined }[] = [];
  let isDue = false;

  // One event after the other, also when carrying out the effects of one brings about the next. What to ask for is looked for when there are no more: few
  // events change that, and looking costs more than they do.
  const look = (): void => {
    try {
      while (waiting.length > 0) {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
          for (const effect of schedule.take(next.event, clock.monotonic())) perform(effect, next.bytes);
        }
        for (const effect of schedule.settle(clock.monotonic())) perform(effect, undefined);
      }
    } finally {
      isDue = false;
    }
    onLooked();
  };
  return {
    tell(event, bytes) {
      waiting.push({ event, bytes });
      if (isDue) return;
      isDue = true;
      if (soon === undefined) look();
      else soon(look);
    },
  };
}
